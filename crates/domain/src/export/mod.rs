//! Everything of a user as one archive, made while it is sent: `GET /v1/me/export`, `loquat admin export`.
//!
//! The format is described in `docs/export.md` and in the archive itself. [`archive`] writes tar; `gather` walks through
//! what there is, in pages; [`manifest`] says what an archive holds; [`verify`] checks one. Nothing is kept on the
//! server: a copy of everything at rest would be one more thing to protect and to erase. Memory is bounded: one part
//! of an archive ([`archive::PART_BYTES`]), a few pieces on their way, and a line of the manifest for each part.

mod archive;
mod gather;
mod manifest;
mod verify;

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use loquat_proto::UserId;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use crate::ports::Clock;
use crate::receipts::CursorBook;
use crate::{Caller, Refusal, Storage};

pub use manifest::{FORMAT, File, MANIFEST, Manifest, Owner, VERSION};
pub use verify::{NotAnExport, Verified, verify};

/// Exports under way at a time on a node.
const MANY: usize = 4;
/// Pieces made ahead of who reads them.
const AHEAD: usize = 2;

/// What exports need.
pub struct ExportDeps {
    /// Where everything is.
    pub storage: Storage,
    /// Cursors that wait to be saved; none where nothing is served.
    pub book: Option<Arc<CursorBook>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// What the operator calls the server.
    pub server_name: String,
}

/// A cheap handle to exports.
#[derive(Clone)]
pub struct Exports {
    deps: Arc<ExportDeps>,
    under_way: Arc<Mutex<HashSet<UserId>>>,
}

/// A part of an archive, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The bytes.
    pub bytes: Bytes,
    /// How far it is.
    pub progress: Progress,
}

/// How far an export is, in events of the logs that it goes through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Gone through.
    pub done: u64,
    /// In all; moves while people write.
    pub total: u64,
}

/// An archive that is being made. Dropping it stops that.
#[derive(Debug)]
pub struct Export {
    username: String,
    pieces: mpsc::Receiver<Result<Piece, Refusal>>,
}

impl Exports {
    /// Exports over these parts.
    #[must_use]
    pub fn new(deps: ExportDeps) -> Self {
        Self { deps: Arc::new(deps), under_way: Arc::default() }
    }

    /// Begins an archive of everything of the caller.
    ///
    /// # Errors
    /// [`Refusal::Unauthorized`] if the account is gone; [`Refusal::RateLimited`] while another export of the user is
    /// under way, [`Refusal::Unavailable`] while there are too many of others.
    pub async fn start(&self, caller: Caller) -> Result<Export, Refusal> {
        self.start_of(caller.user).await.map_err(|refusal| match refusal {
            Refusal::NotFound => Refusal::Unauthorized,
            refusal => refusal,
        })
    }

    /// The same for whoever looks after the server.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if there is no such account; others as above.
    pub async fn start_of(&self, user: UserId) -> Result<Export, Refusal> {
        let place = Place::take(&self.under_way, user)?;
        let record = self.deps.storage.accounts.user(user).await?;
        let own = record.filter(|record| !record.own.profile.deleted).ok_or(Refusal::NotFound)?.own;
        if let Some(book) = &self.deps.book {
            book.settle().await?;
        }
        let username = own.profile.username.clone();
        let (sender, pieces) = mpsc::channel(AHEAD);
        let deps = self.deps.clone();
        drop(tokio::spawn(async move {
            gather::Gathering::new(deps, own, sender).run().await;
            drop(place);
        }));
        Ok(Export { username, pieces })
    }
}

impl Export {
    /// A name for the file.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("loquat-export-{}.tar", self.username)
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// Storage does not answer: the archive ends without its manifest and does not verify.
    pub async fn next(&mut self) -> Option<Result<Piece, Refusal>> {
        self.pieces.recv().await
    }
}

/// The right to export one user's data.
struct Place {
    under_way: Arc<Mutex<HashSet<UserId>>>,
    user: UserId,
}

impl Place {
    fn take(under_way: &Arc<Mutex<HashSet<UserId>>>, user: UserId) -> Result<Self, Refusal> {
        let mut users = under_way.lock();
        if users.contains(&user) {
            return Err(Refusal::RateLimited { retry_after_ms: 10_000 });
        }
        if users.len() >= MANY {
            return Err(Refusal::Unavailable { reason: "too many exports", retry_after_ms: 10_000 });
        }
        users.insert(user);
        Ok(Self { under_way: under_way.clone(), user })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.under_way.lock().remove(&self.user);
    }
}

#[cfg(test)]
mod tests;
