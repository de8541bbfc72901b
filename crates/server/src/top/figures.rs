//! What the dashboard shows, from the newest scrapes: rates over the last interval, quantiles over the last ten.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use super::scrape::{Buckets, Scrape};

/// Scrapes that quantiles look back over.
const WINDOW: usize = 10;

/// Points of a curve.
const CURVE: usize = 300;

/// Routes in the table.
const ROUTES: usize = 64;

/// Three quantiles in seconds; `None` where nothing happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Quantiles {
    pub(super) p50: Option<f64>,
    pub(super) p95: Option<f64>,
    pub(super) p99: Option<f64>,
}

impl From<Buckets> for Quantiles {
    fn from(buckets: Buckets) -> Self {
        Self { p50: buckets.quantile(0.5), p95: buckets.quantile(0.95), p99: buckets.quantile(0.99) }
    }
}

/// One route.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct RouteFigures {
    pub(super) route: String,
    pub(super) per_second: f64,
    pub(super) latency: Quantiles,
}

/// Everything at one moment. Rates are per second.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Figures {
    pub(super) version: String,
    pub(super) uptime_seconds: f64,
    pub(super) sockets: f64,
    pub(super) sessions: f64,
    pub(super) connections: f64,
    pub(super) turned_away: f64,
    pub(super) closes: BTreeMap<String, f64>,
    pub(super) events: f64,
    pub(super) frames_in: f64,
    pub(super) frames_out: f64,
    pub(super) frames_in_by_op: BTreeMap<String, f64>,
    pub(super) frames_out_by_op: BTreeMap<String, f64>,
    pub(super) requests: f64,
    pub(super) refusals: BTreeMap<String, f64>,
    pub(super) request_latency: Quantiles,
    pub(super) append_latency: Quantiles,
    pub(super) events_per_append: Option<f64>,
    pub(super) conflicts: f64,
    pub(super) routes: Vec<RouteFigures>,
    pub(super) waiting_changes: f64,
    pub(super) waiting_writes: f64,
    pub(super) waiting_reads: f64,
    pub(super) hashes_in_flight: f64,
    pub(super) commits: f64,
    pub(super) database_bytes: f64,
    pub(super) log_bytes: f64,
    pub(super) disk_free_bytes: f64,
    pub(super) disk_bytes: f64,
    /// Of one core: 2.0 is two cores.
    pub(super) cpu: f64,
    pub(super) memory_bytes: f64,
    pub(super) descriptors: f64,
    pub(super) most_descriptors: f64,
    pub(super) threads: f64,
}

/// Curves over the last minutes, oldest first.
#[derive(Debug, Default)]
pub(super) struct Curves {
    pub(super) events: VecDeque<u64>,
    pub(super) frames_out: VecDeque<u64>,
    pub(super) requests: VecDeque<u64>,
    pub(super) sockets: VecDeque<u64>,
    /// Hundredths of a core.
    pub(super) cpu: VecDeque<u64>,
}

impl Curves {
    fn push(&mut self, figures: &Figures) {
        let whole = |value: f64| if value.is_finite() && value > 0.0 { value.round() as u64 } else { 0 };
        for (curve, value) in [
            (&mut self.events, figures.events),
            (&mut self.frames_out, figures.frames_out),
            (&mut self.requests, figures.requests),
            (&mut self.sockets, figures.sockets),
            (&mut self.cpu, figures.cpu * 100.0),
        ] {
            if curve.len() == CURVE {
                curve.pop_front();
            }
            curve.push_back(whole(value));
        }
    }
}

/// The last scrapes and what they come to.
#[derive(Debug, Default)]
pub(super) struct History {
    scrapes: VecDeque<Scrape>,
    pub(super) figures: Option<Figures>,
    pub(super) curves: Curves,
}

impl History {
    /// Takes a scrape in. After a restart of the service counting begins anew.
    pub(super) fn push(&mut self, scrape: Scrape) {
        let started = |scrape: &Scrape| scrape.sum("process_start_time_seconds");
        if self.scrapes.back().is_some_and(|last| started(last) != started(&scrape)) {
            self.scrapes.clear();
        }
        if self.scrapes.len() > WINDOW {
            self.scrapes.pop_front();
        }
        self.scrapes.push_back(scrape);
        let Some(now) = self.scrapes.back() else { return };
        let last = self.scrapes.iter().rev().nth(1);
        let first = self.scrapes.front().filter(|_| last.is_some());
        let figures = Moment { now, last, first }.figures();
        if last.is_some() {
            self.curves.push(&figures);
        }
        self.figures = Some(figures);
    }

