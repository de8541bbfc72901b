//! Walks through everything of a user.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use loquat_proto::{Conversation, ConversationId, ConversationKind, Member, OwnProfile, Seq};
use serde::Serialize;
use tokio::sync::mpsc;

use super::archive::{self, Records};
use super::{ExportDeps, FORMAT, MANIFEST, Manifest, Owner, Piece, Progress, VERSION};
use crate::Refusal;
use crate::ports::{MessageWindow, StoreError, ViewQuery};

/// Records read at a time.
const PAGE: usize = 200;
/// Conversations looked for, of those that moved while the rest were listed.
const MOVED: usize = 10_000;

/// What stands in the archive for people.
const README: &str = "\
This archive holds everything that a Loquat server keeps of one user, as of when it was made.

manifest.json            what is in here: every other file with its length, its number of records and its SHA-256
profile.json             the profile, with addresses, settings and privacy
devices/*.jsonl          the devices that are signed in
contacts/*.jsonl         the contacts
contact_requests/*.jsonl the requests for contact that wait, in both directions
blocks/*.jsonl           whom the user blocks
account_events/*.jsonl   the account log: what happened to the account, in order of `pos`
conversations/*.jsonl    the conversations that the user is a member of, with the user's own part: role, cursors,
                         muted, pinned, archived, draft
members/*.jsonl          the members of direct conversations and groups, each with its conversation
messages/*.jsonl         the messages that the user may read, by conversation and `seq`, each with its conversation;
                         `text` is null where a message was erased

Files named .jsonl have one JSON document a line. Ids are decimal strings; times are milliseconds since the Unix epoch.
`loquat admin verify-export FILE` checks that the archive is whole.
";

/// A member with where.
#[derive(Serialize)]
struct MemberOf<'a> {
    conversation: ConversationId,
    #[serde(flatten)]
    member: &'a Member,
}

/// See the module.
pub(super) struct Gathering {
    deps: Arc<ExportDeps>,
    own: OwnProfile,
    sender: mpsc::Sender<Result<Piece, Refusal>>,
    progress: Progress,
    mtime: u64,
    manifest: Manifest,
}

/// Why gathering ends early.
enum Stop {
    /// Nobody reads any more.
    Unread,
    /// Storage does not answer.
    Refused(Refusal),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Refused(error.into())
    }
}

impl Gathering {
    pub(super) fn new(
        deps: Arc<ExportDeps>,
        own: OwnProfile,
        sender: mpsc::Sender<Result<Piece, Refusal>>,
    ) -> Self {
        let created_at = deps.clock.now();
        let manifest = Manifest {
            format: FORMAT.to_owned(),
            version: VERSION,
            server: deps.server_name.clone(),
            created_at,
            user: Owner { id: own.profile.id, username: own.profile.username.clone() },
            files: Vec::new(),
        };
        let mtime = u64::try_from(created_at / 1000).unwrap_or(0);
        Self { deps, own, sender, progress: Progress::default(), mtime, manifest }
    }

    /// Makes the archive.
    pub(super) async fn run(mut self) {
        if let Err(Stop::Refused(refusal)) = self.gather().await {
            // Who stopped reading meanwhile does not need the reason.
            let _ = self.sender.send(Err(refusal)).await;
        }
    }

    async fn gather(&mut self) -> Result<(), Stop> {
        self.file("README.txt", README.as_bytes().to_vec(), 0).await?;
        self.document("profile.json", &self.own.clone()).await?;
        self.devices().await?;
        self.people().await?;
        self.account_events().await?;
        let conversations = self.conversations().await?;
        self.members(&conversations).await?;
        self.messages(&conversations).await?;
        let manifest = serde_json::to_vec_pretty(&self.manifest).map_err(|_| Refusal::busy("export"))?;
        let (_, mut bytes) = archive::entry(MANIFEST.to_owned(), &manifest, 0, self.mtime)?;
        bytes.extend(archive::end());
        self.send(bytes).await
    }

    async fn send(&self, bytes: Vec<u8>) -> Result<(), Stop> {
        let piece = Piece { bytes: Bytes::from(bytes), progress: self.progress };
        self.sender.send(Ok(piece)).await.map_err(|_| Stop::Unread)
    }

    async fn file(&mut self, path: &str, content: Vec<u8>, records: u64) -> Result<(), Stop> {
        let (file, bytes) = archive::entry(path.to_owned(), &content, records, self.mtime)?;
        self.manifest.files.push(file);
        self.send(bytes).await
    }

    async fn document(&mut self, path: &str, document: &impl Serialize) -> Result<(), Stop> {
        let mut line = serde_json::to_vec(document).map_err(|_| Refusal::busy("export"))?;
        line.push(b'\n');
        self.file(path, line, 1).await
    }

    async fn flush(&mut self, records: &mut Records) -> Result<(), Stop> {
        if let Some((file, bytes)) = records.take(self.mtime)? {
            self.manifest.files.push(file);
            self.send(bytes).await?;
        }
        Ok(())
    }

    async fn add(&mut self, records: &mut Records, record: &impl Serialize) -> Result<(), Stop> {
        records.push(record)?;
        if records.is_full() {
            self.flush(records).await?;
        }
        Ok(())
    }

    async fn devices(&mut self) -> Result<(), Stop> {
        let mut records = Records::new("devices");
        for device in self.deps.storage.devices.devices(self.own.profile.id).await? {
            self.add(&mut records, &device).await?;
        }
        self.flush(&mut records).await
    }

    /// Contacts, requests for contact, and whom the user blocks.
    async fn people(&mut self) -> Result<(), Stop> {
        let (user, storage) = (self.own.profile.id, self.deps.storage.clone());
        let (mut records, mut after) = (Records::new("contacts"), None);
        loop {
            let page = storage.contacts.contacts(user, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.user);
            for contact in &page {
                self.add(&mut records, contact).await?;
            }
        }
        self.flush(&mut records).await?;
        let (mut records, mut after) = (Records::new("contact_requests"), None);
        loop {
            let page = storage.contacts.requests(user, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.user);
            for request in &page {
                self.add(&mut records, request).await?;
            }
        }
        self.flush(&mut records).await?;
        let (mut records, mut after) = (Records::new("blocks"), None);
        loop {
            let page = storage.blocks.blocks(user, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.user);
            for block in &page {
                self.add(&mut records, block).await?;
            }
        }
        self.flush(&mut records).await
    }

    async fn account_events(&mut self) -> Result<(), Stop> {
        let (mut records, mut pos) = (Records::new("account_events"), 0);
        loop {
            let page = self.deps.storage.account_log.after(self.own.profile.id, pos, PAGE).await?;
            let Some(last) = page.last() else { break };
            pos = last.pos;
            for event in &page {
                self.add(&mut records, event).await?;
            }
        }
        self.flush(&mut records).await
    }

    /// The conversations by id, with the `seq`s between which the user may read.
    async fn conversations(
        &mut self,
    ) -> Result<BTreeMap<ConversationId, (ConversationKind, Seq, Seq)>, Stop> {
        let viewer = self.own.profile.id;
        let (mut records, mut found, mut after) = (Records::new("conversations"), BTreeMap::new(), None);
        let mut since = None;
        loop {
            let query = ViewQuery::Newest { after, limit: PAGE };
            let slice = self.deps.storage.conversations.views(viewer, query).await?;
            since.get_or_insert(slice.position.pos);
            after = slice.items.last().map(|last| (last.last_activity, last.id));
            self.note(&mut records, &mut found, &slice.items).await?;
            if !slice.more {
                break;
            }
        }
        // What moved to the top meanwhile was overtaken by the paging.
        let query = ViewQuery::ChangedSince { pos: since.unwrap_or(0), limit: MOVED };
        let moved = self.deps.storage.conversations.views(viewer, query).await?;
        self.note(&mut records, &mut found, &moved.items).await?;
        self.flush(&mut records).await?;
        Ok(found)
    }

    async fn note(
        &mut self,
        records: &mut Records,
        found: &mut BTreeMap<ConversationId, (ConversationKind, Seq, Seq)>,
        conversations: &[Conversation],
    ) -> Result<(), Stop> {
        for conversation in conversations {
            let Conversation { id, kind, visible_from, head, .. } = *conversation;
            if found.insert(id, (kind, visible_from, head)).is_none() {
                self.progress.total += (head + 1).saturating_sub(visible_from);
                self.add(records, conversation).await?;
            }
        }
        Ok(())
    }

    async fn members(
        &mut self,
        conversations: &BTreeMap<ConversationId, (ConversationKind, Seq, Seq)>,
    ) -> Result<(), Stop> {
        let (viewer, mut records) = (self.own.profile.id, Records::new("members"));
        // The audience of a channel is no data of one who is in it.
        let shared = conversations.iter().filter(|(_, (kind, ..))| *kind != ConversationKind::Channel);
        for (conversation, _) in shared {
            let (conversation, mut after) = (*conversation, None);
            // `None`: no member any more.
            while let Some(page) =
                self.deps.storage.conversations.members(viewer, conversation, after, PAGE).await?
            {
                for member in &page {
                    self.add(&mut records, &MemberOf { conversation, member }).await?;
                }
                after = page.last().map(|last| last.user);
                if page.len() < PAGE {
                    break;
                }
            }
        }
        self.flush(&mut records).await
    }

    async fn messages(
        &mut self,
        conversations: &BTreeMap<ConversationId, (ConversationKind, Seq, Seq)>,
    ) -> Result<(), Stop> {
        let (viewer, mut records) = (self.own.profile.id, Records::new("messages"));
        for (conversation, (_, visible_from, head)) in conversations {
            let (begun, mut seq) = (self.progress.done, visible_from.saturating_sub(1));
            while let Some(page) = self
                .deps
                .storage
                .timeline
                .messages(viewer, *conversation, MessageWindow::After(seq), PAGE)
                .await?
            {
                for message in &page.items {
                    self.add(&mut records, message).await?;
                }
                let Some(last) = page.items.last() else { break };
                seq = last.seq;
                self.progress.done = begun + (seq.min(*head) + 1).saturating_sub(*visible_from);
            }
            self.progress.done = begun + (head + 1).saturating_sub(*visible_from);
        }
        self.flush(&mut records).await
    }
}
