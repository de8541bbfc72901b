//! The systems under load, side by side: a bare relay, the relay with a log, and Loquat.
//!
//! Each is started as a process of its own on the server's core with an empty directory, given the users
//! and conversations of a [`Layout`], and killed after one figure. To compare another system, add a
//! variant here and a way to deploy it; the workloads see a [`Deployment`] only.

mod http;
mod loquat;
mod process;
mod store;

use std::{
    ffi::OsString,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
};

use clap::ValueEnum;
use serde::Serialize;
use tempfile::TempDir;

pub(crate) use self::{
    http::Client,
    process::ServerProcess,
    store::{Extent, GrowingStore},
};
use crate::{error::BenchError, layout::Layout};

/// A system that can be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum System {
    /// A WebSocket relay without storage.
    Relay,
    /// The relay with an append log, synced before each answer: the limit line.
    Log,
    /// The real server.
    Loquat,
}

impl System {
    /// Its name in reports.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Log => "relay + log",
            Self::Loquat => "Loquat",
        }
    }
}

/// A user of a deployed system.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// Id on the wire.
    pub(crate) id: String,
    /// Access token for `hello` and REST.
    pub(crate) token: String,
}

impl Account {
    /// The id as the number it is.
    pub(crate) fn number(&self) -> Result<u64, BenchError> {
        self.id
            .parse()
            .map_err(|_| BenchError::Protocol(format!("user id {:?} is not a decimal number", self.id)))
    }
}

/// A conversation of a deployed system.
#[derive(Clone, Debug)]
pub(crate) struct Conversation {
    /// Id on the wire.
    pub(crate) id: String,
    /// `seq` of its last event before the run.
    pub(crate) head: u64,
}

/// A running system with its users and conversations. Dropping it kills the process and removes its data.
pub(crate) struct Deployment {
    /// The server.
    pub(crate) process: ServerProcess,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// One account for each user of the layout.
    pub(crate) accounts: Vec<Account>,
    /// One for each conversation of the layout.
    pub(crate) conversations: Vec<Conversation>,
    // Removed after the process is gone: fields drop in this order.
    _directory: TempDir,
}

/// How systems are started.
#[derive(Clone, Debug)]
pub(crate) struct Launcher {
    /// The `loquat` binary, where Loquat takes part.
    pub(crate) loquat: Option<PathBuf>,
    /// Where fresh directories are made: the disk that is measured.
    pub(crate) scratch: PathBuf,
    /// Core to pin servers to, where there are two.
    pub(crate) core: Option<usize>,
}

impl Deployment {
    /// Makes direct conversations between these accounts, by their places.
    pub(crate) async fn create_directs(
        &self,
        pairs: &[(usize, usize)],
    ) -> Result<Vec<Conversation>, BenchError> {
        loquat::create_directs(self.address, &self.accounts, pairs).await
    }
}

impl Launcher {
    /// Starts a system with an empty directory and makes the users and conversations of `layout`.
    pub(crate) async fn deploy(&self, system: System, layout: Layout) -> Result<Deployment, BenchError> {
        let directory = self.fresh_directory()?;
        let address = free_address()?;
        match system {
            System::Relay | System::Log => {
                let arguments = relay_arguments(system, address, layout, &directory);
                let mut process =
                    ServerProcess::spawn(&self.binary(system)?, &arguments, directory.path(), self.core)?;
                process.wait_until_ready(address).await?;
                Ok(Deployment {
                    process,
                    address,
                    accounts: (0..layout.users()).map(relay_account).collect(),
                    conversations: (1..=layout.conversations()).map(relay_conversation).collect(),
                    _directory: directory,
                })
            }
            System::Loquat => {
                let binary = self.binary(system)?;
                let data = directory.path().join("data");
                let accounts = loquat::seed(&binary, &data, layout.users())?.accounts;
                let mut process = ServerProcess::spawn(
                    &binary,
                    &loquat::serve_arguments(address, &data),
                    directory.path(),
                    self.core,
                )?;
                process.wait_until_ready(address).await?;
                let conversations = loquat::create_conversations(address, &accounts, layout).await?;
                Ok(Deployment { process, address, accounts, conversations, _directory: directory })
            }
        }
    }

    /// Starts a system without users and returns it with its directory, for figures of an empty server.
    /// It is not waited for.
    pub(crate) fn start_empty(
        &self,
        system: System,
        address: SocketAddr,
    ) -> Result<(ServerProcess, TempDir), BenchError> {
        let directory = self.fresh_directory()?;
        let arguments = match system {
            System::Relay | System::Log => {
                vec![
                    "relay".into(),
                    "--listen".into(),
                    address.to_string().into(),
                    "--layout".into(),
                    "users:1".into(),
                ]
            }
            System::Loquat => loquat::serve_arguments(address, &directory.path().join("data")),
        };
        let process = ServerProcess::spawn(&self.binary(system)?, &arguments, directory.path(), self.core)?;
        Ok((process, directory))
    }

    /// The executable of a system.
    pub(crate) fn binary(&self, system: System) -> Result<PathBuf, BenchError> {
        match system {
            System::Relay | System::Log => Ok(std::env::current_exe()?),
            System::Loquat => self
                .loquat
                .clone()
                .ok_or_else(|| BenchError::Arguments("Loquat takes part only with --loquat PATH".to_owned())),
        }
    }

    fn fresh_directory(&self) -> Result<TempDir, BenchError> {
        Ok(tempfile::Builder::new().prefix("loquat-bench-").tempdir_in(&self.scratch)?)
    }
}

/// A loopback address that nothing listens on.
pub(crate) fn free_address() -> Result<SocketAddr, BenchError> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn relay_arguments(
    system: System,
    address: SocketAddr,
    layout: Layout,
    directory: &TempDir,
) -> Vec<OsString> {
    let mut arguments = vec![
        "relay".into(),
        "--listen".into(),
        address.to_string().into(),
        "--layout".into(),
        layout.to_string().into(),
    ];
    if system == System::Log {
        arguments.extend(["--log".into(), directory.path().join("log").into_os_string()]);
    }
    arguments
}

fn relay_account(user: usize) -> Account {
    Account { id: (user + 1).to_string(), token: format!("user-{user}") }
}

fn relay_conversation(id: usize) -> Conversation {
    Conversation { id: id.to_string(), head: 0 }
}
