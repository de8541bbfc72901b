//! `GET /v1/sync`: what a socket would push, for clients that cannot hold one.

use std::time::Duration;

use axum::Json as JsonBody;
use axum::extract::State;
use axum::http::Method;
use axum::routing::on;
use loquat_domain::Refusal;
use loquat_proto::SyncAnswer;
use serde::Deserialize;

use crate::extract::{Query, SignedIn, empty_as_none};
use crate::problem::Failure;
use crate::route::{Access, Audience, Route};
use crate::state::GatewayState;

/// The longest wait that a client may ask for, and what it gets where it does not say, in seconds.
const TIMEOUT_MAX: u64 = 60;
const TIMEOUT_DEFAULT: u64 = 30;

pub(crate) static ROUTES: &[Route] =
    &[Route::new(Method::GET, "/v1/sync", Access::SignedIn(Audience::Everyone), |method| on(method, sync))
        .within(Duration::from_secs(TIMEOUT_MAX + 30))];

/// `?since=&timeout=30`
#[derive(Debug, Deserialize)]
struct SyncQuery {
    #[serde(default, deserialize_with = "empty_as_none")]
    since: Option<String>,
    timeout: Option<u64>,
}

async fn sync(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Query(query): Query<SyncQuery>,
) -> Result<JsonBody<SyncAnswer>, Failure> {
    let seconds = query.timeout.unwrap_or(TIMEOUT_DEFAULT);
    if seconds > TIMEOUT_MAX {
        return Err(Failure::invalid(format!("timeout is 0 to {TIMEOUT_MAX} seconds")));
    }
    tokio::select! {
        answer = state.app.sync().long_poll(caller, query.since, Duration::from_secs(seconds)) => {
            Ok(JsonBody(answer?))
        }
        () = state.stopping.cancelled() => {
            Err(Refusal::Unavailable { reason: "the node is stopping", retry_after_ms: 1_000 }.into())
        }
    }
}
