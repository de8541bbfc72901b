//! How a client is set up.

use std::path::PathBuf;

use loquat_proto::account::DeviceInfo;

/// Where a device keeps its log, queue and session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// Nowhere: gone with the process. For tests and for bots that need no queue over restarts.
    Memory,
    /// In `device.db` in this directory, which is made if it is not there (mode 0700, the file 0600). One process at a
    /// time may have it open.
    Directory(PathBuf),
}

/// How a client is set up.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Where the server is: `http://host:port` (or `https://` with the feature `tls`), without a path.
    pub server_url: String,
    /// Where the device keeps its state.
    pub storage: Storage,
    /// How the device is called at sign-in.
    pub device: DeviceInfo,
    /// Name and version that the client gives in `hello`.
    pub client_name: String,
    /// Whether every log is fetched whole, instead of the newest page first and the rest when it is scrolled to.
    pub full_history: bool,
}

impl ClientConfig {
    /// A client of this server with that storage, everything else as usual.
    #[must_use]
    pub fn new(server_url: impl Into<String>, storage: Storage) -> Self {
        Self {
            server_url: server_url.into(),
            storage,
            device: DeviceInfo { name: "Loquat".to_owned(), platform: std::env::consts::OS.to_owned() },
            client_name: "loquat-client".to_owned(),
            full_history: false,
        }
    }
}
