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
use loquat_domain::ports::Clock as _;
use loquat_domain::{App, AppConfig, AppDeps};
use loquat_gateway::{Gateway, GatewayConfig, Stopped};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tracing::{info, warn};

pub(crate) use descriptors::{hard_limit as hard_descriptor_limit, needed as descriptors_needed};
pub(crate) use tls::check as check_certificate;

use crate::admin::{self, Greeting};
use crate::bus::NodeBus;
use crate::cli::ServeArgs;
use crate::settings::{self, Loaded, RuntimeSettings, Settings};
use crate::storage::Store;
use crate::system::{SystemClock, SystemRandom};
#[cfg(feature = "otlp")]
use crate::traces::Traces;
use crate::{logging, site, storage};
use signals::Signals;

/// Threads for calls that block, at most; they wait for work in a queue of the runtime, which the domain bounds.
const BLOCKING_THREADS: usize = 64;

/// What the runtime's own threads get at the end, when everything of worth is saved.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// Runs the service until it is told to stop.
pub(crate) fn run(arguments: &ServeArgs) -> Result<()> {
    let loaded = settings::load(&arguments.sources())?;
    let runtime = runtime(&loaded.settings.runtime)?;
    let traces = begin_logging(&loaded.settings, &runtime)?;
    if !loaded.strangers.is_empty() {
        warn!(variables = ?loaded.strangers, "environment variables that are no settings were passed over");
    }
    descriptors::raise_limit(&loaded.settings.limits);
    let outcome = runtime.block_on(serve(&loaded));
    if let Some(traces) = traces {
        traces.end();
    }
    runtime.shutdown_timeout(LAST_MOMENT);
    outcome
}

/// Logs, and traces where a collector is named.
#[cfg(feature = "otlp")]
fn begin_logging(settings: &Settings, runtime: &Runtime) -> Result<Option<Traces>> {
    let traces = Traces::begin(&settings.traces, &settings.node.resolved_name(), runtime.handle().clone())?;
    logging::start_with(&settings.log, traces.as_ref().map(Traces::layer))?;
    Ok(traces)
}

/// Logs. This build has no traces; the settings were refused if they ask for some.
#[cfg(not(feature = "otlp"))]
fn begin_logging(settings: &Settings, _runtime: &Runtime) -> Result<Option<Never>> {
    logging::start(&settings.log)?;
    Ok(None)
}

/// Traces of a build that has none.
#[cfg(not(feature = "otlp"))]
enum Never {}

#[cfg(not(feature = "otlp"))]
impl Never {
    fn end(self) {
        match self {}
    }
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
    let (app, bus) = start_domain(settings, &store).await?;
    let tls = tls::prepare(settings)?;
    let config = GatewayConfig { site: site::FILES, ..settings.gateway_config()? };
    let gateway = Gateway::new(app.clone(), config);
    let metrics = metrics::listen(loaded).await?;
    let listener = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("cannot listen on {} (setting `listen`)", settings.listen))?;
    let metrics = metrics
        .map(|metrics| metrics.serve((app.clone(), store.clone(), bus, settings.data.clone()), &gateway));
    let address = listener.local_addr()?;
    let greeting = Greeting {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        node: settings.node.resolved_name(),
        pid: std::process::id(),
        started_at: SystemClock.now(),
        listen: address.to_string(),
        metrics: metrics.map(|address| address.to_string()),
    };
    let admin = admin::serve(&settings.data, app.admin().clone(), greeting)?;
    announce(address, tls.is_some())?;
    let told_to_stop = async {
        signals.first().await;
        supervisor::stopping();
    };
    let stopped = match tls {
        Some(tls) => gateway.serve_tls(listener, tls, told_to_stop).await,
        None => gateway.serve(listener, told_to_stop).await,
    };
    drop(admin);
    end(&app, store, stopped).await
}

/// The domain over a store, and the bus that it is bound to.
pub(crate) async fn start_domain(settings: &Settings, store: &Store) -> Result<(App, NodeBus)> {
    let bus = NodeBus::open(settings, store).await?;
    let deps = AppDeps {
        storage: store.ports(),
        bus: bus.port(),
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
            workers: (&settings.workers).into(),
        },
    };
    let app = App::start(deps).await?;
    bus.bind(&app)?;
    Ok((app, bus))
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
async fn end(app: &App, store: Store, stopped: Stopped) -> Result<()> {
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
