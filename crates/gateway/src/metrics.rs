//! What the gateway counts, and how it is exposed: the Prometheus text format, version 0.0.4.
//!
//! Names end in their unit or `_total`, labels have few values (route templates, never paths), and nothing in them
//! comes from a client. To add a metric: a field of [`Metrics`], one line in [`Metrics::register`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use loquat_proto::{CloseCode, ErrorCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::socket::FrameOp;

/// Upper bounds of request durations, in seconds: from a cached read to a long poll.
const DURATION_BUCKETS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0];

/// The kinds of frames that go out, as they are told apart by how they begin.
const OUTBOUND_OPS: [&str; 10] =
    ["answer", "event", "receipt", "erased", "typing", "presence", "account", "tick", "drain", "error"];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AnswerLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OpLabels {
    op: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabels {
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CloseLabels {
    code: u16,
}

/// The gateway's metrics. Counters of the hot path are looked up once, here.
pub(crate) struct Metrics {
    answers: Family<AnswerLabels, Counter>,
    durations: Family<RouteLabels, Histogram>,
    refusals: Family<CodeLabels, Counter>,
    closes: Family<CloseLabels, Counter>,
    received: Family<OpLabels, Counter>,
    received_by_op: [Counter; FrameOp::ALL.len()],
    sent: Family<OpLabels, Counter>,
    sent_by_op: [Counter; OUTBOUND_OPS.len()],
    /// Writes to sockets, each with as many frames as were waiting.
    pub(crate) socket_flushes: Counter,
    /// Open connections that have not become sockets.
    pub(crate) connections: Gauge,
    /// Open sockets, those that have not said hello among them.
    pub(crate) sockets: Gauge,
    /// Connections and sockets turned away because there were too many.
    pub(crate) turned_away: Counter,
    /// Handlers that panicked.
    pub(crate) panics: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let received = Family::<OpLabels, Counter>::default();
        let sent = Family::<OpLabels, Counter>::default();
        let counter = |family: &Family<OpLabels, Counter>, op| family.get_or_create(&OpLabels { op }).clone();
        Self {
            answers: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
            refusals: Family::default(),
            closes: Family::default(),
            received_by_op: FrameOp::ALL.map(|op| counter(&received, op.name())),
            received,
            sent_by_op: OUTBOUND_OPS.map(|op| counter(&sent, op)),
            sent,
            socket_flushes: Counter::default(),
            connections: Gauge::default(),
            sockets: Gauge::default(),
            turned_away: Counter::default(),
            panics: Counter::default(),
        }
    }
}

impl Metrics {
    /// Puts every metric into a registry, with its help.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("loquat");
        registry.register(
            "http_requests",
            "Requests answered, by route template, method and status",
            self.answers.clone(),
        );
        registry.register(
            "http_request_duration_seconds",
            "Time from a request's head to its answer's head",
            self.durations.clone(),
        );
        registry.register(
            "gateway_refusals",
            "Requests and frames refused by the gateway, by error code",
            self.refusals.clone(),
        );
        registry.register("socket_closes", "Sockets closed, by close code", self.closes.clone());
        registry.register("socket_frames_received", "Frames received, by op", self.received.clone());
        registry.register("socket_frames_sent", "Frames sent, by op", self.sent.clone());
        registry.register(
            "socket_flushes",
            "Coalesced writes to sockets, of one or more frames",
            self.socket_flushes.clone(),
        );
        registry.register(
            "gateway_connections",
            "Open connections that have not become sockets",
            self.connections.clone(),
        );
        registry.register("sockets", "Open sockets", self.sockets.clone());
        registry.register(
            "gateway_turned_away",
            "Connections and sockets turned away because there were too many",
            self.turned_away.clone(),
        );
        registry.register("gateway_panics", "Handlers that panicked", self.panics.clone());
    }

    /// Counts an answered request. `route` is a template.
    pub(crate) fn answered(&self, method: &'static str, route: &str, status: u16, took: Duration) {
        let route = route.to_owned();
        self.durations
            .get_or_create(&RouteLabels { method, route: route.clone() })
            .observe(took.as_secs_f64());
        self.answers.get_or_create(&AnswerLabels { method, route, status }).inc();
    }

    /// Counts a refusal.
    pub(crate) fn refused(&self, code: ErrorCode) {
        self.refusals.get_or_create(&CodeLabels { code: code.as_str() }).inc();
    }

    /// Counts a received frame.
    pub(crate) fn received(&self, op: FrameOp) {
        self.received_by_op[op as usize].inc();
    }

    /// Counts a frame to send, by how it begins.
    pub(crate) fn sent(&self, frame: &[u8]) {
        if let Some(index) = outbound_op(frame) {
            self.sent_by_op[index].inc();
        }
    }

    /// Counts a closed socket; 1000 and 1006 (RFC 6455, section 7.4.1) are closes by the client.
    pub(crate) fn closed(&self, code: u16) {
        self.closes.get_or_create(&CloseLabels { code }).inc();
    }

    /// Makes every close code known to scrapers before it first happens.
    pub(crate) fn announce_close_codes(&self) {
        for code in CloseCode::ALL {
            drop(self.closes.get_or_create(&CloseLabels { code: code.code() }));
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn outbound_op(frame: &[u8]) -> Option<usize> {
    if frame.starts_with(b"{\"re\":") {
        return Some(0);
    }
    let rest = frame.strip_prefix(b"{\"op\":\"")?;
    OUTBOUND_OPS
        .iter()
        .position(|op| rest.strip_prefix(op.as_bytes()).is_some_and(|rest| rest.starts_with(b"\"")))
}

/// The routes of the metrics listener: `GET /metrics`.
pub(crate) fn router(registry: Arc<Registry>) -> Router {
    let expose = move || {
        let registry = Arc::clone(&registry);
        async move {
            let headers = [
                (header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"),
                (header::CACHE_CONTROL, "no-store"),
            ];
            (headers, render(&registry)).into_response()
        }
    };
    Router::new().route("/metrics", get(expose))
}

/// The Prometheus text format. The encoder writes OpenMetrics, where a counter's metadata goes without `_total`; in
/// the older format, which every scraper reads, metadata has the name of the samples.
fn render(registry: &Registry) -> String {
    let mut open_metrics = String::new();
    // Writing to a String cannot fail.
    let _ = prometheus_client::encoding::text::encode(&mut open_metrics, registry);
    let mut out = String::with_capacity(open_metrics.len());
    let mut help: Option<&str> = None;
    for line in open_metrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = Some(rest);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, "untyped"));
            let suffix = if kind == "counter" { "_total" } else { "" };
            if let Some((_, text)) = help.take().and_then(|help| help.split_once(' ')) {
                out.extend(["# HELP ", name, suffix, " ", text, "\n"]);
            }
            out.extend(["# TYPE ", name, suffix, " ", kind, "\n"]);
        } else if !line.starts_with('#') {
            out.extend([line, "\n"]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use loquat_proto::frame::{self, Push};
    use loquat_proto::{ConversationId, ErrorBody, UserId};

    use super::*;

    #[test]
    fn outbound_frames_are_told_apart_by_how_they_begin() {
        let error = ErrorBody { code: ErrorCode::Invalid, detail: String::new(), retry_after_ms: None };
        let conversation = ConversationId::new(7).unwrap();
        let user = UserId::new(8).unwrap();
        let cases: [(Bytes, &str); 6] = [
            (frame::answer(1, &()), "answer"),
            (frame::answer_error(Some(1), &error), "answer"),
            (frame::answer_error(None, &error), "error"),
            (frame::push(&Push::Tick { since: "x".to_owned() }), "tick"),
            (frame::push(&Push::Drain { retry_after_ms: 1, url: None }), "drain"),
            (frame::push(&Push::Typing { conversation, user, on: true }), "typing"),
        ];
        for (bytes, op) in cases {
            assert_eq!(outbound_op(&bytes).map(|index| OUTBOUND_OPS[index]), Some(op), "{bytes:?}");
        }
        assert_eq!(outbound_op(b"{\"op\":\"events\"}"), None);
    }

    #[test]
    fn metadata_has_the_name_of_its_samples() {
        let metrics = Metrics::default();
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        metrics.answered("GET", "/v1/me", 200, Duration::from_millis(3));
        metrics.refused(ErrorCode::NotFound);
        metrics.announce_close_codes();
        let text = render(&registry);
        for expected in [
            "# TYPE loquat_http_requests_total counter\n",
            "loquat_http_requests_total{method=\"GET\",route=\"/v1/me\",status=\"200\"} 1\n",
            "# HELP loquat_sockets Open sockets.\n# TYPE loquat_sockets gauge\nloquat_sockets 0\n",
            "loquat_http_request_duration_seconds_count{method=\"GET\",route=\"/v1/me\"} 1\n",
            "loquat_gateway_refusals_total{code=\"not_found\"} 1\n",
            "loquat_socket_closes_total{code=\"4003\"} 0\n",
            "loquat_socket_frames_received_total{op=\"send\"} 0\n",
        ] {
            assert!(text.contains(expected), "{expected:?} is missing from:\n{text}");
        }
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap();
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix))
                .unwrap_or(name);
            assert!(text.contains(&format!("# HELP {family} ")), "{family} has no help");
        }
    }
}
