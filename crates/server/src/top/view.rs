//! The screen.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Cell, Paragraph, Row, Sparkline, Table};

use super::Screen;
use super::figures::{Figures, Quantiles};
use crate::admin::bytes;

/// Columns of a name beside its value.
const NAME: usize = 16;

const QUIET: Style = Style::new().fg(Color::DarkGray);
const TITLE: Style = Style::new().add_modifier(Modifier::BOLD);
const GOOD: Style = Style::new().fg(Color::Green);
const UNEASY: Style = Style::new().fg(Color::Yellow);
const BAD: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);

/// Draws everything that is known.
pub(super) fn draw(frame: &mut Frame<'_>, screen: &Screen) {
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)])
            .areas(frame.area());
    frame.render_widget(heading(screen), head);
    frame.render_widget(footer(screen), foot);
    let Some(figures) = &screen.history.figures else {
        let text = match &screen.lost {
            Some((why, _)) => vec![
                Line::styled(format!("no metrics at http://{}/metrics", screen.address), BAD),
                Line::raw(why.clone()),
                Line::raw(""),
                Line::raw("Is the service running? Its metrics listener is the setting metrics.listen;"),
                Line::raw("--url names another one. This keeps trying."),
            ],
            None => vec![Line::styled("waiting for the first figures …", QUIET)],
        };
        frame.render_widget(
            Paragraph::new(text).block(Block::new().padding(ratatui::widgets::Padding::uniform(1))),
            body,
        );
        return;
    };
    panels(frame, body, screen, figures);
    if screen.lost.is_some() {
        frame.buffer_mut().set_style(body, QUIET);
    }
}

fn panels(frame: &mut Frame<'_>, body: Rect, screen: &Screen, figures: &Figures) {
    let [upper, middle, lower] =
        Layout::vertical([Constraint::Length(9), Constraint::Length(7), Constraint::Min(4)]).areas(body);
    let thirds = Layout::horizontal([Constraint::Ratio(1, 3); 3]);
    let [connections, traffic, latency] =
        Layout::horizontal([Constraint::Length(26), Constraint::Fill(1), Constraint::Length(36)])
            .areas(upper);
    let [queues, storage, process] = thirds.areas(middle);
    panel(frame, connections, "Connections", connection_lines(figures));
    traffic_panel(frame, traffic, screen, figures);
    panel(frame, latency, "Latency, last 10 s", latency_lines(figures));
    panel(frame, queues, "Queues", queue_lines(figures));
    panel(frame, storage, "Storage", storage_lines(figures));
    panel(frame, process, "Process", process_lines(screen, figures));
    let [routes, frames] =
        Layout::horizontal([Constraint::Ratio(2, 3), Constraint::Ratio(1, 3)]).areas(lower);
    route_table(frame, routes, figures);
    panel(frame, frames, "Frames and refusals /s", frame_lines(figures));
}

fn heading(screen: &Screen) -> Line<'static> {
    let mut spans = vec![Span::styled(" loquat top ", TITLE.add_modifier(Modifier::REVERSED))];
    if let Some(figures) = &screen.history.figures {
        let up = uptime(figures.uptime_seconds);
        spans.push(Span::raw(format!(" {} on {}, up {up} ", figures.version, screen.address)));
    }
    match &screen.lost {
        Some((why, since)) => {
            let seconds = Instant::now().saturating_duration_since(*since).as_secs();
            spans.push(Span::styled(format!(" ● no answer for {seconds} s: {why} "), BAD));
        }
        None if screen.paused => spans.push(Span::styled(" ● paused ", UNEASY)),
        None if screen.history.figures.is_some() && !screen.history.has_rates() => {
            spans.push(Span::styled(" ● measuring ", UNEASY));
        }
        None if screen.history.figures.is_some() => spans.push(Span::styled(" ● live ", GOOD)),
        None => {}
    }
    Line::from(spans)
}

