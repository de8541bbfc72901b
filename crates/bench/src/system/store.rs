//! A data directory of Loquat that grows from case to case, so that large stores are written once in a run.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use hyper::{Method, StatusCode};
use indicatif::ProgressBar;
use serde::Deserialize;
use tempfile::TempDir;

use super::{Account, Client, Conversation, Launcher, ServerProcess, System, free_address, loquat};
use crate::{error::BenchError, layout::Layout, machine};

/// Disk that a message and a conversation take, with their indices and what of the write-ahead log; to refuse in time.
const BYTES_PER_MESSAGE: u64 = 700;
const BYTES_PER_CONVERSATION: u64 = 2_000;

/// How large a store is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Direct conversations.
    pub(crate) conversations: u64,
    /// Messages, those that were measured included.
    pub(crate) messages: u64,
}

/// A direct conversation of the store.
#[derive(Clone, Debug)]
pub(crate) struct Direct {
    /// Id on the wire.
    pub(crate) id: String,
    /// Its members, as places in [`GrowingStore::accounts`].
    pub(crate) members: [usize; 2],
    /// `seq` of its last event when messages were last written into it from outside.
    pub(crate) head: u64,
}

/// A store that only grows. Dropping it removes the directory.
pub(crate) struct GrowingStore {
    launcher: Launcher,
    binary: PathBuf,
    directory: TempDir,
    extent: Extent,
    spread: u64,
    accounts: Vec<Account>,
    directs: Vec<Direct>,
}

/// One line of `loquat admin seed-messages`.
#[derive(Deserialize)]
struct Line {
    conversation: String,
    members: [String; 2],
    head: Option<u64>,
}

impl GrowingStore {
    /// A store with accounts only; messages will go to the first `spread` conversations.
    pub(crate) fn new(launcher: &Launcher, users: usize, spread: u64) -> Result<Self, BenchError> {
        let binary = launcher.binary(System::Loquat)?;
        let directory = launcher.fresh_directory()?;
        let seeded = loquat::seed(&binary, &directory.path().join("data"), users)?;
        fs::write(directory.path().join("accounts"), &seeded.lines)?;
        Ok(Self {
            launcher: launcher.clone(),
            binary,
            directory,
            extent: Extent::default(),
            spread,
            accounts: seeded.accounts,
            directs: Vec::new(),
        })
    }

    /// The accounts, in the order in which they were made.
    pub(crate) fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// The conversations that messages go to; the first ones, half as many as there are accounts, share no member.
    pub(crate) fn directs(&self) -> &[Direct] {
        &self.directs
    }

    /// How large it is.
    pub(crate) fn extent(&self) -> Extent {
        self.extent
    }

    /// Counts messages that a load wrote.
    pub(crate) fn count_messages(&mut self, messages: u64) {
        self.extent.messages += messages;
    }

    /// Makes it at least so large. No server may run on it meanwhile.
    pub(crate) fn grow(&mut self, wanted: Extent, progress: &ProgressBar) -> Result<(), BenchError> {
        let conversations = wanted.conversations.saturating_sub(self.extent.conversations);
        let messages = wanted.messages.saturating_sub(self.extent.messages);
        let needed = conversations * BYTES_PER_CONVERSATION + messages * BYTES_PER_MESSAGE;
        let free = machine::free_bytes(self.directory.path())?;
        if needed > free {
            let (needed, free) = (needed as f64 / 1e9, free as f64 / 1e9);
            let directory = self.directory.path().display();
            return Err(BenchError::Arguments(format!(
                "the store will take {needed:.1} GB; {directory} has {free:.1} GB left"
            )));
        }
        progress.enable_steady_tick(std::time::Duration::from_millis(200));
        if conversations > 0 {
            progress.set_message(format!("making {conversations} conversations"));
            self.fill(wanted.conversations, 0)?;
        }
        if messages > 0 {
            progress.set_message(format!("writing {messages} messages"));
            self.fill(self.spread.min(self.extent.conversations), messages)?;
        }
        progress.disable_steady_tick();
        Ok(())
    }

