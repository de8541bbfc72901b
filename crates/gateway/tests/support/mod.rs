//! A real server in the test's process: the gateway over the domain over SQLite and the in-process bus, on a loopback
//! port; and clients that speak HTTP and WebSocket to it.

#![allow(dead_code, unused_imports, reason = "each test binary uses its own part")]

mod client;
mod contract;
mod people;
mod socket;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use loquat_bus::InProcessBus;
use loquat_domain::accounts::{Argon2Config, AuthConfig};
use loquat_domain::ports::{Clock, Random};
use loquat_domain::workers::WorkerConfig;
use loquat_domain::{App, AppConfig, AppDeps, Storage};
use loquat_gateway::{Gateway, GatewayConfig, Stopped, Tls};
use loquat_proto::{Limits, Timestamp};
use loquat_store::{Options, SqliteStore};
use prometheus_client::registry::Registry;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use client::{Answer, Client};
pub use people::{Group, PASSWORD, Person, nonce};
pub use socket::{Received, Socket, request};

/// The machine's clock, which a test can set forward.
#[derive(Default)]
pub struct TestClock {
    ahead_ms: AtomicI64,
}

impl TestClock {
    pub fn advance(&self, milliseconds: i64) {
        self.ahead_ms.fetch_add(milliseconds, Ordering::AcqRel);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        i64::try_from(since.as_millis()).unwrap() + self.ahead_ms.load(Ordering::Acquire)
    }
}

struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).unwrap();
    }
}

/// What a test may want otherwise than by default.
pub struct Settings {
    pub limits: Limits,
    pub gateway: GatewayConfig,
    pub public_url: Option<String>,
    pub tls: Option<Tls>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { limits: unlimited(), gateway: GatewayConfig::default(), public_url: None, tls: None }
    }
}

/// The default limits with every rate switched off.
pub fn unlimited() -> Limits {
    Limits {
        sends_per_second: 0,
        requests_per_second: 0,
        signups_per_hour: 0,
        logins_per_minute: 0,
        contact_requests_per_hour: 0,
        ..Limits::default()
    }
}

pub struct Server {
    pub address: SocketAddr,
    pub app: App,
    pub gateway: Gateway,
    pub clock: Arc<TestClock>,
    shutdown: CancellationToken,
    serving: JoinHandle<Stopped>,
    store: SqliteStore,
    _folder: TempDir,
}

impl Server {
    pub async fn start() -> Self {
        Self::start_with(Settings::default()).await
    }

    pub async fn start_with(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store =
            SqliteStore::open(&folder.path().join("test.db"), &Options::default(), &SystemRandom).unwrap();
        let bus = Arc::new(InProcessBus::new());
        let clock = Arc::new(TestClock::default());
        let cheap = Argon2Config { memory_kib: 8, iterations: 1, parallelism: 1 };
        let config = AppConfig {
            server_name: "test".to_owned(),
            node: "node-1".to_owned(),
            public_url: settings.public_url,
            limits: settings.limits,
            auth: AuthConfig { argon2: cheap, ..AuthConfig::default() },
            // They work when a test says so.
            workers: WorkerConfig { enabled: false, ..WorkerConfig::default() },
            ..AppConfig::default()
        };
        let deps = AppDeps {
            storage: Storage::from_one(Arc::new(store.clone())),
            bus: bus.clone(),
            clock: clock.clone(),
            random: Arc::new(SystemRandom),
            config,
        };
        let app = App::start(deps).await.unwrap();
        bus.bind(Arc::downgrade(&app.receiver())).unwrap();
        let gateway = Gateway::new(app.clone(), settings.gateway);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn({
            let (gateway, shutdown) = (gateway.clone(), shutdown.clone());
            let tls = settings.tls;
            async move {
                match tls {
                    Some(tls) => gateway.serve_tls(listener, tls, shutdown.cancelled_owned()).await,
                    None => gateway.serve(listener, shutdown.cancelled_owned()).await,
                }
            }
        });
        Self { address, app, gateway, clock, shutdown, serving, store, _folder: folder }
    }

    /// A client without credentials.
    pub fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// Somebody new.
    pub async fn sign_up(&self, username: &str) -> Person {
        Person::sign_up(self, username).await
    }

    /// The text of the metrics listener.
    pub async fn metrics(&self) -> String {
        use tower::ServiceExt as _;
        let request = axum::http::Request::get("/metrics").body(axum::body::Body::empty()).unwrap();
        let response = self.gateway.metrics_router(Registry::default()).oneshot(request).await.unwrap();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    /// Begins to stop without waiting.
    pub fn begin_stop(&self) {
        self.shutdown.cancel();
    }

    /// Stops, and says whether everything ended by itself.
    pub async fn stop(self) -> Stopped {
        self.shutdown.cancel();
        let stopped = self.serving.await.unwrap();
        self.app.stop().await.unwrap();
        tokio::task::spawn_blocking(move || self.store.close()).await.unwrap();
        stopped
    }
}
