//! `GET /v1/sync`: what a socket would push, for clients that cannot hold one.

use std::time::Duration;

use axum::Json as JsonBody;
use axum::extract::State;
use axum::http::Method;
use loquat_domain::Refusal;
use loquat_proto::SyncAnswer;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::describe::on;
use crate::extract::{Query, SignedIn, empty_as_none};
use crate::problem::Failure;
use crate::route::{Access, Audience, Route};
use crate::state::GatewayState;

/// The longest wait that a client may ask for, and what it gets where it does not say, in seconds.
const TIMEOUT_MAX: u64 = 60;
const TIMEOUT_DEFAULT: u64 = 30;

pub(crate) static ROUTES: &[Route] =
    &[Route::new(Method::GET, "/v1/sync", Access::SignedIn(Audience::Everyone), |method| on(method, sync))
        .about(
            "Waits for what is new since a sync token.",
            "The same that a socket would push, for clients that cannot hold one.",
        )
        .within(Duration::from_secs(TIMEOUT_MAX + 30))];

/// `?since=&timeout=30`
#[derive(Debug, Deserialize, JsonSchema)]
struct SyncQuery {
    /// The newest sync token that the client has; everything is new without one.
    #[serde(default, deserialize_with = "empty_as_none")]
    since: Option<String>,
    /// How many seconds to wait, 30 by default.
    #[schemars(range(max = 60))]
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
