//! Where the server is, and what can be set.

use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::Duration;

use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::{Client, Config};

use super::error::ConnectError;
use super::tls::Tls;
use crate::sql::error::Outcome;

/// Bounds, numbers of connections and timeouts.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// Connections that read.
    pub readers: usize,
    /// Calls that may wait to be read; beyond, they are refused.
    pub reader_queue: usize,
    /// Connections that write what is no append.
    pub writers: usize,
    /// Calls that may wait to be written; beyond, they are refused.
    pub writer_queue: usize,
    /// Connections that append; each commits all that waits together.
    pub appenders: usize,
    /// Calls that may wait to be appended; beyond, they are refused.
    pub append_queue: usize,
    /// The longest that a statement may take.
    pub statement_timeout: Duration,
    /// The longest that a statement may wait for a lock.
    pub lock_timeout: Duration,
    /// The longest that a connection may take to be made.
    pub connect_timeout: Duration,
    /// Whether to refuse to start where the server does not wait for a synchronous standby: without one a failover may lose what
    /// was acknowledged.
    pub require_standby: bool,
    /// File of the roots in PEM by which the server's certificate is checked; `None`: those of Mozilla.
    pub roots: Option<PathBuf>,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            readers: 4,
            reader_queue: 4096,
            writers: 4,
            writer_queue: 4096,
            appenders: 2,
            append_queue: 4096,
            statement_timeout: Duration::from_secs(10),
            lock_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            require_standby: false,
            roots: None,
        }
    }
}

/// The server, and how it is spoken to.
pub(super) struct Target {
    config: Config,
    tls: Tls,
    pub(super) statement_timeout: Duration,
    pub(super) lock_timeout: Duration,
    pub(super) connect_timeout: Duration,
}

impl Target {
    /// Reads a URL (`postgres://user@host,other/database`) or a list of `key=value`.
    pub(super) fn new(url: &str, options: &PostgresOptions) -> Result<Self, ConnectError> {
        // The text may hold a password: the error does not quote it.
        let mut config = Config::from_str(url).map_err(|error| ConnectError::Url(error.to_string()))?;
        // Of several hosts, the primary is the one that takes writes.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        if config.get_application_name().is_none() {
            config.application_name("loquat");
        }
        config.connect_timeout(options.connect_timeout);
        config.keepalives_idle(Duration::from_secs(15));
        config.tcp_user_timeout(options.statement_timeout + options.connect_timeout);
        Ok(Self {
            config,
            tls: Tls::new(options.roots.as_deref())?,
            statement_timeout: options.statement_timeout,
            lock_timeout: options.lock_timeout,
            connect_timeout: options.connect_timeout,
        })
    }

    /// Connects; the future drives the connection.
    pub(super) async fn connect(&self) -> Outcome<(Client, impl Future<Output = ()> + Send + use<>)> {
        let (client, connection) = self.config.connect(self.tls.clone()).await?;
        let driver = async move {
            if let Err(error) = connection.await {
                tracing::warn!(error = %crate::sql::error::SqlError::from(error), "a connection to PostgreSQL was lost");
            }
        };
        Ok((client, driver))
    }

    /// What every session is told at its beginning.
    pub(super) fn session_settings(&self) -> String {
        format!(
            "SET synchronous_commit = on; SET statement_timeout = {}; SET lock_timeout = {};
             SET idle_in_transaction_session_timeout = {}; SET jit = off",
            self.statement_timeout.as_millis(),
            self.lock_timeout.as_millis(),
            (self.statement_timeout * 2).as_millis(),
        )
    }
}