fn footer(screen: &Screen) -> Line<'static> {
    let pause = if screen.paused { "go on" } else { "pause" };
    Line::from(vec![
        Span::styled(" q", TITLE),
        Span::styled(" quit   ", QUIET),
        Span::styled("p", TITLE),
        Span::styled(format!(" {pause}   "), QUIET),
        Span::styled("rates are per second, over the last second", QUIET),
    ])
}

fn frame_of(title: &'static str) -> Block<'static> {
    Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(QUIET)
        .title(Span::styled(format!(" {title} "), TITLE))
}

fn panel(frame: &mut Frame<'_>, area: Rect, title: &'static str, lines: Vec<Line<'static>>) {
    frame.render_widget(Paragraph::new(lines).block(frame_of(title)), area);
}

fn line(name: &str, value: impl Into<String>, style: Style) -> Line<'static> {
    Line::from(vec![Span::styled(format!("{name:NAME$}"), QUIET), Span::styled(value.into(), style)])
}

/// A value that is bad as soon as it is not zero.
fn hopefully_none(name: &str, value: f64) -> Line<'static> {
    line(name, count(value), if value > 0.0 { UNEASY } else { Style::new() })
}

fn connection_lines(figures: &Figures) -> Vec<Line<'static>> {
    let mut lines = vec![
        line("sockets", count(figures.sockets), TITLE),
        line("sessions", count(figures.sessions), Style::new()),
        line("calls", count(figures.connections), Style::new()),
        hopefully_none("turned away /s", figures.turned_away),
    ];
    let closes = busiest(&figures.closes, 3).map(|(code, rate)| {
        // 1000 and 1006 are the client's own.
        let style = if matches!(code, "1000" | "1006" | "4009") { Style::new() } else { UNEASY };
        line(&format!("closed {code} /s"), count(rate), style)
    });
    lines.extend(closes);
    lines
}

fn traffic_panel(frame: &mut Frame<'_>, area: Rect, screen: &Screen, figures: &Figures) {
    let block = frame_of("Traffic /s");
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let curves = &screen.history.curves;
    let rows = [
        ("events", figures.events, Some((&curves.events, Color::Green))),
        ("frames out", figures.frames_out, Some((&curves.frames_out, Color::Cyan))),
        ("frames in", figures.frames_in, None),
        ("requests", figures.requests, Some((&curves.requests, Color::Magenta))),
        ("commits", figures.commits, None),
    ];
    let areas = Layout::vertical(rows.iter().map(|_| Constraint::Length(1))).split(inner);
    for ((name, value, curve), area) in rows.into_iter().zip(areas.iter()) {
        let [text, plot] = Layout::horizontal([Constraint::Length(20), Constraint::Fill(1)]).areas(*area);
        let spans =
            [Span::styled(format!("{name:11}"), QUIET), Span::styled(format!("{:>7} ", count(value)), TITLE)];
        frame.render_widget(Line::from(spans.to_vec()), text);
        if let Some((points, colour)) = curve {
            sparkline(frame, plot, points, colour);
        }
    }
    let rest = Rect { y: inner.y + 5, height: inner.height.saturating_sub(5), ..inner };
    if rest.height > 0 {
        let batch = figures.events_per_append.map_or_else(|| "-".to_owned(), |events| format!("{events:.1}"));
        let lines = vec![
            line("events/append", batch, Style::new()),
            hopefully_none("conflicts /s", figures.conflicts),
        ];
        frame.render_widget(Paragraph::new(lines), rest);
    }
}

/// The newest points at the right edge.
fn sparkline(frame: &mut Frame<'_>, area: Rect, points: &VecDeque<u64>, colour: Color) {
    let width = usize::from(area.width);
    let mut shown = vec![0; width.saturating_sub(points.len())];
    shown.extend(points.iter().skip(points.len().saturating_sub(width)));
    frame.render_widget(Sparkline::default().data(shown).style(Style::new().fg(colour)), area);
}

