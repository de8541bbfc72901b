//! The metrics listener: `GET /metrics`, apart from clients.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use loquat_domain::App;
use loquat_gateway::Gateway;
use prometheus_client::registry::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tracing::{debug, info, warn};

use super::{process, workload};
use crate::bus::NodeBus;
use crate::settings::Loaded;
use crate::storage::Store;

/// Scrapers at a time; more wait to be accepted.
const CONNECTIONS: usize = 16;

/// A request arrives and an idle connection speaks within this long.
const HEAD_LIMIT: Duration = Duration::from_secs(30);

/// How long the listener pauses when it cannot accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listener that does not serve yet.
pub(super) struct MetricsListener {
    listener: TcpListener,
}

/// Listens where the setting says. Where that is the default and taken, by a second service on the machine say, the
/// service goes on without.
pub(super) async fn listen(loaded: &Loaded) -> Result<Option<MetricsListener>> {
    let Some(address) = loaded.settings.metrics.listen.0 else { return Ok(None) };
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(Some(MetricsListener { listener })),
        Err(error) if loaded.is_set("metrics.listen") => {
            Err(error).with_context(|| format!("cannot listen on {address} (setting `metrics.listen`)"))
        }
        Err(error) => {
            warn!(%address, %error, "serving without metrics: the default address is taken; set metrics.listen");
            Ok(None)
        }
    }
}

impl MetricsListener {
    /// Serves until the process ends; says where.
    pub(super) fn serve(self, measured: (App, Store, NodeBus, PathBuf), gateway: &Gateway) -> SocketAddr {
        let mut registry = Registry::default();
        process::register(&mut registry);
        workload::register(measured, &mut registry);
        let service = TowerToHyperService::new(gateway.metrics_router(registry));
        let address = self.listener.local_addr().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)));
        info!(%address, "metrics");
        tokio::spawn(async move {
            let places = Arc::new(Semaphore::new(CONNECTIONS));
            // The semaphore is never closed.
            while let Ok(place) = places.clone().acquire_owned().await {
                let Some(stream) = accept(&self.listener).await else { continue };
                let serving = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD_LIMIT)
                    .serve_connection(TokioIo::new(stream), service.clone());
                tokio::spawn(async move {
                    if let Err(error) = serving.await {
                        debug!(%error, "a scrape ended early");
                    }
                    drop(place);
                });
            }
        });
        address
    }
}

async fn accept(listener: &TcpListener) -> Option<TcpStream> {
    match listener.accept().await {
        Ok((stream, _)) => Some(stream),
        Err(error) => {
            debug!(%error, "cannot accept a scrape");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}
