//! What Loquat is meant to reach, as data, and whether a run reached it.

use crate::{
    report::{Metric, Row, align},
    system::System,
};

/// A bound on a figure of Loquat.
enum Bound {
    Least(f64),
    Most(f64),
    /// At least this many times the figure of the relay with its log, in the same run.
    LeastOfLog(f64),
    /// At most this many times the figure of the relay with its log, in the same run.
    MostOfLog(f64),
    /// At least this many times the same figure of another case.
    LeastOfCase(f64, &'static str),
    /// At most this many times the same figure of another case.
    MostOfCase(f64, &'static str),
    /// At most this many times another figure of the same case.
    MostOfFigure(f64, Metric),
}

use Bound::{Least, LeastOfCase, LeastOfLog, Most, MostOfCase, MostOfFigure, MostOfLog};

/// What a send may cost where there is ten times as much, and how much slower pages may be.
const A_DECADE: f64 = 1.15;
const FLAT: f64 = 1.2;

/// Case, figure, its name, bound.
const TARGETS: [(&str, Metric, &str, Bound); 33] = [
    ("closed P=100 W=1", Metric::MessagesPerSecond, "msg/s", LeastOfLog(0.6)),
    ("closed P=100 W=16", Metric::MessagesPerSecond, "msg/s", Least(30_000.0)),
    ("closed P=100 W=16", Metric::CpuPerMessage, "server µs/msg", Most(33.0)),
    ("open P=100 100/s", Metric::AckP50, "ack p50 ms", MostOfLog(1.5)),
    ("open P=100 100/s", Metric::AckP99, "ack p99 ms", MostOfLog(3.0)),
    ("open P=100 1000/s", Metric::AckP50, "ack p50 ms", MostOfLog(1.5)),
    ("open P=100 1000/s", Metric::AckP99, "ack p99 ms", MostOfLog(3.0)),
    ("10 groups of 100, receipts on", Metric::DeliveriesPerSecond, "deliveries/s", LeastOfLog(0.8)),
    ("10 groups of 100, receipts off", Metric::DeliveriesPerSecond, "deliveries/s", LeastOfLog(0.8)),
    ("a channel of 5000, acks on", Metric::DeliveriesPerSecond, "deliveries/s", LeastOfLog(0.8)),
    ("a channel of 5000, acks off", Metric::DeliveriesPerSecond, "deliveries/s", LeastOfLog(0.8)),
    ("1000 sockets", Metric::KibPerSocket, "KiB/socket", Most(8.0)),
    ("5000 sockets", Metric::KibPerSocket, "KiB/socket", Most(8.0)),
    ("15000 sockets", Metric::KibPerSocket, "KiB/socket", Most(8.0)),
    ("start", Metric::ReadyMs, "ready ms", Most(100.0)),
    ("start", Metric::BinaryMb, "binary MB", Most(30.0)),
    ("start", Metric::MemoryAfter, "resident MiB", Most(28.6)),
    ("15000 sockets reconnect", Metric::SyncedSeconds, "all synced s", Most(10.0)),
    ("15000 sockets reconnect", Metric::TimesCalm, "bystanders' p99, x calm", Most(3.0)),
    ("pages, 1M messages", Metric::PagesPerSecond, "pages/s", Least(4_000.0)),
    ("pages, 10M messages", Metric::PagesPerSecond, "pages/s", Least(4_000.0)),
    ("pages, 10M messages", Metric::PagesPerSecond, "pages/s", LeastOfCase(1.0 / FLAT, "pages, 1M messages")),
    (
        "196 groups of 51 watch one another",
        Metric::CpuPerTold,
        "µs/told",
        MostOfCase(A_DECADE, "19 groups of 51 watch one another"),
    ),
    (
        "196 groups of 51 watch one another",
        Metric::CpuPerUnwatched,
        "µs/change, unwatched",
        MostOfFigure(0.2, Metric::CpuPerWatched),
    ),
    (
        "send, 10k conversations",
        Metric::CpuPerMessage,
        "server µs/msg",
        MostOfCase(A_DECADE, "send, 1k conversations"),
    ),
    (
        "send, 100k conversations",
        Metric::CpuPerMessage,
        "server µs/msg",
        MostOfCase(A_DECADE, "send, 10k conversations"),
    ),
    (
        "send, 1M conversations",
        Metric::CpuPerMessage,
        "server µs/msg",
        MostOfCase(A_DECADE, "send, 100k conversations"),
    ),
    ("send, 10M messages", Metric::CpuPerMessage, "server µs/msg", MostOfCase(A_DECADE, "send, 1M messages")),
    ("send, group of 100", Metric::CpuPerMessage, "server µs/msg", MostOfCase(A_DECADE, "send, group of 10")),
    (
        "send, channel of 1k",
        Metric::CpuPerMessage,
        "server µs/msg",
        MostOfCase(A_DECADE, "send, channel of 100"),
    ),
    (
        "send, channel of 10k",
        Metric::CpuPerMessage,
        "server µs/msg",
        MostOfCase(A_DECADE, "send, channel of 1k"),
    ),
    ("start, 10M messages", Metric::ReadyMs, "ready ms", Most(1_000.0)),
    ("start, 10M messages", Metric::SlowestReadyMs, "slowest ms", Most(1_000.0)),
];

/// A table of the targets whose case was run on Loquat (and on the limit line, where the bound needs it).
pub(crate) fn verdicts(rows: &[Row]) -> String {
    let figure = |system, case: &str, metric| {
        rows.iter().find(|row| row.system == system && row.case == case).and_then(|row| row.value(metric))
    };
    let mut lines = Vec::new();
    for (case, metric, name, bound) in &TARGETS {
        let Some(reached) = figure(System::Loquat, case, *metric) else { continue };
        let log = || figure(System::Log, case, *metric);
        let (target, met) = match bound {
            Least(least) => (format!("at least {least}"), reached >= *least),
            Most(most) => (format!("at most {most}"), reached <= *most),
            LeastOfLog(share) => match log() {
                Some(log) => (format!("at least {share} x log = {:.3}", share * log), reached >= share * log),
                None => continue,
            },
            MostOfLog(share) => match log() {
                Some(log) => (format!("at most {share} x log = {:.3}", share * log), reached <= share * log),
                None => continue,
            },
            LeastOfCase(share, other) => match figure(System::Loquat, other, *metric) {
                Some(base) => {
                    (format!("at least {:.3} ({share:.2} x {other})", share * base), reached >= share * base)
                }
                None => continue,
            },
            MostOfCase(share, other) => match figure(System::Loquat, other, *metric) {
                Some(base) => {
                    (format!("at most {:.3} ({share:.2} x {other})", share * base), reached <= share * base)
                }
                None => continue,
            },
            MostOfFigure(share, other) => match figure(System::Loquat, case, *other) {
                Some(base) => (
                    format!("at most {:.3} ({share:.2} x {})", share * base, other.heading()),
                    reached <= share * base,
                ),
                None => continue,
            },
        };
        let verdict = if met { "met" } else { "MISSED" };
        lines.push(vec![
            (*case).to_owned(),
            (*name).to_owned(),
            target,
            verdict.to_owned(),
            format!("{reached:.3}"),
        ]);
    }
    if lines.is_empty() {
        return String::new();
    }
    lines.insert(0, ["case", "figure", "target", "verdict", "Loquat"].map(str::to_owned).to_vec());
    align(&lines, 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Workload;

    fn row(system: System, rate: f64) -> Row {
        Row {
            workload: Workload::OneToOne,
            case: "closed P=100 W=1".to_owned(),
            system,
            rounds: 3,
            fdatasync_us: 1.0,
            values: vec![(Metric::MessagesPerSecond, rate)],
            percent_of_log: None,
        }
    }

    #[test]
    fn cases_are_judged_against_others_of_the_same_run() {
        let sends = |case: &str, cost| Row {
            case: case.to_owned(),
            values: vec![(Metric::CpuPerMessage, cost)],
            ..row(System::Loquat, 0.0)
        };
        let small = sends("send, 1M messages", 20.0);
        for (cost, word) in [(22.9, "| met"), (23.1, "| MISSED")] {
            let table = verdicts(&[small.clone(), sends("send, 10M messages", cost)]);
            assert!(
                table.contains(word) && table.contains("at most 23.000 (1.15 x send, 1M messages)"),
                "{table}"
            );
        }
        assert_eq!(verdicts(&[sends("send, 10M messages", 1.0)]), "");
    }

    #[test]
    fn targets_are_judged_against_the_log_of_the_same_run() {
        for (rate, word) in [(60.0, "| met"), (59.0, "| MISSED")] {
            let table = verdicts(&[row(System::Log, 100.0), row(System::Loquat, rate)]);
            assert_eq!(table.lines().count(), 3, "{table}");
            assert!(table.contains(word), "{table}");
        }
        assert_eq!(verdicts(&[row(System::Log, 100.0)]), "");
        assert_eq!(verdicts(&[row(System::Loquat, 100.0)]), "");
    }
}
