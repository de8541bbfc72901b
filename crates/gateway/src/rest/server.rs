//! What the service says about itself: `/v1/server`, `/healthz`, `/readyz`.

use axum::Json as JsonBody;
use axum::extract::State;
use axum::http::Method;
use loquat_domain::Refusal;
use loquat_proto::ServerInfo;
use schemars::JsonSchema;
use serde::Serialize;

use crate::describe::{Cached, on};
use crate::problem::Failure;
use crate::route::{Access, Route};
use crate::state::GatewayState;

pub(crate) static ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/server", Access::Public, |method| on(method, info))
        .about("Says what the service is, its limits and features.", ""),
    Route::new(Method::GET, "/healthz", Access::Probe, |method| on(method, alive))
        .about("Says that the process answers.", ""),
    Route::new(Method::GET, "/readyz", Access::Probe, |method| on(method, ready))
        .about("Says whether the service can serve: storage and bus answer.", ""),
];

#[derive(Debug, Serialize, JsonSchema)]
struct Health {
    /// `alive` or `ready`.
    status: &'static str,
}

async fn info(State(state): State<GatewayState>) -> Cached<ServerInfo> {
    let config = state.app.config();
    let info = ServerInfo {
        name: config.server_name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        limits: config.limits.clone(),
        features: Vec::new(),
    };
    Cached { answer: info, seconds: 60 }
}

/// The process answers.
async fn alive() -> JsonBody<Health> {
    JsonBody(Health { status: "alive" })
}

/// Storage and bus answer, and the server is not about to stop.
async fn ready(State(state): State<GatewayState>) -> Result<JsonBody<Health>, Failure> {
    if state.stopping.is_cancelled() {
        return Err(Refusal::Unavailable { reason: "the node is stopping", retry_after_ms: 5_000 }.into());
    }
    state.app.ready().await?;
    Ok(JsonBody(Health { status: "ready" }))
}
