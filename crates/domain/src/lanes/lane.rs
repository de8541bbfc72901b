//! The task that owns a hash range of conversations.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use loquat_proto::{ConversationId, Timestamp, UserId};
use rustc_hash::{FxHashMap, FxHashSet};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::batch::{InFlight, Outcomes};
use super::command::{Command, CreateCommand};
use super::decide::{Facts, Question};
use super::meet::Meeting;
use super::slot::{Pending, Phase, Slot};
use super::state::ConversationState;
use super::{LaneConfig, LaneDeps, deliver};
use crate::conversations::Right;
use crate::messages::{Act, Ticket};
use crate::ports::{
    AccountEntry, Append, ConversationFacts, Conversations, CreationOutcome, MemberFacts, StoreError,
};
use crate::{Caller, Refusal};

/// How long receipts of groups are gathered.
const GATHER: Duration = Duration::from_secs(1);
/// Commands taken from the inbox at a time.
const INTAKE: usize = 512;

/// What a lane waits for.
pub(super) enum Done {
    /// A conversation's state was read.
    Loaded(ConversationId, Result<Option<ConversationFacts>, StoreError>),
    /// What members of a channel are was read, or not.
    Met(Meeting, Result<Vec<MemberFacts>, StoreError>),
    /// Facts for the mutation at the head of a conversation's queue were read.
    Answered(ConversationId, Result<Facts, StoreError>),
    /// The batch was appended, or not.
    Appended(Vec<InFlight>, Result<Outcomes, StoreError>),
    /// A conversation was created, or not.
    Created(CreateCommand, Result<CreationOutcome, StoreError>),
    /// A conversation was deleted, or not.
    Deleted(ConversationId, oneshot::Sender<Result<(), Refusal>>, Result<Vec<AccountEntry>, Refusal>),
}

pub(super) struct Lane {
    pub(super) config: LaneConfig,
    pub(super) deps: Arc<LaneDeps>,
    pub(super) slots: FxHashMap<ConversationId, Slot>,
    /// Conversations with mutations to decide, in the order in which they became so.
    pub(super) ready: VecDeque<ConversationId>,
    /// Conversations with gathered receipts.
    pub(super) gathering: FxHashSet<ConversationId>,
    pub(super) pending: FuturesUnordered<BoxFuture<'static, Done>>,
    /// Decided alone, to go with the next batch.
    pub(super) staged: Vec<(Append, InFlight)>,
    /// Whether a batch is on its way.
    pub(super) appending: bool,
    /// Mutations in all queues.
    pub(super) waiting: usize,
    /// Members of channels in memory.
    pub(super) remembered: usize,
    inbox: mpsc::Receiver<Command>,
    barriers: Vec<oneshot::Sender<()>>,
    uses: u64,
    /// How many waited when the metrics were told last.
    told_waiting: usize,
}

impl Lane {
    pub fn new(config: LaneConfig, deps: Arc<LaneDeps>, inbox: mpsc::Receiver<Command>) -> Self {
        Self {
            config,
            deps,
            slots: FxHashMap::default(),
            ready: VecDeque::new(),
            gathering: FxHashSet::default(),
            pending: FuturesUnordered::new(),
            staged: Vec::new(),
            appending: false,
            waiting: 0,
            remembered: 0,
            inbox,
            barriers: Vec::new(),
            uses: 0,
            told_waiting: 0,
        }
    }

    /// Works until every handle is dropped and everything queued is done.
    pub async fn run(mut self) {
        let mut commands = Vec::with_capacity(INTAKE);
        let mut open = true;
        let mut next_gather = Instant::now() + GATHER;
        while open || !self.pending.is_empty() {
            let has_room = self.waiting < self.config.waiting;
            // Biased, so that a test's seed alone decides the schedule; completions first, they make room.
            tokio::select! {
                biased;
                Some(done) = self.pending.next() => self.finish(done),
                taken = self.inbox.recv_many(&mut commands, INTAKE), if open && has_room => {
                    open = taken > 0;
                    for command in commands.drain(..) {
                        self.take(command);
                    }
                }
                () = sleep_until(next_gather), if !self.gathering.is_empty() => {
                    self.flush_gathered();
                    self.load_gathered();
                    next_gather = Instant::now() + GATHER;
                }
            }
            // Before the next batch begins: under load there is always one on its way.
            self.release_barriers();
            self.start_batch();
            self.tell_waiting();
        }
        self.flush_gathered();
    }

    fn tell_waiting(&mut self) {
        let count = |waiting: usize| i64::try_from(waiting).unwrap_or(i64::MAX);
        if self.waiting != self.told_waiting {
            self.deps.metrics.waiting_changed(count(self.waiting) - count(self.told_waiting));
            self.told_waiting = self.waiting;
        }
    }

