//! Settings: what an operator may choose, and where each choice came from.
//!
//! Four layers, each over the one before: defaults, a TOML file, the environment, flags. [`Settings`] is the typed
//! result; its `Default` is the first layer and the only list of what exists; [`reference`] describes each
//! setting for people, and a test holds the two and the operator guide together. To add a setting: a field here, a
//! line in `reference.rs`, and `LOQUAT_UPDATE_DOCS=1 cargo test -p loquat-server settings`.

mod address;
mod check;
mod layers;
mod load;
pub(crate) mod reference;
pub(crate) mod show;
mod tls;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use loquat_bus::NatsOptions;
use loquat_domain::accounts::AuthConfig;
use loquat_domain::fanout::OutboundLimits;
use loquat_domain::lanes::LaneConfig;
use loquat_domain::workers::WorkerConfig;
use loquat_gateway::{GatewayConfig, InvalidNetwork, Network};
use loquat_proto::Limits;
use loquat_store::{Options, PostgresOptions};
use serde::{Deserialize, Serialize};

pub(crate) use address::OptionalAddress;
pub(crate) use layers::{Flag, Sources};
pub(crate) use load::{Loaded, SettingsError, load};
pub(crate) use tls::{AcmeSettings, TlsSettings};

/// Everything that can be set. Keys of the file and names of the environment follow the fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Where clients connect.
    #[serde(deserialize_with = "address::required")]
    pub(crate) listen: SocketAddr,
    /// The folder of everything that lasts.
    pub(crate) data: PathBuf,
    /// How clients reach this service from outside; empty if they use the address they see.
    pub(crate) public_url: String,
    /// What people read as the name of this service.
    pub(crate) server_name: String,
    pub(crate) node: NodeSettings,
    pub(crate) runtime: RuntimeSettings,
    pub(crate) log: LogSettings,
    pub(crate) metrics: MetricsSettings,
    pub(crate) traces: TraceSettings,
    pub(crate) auth: AuthConfig,
    pub(crate) limits: Limits,
    pub(crate) lanes: LaneSettings,
    pub(crate) sessions: SessionSettings,
    pub(crate) workers: WorkerSettings,
    pub(crate) gateway: GatewaySettings,
    pub(crate) tls: TlsSettings,
    pub(crate) storage: StorageSettings,
    pub(crate) bus: BusSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            data: PathBuf::from("./data"),
            public_url: String::new(),
            server_name: "Loquat".to_owned(),
            node: NodeSettings::default(),
            runtime: RuntimeSettings::default(),
            log: LogSettings::default(),
            metrics: MetricsSettings::default(),
            traces: TraceSettings::default(),
            auth: AuthConfig::default(),
            limits: Limits::default(),
            lanes: LaneSettings::default(),
            sessions: SessionSettings::default(),
            workers: WorkerSettings::default(),
            gateway: GatewaySettings::default(),
            tls: TlsSettings::default(),
            storage: StorageSettings::default(),
            bus: BusSettings::default(),
        }
    }
}

impl Settings {
    /// The gateway's settings in its own types.
    pub(crate) fn gateway_config(&self) -> Result<GatewayConfig, InvalidNetwork> {
        let config = self.gateway.config()?;
        Ok(GatewayConfig { tls: config.tls || self.tls.is_on(), ..config })
    }
}

/// This process among others.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NodeSettings {
    /// What clients are told they are connected to; empty for the name of the machine.
    pub(crate) name: String,
}

impl NodeSettings {
    /// The name, or the machine's.
    pub(crate) fn resolved_name(&self) -> String {
        if !self.name.is_empty() {
            return self.name.clone();
        }
        let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        match machine.trim() {
            "" => "loquat".to_owned(),
            name => name.to_owned(),
        }
    }
}

/// Threads.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RuntimeSettings {
    /// Worker threads; 0 for one a core.
    pub(crate) threads: usize,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line, for collectors.
    Json,
}

/// Logs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogSettings {
    pub(crate) format: LogFormat,
    /// A level, or levels by module: `info,loquat_gateway=debug`.
    pub(crate) level: String,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { format: LogFormat::Human, level: "info".to_owned() }
    }
}

