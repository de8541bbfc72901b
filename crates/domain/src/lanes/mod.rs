//! Lanes: every conversation has one writer.
//!
//! A lane is a task that owns a hash range of conversations. It keeps their state in memory (bounded), decides every
//! mutation against it, appends what was decided in one batch with "expected head = N", answers, and fans out. While
//! a batch is on its way to the disk the next one gathers, so that the batch grows with the load by itself.
//!
//! Ownership is a cache hint, never a lock: an append that conflicts makes the lane reload and decide again.
//!
//! Files: [`Lanes`] is the handle; `lane` the task; `slot` one conversation's queue; `state` what is known of it;
//! `members` who is in it, `meet` how a channel's lane learns that; `decide` the rules, pure; `batch` builds appends and
//! completes them; `create` the first events; `receipts` the cursors; `deliver` the fan-out.

mod batch;
mod command;
mod create;
mod decide;
mod deliver;
mod lane;
mod meet;
mod members;
mod receipts;
mod slot;
mod state;

use std::hash::BuildHasher as _;
use std::sync::Arc;

use loquat_proto::conversation::{Cursor, Receipts};
use loquat_proto::frame::FrameId;
use loquat_proto::{ConversationId, Limits, UserId};
use rustc_hash::FxBuildHasher;
use tokio::sync::{mpsc, oneshot};

use crate::fanout::{Announcer, Session};
use crate::messages::{Act, Ticket};
use crate::metrics::Metrics;
use crate::ports::{
    Blocks, Bus, Clock, Conversations, Creation, CreationOutcome, EventLog, Horizons, Invites,
};
use crate::receipts::CursorBook;
use crate::sync::FanoutPass;
use crate::workers::Hints;
use crate::{Caller, Refusal};
use command::{Command, CreateCommand, ReceiptCommand, ReceiptReply};

/// How lanes work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneConfig {
    /// How many lanes.
    pub lanes: usize,
    /// Commands that wait for a lane; beyond, mutations are refused as `unavailable`.
    pub queue: usize,
    /// Mutations that wait inside a lane for their batch; beyond, the lane takes no more from its queue.
    pub waiting: usize,
    /// Events of one batch.
    pub batch: usize,
    /// Conversations whose state a lane keeps in memory.
    pub conversations: usize,
    /// Members of channels that a lane keeps in memory; those of other conversations come with their state.
    pub members: usize,
}

impl Default for LaneConfig {
    fn default() -> Self {
        Self { lanes: 4, queue: 8192, waiting: 8192, batch: 2048, conversations: 4096, members: 65_536 }
    }
}

/// What lanes need.
pub struct LaneDeps {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// The directory.
    pub conversations: Arc<dyn Conversations>,
    /// Invitations, by which users join.
    pub invites: Arc<dyn Invites>,
    /// Who blocks whom.
    pub blocks: Arc<dyn Blocks>,
    /// The bus, for fan-out.
    pub bus: Arc<dyn Bus>,
    /// Tells account logs.
    pub announcer: Announcer,
    /// Where cursors wait to be saved.
    pub book: Arc<CursorBook>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The limits in force.
    pub limits: Limits,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Tells workers what was delivered.
    pub hints: Arc<Hints>,
}

/// A cheap handle to all lanes of this node.
#[derive(Clone)]
pub struct Lanes {
    inboxes: Arc<[mpsc::Sender<Command>]>,
}

impl Lanes {
    /// Starts the lanes. They end when every handle is dropped and everything queued is done.
    #[must_use]
    pub fn start(config: LaneConfig, deps: LaneDeps) -> (Self, Vec<tokio::task::JoinHandle<()>>) {
        let deps = Arc::new(deps);
        let (inboxes, tasks): (Vec<_>, Vec<_>) = (0..config.lanes.max(1))
            .map(|_| {
                let (sender, inbox) = mpsc::channel(config.queue);
                (sender, tokio::spawn(lane::Lane::new(config, deps.clone(), inbox).run()))
            })
            .unzip();
        (Self { inboxes: inboxes.into() }, tasks)
    }

    /// Hands a mutation to its lane; the outcome goes to the ticket's reply. A full lane refuses at once.
    pub(crate) fn mutate(&self, ticket: Ticket, act: Act) {
        let inbox = self.inbox(ticket.conversation);
        match inbox.try_reserve() {
            Ok(permit) => permit.send(Command::Mutate(ticket, act)),
            Err(_) => ticket.refuse(Refusal::busy("too many messages wait")),
        }
    }