    fn take(&mut self, command: Command) {
        match command {
            Command::Mutate(ticket, act) => self.queue(ticket, act),
            Command::Create(command) => self.create(command),
            Command::Receipt(_) | Command::Typing { .. } | Command::Erased { .. } => self.take_hint(command),
            Command::Delete { caller, conversation, done } => self.delete(caller, conversation, done),
            Command::ShowReads { user, shown } => self.show_reads(user, shown),
            Command::Doubt { conversation, done } => {
                self.doubt(conversation);
                let _ = done.send(());
            }
            Command::Barrier(done) => self.barriers.push(done),
        }
    }

    /// Receipts, typing and erasures need the state, but wait for no append.
    fn take_hint(&mut self, command: Command) {
        let (Command::Receipt(super::command::ReceiptCommand { conversation, .. })
        | Command::Typing { conversation, .. }
        | Command::Erased { conversation, .. }) = command
        else {
            return;
        };
        let doubtful = self.slots.get(&conversation).is_some_and(|slot| slot.doubtful);
        if !doubtful && self.is_from_known(conversation, &command) {
            return self.serve_hint(command);
        }
        let most = self.config.waiting;
        let slot = self.slot(conversation);
        if slot.parked.len() >= most {
            return command.refuse(&Refusal::busy("too many receipts wait"));
        }
        slot.parked.push(command);
        if slot.state.is_none() || doubtful {
            // Unless it is busy: then it is read afterwards.
            self.load(conversation);
        } else {
            self.meet_parked(conversation);
        }
    }

    pub(super) fn serve_hint(&mut self, command: Command) {
        match command {
            Command::Receipt(command) => self.move_cursor(command),
            Command::Typing { caller, conversation, on, done } => {
                let outcome = self.tell_typing(caller, conversation, on);
                if let Some(done) = done {
                    let _ = done.send(outcome);
                }
            }
            Command::Erased { conversation, horizons, done } => {
                self.tell_erased(conversation, horizons);
                let _ = done.send(Ok(()));
            }
            _ => {}
        }
    }

    fn queue(&mut self, ticket: Ticket, act: Act) {
        let conversation = ticket.conversation;
        let slot = self.slot(conversation);
        slot.queue.push_back(Pending { ticket, act, conflicts: 0 });
        let newly_ready = slot.queue.len() == 1 && slot.phase == Phase::Idle;
        self.waiting += 1;
        if newly_ready {
            self.make_ready(conversation);
        }
    }

    /// Puts a conversation with waiting mutations in line, reading its state first where it is not known.
    pub(super) fn make_ready(&mut self, conversation: ConversationId) {
        let slot = self.slot(conversation);
        let (mutations, hints) = (!slot.queue.is_empty(), !slot.parked.is_empty());
        if slot.phase != Phase::Idle || !(mutations || hints) {
            return;
        }
        if slot.state.is_none() {
            return self.load(conversation);
        }
        if mutations {
            self.ready.push_back(conversation);
        }
    }

    pub(super) fn slot(&mut self, conversation: ConversationId) -> &mut Slot {
        self.uses += 1;
        let slot = self.slots.entry(conversation).or_default();
        slot.used = self.uses;
        slot
    }

    pub(super) fn load(&mut self, conversation: ConversationId) {
        let slot = self.slot(conversation);
        if slot.phase != Phase::Idle {
            return;
        }
        slot.phase = Phase::Reading;
        slot.outdated = false;
        let conversations = self.deps.conversations.clone();
        self.pending.push(Box::pin(async move {
            Done::Loaded(conversation, conversations.load(conversation).await)
        }));
    }

    pub(super) fn ask(&mut self, conversation: ConversationId, user: UserId, question: Question) {
        self.slot(conversation).phase = Phase::Reading;
        let deps = self.deps.clone();
        self.pending.push(Box::pin(async move {
            Done::Answered(conversation, answer(&deps, conversation, user, question).await)
        }));
    }

    fn finish(&mut self, done: Done) {
        match done {
            Done::Loaded(conversation, outcome) => self.loaded(conversation, outcome),
            Done::Met(meeting, outcome) => self.met(meeting, outcome),
            Done::Answered(conversation, outcome) => self.answered(conversation, outcome),
            Done::Appended(in_flight, outcome) => self.appended(in_flight, outcome),
            Done::Created(command, outcome) => self.created(command, outcome),
            Done::Deleted(conversation, done, outcome) => self.deleted(conversation, done, outcome),
        }
    }

    fn loaded(
        &mut self,
        conversation: ConversationId,
        outcome: Result<Option<ConversationFacts>, StoreError>,
    ) {
        let book = self.deps.book.clone();
        let life = self.uses;
        let slot = self.slot(conversation);
        slot.phase = Phase::Idle;
        if slot.outdated {
            return self.load(conversation);
        }
        match outcome {
            Ok(Some(facts)) => {
                slot.know(ConversationState::new(facts, &book, life));
                self.serve_parked(conversation);
                self.make_ready(conversation);
                self.forget_unused();
            }
            Ok(None) => self.refuse_all(conversation, &Refusal::NotFound),
            Err(error) => self.refuse_all(conversation, &error.into()),
        }
    }