/// The metrics listener.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MetricsSettings {
    /// Where `GET /metrics` is served, apart from clients.
    pub(crate) listen: OptionalAddress,
}

impl Default for MetricsSettings {
    fn default() -> Self {
        Self { listen: OptionalAddress(Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9464)))) }
    }
}

/// Where traces go.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TraceSettings {
    /// A collector of OTLP over HTTP; empty: nowhere.
    pub(crate) endpoint: String,
    /// `name=value`, separated by commas. Not printed.
    pub(crate) headers: String,
    /// How many of a hundred requests are traced.
    pub(crate) percent: u8,
}

impl Default for TraceSettings {
    fn default() -> Self {
        Self { endpoint: String::new(), headers: String::new(), percent: 100 }
    }
}

impl std::fmt::Debug for TraceSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TraceSettings").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// Lanes, the writers of conversations: [`LaneConfig`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LaneSettings {
    pub(crate) count: usize,
    pub(crate) queue: usize,
    pub(crate) waiting: usize,
    pub(crate) batch: usize,
    pub(crate) conversations: usize,
    pub(crate) members: usize,
}

impl Default for LaneSettings {
    fn default() -> Self {
        let LaneConfig { lanes, queue, waiting, batch, conversations, members } = LaneConfig::default();
        Self { count: lanes, queue, waiting, batch, conversations, members }
    }
}

impl From<&LaneSettings> for LaneConfig {
    fn from(settings: &LaneSettings) -> Self {
        let LaneSettings { count, queue, waiting, batch, conversations, members } = *settings;
        Self { lanes: count, queue, waiting, batch, conversations, members }
    }
}

/// What one live connection may leave unread: [`OutboundLimits`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SessionSettings {
    pub(crate) outbound_bytes: usize,
    pub(crate) outbound_frames: usize,
}

impl Default for SessionSettings {
    fn default() -> Self {
        let OutboundLimits { bytes, frames } = OutboundLimits::default();
        Self { outbound_bytes: bytes, outbound_frames: frames }
    }
}

impl From<&SessionSettings> for OutboundLimits {
    fn from(settings: &SessionSettings) -> Self {
        Self { bytes: settings.outbound_bytes, frames: settings.outbound_frames }
    }
}

/// Work beside requests: [`WorkerConfig`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WorkerSettings {
    pub(crate) enabled: bool,
    pub(crate) poll_ms: u64,
    pub(crate) concurrency: usize,
    pub(crate) lease_seconds: u64,
    pub(crate) max_attempts: u32,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        let config = WorkerConfig::default();
        Self {
            enabled: config.enabled,
            poll_ms: u64::try_from(config.poll.as_millis()).unwrap_or(u64::MAX),
            concurrency: config.concurrency,
            lease_seconds: config.lease.as_secs(),
            max_attempts: config.max_attempts,
        }
    }
}

impl From<&WorkerSettings> for WorkerConfig {
    fn from(settings: &WorkerSettings) -> Self {
        Self {
            enabled: settings.enabled,
            poll: Duration::from_millis(settings.poll_ms),
            concurrency: settings.concurrency,
            lease: Duration::from_secs(settings.lease_seconds),
            max_attempts: settings.max_attempts,
            ..Self::default()
        }
    }
}

/// How clients are served: [`GatewayConfig`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct GatewaySettings {
    pub(crate) allowed_origins: Vec<String>,
    /// Networks in CIDR notation.
    pub(crate) trusted_proxies: Vec<String>,
    /// Where those write the client's address.
    pub(crate) forwarded_header: String,
    pub(crate) tls: bool,
    pub(crate) grace_seconds: u64,
    pub(crate) drain_seconds: u64,
}

impl Default for GatewaySettings {
    fn default() -> Self {
        let config = GatewayConfig::default();
        Self {
            allowed_origins: config.allowed_origins,
            trusted_proxies: config.trusted_proxies.iter().map(ToString::to_string).collect(),
            forwarded_header: config.forwarded_header.name().to_owned(),
            tls: config.tls,
            grace_seconds: config.grace.as_secs(),
            drain_seconds: config.drain_spread_ms / 1_000,
        }
    }
}

