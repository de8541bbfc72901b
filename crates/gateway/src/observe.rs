//! The outermost layer: names each request, catches panics, renders refusals, sets the headers that every answer
//! has, counts and logs.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use tracing::field::Empty;
use tracing::{Instrument as _, debug, error, info_span};

use crate::extract::Peer;
use crate::problem::{self, Failure};
use crate::security;
use crate::state::GatewayState;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_MAX: usize = 64;

/// Wraps the whole router.
pub(crate) async fn observe(State(state): State<GatewayState>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = method_label(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let request_id = trusted_request_id(&state, &request).unwrap_or_else(|| state.next_request_id());
    let span = info_span!("request", otel.kind = "server", id = %request_id, method, route, status = Empty);

    let answer = AssertUnwindSafe(async move { next.run(request).await }).catch_unwind();
    let mut response = answer.instrument(span.clone()).await.unwrap_or_else(|_| {
        state.metrics.panics.inc();
        Failure::internal().into_response()
    });
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        state.metrics.refused(failure.code());
        let headers = std::mem::take(response.headers_mut());
        response = problem::render(&failure, headers, &request_id, &state.app.config().limits);
    }
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        security::set_headers(response.headers_mut(), state.origins.are_secure());
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
    }

    let took = started.elapsed();
    let status = response.status().as_u16();
    state.metrics.answered(method, route, status, took);
    span.record("status", status);
    let milliseconds = took.as_millis();
    let _entered = span.enter();
    if response.status().is_server_error() {
        error!(status, milliseconds, "request failed");
    } else {
        debug!(status, milliseconds, "request answered");
    }
    response
}

/// The id that a trusted proxy gave the request, if it is fit for a log line.
fn trusted_request_id(state: &GatewayState, request: &Request) -> Option<String> {
    let peer = request.extensions().get::<Peer>()?;
    let id = request.headers().get(REQUEST_ID)?.to_str().ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let fit = (1..=REQUEST_ID_MAX).contains(&id.len()) && id.bytes().all(plain);
    (fit && state.config.trusts(peer.0)).then(|| id.to_owned())
}

/// Methods as label values: a closed set, whatever clients send.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}
