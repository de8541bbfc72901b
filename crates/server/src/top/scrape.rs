//! One scrape of `GET /metrics`: fetched and read (the Prometheus text format, version 0.0.4).

use std::collections::{BTreeMap, HashMap};
use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// How long a scrape may take.
const LIMIT: Duration = Duration::from_secs(3);

/// A scrape is read up to here; ours are some tens of KiB.
const MOST_BYTES: u64 = 8 << 20;

/// One series: its labels and value.
#[derive(Debug, Clone, PartialEq)]
struct Series {
    labels: Vec<(String, String)>,
    value: f64,
}

impl Series {
    fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
    }
}

/// Everything that was exposed at one moment.
#[derive(Debug, Clone)]
pub(super) struct Scrape {
    pub(super) at: Instant,
    families: HashMap<String, Vec<Series>>,
}

/// The buckets of histograms added up: cumulative counts by upper bound, ascending.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Buckets(Vec<(f64, f64)>);

impl Scrape {
    /// Fetches from `host:port`.
    pub(super) fn fetch(address: &str) -> Result<Self> {
        let place = address.to_socket_addrs().with_context(|| format!("{address} is no address"))?.next();
        let place = place.with_context(|| format!("{address} has no address"))?;
        let mut stream = TcpStream::connect_timeout(&place, LIMIT)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        // HTTP/1.0: the answer ends with the connection.
        write!(stream, "GET /metrics HTTP/1.0\r\nhost: {address}\r\n\r\n")?;
        let mut text = String::new();
        stream.take(MOST_BYTES).read_to_string(&mut text)?;
        let (head, body) = text.split_once("\r\n\r\n").context("the answer is not HTTP")?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        if status != "200" {
            bail!("the metrics listener answers {status}");
        }
        Ok(Self::read(body, Instant::now()))
    }

    /// Reads the text; a line that is not understood is passed over.
    pub(super) fn read(text: &str, at: Instant) -> Self {
        let mut families: HashMap<String, Vec<Series>> = HashMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some((name, series)) = series(line) {
                families.entry(name.to_owned()).or_default().push(series);
            }
        }
        Self { at, families }
    }

    fn series(&self, name: &str) -> &[Series] {
        self.families.get(name).map_or(&[], Vec::as_slice)
    }

    /// The sum of all series; `None` if there is none.
    pub(super) fn sum(&self, name: &str) -> Option<f64> {
        let series = self.series(name);
        (!series.is_empty()).then(|| series.iter().map(|series| series.value).sum())
    }

    /// Sums by the value of a label.
    pub(super) fn by(&self, name: &str, label: &str) -> BTreeMap<String, f64> {
        let mut sums = BTreeMap::new();
        for series in self.series(name) {
            if let Some(value) = series.label(label) {
                *sums.entry(value.to_owned()).or_default() += series.value;
            }
        }
        sums
    }

    /// The value of a label of the first series.
    pub(super) fn text(&self, name: &str, label: &str) -> Option<&str> {
        self.series(name).first()?.label(label)
    }

    /// The buckets of all series, or of those with a certain label.
    pub(super) fn buckets(&self, name: &str, only: Option<(&str, &str)>) -> Buckets {
        let mut sums: Vec<(f64, f64)> = Vec::new();
        for series in self.series(&format!("{name}_bucket")) {
            if only.is_some_and(|(label, value)| series.label(label) != Some(value)) {
                continue;
            }
            let Some(bound) = series.label("le").and_then(number) else { continue };
            match sums.iter_mut().find(|(other, _)| *other == bound) {
                Some((_, count)) => *count += series.value,
                None => sums.push((bound, series.value)),
            }
        }
        sums.sort_by(|one, other| one.0.total_cmp(&other.0));
        Buckets(sums)
    }
}