impl GatewaySettings {
    /// The same in the gateway's types.
    pub(crate) fn config(&self) -> Result<GatewayConfig, InvalidNetwork> {
        Ok(GatewayConfig {
            allowed_origins: self.allowed_origins.clone(),
            trusted_proxies: self.networks()?,
            // Checked when it was read.
            forwarded_header: self.forwarded_header.parse().unwrap_or_default(),
            tls: self.tls,
            grace: Duration::from_secs(self.grace_seconds),
            drain_spread_ms: self.drain_seconds * 1_000,
            ..GatewayConfig::default()
        })
    }

    fn networks(&self) -> Result<Vec<Network>, InvalidNetwork> {
        self.trusted_proxies.iter().map(|text| text.parse()).collect()
    }
}

/// Storage: [`Options`].
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StorageSettings {
    /// Which storage: `embedded`, or a URL of PostgreSQL. May hold a password.
    pub(crate) url: String,
    pub(crate) readers: usize,
    pub(crate) writer_queue: usize,
    pub(crate) reader_queue: usize,
    pub(crate) writer_cache_kib: u32,
    pub(crate) reader_cache_kib: u32,
    pub(crate) checkpoint_pages: u32,
    /// 0: as the disk allows.
    pub(crate) max_pages: u32,
    pub(crate) postgres: PostgresSettings,
}

impl std::fmt::Debug for StorageSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StorageSettings").field("readers", &self.readers).finish_non_exhaustive()
    }
}

/// Storage on PostgreSQL: [`PostgresOptions`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PostgresSettings {
    pub(crate) readers: usize,
    pub(crate) writers: usize,
    pub(crate) appenders: usize,
    pub(crate) statement_timeout_ms: u64,
    pub(crate) lock_timeout_ms: u64,
    pub(crate) connect_timeout_ms: u64,
    pub(crate) require_standby: bool,
    /// Empty: those of Mozilla.
    pub(crate) roots: PathBuf,
}

impl Default for PostgresSettings {
    fn default() -> Self {
        let options = PostgresOptions::default();
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            readers: options.readers,
            writers: options.writers,
            appenders: options.appenders,
            statement_timeout_ms: milliseconds(options.statement_timeout),
            lock_timeout_ms: milliseconds(options.lock_timeout),
            connect_timeout_ms: milliseconds(options.connect_timeout),
            require_standby: options.require_standby,
            roots: options.roots.unwrap_or_default(),
        }
    }
}

impl Default for StorageSettings {
    fn default() -> Self {
        let options = Options::default();
        Self {
            url: EMBEDDED.to_owned(),
            readers: options.readers,
            writer_queue: options.writer_queue,
            reader_queue: options.reader_queue,
            writer_cache_kib: options.writer_cache_kib,
            reader_cache_kib: options.reader_cache_kib,
            checkpoint_pages: options.checkpoint_pages,
            max_pages: options.max_pages.unwrap_or(0),
            postgres: PostgresSettings::default(),
        }
    }
}

/// The bus between nodes: [`NatsOptions`].
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BusSettings {
    /// Which bus: `embedded`, or URLs of NATS. May hold a password.
    pub(crate) url: String,
    pub(crate) prefix: String,
    /// Empty: those of the URL.
    pub(crate) credentials: PathBuf,
    /// Empty: those of the system.
    pub(crate) roots: PathBuf,
    pub(crate) outgoing: usize,
    pub(crate) outgoing_bytes: usize,
    pub(crate) incoming: usize,
}

impl Default for BusSettings {
    fn default() -> Self {
        let options = NatsOptions::default();
        Self {
            url: EMBEDDED.to_owned(),
            prefix: options.prefix,
            credentials: PathBuf::new(),
            roots: PathBuf::new(),
            outgoing: options.outgoing,
            outgoing_bytes: options.outgoing_bytes,
            incoming: options.incoming,
        }
    }
}

impl std::fmt::Debug for BusSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BusSettings").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// The storage and the bus inside this process.
pub(crate) const EMBEDDED: &str = "embedded";
