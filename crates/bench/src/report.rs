//! From samples to tables: medians over the rounds, ratios to the limit line, verdicts on the targets.

use std::{
    fmt::{self, Write as _},
    io,
    path::Path,
};

use serde::Serialize;

use crate::{
    error::BenchError,
    machine::Machine,
    system::System,
    targets,
    workload::{Settings, Workload},
};

/// Load of its core above which the generator, not the server, may bound a rate.
const SATURATED_PERCENT: f64 = 90.0;

/// A kind of figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Metric {
    MessagesPerSecond,
    DeliveriesPerSecond,
    CpuPerMessage,
    CpuPerDelivery,
    ServerLoad,
    GeneratorLoad,
    AckP50,
    AckP99,
    AckP999,
    DeliveryP50,
    DeliveryP99,
    DeliveryP999,
    KibPerSocket,
    MemoryBefore,
    MemoryAfter,
    ConnectsPerSecond,
    ReadyMs,
    SlowestReadyMs,
    BinaryMb,
    SyncedSeconds,
    SyncedP50,
    SyncedP99,
    CpuPerReconnect,
    CalmAckP99,
    BystanderAckP99,
    TimesCalm,
    PagesPerSecond,
    CpuPerPage,
    KibPerPage,
    PageP50,
    PageP99,
    CpuPerPing,
    CpuPerUnwatched,
    CpuPerWatched,
    CpuPerTold,
    ToldPerSecond,
    ToldP50,
    ToldP99,
    StoreConversations,
    StoreMessages,
}

impl Metric {
    /// Heading of its column, with the unit.
    pub(crate) fn heading(self) -> &'static str {
        self.column().0
    }

    /// The heading, and the decimals it is printed with.
    fn column(self) -> (&'static str, usize) {
        match self {
            Self::MessagesPerSecond => ("msg/s", 0),
            Self::DeliveriesPerSecond => ("deliveries/s", 0),
            Self::CpuPerMessage => ("server µs/msg", 1),
            Self::CpuPerDelivery => ("server µs/delivery", 2),
            Self::ServerLoad => ("server %", 0),
            Self::GeneratorLoad => ("generator %", 0),
            Self::AckP50 => ("ack p50 ms", 3),
            Self::AckP99 => ("ack p99 ms", 3),
            Self::AckP999 => ("ack p99.9 ms", 3),
            Self::DeliveryP50 => ("delivery p50 ms", 3),
            Self::DeliveryP99 => ("delivery p99 ms", 3),
            Self::DeliveryP999 => ("delivery p99.9 ms", 3),
            Self::KibPerSocket => ("KiB/socket", 2),
            Self::MemoryBefore => ("before MiB", 1),
            Self::MemoryAfter => ("resident MiB", 1),
            Self::ConnectsPerSecond => ("connects/s", 0),
            Self::ReadyMs => ("ready ms", 1),
            Self::SlowestReadyMs => ("slowest ms", 1),
            Self::BinaryMb => ("binary MB", 1),
            Self::SyncedSeconds => ("all synced s", 2),
            Self::SyncedP50 => ("synced p50 s", 2),
            Self::SyncedP99 => ("synced p99 s", 2),
            Self::CpuPerReconnect => ("server µs/reconnect", 0),
            Self::CalmAckP99 => ("calm ack p99 ms", 3),
            Self::BystanderAckP99 => ("bystanders' ack p99 ms", 3),
            Self::TimesCalm => ("x calm", 2),
            Self::PagesPerSecond => ("pages/s", 0),
            Self::CpuPerPage => ("server µs/page", 1),
            Self::KibPerPage => ("KiB/page", 1),
            Self::PageP50 => ("page p50 ms", 3),
            Self::PageP99 => ("page p99 ms", 3),
            Self::CpuPerPing => ("server µs/ping", 2),
            Self::CpuPerUnwatched => ("µs/change, unwatched", 2),
            Self::CpuPerWatched => ("µs/change, 50 watch", 1),
            Self::CpuPerTold => ("µs/told", 2),
            Self::ToldPerSecond => ("told/s", 0),
            Self::ToldP50 => ("all told p50 ms", 3),
            Self::ToldP99 => ("all told p99 ms", 3),
            Self::StoreConversations => ("conversations", 0),
            Self::StoreMessages => ("messages", 0),
        }
    }
}

/// The figures of one run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sample {
    pub(crate) workload: Workload,
    pub(crate) case: String,
    pub(crate) system: System,
    /// Rounds count from 0.
    pub(crate) round: usize,
    /// Median `fdatasync` of a 4 KiB append right before the run, in microseconds.
    pub(crate) fdatasync_us: f64,
    pub(crate) values: Vec<(Metric, f64)>,
}

impl fmt::Display for Sample {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, system, round, fdatasync_us, .. } = self;
        write!(
            formatter,
            "{case} | {} | round {} | fdatasync {fdatasync_us:.0} µs",
            system.title(),
            round + 1
        )?;
        for (metric, value) in &self.values {
            let (heading, decimals) = metric.column();
            write!(formatter, " | {heading} {value:.decimals$}")?;
        }
        Ok(())
    }
}

