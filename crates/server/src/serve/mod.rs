//! `loquat serve`: from settings to a running service, and back to a clean end.
//!
//! In order: settings, logs, file descriptors, storage (which also holds the data folder), domain, gateway, metrics.
//! The end is the same backwards: the gateway drains, the domain saves what waits in memory, storage writes it and
//! closes. Every wire between crates is drawn here.

mod descriptors;
mod metrics;
mod process;
mod signals;
mod supervisor;
mod tls;
mod workload;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use loquat_bus::InProcessBus;
use loquat_domain::{App, AppConfig, AppDeps, Storage};
use loquat_gateway::{Gateway, Stopped};
use loquat_store::SqliteStore;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tracing::{info, warn};

use crate::cli::ServeArgs;
use crate::settings::{self, Loaded, RuntimeSettings, Settings};
use crate::system::{SystemClock, SystemRandom};
use crate::{logging, storage};
use signals::Signals;

/// Threads for calls that block, at most; they wait for work in a queue of the runtime, which the domain bounds.
const BLOCKING_THREADS: usize = 64;

/// What the runtime's own threads get at the end, when everything of worth is saved.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// Runs the service until it is told to stop.
pub(crate) fn run(arguments: &ServeArgs) -> Result<()> {
    let loaded = settings::load(&arguments.sources())?;
    logging::start(&loaded.settings.log)?;
    if !loaded.strangers.is_empty() {
        warn!(variables = ?loaded.strangers, "environment variables that are no settings were passed over");
    }
    descriptors::raise_limit(&loaded.settings.limits);
    let runtime = runtime(&loaded.settings.runtime)?;
    let outcome = runtime.block_on(serve(&loaded));
    runtime.shutdown_timeout(LAST_MOMENT);
    outcome
}

fn runtime(settings: &RuntimeSettings) -> Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    if settings.threads > 0 {
        builder.worker_threads(settings.threads);
    }
    builder.enable_all().max_blocking_threads(BLOCKING_THREADS).thread_name("loquat");
    builder.build().context("cannot start threads")
}

async fn serve(loaded: &Loaded) -> Result<()> {
    let settings = &loaded.settings;
    let signals = Signals::listen()?;
    let store = storage::open(settings)?;
    let app = start_domain(settings, &store).await?;
    let tls = tls::prepare(settings)?;
    let gateway = Gateway::new(app.clone(), settings.gateway_config()?);
    let metrics = metrics::listen(loaded).await?;
    let listener = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("cannot listen on {} (setting `listen`)", settings.listen))?;
    if let Some(metrics) = metrics {
        metrics.serve(app.clone(), &gateway);
    }
    announce(listener.local_addr()?, tls.is_some())?;
    let told_to_stop = async {
        signals.first().await;
        supervisor::stopping();
    };
    let stopped = match tls {
        Some(tls) => gateway.serve_tls(listener, tls, told_to_stop).await,
        None => gateway.serve(listener, told_to_stop).await,
    };
    end(&app, store, stopped).await
}

async fn start_domain(settings: &Settings, store: &SqliteStore) -> Result<App> {
    let bus = Arc::new(InProcessBus::new());
    let deps = AppDeps {
        storage: Storage::from_one(Arc::new(store.clone())),
        bus: bus.clone(),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        config: AppConfig {
            server_name: settings.server_name.clone(),
            node: settings.node.resolved_name(),
            public_url: Some(settings.public_url.clone()).filter(|url| !url.is_empty()),
            limits: settings.limits.clone(),
            auth: settings.auth.clone(),
            lanes: (&settings.lanes).into(),
            outbound: (&settings.sessions).into(),
        },
    };
    let app = App::start(deps).await?;
    bus.bind(Arc::downgrade(&app.receiver()))?;
    Ok(app)
}

/// Says where the service is: one line on standard output for people and scripts, one to the supervisor.
fn announce(address: SocketAddr, encrypted: bool) -> Result<()> {
    let scheme = if encrypted { "https" } else { "http" };
    info!(%address, scheme, version = env!("CARGO_PKG_VERSION"), "serving");
    // Whoever started the service may not listen.
    let _ = writeln!(io::stdout().lock(), "loquat serves on {scheme}://{address}");
    supervisor::ready();
    Ok(())
}

/// Saves what waits in memory and closes the store.
async fn end(app: &App, store: SqliteStore, stopped: Stopped) -> Result<()> {
    if let Err(error) = app.stop().await {
        warn!(%error, "some receipts were not saved; clients repeat theirs");
    }
    tokio::task::spawn_blocking(move || store.close()).await.context("the store did not close")?;
    match stopped {
        Stopped::Drained => info!("stopped"),
        Stopped::Abandoned(connections) => info!(connections, "stopped at the end of the grace"),
    }
    Ok(())
}