    /// Moves a caller's cursors; the outcome goes into the session, if it wants one.
    pub(crate) fn receipt(
        &self,
        session: &Arc<Session>,
        re: Option<FrameId>,
        conversation: ConversationId,
        receipts: Receipts,
    ) {
        let reply = ReceiptReply::Session { session: session.clone(), re };
        let command = ReceiptCommand { conversation, caller: session.caller(), receipts, reply };
        if let Err(error) = self.inbox(conversation).try_send(Command::Receipt(command))
            && let Command::Receipt(command) = error.into_inner()
        {
            command.reply.refuse(&Refusal::busy("too many receipts wait"));
        }
    }

    /// Moves a caller's cursors and waits for the outcome.
    pub(crate) async fn receipt_and_wait(
        &self,
        caller: Caller,
        conversation: ConversationId,
        receipts: Receipts,
    ) -> Result<Cursor, Refusal> {
        self.ask(conversation, |done| {
            let reply = ReceiptReply::Waiting(done);
            Command::Receipt(ReceiptCommand { conversation, caller, receipts, reply })
        })
        .await
    }

    /// Tells the other members that the caller writes, or stopped. Silent when refused or busy: a hint.
    pub(crate) fn typing(&self, caller: Caller, conversation: ConversationId, on: bool) {
        let _ = self.inbox(conversation).try_send(Command::Typing { caller, conversation, on, done: None });
    }

    /// The same, saying whether it was allowed.
    pub(crate) async fn typing_and_wait(
        &self,
        caller: Caller,
        conversation: ConversationId,
        on: bool,
    ) -> Result<(), Refusal> {
        self.ask(conversation, |done| Command::Typing { caller, conversation, on, done: Some(done) }).await
    }

    /// Creates a conversation. Its first events are fanned out before anything else that happens in it, even where
    /// the caller stops waiting.
    pub(crate) async fn create(
        &self,
        creation: Creation,
        pass: FanoutPass,
    ) -> Result<CreationOutcome, Refusal> {
        let creation = Box::new(creation);
        self.ask(creation.conversation.id, |done| Command::Create(CreateCommand { creation, pass, done }))
            .await
    }

    /// Tells the members how far retention has erased; returns when their sessions have it. Who cannot be told now
    /// (storage does not answer, the lane is full) finds it in `ready`.
    pub(crate) async fn tell_erased(&self, conversation: ConversationId, horizons: Horizons) {
        let told = self.ask(conversation, |done| Command::Erased { conversation, horizons, done }).await;
        if let Err(refusal) = told {
            tracing::debug!(%refusal, "an erasure was not told to sessions");
        }
    }

    /// Deletes the conversation with all content, if the caller owns it.
    pub(crate) async fn delete(&self, caller: Caller, conversation: ConversationId) -> Result<(), Refusal> {
        self.ask(conversation, |done| Command::Delete { caller, conversation, done }).await
    }

    /// From now on this user's read cursors are shown to others, or not.
    pub(crate) async fn show_reads(&self, user: UserId, shown: bool) {
        for inbox in &*self.inboxes {
            let _ = inbox.send(Command::ShowReads { user, shown }).await;
        }
    }

    /// What stands outside the log and bears on who may write in this conversation has changed: it is read again before
    /// it is used. Appends notice by themselves; receipts and typing do not.
    pub(crate) async fn doubt(&self, conversation: ConversationId) {
        let (done, answer) = oneshot::channel();
        if self.inbox(conversation).send(Command::Doubt { conversation, done }).await.is_ok() {
            let _ = answer.await;
        }
    }

    /// Waits until everything that was appended before this call has been fanned out.
    pub(crate) async fn barrier(&self) {
        let mut answers = Vec::with_capacity(self.inboxes.len());
        for inbox in &*self.inboxes {
            let (sender, answer) = oneshot::channel();
            if inbox.send(Command::Barrier(sender)).await.is_ok() {
                answers.push(answer);
            }
        }
        for answer in answers {
            let _ = answer.await;
        }
    }

    async fn ask<T>(
        &self,
        conversation: ConversationId,
        command: impl FnOnce(oneshot::Sender<Result<T, Refusal>>) -> Command,
    ) -> Result<T, Refusal> {
        let (sender, answer) = oneshot::channel();
        let inbox = self.inbox(conversation);
        inbox.try_send(command(sender)).map_err(|_| Refusal::busy("too many requests wait"))?;
        answer.await.unwrap_or(Err(Refusal::busy("the service is stopping")))
    }

    fn inbox(&self, conversation: ConversationId) -> &mpsc::Sender<Command> {
        // High bits: they are the well-mixed ones of this multiplicative hash.
        let hash = FxBuildHasher.hash_one(conversation) >> 32;
        let index = usize::try_from(hash).unwrap_or(0) % self.inboxes.len();
        &self.inboxes[index]
    }
}