/// The medians of one case on one system.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) workload: Workload,
    pub(crate) case: String,
    pub(crate) system: System,
    /// Rounds behind the medians.
    pub(crate) rounds: usize,
    pub(crate) fdatasync_us: f64,
    pub(crate) values: Vec<(Metric, f64)>,
    /// Rate as a percentage of the limit line's.
    pub(crate) percent_of_log: Option<f64>,
}

impl Row {
    /// The median of a metric, where this row has it.
    pub(crate) fn value(&self, metric: Metric) -> Option<f64> {
        self.values.iter().find(|(known, _)| *known == metric).map(|(_, value)| *value)
    }

    fn rate(&self) -> Option<f64> {
        self.value(Metric::DeliveriesPerSecond).or_else(|| self.value(Metric::MessagesPerSecond))
    }
}

/// Everything a run found out.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) settings: Settings,
    pub(crate) rows: Vec<Row>,
    pub(crate) samples: Vec<Sample>,
}

impl Report {
    /// Takes medians over the rounds of each case on each system, in the order in which they first ran.
    pub(crate) fn new(machine: Machine, settings: Settings, samples: Vec<Sample>) -> Self {
        let mut rows: Vec<Row> = Vec::new();
        for sample in &samples {
            if rows.iter().any(|row| row.case == sample.case && row.system == sample.system) {
                continue;
            }
            let same: Vec<&Sample> = samples
                .iter()
                .filter(|other| other.case == sample.case && other.system == sample.system)
                .collect();
            rows.push(medians(sample, &same));
        }
        let rates: Vec<Option<f64>> = rows
            .iter()
            .map(|row| row.rate().zip(limit_rate(&rows, &row.case)))
            .map(|pair| pair.map(|(rate, limit)| 100.0 * rate / limit))
            .collect();
        for (row, percent) in rows.iter_mut().zip(rates) {
            row.percent_of_log = percent;
        }
        Self { machine, settings, rows, samples }
    }

    /// Writes everything as JSON.
    pub(crate) fn write_json(&self, path: &Path) -> Result<(), BenchError> {
        Ok(serde_json::to_writer_pretty(io::BufWriter::new(std::fs::File::create(path)?), self)?)
    }

    /// All tables in Markdown, ready for a document.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("{}\n", self.conditions());
        for (workload, title) in [
            (Workload::OneToOne, "(a) Durable one-to-one, closed loop"),
            (Workload::Paced, "(a) Durable one-to-one, open loop"),
            (Workload::Groups, "(b) Groups"),
            (Workload::Channel, "(b2) A channel"),
            (Workload::Idle, "(c) Idle sockets"),
            (Workload::Reconnect, "(d) Reconnecting at once"),
            (Workload::History, "(e) History"),
            (Workload::Presence, "(g) Presence"),
            (Workload::Start, "(h) Start and size"),
            (Workload::Growth, "(i) Growth"),
        ] {
            let rows: Vec<&Row> = self.rows.iter().filter(|row| row.workload == workload).collect();
            if !rows.is_empty() {
                let _ = write!(text, "\n### {title}\n\n{}", table(&rows));
            }
        }
        let saturated = saturated(&self.rows);
        if !saturated.is_empty() {
            let _ = write!(
                text,
                "\nThe generator used more than {SATURATED_PERCENT} % of its core, so that these figures are lower bounds: {}.\n",
                saturated.join("; ")
            );
        }
        let verdicts = targets::verdicts(&self.rows);
        if !verdicts.is_empty() {
            let _ = write!(text, "\n### Targets\n\n{verdicts}");
        }
        text
    }

    /// The conditions of the run, in one paragraph.
    pub(crate) fn conditions(&self) -> String {
        let Machine { processor, cores, kernel, memory_mib, file_system, congestion_control, pinned } =
            &self.machine;
        let Settings { repeat, warm_up, window, .. } = &self.settings;
        let pinning = if *pinned { "server on core 0, generator on core 1" } else { "not pinned" };
        format!(
            "{processor}, {cores} cores ({pinning}), {memory_mib} MiB, Linux {kernel}, {file_system}, TCP {congestion_control}; medians of {repeat} \
             interleaved rounds, each {} s after {} s of warm-up; acks {}, nonces {}.",
            window.as_secs_f64(),
            warm_up.as_secs_f64(),
            format!("{:?}", self.settings.acks).to_lowercase(),
            format!("{:?}", self.settings.nonces).to_lowercase(),
        )
    }
}

/// Rows whose rate the generator may have bounded. In open loops it polls without pause, which says nothing.
fn saturated(rows: &[Row]) -> Vec<String> {
    rows.iter()
        .filter(|row| {
            matches!(
                row.workload,
                Workload::OneToOne | Workload::Groups | Workload::Channel | Workload::History
            )
        })
        .filter(|row| row.value(Metric::GeneratorLoad).is_some_and(|load| load > SATURATED_PERCENT))
        .map(|row| format!("{}, {}", row.case, row.system.title()))
        .collect()
}

