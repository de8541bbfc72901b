//! The lines above and below everything: the banner, short messages, and the keys that matter now.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::popup::key_line;
use crate::app::message::Connection;
use crate::app::{App, Focus};
use crate::screens::compose::Purpose;
use crate::text::width::{columns, fit, truncate};

/// What the banner says; `None` while all is well.
#[must_use]
pub fn banner_text(app: &App) -> Option<String> {
    let queued = app.chats.queued();
    let waiting = match queued {
        0 => String::new(),
        1 => " — 1 message waiting".to_owned(),
        count => format!(" — {count} messages waiting"),
    };
    match app.connection {
        Connection::Online { .. } => None,
        Connection::Offline => Some(format!("offline{waiting}")),
        Connection::Connecting if app.was_online || queued > 0 => {
            Some(format!("offline{waiting}, connecting…"))
        }
        Connection::Connecting => None,
        Connection::Reconnecting { at } => {
            let seconds = (at.saturating_sub(app.clock.now).max(0) + 999) / 1_000;
            let separator = if waiting.is_empty() { " — " } else { ", " };
            Some(match seconds {
                0 => format!("offline{waiting}{separator}retrying…"),
                _ => format!("offline{waiting}{separator}retrying in {seconds} s"),
            })
        }
    }
}

/// Draws the banner.
pub fn banner(app: &App, text: &str, area: Rect, frame: &mut Frame<'_>) {
    let hint = " Ctrl+R now ";
    let wide = usize::from(area.width);
    let room = wide.saturating_sub(columns(hint));
    let line = if room > columns(text) + 2 {
        format!("{}{hint}", fit(&format!(" {text}"), room))
    } else {
        fit(&format!(" {text}"), wide)
    };
    frame.render_widget(Line::styled(line, app.theme.banner()), area);
}

/// Draws the footer: a short message while there is one, else the keys that matter now.
pub fn footer(app: &App, area: Rect, frame: &mut Frame<'_>) {
    let wide = usize::from(area.width);
    if let Some(toast) = &app.toast {
        let style = if toast.is_problem { app.theme.wrong() } else { app.theme.accent() };
        frame.render_widget(Line::styled(truncate(&format!(" {}", toast.text), wide), style), area);
        return;
    }
    let state = match app.connection {
        Connection::Online { catching_up: true } => "catching up… ",
        Connection::Connecting => "connecting… ",
        _ => "",
    };
    let room = wide.saturating_sub(columns(state));
    let mut line = key_line(keys(app), app.theme, room);
    let gap = room.saturating_sub(line.width());
    line.push_span(Span::raw(" ".repeat(gap)));
    line.push_span(Span::styled(state, app.theme.quiet()));
    frame.render_widget(line, area);
}

fn keys(app: &App) -> &'static [(&'static str, &'static str)] {
    match (app.focus, &app.open) {
        (Focus::Compose, Some(open)) => match open.compose.purpose {
            Purpose::Edit { .. } => {
                &[("Enter", "save"), ("Alt+Enter", "new line"), ("Esc", "cancel"), ("F1", "help")]
            }
            Purpose::Reply { .. } => {
                &[("Enter", "send"), ("Alt+Enter", "new line"), ("Esc", "cancel"), ("F1", "help")]
            }
            Purpose::New if app.why_silent().is_some() => &[
                ("Esc", "chats"),
                ("Tab", "messages"),
                ("Ctrl+P", "go to"),
                ("F2", "commands"),
                ("F3", "about"),
                ("F1", "help"),
            ],
            Purpose::New if open.compose.editor.is_empty() => &[
                ("Esc", "chats"),
                ("Tab", "messages"),
                ("↑", "edit last"),
                ("Ctrl+P", "go to"),
                ("F2", "commands"),
                ("F3", "about"),
                ("F1", "help"),
            ],
            Purpose::New => &[("Enter", "send"), ("Alt+Enter", "new line"), ("Esc", "chats"), ("F1", "help")],
        },
        (Focus::Messages, Some(open)) => {
            let queued = open.selected_message().is_some_and(|message| message.seq().is_none());
            if queued {
                return &[("t", "try again"), ("d", "drop"), ("c", "copy"), ("Esc", "back"), ("?", "help")];
            }
            &[
                ("r", "reply"),
                ("+", "react"),
                ("e", "edit"),
                ("d", "delete"),
                ("c", "copy"),
                ("p", "pin"),
                ("o", "open link"),
                ("i", "info"),
                ("Esc", "back"),
                ("?", "help"),
            ]
        }
        _ if app.chats.filter.is_some() => &[("Enter", "open"), ("↑↓", "choose"), ("Esc", "all chats")],
        _ if app.chats.all().is_empty() => &[
            ("n", "new chat"),
            ("g", "new group"),
            ("i", "join"),
            ("F2", "commands"),
            ("q", "leave"),
            ("?", "help"),
        ],
        _ => &[
            ("Enter", "open"),
            ("↑↓", "choose"),
            ("n", "new chat"),
            ("g", "new group"),
            ("/", "find"),
            ("F2", "commands"),
            ("q", "leave"),
            ("?", "help"),
        ],
    }
}
