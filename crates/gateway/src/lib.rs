//! The gateway: REST, WebSocket, long poll and metrics over HTTP/1.1 and HTTP/2, in the clear or over TLS.
//!
//! It turns requests and frames into calls of the domain and answers back into bytes. It decides *who asks*
//! ([`route`]: the guard before every handler) and *whether it can be read* (`extract`); it never decides *whether it
//! is allowed*: that is the domain's. It knows neither SQL nor a message broker.
//!
//! A call's way: `serve` (accept, caps) → `connection` (TLS, HTTP, timeouts) → `observe` (request id, panics, problems, metrics) → the route's
//! guard (client address, credentials, rate, deadline) → a handler of `rest`. A socket's way: `socket::upgrade` →
//! its one task (`socket::session_loop`).
//!
//! To extend: a route is an entry in the `ROUTES` of its resource, a frame one in [`FrameOp`]; both state their
//! audience, and the authorisation matrix (`tests/authorisation.rs`) fails until it knows how to call them.

mod config;
mod connection;
mod cookie;
mod describe;
mod extract;
mod forwarded;
mod longpoll;
mod metrics;
mod observe;
mod problem;
mod rest;
mod route;
mod security;
mod serve;
mod site;
mod socket;
mod stall;
mod state;
mod tls;

use std::sync::Arc;

use axum::{Router, middleware};
use loquat_domain::App;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

pub use config::{GatewayConfig, InvalidNetwork, Network};
pub use describe::{asyncapi, openapi};
pub use forwarded::{ForwardedHeader, InvalidForwardedHeader};
pub use problem::Meter;
pub use route::{Access, Audience, Route, routes};
pub use serve::Stopped;
pub use site::SiteFile;
pub use socket::{FrameOp, ops};
pub use tls::Tls;
pub use tokio_rustls::rustls;

use crate::serve::Door;
use crate::state::GatewayState;

/// The gateway over a domain. A cheap handle: clones share everything.
#[derive(Clone)]
pub struct Gateway {
    state: GatewayState,
}

impl Gateway {
    /// Serves this domain with these settings.
    #[must_use]
    pub fn new(app: App, config: GatewayConfig) -> Self {
        Self { state: GatewayState::new(app, config) }
    }

    /// All routes, each behind its guard. [`Gateway::serve`] serves this; handlers rely on its accept loop.
    fn router(&self) -> Router {
        let router = route::build(&self.state);
        let router = match self.state.origins.cors() {
            Some(cors) => router.layer(cors),
            None => router,
        };
        router
            .layer(middleware::from_fn_with_state(self.state.clone(), observe::observe))
            .with_state(self.state.clone())
    }

    /// Serves until `shutdown` completes; then tells sockets to go elsewhere, lets calls finish, and returns when all
    /// are gone or the grace is over.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> Stopped {
        let door = Door { listener, tls: None };
        serve::serve(self.state.clone(), self.router(), door, shutdown).await
    }

    /// The same over TLS, where ALPN chooses HTTP/2 or HTTP/1.1.
    pub async fn serve_tls(
        &self,
        listener: TcpListener,
        tls: Tls,
        shutdown: impl Future<Output = ()>,
    ) -> Stopped {
        let door = Door { listener, tls: Some(tls) };
        serve::serve(self.state.clone(), self.router(), door, shutdown).await
    }

    /// `GET /metrics` for the operator's own listener: the metrics of the domain and of the gateway, and those that
    /// `registry` holds already.
    pub fn metrics_router(&self, mut registry: Registry) -> Router {
        self.state.metrics.register(&mut registry);
        self.state.app.metrics().register(&mut registry);
        metrics::router(Arc::new(registry))
    }
}