fn medians(first: &Sample, same: &[&Sample]) -> Row {
    let values = first
        .values
        .iter()
        .map(|(metric, _)| {
            let all = same.iter().filter_map(|sample| {
                sample.values.iter().find(|(other, _)| other == metric).map(|(_, value)| *value)
            });
            (*metric, median(all.collect()))
        })
        .collect();
    Row {
        workload: first.workload,
        case: first.case.clone(),
        system: first.system,
        rounds: same.len(),
        fdatasync_us: median(same.iter().map(|sample| sample.fdatasync_us).collect()),
        values,
        percent_of_log: None,
    }
}

fn limit_rate(rows: &[Row], case: &str) -> Option<f64> {
    rows.iter().find(|row| row.case == case && row.system == System::Log)?.rate()
}

/// The middle value; of an even number the mean of the two in the middle. NaN where there is none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.get(middle) {
        None => f64::NAN,
        Some(upper) if values.len() % 2 == 1 => *upper,
        Some(upper) => (values[middle - 1] + upper) / 2.0,
    }
}

/// One table with the columns that any of its rows has.
fn table(rows: &[&Row]) -> String {
    let mut metrics: Vec<Metric> = Vec::new();
    for (metric, _) in rows.iter().flat_map(|row| &row.values) {
        if !metrics.contains(metric) {
            metrics.push(*metric);
        }
    }
    let with_percent = rows.iter().any(|row| row.percent_of_log.is_some());
    let mut headings = vec!["case".to_owned(), "system".to_owned()];
    headings.extend(metrics.iter().map(|metric| metric.column().0.to_owned()));
    if with_percent {
        headings.push("% of log".to_owned());
    }
    headings.push("fdatasync p50 µs".to_owned());
    let mut lines = vec![headings];
    for row in rows {
        let mut cells = vec![row.case.clone(), row.system.title().to_owned()];
        cells.extend(metrics.iter().map(|metric| cell(row.value(*metric), metric.column().1)));
        if with_percent {
            cells.push(cell(row.percent_of_log, 0));
        }
        cells.push(cell(Some(row.fdatasync_us), 0));
        lines.push(cells);
    }
    align(&lines, 2)
}

fn cell(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(String::new, |value| format!("{value:.decimals$}"))
}

/// A Markdown table that also reads well as plain text. The first `texts` columns are left-aligned.
pub(crate) fn align(lines: &[Vec<String>], texts: usize) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0).max(3))
        .collect();
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let _ = if column < texts {
                write!(text, "| {cell:<width$} ")
            } else {
                write!(text, "| {cell:>width$} ")
            };
        }
        text.push_str("|\n");
        if number == 0 {
            for (column, width) in widths.iter().enumerate() {
                let _ = if column < texts {
                    write!(text, "| {:-<width$} ", "")
                } else {
                    write!(text, "| {:->width$}: ", "", width = width - 1)
                };
            }
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn sample(system: System, round: usize, rate: f64) -> Sample {
        Sample {
            workload: Workload::OneToOne,
            case: "closed P=100 W=1".to_owned(),
            system,
            round,
            fdatasync_us: 100.0,
            values: vec![(Metric::MessagesPerSecond, rate), (Metric::GeneratorLoad, rate)],
        }
    }

    fn settings() -> Settings {
        use std::time::Duration;
        Settings {
            systems: vec![System::Log, System::Loquat],
            repeat: 3,
            warm_up: Duration::from_secs(1),
            window: Duration::from_secs(2),
            settle: Duration::ZERO,
            starts: 1,
            group_writers: 1,
            group_window: 1,
            store_users: 1,
            store_spread: 1,
            acks: crate::generator::run::Acks::Each,
            nonces: crate::generator::body::NonceKind::Random,
        }
    }

    #[test]
    fn figures_are_medians_and_ratios_to_the_log() {
        let samples = [(System::Log, [90.0, 100.0, 500.0]), (System::Loquat, [70.0, 1.0, 60.0])]
            .into_iter()
            .flat_map(|(system, rates)| {
                rates.into_iter().enumerate().map(move |(round, rate)| sample(system, round, rate))
            })
            .collect();
        let report = Report::new(Machine::describe(Path::new("/")), settings(), samples);
        let found: Vec<_> =
            report.rows.iter().map(|row| (row.system, row.rate(), row.percent_of_log)).collect();
        assert_eq!(
            found,
            [(System::Log, Some(100.0), Some(100.0)), (System::Loquat, Some(60.0), Some(60.0))]
        );
        let markdown = report.markdown();
        assert!(markdown.contains("| Loquat "), "{markdown}");
        assert!(!markdown.contains("NaN"), "{markdown}");
        assert!(markdown.contains("lower bounds: closed P=100 W=1, relay + log."), "{markdown}");
    }

    #[test]
    fn medians_of_even_counts_lie_between() {
        assert!((median(vec![4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < 1e-9);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn tables_are_aligned() {
        let lines = [vec!["case".to_owned(), "n".to_owned()], vec!["a".to_owned(), "12345".to_owned()]];
        assert_eq!(align(&lines, 1), "| case |     n |\n| ---- | ----: |\n| a    | 12345 |\n");
    }
}
