//! What every handler shares.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use loquat_domain::App;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::GatewayConfig;
use crate::metrics::Metrics;
use crate::security::Origins;

/// Shared by all handlers and sockets. A cheap handle.
#[derive(Clone)]
pub(crate) struct GatewayState(Arc<Shared>);

/// See [`GatewayState`].
pub(crate) struct Shared {
    /// The domain.
    pub(crate) app: App,
    /// Settings.
    pub(crate) config: GatewayConfig,
    /// Which web origins may use the service from a browser.
    pub(crate) origins: Origins,
    /// What is counted.
    pub(crate) metrics: Metrics,
    /// One permit for each socket that may still open.
    pub(crate) socket_slots: Arc<Semaphore>,
    /// Cancelled when the server begins to stop.
    pub(crate) stopping: CancellationToken,
    /// Connections and sockets under way.
    pub(crate) tasks: TaskTracker,
    request_ids: RequestIds,
}

impl GatewayState {
    pub(crate) fn new(app: App, config: GatewayConfig) -> Self {
        let sockets = app.config().limits.connections.min(Semaphore::MAX_PERMITS);
        let origins = Origins::new(&config, app.config().public_url.as_deref());
        let metrics = Metrics::default();
        metrics.announce_close_codes();
        Self(Arc::new(Shared {
            app,
            config,
            origins,
            metrics,
            socket_slots: Arc::new(Semaphore::new(sockets)),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            request_ids: RequestIds::new(),
        }))
    }
}

impl Deref for GatewayState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Shared {
    /// A new request's id: unique among the nodes' logs with high probability, and no secret.
    pub(crate) fn next_request_id(&self) -> String {
        self.request_ids.next()
    }
}

struct RequestIds {
    process: u32,
    count: AtomicU64,
}

impl RequestIds {
    fn new() -> Self {
        // Seeded by the operating system: tells processes apart, nothing rests on it.
        let process = RandomState::new().build_hasher().finish() >> 32;
        Self { process: u32::try_from(process).unwrap_or_default(), count: AtomicU64::new(0) }
    }

    fn next(&self) -> String {
        format!("{:08x}-{:x}", self.process, self.count.fetch_add(1, Ordering::Relaxed))
    }
}
