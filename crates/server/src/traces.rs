//! Traces to a collector: OTLP over HTTP in protobuf, in batches, on a thread of the library's own.
//!
//! What is traced are the spans that the crates open anyway: a request with its id, method and route, what happens in
//! it, and each append of a lane. A collector that is away or slow costs spans, never requests: the queue is bounded and
//! drops. The collector is expected on this machine or on a trusted network: what leaves is not encrypted here.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

use crate::settings::TraceSettings;

/// How long the collector may take for a batch.
const LIMIT: Duration = Duration::from_secs(10);

/// How long the end waits for the last batch.
const LAST_BATCH: Duration = Duration::from_secs(3);

/// The most bytes of an answer of the collector that are read.
const ANSWER_BYTES: usize = 64 * 1024;

/// Where the collector takes traces (OTLP/HTTP).
const PATH: &str = "/v1/traces";

/// Tracing under way. At the end what is gathered is sent.
pub(crate) struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// Begins, if a collector is named. `runtime` drives the connection to it.
    pub(crate) fn begin(settings: &TraceSettings, node: &str, runtime: Handle) -> Result<Option<Self>> {
        if settings.endpoint.is_empty() {
            return Ok(None);
        }
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Sender { client: Client::builder(TokioExecutor::new()).build_http(), runtime })
            .with_endpoint(format!("{}{PATH}", settings.endpoint.trim_end_matches('/')))
            .with_headers(headers(&settings.headers))
            .with_timeout(LIMIT)
            .build()
            .context("traces cannot be sent (setting `traces.endpoint`)")?;
        let share = f64::from(settings.percent) / 100.0;
        let resource = Resource::builder_empty()
            .with_service_name("loquat")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attribute(KeyValue::new("service.instance.id", node.to_owned()))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(share))))
            .with_resource(resource)
            .build();
        Ok(Some(Self { provider }))
    }

    /// What turns spans of this workspace into traces.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let spans = Targets::new().with_target("loquat", LevelFilter::DEBUG);
        let layer = tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("loquat"))
            .with_location(false)
            .with_threads(false);
        layer.with_filter(spans)
    }

    /// Sends what is gathered, and ends.
    pub(crate) fn end(self) {
        if let Err(error) = self.provider.shutdown_with_timeout(LAST_BATCH) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// `name=value`, separated by commas.
fn headers(text: &str) -> HashMap<String, String> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
}

/// Sends batches. The library calls from a thread of its own, without a runtime.
#[derive(Debug)]
struct Sender {
    client: Client<HttpConnector, Full<Bytes>>,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let sending = self.client.request(Request::from_parts(parts, Full::new(body)));
        let exchange = async move {
            let (parts, body) = sending.await?.into_parts();
            let body = Limited::new(body, ANSWER_BYTES).collect().await?.to_bytes();
            Ok::<_, HttpError>(Response::from_parts(parts, body))
        };
        // The time is the runtime's too.
        self.runtime.spawn(async move { tokio::time::timeout(LIMIT, exchange).await }).await??
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_pairs() {
        let expected = [("authorization", "Bearer a=b"), ("x-scope", "7")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(headers("authorization=Bearer a=b, x-scope=7"), HashMap::from(expected));
        assert_eq!(headers(""), HashMap::new());
    }
}
