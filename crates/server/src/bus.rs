//! The bus: inside this process, or over NATS.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use loquat_bus::{Dropped, InProcessBus, NatsBus, NatsOptions};
use loquat_domain::App;
use loquat_domain::ports::Bus;
use loquat_proto::UserId;

use crate::settings::{EMBEDDED, Settings};
use crate::storage::Store;

/// What carries signals between nodes. A cheap handle.
#[derive(Clone)]
pub(crate) enum NodeBus {
    /// There is one node.
    Embedded(Arc<InProcessBus>),
    /// There may be others.
    Nats(Arc<NatsBus>),
}

impl NodeBus {
    /// Connects the bus of the settings, for those nodes that share this store.
    pub(crate) async fn open(settings: &Settings, store: &Store) -> Result<Self> {
        let bus = &settings.bus;
        if bus.url == EMBEDDED {
            return Ok(Self::Embedded(Arc::new(InProcessBus::new())));
        }
        // Any user's: the life of the store is the same for all.
        let anybody = UserId::new(1).context("1 is an id")?;
        let epoch = store.ports().conversations.position(anybody).await?.epoch;
        let file = |file: &std::path::PathBuf| Some(file.clone()).filter(|file| !file.as_os_str().is_empty());
        let options = NatsOptions {
            url: bus.url.clone(),
            credentials: file(&bus.credentials),
            roots: file(&bus.roots),
            prefix: bus.prefix.clone(),
            epoch,
            name: settings.node.resolved_name(),
            outgoing: bus.outgoing,
            outgoing_bytes: bus.outgoing_bytes,
            incoming: bus.incoming,
        };
        let connected =
            NatsBus::connect(&options).await.context("cannot reach the bus (setting `bus.url`)")?;
        Ok(Self::Nats(Arc::new(connected)))
    }

    /// As the domain sees it.
    pub(crate) fn port(&self) -> Arc<dyn Bus> {
        match self {
            Self::Embedded(bus) => bus.clone(),
            Self::Nats(bus) => bus.clone(),
        }
    }

    /// Delivers to this application from now on.
    pub(crate) fn bind(&self, app: &App) -> Result<()> {
        let receiver = Arc::downgrade(&app.receiver());
        match self {
            Self::Embedded(bus) => bus.bind(receiver)?,
            Self::Nats(bus) => bus.bind(receiver)?,
        }
        Ok(())
    }

    /// Whether there is a connection, and what was dropped; `None` where nothing can be.
    pub(crate) fn figures(&self) -> Option<(bool, Dropped)> {
        match self {
            Self::Embedded(_) => None,
            Self::Nats(bus) => Some((bus.is_connected(), bus.dropped())),
        }
    }
}