    /// Whether rates are known: they need two scrapes.
    pub(super) fn has_rates(&self) -> bool {
        self.scrapes.len() > 1
    }
}

/// A scrape beside earlier ones.
struct Moment<'a> {
    now: &'a Scrape,
    last: Option<&'a Scrape>,
    first: Option<&'a Scrape>,
}

impl Moment<'_> {
    fn gauge(&self, name: &str) -> f64 {
        self.now.sum(name).unwrap_or(0.0)
    }

    fn seconds(&self) -> Option<f64> {
        let seconds = self.now.at.checked_duration_since(self.last?.at)?.as_secs_f64();
        (seconds > 0.0).then_some(seconds)
    }

    fn rate(&self, name: &str) -> f64 {
        let (Some(last), Some(seconds)) = (self.last, self.seconds()) else { return 0.0 };
        ((self.gauge(name) - last.sum(name).unwrap_or(0.0)) / seconds).max(0.0)
    }

    /// Rates by a label, without what does not happen.
    fn rates(&self, name: &str, label: &str) -> BTreeMap<String, f64> {
        let (Some(last), Some(seconds)) = (self.last, self.seconds()) else { return BTreeMap::new() };
        let before = last.by(name, label);
        let rate = |(value, count): (String, f64)| {
            let rate = (count - before.get(&value).copied().unwrap_or(0.0)) / seconds;
            (rate > 0.0).then_some((value, rate))
        };
        self.now.by(name, label).into_iter().filter_map(rate).collect()
    }

    fn window(&self, name: &str, only: Option<(&str, &str)>) -> Buckets {
        let now = self.now.buckets(name, only);
        self.first.map_or_else(Buckets::default, |first| now.since(&first.buckets(name, only)))
    }

    fn routes(&self) -> Vec<RouteFigures> {
        const REQUESTS: &str = "loquat_http_requests_total";
        const DURATION: &str = "loquat_http_request_duration_seconds";
        let rates = self.rates(REQUESTS, "route");
        let mut routes: Vec<RouteFigures> = self
            .now
            .by(REQUESTS, "route")
            .into_keys()
            .filter_map(|route| {
                let seen = self.window(DURATION, Some(("route", &route)));
                if seen.count() <= 0.0 {
                    return None;
                }
                let per_second = rates.get(&route).copied().unwrap_or(0.0);
                Some(RouteFigures { per_second, latency: seen.into(), route })
            })
            .collect();
        routes.sort_by(|one, other| {
            other.per_second.total_cmp(&one.per_second).then_with(|| one.route.cmp(&other.route))
        });
        routes.truncate(ROUTES);
        routes
    }

    fn events_per_append(&self) -> Option<f64> {
        let sum = |scrape: &Scrape, what: &str| {
            scrape.sum(&format!("loquat_append_batch_events_{what}")).unwrap_or(0.0)
        };
        let first = self.first?;
        let appends = sum(self.now, "count") - sum(first, "count");
        (appends > 0.0).then(|| (sum(self.now, "sum") - sum(first, "sum")) / appends)
    }

    fn figures(&self) -> Figures {
        let mut refusals = self.rates("loquat_gateway_refusals_total", "code");
        for (code, rate) in self.rates("loquat_mutations_refused_total", "code") {
            *refusals.entry(code).or_default() += rate;
        }
        Figures {
            version: self.now.text("loquat_build_info", "version").unwrap_or("?").to_owned(),
            uptime_seconds: self.gauge("loquat_uptime_seconds"),
            sockets: self.gauge("loquat_sockets"),
            sessions: self.gauge("loquat_sessions"),
            connections: self.gauge("loquat_gateway_connections"),
            turned_away: self.rate("loquat_gateway_turned_away_total"),
            closes: self.rates("loquat_socket_closes_total", "code"),
            events: self.rate("loquat_events_appended_total"),
            frames_in: self.rate("loquat_socket_frames_received_total"),
            frames_out: self.rate("loquat_socket_frames_sent_total"),
            frames_in_by_op: self.rates("loquat_socket_frames_received_total", "op"),
            frames_out_by_op: self.rates("loquat_socket_frames_sent_total", "op"),
            requests: self.rate("loquat_http_requests_total"),
            refusals,
            request_latency: self.window("loquat_http_request_duration_seconds", None).into(),
            append_latency: self.window("loquat_append_duration_seconds", None).into(),
            events_per_append: self.events_per_append(),
            conflicts: self.rate("loquat_append_conflicts_total"),
            routes: self.routes(),
            waiting_changes: self.gauge("loquat_lane_waiting"),
            waiting_writes: self.gauge("loquat_store_writes_waiting"),
            waiting_reads: self.gauge("loquat_store_reads_waiting"),
            hashes_in_flight: self.gauge("loquat_password_hashes_in_flight"),
            commits: self.rate("loquat_store_commits_total"),
            database_bytes: self.gauge("loquat_store_database_bytes"),
            log_bytes: self.gauge("loquat_store_log_bytes"),
            disk_free_bytes: self.gauge("loquat_disk_free_bytes"),
            disk_bytes: self.gauge("loquat_disk_bytes"),
            cpu: self.rate("process_cpu_seconds_total"),
            memory_bytes: self.gauge("process_resident_memory_bytes"),
            descriptors: self.gauge("process_open_fds"),
            most_descriptors: self.gauge("process_max_fds"),
            threads: self.gauge("process_threads"),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn text(started: u64, events: u64, fast: u64, slow: u64) -> String {
        let all = fast + slow;
        format!(
            "process_start_time_seconds {started}\nloquat_build_info{{version=\"1.2.3\"}} 1\n\
             loquat_uptime_seconds 4000\nloquat_sockets 12\nloquat_events_appended_total {events}\n\
             loquat_http_requests_total{{method=\"GET\",route=\"/v1/me\",status=\"200\"}} {all}\n\
             loquat_http_request_duration_seconds_bucket{{le=\"0.01\",method=\"GET\",route=\"/v1/me\"}} {fast}\n\
             loquat_http_request_duration_seconds_bucket{{le=\"1.0\",method=\"GET\",route=\"/v1/me\"}} {all}\n\
             loquat_http_request_duration_seconds_bucket{{le=\"+Inf\",method=\"GET\",route=\"/v1/me\"}} {all}\n\
             loquat_gateway_refusals_total{{code=\"invalid\"}} {slow}\nloquat_mutations_refused_total{{code=\"invalid\"}} {slow}\n"
        )
    }

    /// A history of two scrapes, two seconds apart.
    pub(in crate::top) fn history() -> History {
        let start = Instant::now();
        let mut history = History::default();
        history.push(Scrape::read(&text(1, 100, 10, 0), start));
        assert!(!history.has_rates());
        history.push(Scrape::read(&text(1, 300, 100, 10), start + Duration::from_secs(2)));
        history
    }

    #[test]
    fn rates_are_by_the_second_and_quantiles_over_the_window() {
        let history = history();
        let figures = history.figures.unwrap();
        assert_eq!((figures.version.as_str(), figures.sockets, figures.events), ("1.2.3", 12.0, 100.0));
        assert_eq!(figures.requests, 50.0);
        assert_eq!(figures.refusals, BTreeMap::from([("invalid".to_owned(), 10.0)]));
        assert_eq!((figures.routes.len(), figures.routes[0].route.as_str()), (1, "/v1/me"));
        let latency = figures.request_latency;
        assert!(latency.p50.unwrap() < 0.01 && latency.p99.unwrap() > 0.5, "{latency:?}");
        assert_eq!(figures.append_latency, Quantiles::default());
        assert_eq!(history.curves.events, [100]);
    }

    #[test]
    fn a_restart_begins_anew() {
        let mut history = history();
        history.push(Scrape::read(&text(2, 5, 0, 0), Instant::now() + Duration::from_secs(3)));
        assert!(!history.has_rates());
        assert_eq!(history.figures.as_ref().unwrap().events, 0.0);
        assert_eq!(history.curves.events, [100], "the curve goes on");
    }
}