impl Buckets {
    /// What came since an earlier scrape.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        let before =
            |bound: f64| earlier.0.iter().find(|(other, _)| *other == bound).map_or(0.0, |(_, count)| *count);
        Self(self.0.iter().map(|(bound, count)| (*bound, (count - before(*bound)).max(0.0))).collect())
    }

    /// How many observations there are.
    pub(super) fn count(&self) -> f64 {
        self.0.last().map_or(0.0, |(_, count)| *count)
    }

    /// The value below which this part of the observations lies, linear within its bucket as Prometheus has it; `None`
    /// without observations. Beyond the last finite bound it is that bound.
    pub(super) fn quantile(&self, part: f64) -> Option<f64> {
        let total = self.count();
        if total <= 0.0 {
            return None;
        }
        let rank = part * total;
        let (mut lower, mut below) = (0.0, 0.0);
        for (bound, count) in &self.0 {
            if *count >= rank {
                if bound.is_infinite() {
                    return Some(lower);
                }
                let within = count - below;
                let share = if within > 0.0 { (rank - below) / within } else { 0.0 };
                return Some(lower + (bound - lower) * share);
            }
            (lower, below) = (*bound, *count);
        }
        Some(lower)
    }
}

fn series(line: &str) -> Option<(&str, Series)> {
    let (head, value) = line.trim().rsplit_once(' ')?;
    let value = number(value)?;
    let Some((name, labels)) = head.split_once('{') else {
        return Some((head, Series { labels: Vec::new(), value }));
    };
    let labels = labels.trim_end().strip_suffix('}')?;
    Some((name, Series { labels: read_labels(labels)?, value }))
}

/// `a="x",b="y\"z"`.
fn read_labels(text: &str) -> Option<Vec<(String, String)>> {
    let mut labels = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut characters = after.char_indices();
        let end = loop {
            match characters.next()? {
                (place, '"') => break place,
                (_, '\\') => match characters.next()?.1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                (_, character) => value.push(character),
            }
        };
        labels.push((name.trim_start_matches(',').to_owned(), value));
        rest = &after[end + 1..];
    }
    Some(labels)
}

fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        _ => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrape(text: &str) -> Scrape {
        Scrape::read(text, Instant::now())
    }

    #[test]
    fn series_are_read_with_their_labels() {
        let scrape = scrape(
            "# HELP a About a.\n# TYPE a counter\na{op=\"send\",x=\"q\\\"uo,te\"} 3\na{op=\"ack\"} 4.5\nb 1e3\nbroken\nc{ 1\n",
        );
        assert_eq!(scrape.sum("a"), Some(7.5));
        assert_eq!(scrape.by("a", "op"), BTreeMap::from([("ack".into(), 4.5), ("send".into(), 3.0)]));
        assert_eq!(scrape.text("a", "x"), Some("q\"uo,te"));
        assert_eq!((scrape.sum("b"), scrape.sum("none")), (Some(1_000.0), None));
    }

    #[test]
    fn quantiles_lie_within_their_buckets() {
        let text = |counts: [u64; 3]| {
            let [one, two, all] = counts;
            format!(
                "h_bucket{{le=\"0.1\"}} {one}\nh_bucket{{le=\"1.0\"}} {two}\nh_bucket{{le=\"+Inf\"}} {all}\n"
            )
        };
        let earlier = scrape(&text([10, 10, 10])).buckets("h", None);
        let now = scrape(&text([60, 100, 110])).buckets("h", None).since(&earlier);
        assert_eq!(now.count(), 100.0);
        for (part, expected) in [(0.5, 0.1), (0.25, 0.05), (0.7, 0.55), (0.9, 1.0), (0.99, 1.0)] {
            let found = now.quantile(part).unwrap();
            assert!((found - expected).abs() < 1e-9, "{part}: {found}");
        }
        assert_eq!(earlier.since(&earlier).quantile(0.5), None);
        assert_eq!(Buckets::default().quantile(0.5), None);
    }

    #[test]
    fn histograms_of_several_series_are_added_up() {
        let scrape = scrape(
            "h_bucket{le=\"1.0\",route=\"/a\"} 1\nh_bucket{le=\"+Inf\",route=\"/a\"} 2\n\
             h_bucket{le=\"1.0\",route=\"/b\"} 10\nh_bucket{le=\"+Inf\",route=\"/b\"} 20\n",
        );
        assert_eq!(scrape.buckets("h", None), Buckets(vec![(1.0, 11.0), (f64::INFINITY, 22.0)]));
        assert_eq!(scrape.buckets("h", Some(("route", "/b"))).count(), 20.0);
    }
}