fn latency_lines(figures: &Figures) -> Vec<Line<'static>> {
    let row = |name: &str, latency: Quantiles| {
        let cell = |seconds: Option<f64>, limit: f64| {
            let style = if seconds.is_some_and(|seconds| seconds > limit) { UNEASY } else { Style::new() };
            Span::styled(format!("{:>8}", seconds.map_or_else(|| "-".to_owned(), duration)), style)
        };
        Line::from(vec![
            Span::styled(format!("{name:9}"), QUIET),
            cell(latency.p50, 0.1),
            cell(latency.p95, 0.5),
            cell(latency.p99, 1.0),
        ])
    };
    vec![
        Line::styled(format!("{:9}{:>8}{:>8}{:>8}", "", "p50", "p95", "p99"), QUIET),
        row("requests", figures.request_latency),
        row("appends", figures.append_latency),
        Line::raw(""),
        Line::styled("appends end when they are durable;", QUIET),
        Line::styled("requests include long polls", QUIET),
    ]
}

fn queue_lines(figures: &Figures) -> Vec<Line<'static>> {
    vec![
        line("lane changes", count(figures.waiting_changes), Style::new()),
        line("writes", count(figures.waiting_writes), Style::new()),
        line("reads", count(figures.waiting_reads), Style::new()),
        line("password hashes", count(figures.hashes_in_flight), Style::new()),
    ]
}

fn storage_lines(figures: &Figures) -> Vec<Line<'static>> {
    let free = figures.disk_free_bytes / figures.disk_bytes.max(1.0);
    let style = match free {
        free if free < 0.05 => BAD,
        free if free < 0.2 => UNEASY,
        _ => Style::new(),
    };
    vec![
        line("database", size(figures.database_bytes), Style::new()),
        line("write-ahead log", size(figures.log_bytes), Style::new()),
        line("disk free", format!("{} ({:.0} %)", size(figures.disk_free_bytes), free * 100.0), style),
    ]
}

fn process_lines(screen: &Screen, figures: &Figures) -> Vec<Line<'static>> {
    let open = figures.descriptors / figures.most_descriptors.max(1.0);
    let style = if open > 0.8 { UNEASY } else { Style::new() };
    let peak = screen.history.curves.cpu.iter().max().copied().unwrap_or(0);
    vec![
        line("cpu", format!("{:.0} %, peak {peak} %", figures.cpu * 100.0), Style::new()),
        line("memory", size(figures.memory_bytes), Style::new()),
        line(
            "descriptors",
            format!("{} of {}", count(figures.descriptors), count(figures.most_descriptors)),
            style,
        ),
        line("threads", count(figures.threads), Style::new()),
    ]
}

fn route_table(frame: &mut Frame<'_>, area: Rect, figures: &Figures) {
    let rows = figures.routes.iter().map(|route| {
        let cell = |seconds: Option<f64>| {
            Cell::from(format!("{:>8}", seconds.map_or_else(|| "-".to_owned(), duration)))
        };
        Row::new([
            Cell::from(route.route.clone()),
            Cell::from(format!("{:>7}", count(route.per_second))),
            cell(route.latency.p50),
            cell(route.latency.p99),
        ])
    });
    let widths = [Constraint::Fill(1), Constraint::Length(7), Constraint::Length(8), Constraint::Length(8)];
    let header = Row::new([
        "route".to_owned(),
        format!("{:>7}", "/s"),
        format!("{:>8}", "p50"),
        format!("{:>8}", "p99"),
    ]);
    let table = Table::new(rows, widths).header(header.style(QUIET)).block(frame_of("Routes, busiest first"));
    frame.render_widget(table, area);
}