    /// The conversation is not there or cannot be read: everything that waits for it is refused.
    fn refuse_all(&mut self, conversation: ConversationId, refusal: &Refusal) {
        let Some(slot) = self.slots.remove(&conversation) else { return };
        if refusal.is_retryable() && !(slot.gathered.is_empty() && slot.uncertain.is_empty()) {
            // Cursors that moved are told when the state can be read again.
            let Slot { gathered, uncertain, former, used, .. } = slot;
            let kept = Slot { gathered, uncertain, former, used, ..Slot::default() };
            self.slots.insert(conversation, kept);
        }
        self.waiting -= slot.queue.len();
        for pending in slot.queue {
            pending.ticket.refuse(refusal.clone());
        }
        for command in slot.parked {
            command.refuse(refusal);
        }
    }

    /// Keeps memory bounded: forgets the conversations that were used longest ago and do nothing.
    pub(super) fn forget_unused(&mut self) {
        if self.slots.len() <= self.config.conversations {
            return;
        }
        // A quarter at a time, so that the sort is paid for by many loads.
        let keep = self.config.conversations - self.config.conversations / 4;
        let mut uses: Vec<u64> = self.slots.values().map(|slot| slot.used).collect();
        let excess = uses.len() - keep;
        let (_, oldest_kept, _) = uses.select_nth_unstable(excess);
        let oldest_kept = *oldest_kept;
        self.slots.retain(|_, slot| slot.used >= oldest_kept || !slot.is_disposable());
    }

    fn delete(
        &mut self,
        caller: Caller,
        conversation: ConversationId,
        done: oneshot::Sender<Result<(), Refusal>>,
    ) {
        let conversations = self.deps.conversations.clone();
        let now = self.deps.clock.now();
        self.pending.push(Box::pin(async move {
            let outcome = delete(&*conversations, caller.user, conversation, now).await;
            Done::Deleted(conversation, done, outcome)
        }));
    }

    fn deleted(
        &mut self,
        conversation: ConversationId,
        done: oneshot::Sender<Result<(), Refusal>>,
        outcome: Result<Vec<AccountEntry>, Refusal>,
    ) {
        let answer = outcome.map(|entries| {
            deliver::deleted(&*self.deps.bus, conversation);
            self.deps.announcer.announce(entries);
            // An append on its way conflicts, reloads, and finds nothing: its senders hear `not_found`.
            if let Some(slot) = self.slots.get_mut(&conversation) {
                (slot.state, slot.former) = (None, None);
                slot.outdated = true;
            }
        });
        let _ = done.send(answer);
    }

    fn doubt(&mut self, conversation: ConversationId) {
        let Some(slot) = self.slots.get_mut(&conversation) else { return };
        if slot.phase == Phase::Appending {
            slot.doubtful = true;
        } else {
            slot.doubt();
            slot.outdated = true;
        }
    }

    fn show_reads(&mut self, user: UserId, shown: bool) {
        for slot in self.slots.values_mut() {
            slot.outdated = true;
            if let Some(state) = &mut slot.state {
                state.members.show_reads(user, shown);
            }
        }
    }

    /// Every append up to here is fanned out when none is on its way; gathered receipts go first.
    fn release_barriers(&mut self) {
        if self.appending || self.barriers.is_empty() {
            return;
        }
        self.flush_gathered();
        if !self.gathering.is_empty() {
            return;
        }
        for barrier in self.barriers.drain(..) {
            let _ = barrier.send(());
        }
    }
}

async fn delete(
    conversations: &dyn Conversations,
    user: UserId,
    conversation: ConversationId,
    now: Timestamp,
) -> Result<Vec<AccountEntry>, Refusal> {
    let standing = conversations.standing(user, conversation).await?.ok_or(Refusal::NotFound)?;
    // Nobody owns a direct conversation: deleting it would take it from the other one.
    Right::Delete.require(standing.role, &standing.permissions)?;
    Ok(conversations.delete(conversation, now).await?)
}

async fn answer(
    LaneDeps { log, invites, blocks, conversations, .. }: &LaneDeps,
    conversation: ConversationId,
    user: UserId,
    question: Question,
) -> Result<Facts, StoreError> {
    let Question { target, emoji, nonce, code, added, heir_of } = question;
    let mut facts = Facts::default();
    if !added.is_empty() {
        facts.blocked = blocks.is_blocked_by_any(user, &added).await?;
    }
    if let Some(nonce) = nonce {
        facts.replay = log.find_nonce(conversation, user, &nonce).await?;
    }
    if let Some(target) = target {
        facts.target = log.target(conversation, target).await?;
        if let Some(emoji) = emoji {
            facts.reaction = log.reaction(conversation, target, user, &emoji).await?;
        }
    }
    if let Some(code) = code {
        facts.invitation = invites.invitation(&code, user).await?;
    }
    if let Some(leaving) = heir_of {
        facts.heir = conversations.heir(conversation, leaving).await?;
    }
    Ok(facts)
}