    fn fill(&mut self, conversations: u64, messages: u64) -> Result<(), BenchError> {
        let (lines, complaints) =
            (self.directory.path().join("conversations"), self.directory.path().join("complaints"));
        let status = Command::new(&self.binary)
            .args(["admin", "seed-messages", "--conversations", &conversations.to_string()])
            .args(["--messages", &messages.to_string(), "--accounts"])
            .arg(self.directory.path().join("accounts"))
            .arg("--data")
            .arg(self.data())
            .envs(loquat::ENVIRONMENT)
            .stdin(Stdio::null())
            .stdout(File::create(&lines)?)
            .stderr(File::create(&complaints)?)
            .status()?;
        if !status.success() {
            let said = fs::read_to_string(&complaints)?;
            return Err(BenchError::Server(format!("admin seed-messages ended with {status}: {said}")));
        }
        self.extent.conversations = self.extent.conversations.max(conversations);
        self.extent.messages += messages;
        self.directs = read_lines(&lines, &self.accounts, self.spread)?;
        Ok(())
    }

    /// Where the data is.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Starts a server on it and waits until it serves and rests: its workers go through what was written without them.
    pub(crate) async fn serve(
        &self,
        progress: &ProgressBar,
    ) -> Result<(ServerProcess, SocketAddr), BenchError> {
        let (mut process, address) = self.start()?;
        process.wait_until_ready(address).await?;
        progress.set_message("waiting until the server rests");
        process.wait_until_idle().await?;
        Ok((process, address))
    }

    /// Starts a server on it, without waiting.
    pub(crate) fn start(&self) -> Result<(ServerProcess, SocketAddr), BenchError> {
        let address = free_address()?;
        let arguments = loquat::serve_arguments(address, &self.data());
        let process =
            ServerProcess::spawn(&self.binary, &arguments, self.directory.path(), self.launcher.core)?;
        Ok((process, address))
    }

    /// Makes a group or a channel of the first accounts, on the server at this address.
    pub(crate) async fn gather(
        &self,
        address: SocketAddr,
        layout: Layout,
    ) -> Result<Conversation, BenchError> {
        let mut made = loquat::create_conversations(address, &self.accounts, layout).await?;
        made.pop().ok_or_else(|| BenchError::Arguments(format!("{layout} has no conversation")))
    }

    /// The first so many direct conversations, as they stand on the server at this address.
    pub(crate) async fn heads(
        &self,
        address: SocketAddr,
        count: usize,
    ) -> Result<Vec<Conversation>, BenchError> {
        #[derive(Deserialize)]
        struct Head {
            head: u64,
        }
        let mut client = Client::connect(address).await?;
        let mut conversations = Vec::with_capacity(count);
        for direct in self.directs.iter().take(count) {
            let path = format!("/v1/conversations/{}", direct.id);
            let token = &self.accounts[direct.members[0]].token;
            let (status, body) = client.request(Method::GET, &path, Some(token), String::new()).await?;
            if status != StatusCode::OK {
                return Err(BenchError::Protocol(format!("GET {path} answered {status}")));
            }
            let Head { head } = serde_json::from_slice(&body)?;
            conversations.push(Conversation { id: direct.id.clone(), head });
        }
        Ok(conversations)
    }
}

/// The first `limit` conversations of a file of lines.
fn read_lines(path: &Path, accounts: &[Account], limit: u64) -> Result<Vec<Direct>, BenchError> {
    let places: HashMap<&str, usize> =
        accounts.iter().enumerate().map(|(place, account)| (account.id.as_str(), place)).collect();
    let place = |id: &String| {
        let unknown = || BenchError::Server(format!("admin seed-messages names {id}, who is no account"));
        places.get(id.as_str()).copied().ok_or_else(unknown)
    };
    let mut directs = Vec::new();
    for line in BufReader::new(File::open(path)?).lines().take(limit as usize) {
        let line: Line = serde_json::from_str(&line?)?;
        let members = [place(&line.members[0])?, place(&line.members[1])?];
        directs.push(Direct { id: line.conversation, members, head: line.head.unwrap_or(0) });
    }
    Ok(directs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_conversations_of_known_accounts() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lines");
        let account = |id: &str| Account { id: id.to_owned(), token: String::new() };
        let accounts = [account("5"), account("9")];
        fs::write(
            &path,
            "{\"conversation\":\"71\",\"members\":[\"9\",\"5\"],\"head\":3}\n\
             {\"conversation\":\"72\",\"members\":[\"5\",\"9\"]}\n\
             {\"conversation\":\"73\",\"members\":[\"5\",\"6\"]}\n",
        )
        .unwrap();
        let found: Vec<_> = read_lines(&path, &accounts, 2)
            .unwrap()
            .into_iter()
            .map(|direct| (direct.id, direct.members, direct.head))
            .collect();
        assert_eq!(found, [("71".to_owned(), [1, 0], 3), ("72".to_owned(), [0, 1], 0)]);
        assert!(read_lines(&path, &accounts, 3).unwrap_err().to_string().contains("names 6"));
    }
}