fn frame_lines(figures: &Figures) -> Vec<Line<'static>> {
    let mut lines: Vec<Line<'static>> = Vec::new();
    for (arrow, rates) in [("→", &figures.frames_in_by_op), ("←", &figures.frames_out_by_op)] {
        lines.extend(
            busiest(rates, 4).map(|(op, rate)| line(&format!("{arrow} {op}"), count(rate), Style::new())),
        );
    }
    lines.extend(
        busiest(&figures.refusals, 4).map(|(code, rate)| line(&format!("✗ {code}"), count(rate), UNEASY)),
    );
    if lines.is_empty() {
        lines.push(Line::styled("nothing", QUIET));
    }
    lines
}

/// The largest few.
fn busiest(rates: &BTreeMap<String, f64>, most: usize) -> impl Iterator<Item = (&str, f64)> {
    let mut sorted: Vec<(&str, f64)> = rates.iter().map(|(name, rate)| (name.as_str(), *rate)).collect();
    sorted.sort_by(|one, other| other.1.total_cmp(&one.1));
    sorted.into_iter().take(most)
}

/// A number in at most six characters or so.
fn count(value: f64) -> String {
    match value {
        value if value >= 10_000_000.0 => format!("{:.0}M", value / 1e6),
        value if value >= 100_000.0 => format!("{:.0}k", value / 1e3),
        value if value >= 100.0 || value.fract().abs() < 1e-9 => format!("{value:.0}"),
        value => format!("{value:.1}"),
    }
}

fn size(value: f64) -> String {
    bytes(if value > 0.0 { value as u64 } else { 0 })
}

fn duration(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 0.001 => format!("{:.0} µs", seconds * 1e6),
        seconds if seconds < 0.1 => format!("{:.1} ms", seconds * 1e3),
        seconds if seconds < 1.0 => format!("{:.0} ms", seconds * 1e3),
        seconds => format!("{seconds:.1} s"),
    }
}

fn uptime(seconds: f64) -> String {
    let seconds = if seconds > 0.0 { seconds as u64 } else { 0 };
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::top::figures::History;
    use crate::top::figures::tests::history;

    fn drawn(screen: &Screen, (width, height): (u16, u16)) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, screen)).unwrap();
        terminal.backend().to_string()
    }

    fn screen(history: History) -> Screen {
        Screen { address: "127.0.0.1:9464".to_owned(), history, lost: None, paused: false }
    }

    #[test]
    fn the_screen_is_as_reviewed() {
        insta::assert_snapshot!(drawn(&screen(history()), (100, 28)));
    }

    #[test]
    fn nothing_is_drawn_beyond_a_small_terminal() {
        for size in [(1, 1), (20, 5), (60, 14), (80, 24), (300, 90)] {
            drawn(&screen(history()), size);
        }
    }

    #[test]
    fn a_lost_service_is_named_and_its_last_figures_stay() {
        let mut lost = screen(history());
        lost.lost = Some(("Connection refused".to_owned(), Instant::now()));
        let text = drawn(&lost, (120, 28));
        assert!(text.contains("no answer for 0 s: Connection refused") && text.contains("/v1/me"), "{text}");
        let mut never = screen(History::default());
        never.lost = lost.lost;
        let text = drawn(&never, (100, 28));
        assert!(text.contains("no metrics at http://127.0.0.1:9464/metrics"), "{text}");
    }

    #[test]
    fn values_are_short() {
        for (value, expected) in
            [(0.0, "0"), (0.25, "0.2"), (99.0, "99"), (1234.5, "1234"), (123_456.0, "123k")]
        {
            assert_eq!(count(value), expected);
        }
        for (seconds, expected) in
            [(0.000_12, "120 µs"), (0.0123, "12.3 ms"), (0.25, "250 ms"), (2.5, "2.5 s")]
        {
            assert_eq!(duration(seconds), expected);
        }
        for (seconds, expected) in
            [(5.0, "5 s"), (300.0, "5 min"), (7_380.0, "2 h 3 min"), (180_000.0, "2 d 2 h")]
        {
            assert_eq!(uptime(seconds), expected);
        }
    }
}
