//! The engine's state, its inputs, and what happens at the end of each.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use loquat_proto::frame::{ClientInfo, FrameId, Hello};
use loquat_proto::{ClientFrame, ConversationId, DeviceId, Event, Nonce, Seq, ServerFrame, UserId};

use crate::cursors::Count;
use crate::effect::{BatchId, Credential, Effect, LoadId};
use crate::entropy::{Entropy, NonceSource};
use crate::gaps::Plan;
use crate::open::WindowPage;
use crate::outbox::Outbox;
use crate::people::People;
use crate::requests::Requests;
use crate::room::{Counting, Room};
use crate::store::{Operation, Query, Restored, SyncPoint};
use crate::sync::Listing;
use crate::timers::{Timer, Timers};
use crate::view::{SyncState, ViewChange};
use crate::{Command, CommandError, Now, Options};

/// What an engine starts with.
pub struct Setup {
    /// Who is signed in.
    pub user: UserId,
    /// From which device.
    pub device: DeviceId,
    /// What the store holds.
    pub restored: Restored,
    /// Bounds and intervals.
    pub options: Options,
    /// Randomness.
    pub entropy: Box<dyn Entropy + Send>,
}

/// How the engine stands with its transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    Down,
    /// `hello` was sent.
    Greeting,
    Up {
        /// Something must be sent this often.
        heartbeat_ms: u64,
    },
}

/// What a frame that awaits an answer was for.
#[derive(Debug, Clone)]
pub(crate) enum Purpose {
    Hello,
    /// The queued change with this place in the queue.
    Change(u64),
    Fetch(Plan),
    Watch,
}

/// What follows once a batch is written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AfterWrite {
    /// Events of a conversation are stored: the newest of them, and how far "delivered" may be said.
    Stored { conversation: ConversationId, top: Seq, deliverable: Seq },
    /// The change with this place in the queue may be sent.
    ChangeSaved(u64),
}

/// What a load was for.
#[derive(Debug, Clone)]
pub(crate) enum LoadFor {
    /// The window of an open conversation, or its extension down.
    Window(WindowPage),
    /// Messages that are quoted in the window.
    Quoted(ConversationId),
    /// Counting what is unread, as of then.
    Unread { conversation: ConversationId, as_of: Counting, count: Count },
}

/// Snapshots that are out of date, told once at the end of an input.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) conversations: bool,
    pub(crate) outbox: bool,
    pub(crate) profiles: bool,
    pub(crate) timelines: BTreeSet<ConversationId>,
    pub(crate) typing: BTreeSet<ConversationId>,
    pub(crate) happened: Vec<ViewChange>,
}

/// The client engine; the module docs of the crate say how to drive it.
pub struct Engine {
    pub(crate) me: UserId,
    pub(crate) device: DeviceId,
    pub(crate) options: Options,
    pub(crate) entropy: Box<dyn Entropy + Send>,
    pub(crate) nonces: NonceSource,
    pub(crate) now: Now,
    pub(crate) link: Link,
    pub(crate) sync: SyncPoint,
    pub(crate) listing: Option<Listing>,
    pub(crate) rooms: BTreeMap<ConversationId, Room>,
    /// Rooms that may lack events that are wanted.
    pub(crate) wanted: BTreeSet<ConversationId>,
    /// Rooms that missed something while away, until they have it.
    pub(crate) catching_up: BTreeSet<ConversationId>,
    pub(crate) outbox: Outbox,
    pub(crate) people: People,
    pub(crate) requests: Requests,
    pub(crate) timers: Timers,
    pub(crate) opened: u64,
    pub(crate) changes: Changes,
    /// Conversations whose record must be written: the progress at once, the summary when it has rested.
    pub(crate) dirty_progress: BTreeSet<ConversationId>,
    pub(crate) dirty_summaries: BTreeSet<ConversationId>,
    pub(crate) writes: Vec<Operation>,
    pub(crate) after: Vec<AfterWrite>,
    pub(crate) frames: BTreeMap<FrameId, (Purpose, u64)>,
    pub(crate) loads: BTreeMap<LoadId, LoadFor>,
    in_store: VecDeque<(BatchId, Vec<AfterWrite>)>,
    effects: VecDeque<Effect>,
    last_frame: FrameId,
    last_batch: u64,
    last_load: u64,
    told: SyncState,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("me", &self.me)
            .field("link", &self.link)
            .field("rooms", &self.rooms.len())
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine from what the store holds. There may be effects at once.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let Setup { user, device, restored, options, entropy } = setup;
        let mut engine = Self {
            me: user,
            device,
            people: People::new(restored.profiles),
            outbox: Outbox::new(restored.queue),
            options,
            entropy,
            nonces: NonceSource::default(),
            now: Now::default(),
            link: Link::Down,
            sync: restored.sync,
            listing: None,
            rooms: BTreeMap::new(),
            wanted: BTreeSet::new(),
            catching_up: BTreeSet::new(),
            requests: Requests::default(),
            timers: Timers::default(),
            opened: 0,
            changes: Changes::default(),
            dirty_progress: BTreeSet::new(),
            dirty_summaries: BTreeSet::new(),
            writes: Vec::new(),
            after: Vec::new(),
            frames: BTreeMap::new(),
            loads: BTreeMap::new(),
            in_store: VecDeque::new(),
            effects: VecDeque::new(),
            last_frame: 0,
            last_batch: 0,
            last_load: 0,
            told: SyncState::Disconnected,
        };
        for (summary, mut progress) in restored.conversations {
            progress.whole |= engine.options.full_history;
            let counted = summary.head;
            let id = summary.id;
            let mut room = Room { summary: Some(summary), progress, counted, ..Room::default() };
            if room.deliverable() > room.progress.delivered {
                // The last life ended between the write of these events and its cursor.
                room.progress.delivered = room.deliverable();
                room.progress.repeat_cursors = true;
            }
            engine.rooms.insert(id, room);
            engine.wanted.insert(id);
            engine.recount_restored(id);
        }
        engine
    }

    /// A fresh nonce for [`Command::Change`].
    pub fn new_nonce(&mut self, now: Now) -> Nonce {
        self.nonces.next(now.wall, &mut *self.entropy)
    }

    /// A transport is open: the engine greets.
    pub fn connected(&mut self, now: Now, credential: Credential) {
        self.input(now, |engine| {
            engine.drop_link();
            engine.greet(credential);
        });
    }

    /// The transport broke or was closed. Frames that were not answered count as unanswered: nobody knows.
    pub fn disconnected(&mut self, now: Now) {
        self.input(now, Self::drop_link);
    }

    /// A text frame came.
    pub fn frame(&mut self, now: Now, text: &str) {
        self.input(now, |engine| match ServerFrame::parse(text) {
            // What was under way when the link was dropped is not wanted any more.
            _ if engine.link == Link::Down => {}
            Ok(ServerFrame::Answer(answer)) => engine.answer(answer),
            Ok(ServerFrame::Push(push)) => engine.push(*push),
            Err(_) => engine.close("a frame is not understood", None, None),
        });
    }

    /// This batch is written. Batches are told in the order in which they were asked for.
    pub fn persisted(&mut self, now: Now, batch: BatchId) {
        self.input(now, |engine| {
            let mut written = Vec::new();
            while engine.in_store.front().is_some_and(|(id, _)| *id <= batch) {
                written.extend(engine.in_store.pop_front().map(|(_, after)| after).unwrap_or_default());
            }
            for after in written {
                match after {
                    AfterWrite::Stored { conversation, top, deliverable } => {
                        engine.stored(conversation, top, deliverable);
                    }
                    AfterWrite::ChangeSaved(order) => engine.change_saved(order),
                }
            }
        });
    }

    /// These events were loaded.
    pub fn loaded(&mut self, now: Now, id: LoadId, events: &[Event]) {
        self.input(now, |engine| match engine.loads.remove(&id) {
            Some(LoadFor::Window(page)) => engine.window_loaded(id, page, events),
            Some(LoadFor::Quoted(conversation)) => engine.quoted_loaded(conversation, events),
            Some(LoadFor::Unread { conversation, as_of, count }) => {
                engine.unread_loaded(conversation, as_of, (count, events));
            }
            None => {}
        });
    }

    /// Time has passed: at the latest at [`Engine::next_wakeup`].
    pub fn tick(&mut self, now: Now) {
        self.input(now, |_| {});
    }

    /// When [`Engine::tick`] is wanted at the latest, on the monotonic clock.
    #[must_use]
    pub fn next_wakeup(&self) -> Option<u64> {
        self.timers.next()
    }

    /// The user wants something.
    ///
    /// # Errors
    /// See [`CommandError`]; nothing was changed then.
    pub fn command(&mut self, now: Now, command: Command) -> Result<(), CommandError> {
        self.input(now, |engine| engine.obey(command))
    }

    /// The next thing to do, until there is none.
    pub fn take_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// How the engine stands with its server.
    #[must_use]
    pub fn sync_state(&self) -> SyncState {
        match self.link {
            Link::Down => SyncState::Disconnected,
            Link::Greeting => SyncState::Connecting,
            Link::Up { .. } if self.listing.is_some() || !self.catching_up.is_empty() => {
                SyncState::CatchingUp
            }
            Link::Up { .. } => SyncState::Live,
        }
    }

    fn obey(&mut self, command: Command) -> Result<(), CommandError> {
        match command {
            Command::Open(conversation) => self.open(conversation)?,
            Command::Close(conversation) => self.close_timeline(conversation),
            Command::LoadOlder(conversation) => self.load_older(conversation)?,
            Command::Backfill(conversation) => {
                self.room(conversation)?.progress.whole = true;
                self.dirty_progress.insert(conversation);
                self.wanted.insert(conversation);
            }
            Command::Change { conversation, nonce, change } => {
                self.room(conversation)?;
                self.enqueue(conversation, nonce, change)?;
            }
            Command::Retry(nonce) => self.retry_change(&nonce)?,
            Command::Discard(nonce) => self.discard_change(&nonce)?,
            Command::MarkRead { conversation, seq } => self.mark_read(conversation, seq)?,
            Command::SetTyping { conversation, on } => self.set_typing(conversation, on)?,
            Command::SetDraft { conversation, text } => self.set_draft(conversation, text)?,
            Command::Watch(users) => self.watch(users),
            Command::SetStatus(state) => self.set_status(state),
            Command::LearnProfile(user) => self.learn(user),
        }
        Ok(())
    }

    pub(crate) fn room(&mut self, conversation: ConversationId) -> Result<&mut Room, CommandError> {
        let room = self.rooms.get_mut(&conversation).filter(|room| room.summary.is_some());
        room.ok_or(CommandError::NoSuchConversation)
    }

    pub(crate) fn is_up(&self) -> bool {
        matches!(self.link, Link::Up { .. })
    }

    /// Sends a frame that wants no answer.
    pub(crate) fn send(&mut self, frame: &ClientFrame) {
        self.said_something();
        self.effects.push_back(Effect::Send(frame.encode(None)));
    }

    /// Sends a frame that wants an answer.
    pub(crate) fn ask(&mut self, frame: &ClientFrame, purpose: Purpose) -> FrameId {
        self.said_something();
        self.last_frame += 1;
        let id = self.last_frame;
        self.frames.insert(id, (purpose, self.now.monotonic_ms));
        self.timers.set_if_absent(Timer::AnswerDue, self.now.monotonic_ms + self.options.answer_timeout_ms);
        self.effects.push_back(Effect::Send(frame.encode(Some(id))));
        id
    }

    /// Closes the transport from this side.
    pub(crate) fn close(&mut self, reason: &'static str, retry_after_ms: Option<u64>, url: Option<String>) {
        self.drop_link();
        self.effects.push_back(Effect::Close { reason, retry_after_ms, url });
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    pub(crate) fn load(&mut self, query: Query, purpose: LoadFor) -> LoadId {
        // What was decided before must be in the store before it is read.
        self.write();
        self.last_load += 1;
        let id = LoadId(self.last_load);
        self.loads.insert(id, purpose);
        self.effects.push_back(Effect::Load { id, query });
        id
    }

    /// Writes changed records, summaries too, with whatever else is to be written.
    pub(crate) fn write_summaries(&mut self) {
        self.timers.cancel(Timer::Store);
        for conversation in std::mem::take(&mut self.dirty_summaries) {
            self.write_summary(conversation);
        }
    }

    pub(crate) fn write_summary(&mut self, conversation: ConversationId) {
        self.dirty_summaries.remove(&conversation);
        let summary = self.rooms.get(&conversation).and_then(|room| room.summary.clone());
        self.writes.extend(summary.map(|summary| Operation::PutConversation(Box::new(summary))));
    }

    /// Takes one input in, then does what follows from it.
    pub(crate) fn input<T>(&mut self, now: Now, take_in: impl FnOnce(&mut Self) -> T) -> T {
        let monotonic_ms = now.monotonic_ms.max(self.now.monotonic_ms);
        self.now = Now { wall: now.wall, monotonic_ms };
        let result = take_in(self);
        self.finish();
        result
    }

    fn greet(&mut self, credential: Credential) {
        self.link = Link::Greeting;
        for room in self.rooms.values_mut() {
            room.top_at_connect = room.progress.ranges.top();
        }
        let (ticket, token) = match credential {
            Credential::Ticket(ticket) => (Some(ticket), None),
            Credential::Token(token) => (None, Some(token)),
        };
        let client = ClientInfo {
            name: self.options.client_name.clone(),
            version: self.options.client_version.clone(),
        };
        let hello = Hello { ticket, token, since: self.sync.since.clone(), client };
        self.ask(&ClientFrame::Hello(hello), Purpose::Hello);
    }

    /// What follows from the input: timers, fetches, requests, writes, and what the user interface is told.
    fn finish(&mut self) {
        while let Some(timer) = self.timers.take_due(self.now.monotonic_ms) {
            self.timer(timer);
        }
        self.pump_fetches();
        self.pump_requests();
        if !self.dirty_summaries.is_empty() {
            self.timers.set_if_absent(Timer::Store, self.now.monotonic_ms + self.options.store_rest_ms);
        }
        self.write();
        self.tell();
    }

    fn write(&mut self) {
        for conversation in std::mem::take(&mut self.dirty_progress) {
            if let Some(room) = self.rooms.get(&conversation) {
                self.writes.push(Operation::PutProgress(conversation, room.progress.clone()));
            }
        }
        if self.writes.is_empty() && self.after.is_empty() {
            return;
        }
        self.last_batch += 1;
        let batch = BatchId(self.last_batch);
        self.in_store.push_back((batch, std::mem::take(&mut self.after)));
        self.effects.push_back(Effect::Persist { batch, operations: std::mem::take(&mut self.writes) });
    }

    fn tell(&mut self) {
        let changes = std::mem::take(&mut self.changes);
        let state = self.sync_state();
        let mut views = Vec::new();
        if state != self.told {
            self.told = state;
            views.push(ViewChange::Sync(state));
        }
        let open = |conversation: &ConversationId| {
            self.rooms.get(conversation).is_some_and(|room| room.open.is_some())
        };
        views.extend(changes.profiles.then_some(ViewChange::Profiles));
        views.extend(changes.conversations.then_some(ViewChange::Conversations));
        views.extend(changes.timelines.into_iter().filter(open).map(ViewChange::Timeline));
        views.extend(changes.typing.into_iter().map(ViewChange::Typing));
        views.extend(changes.outbox.then_some(ViewChange::Outbox));
        views.extend(changes.happened);
        self.effects.extend(views.into_iter().map(Effect::View));
    }

    fn timer(&mut self, timer: Timer) {
        match timer {
            Timer::Acknowledge(conversation) => self.acknowledge(conversation),
            Timer::Retry(conversation) => self.pump_lane(conversation),
            // Fetches and requests are pumped after the timers anyway.
            Timer::Fetch(conversation) => {
                self.wanted.insert(conversation);
            }
            Timer::Requests => {}
            Timer::TypingExpires(conversation, user) => self.typing(conversation, user, false),
            Timer::Draft(conversation) => self.send_draft(conversation),
            Timer::Count(conversation) => self.count_due(conversation),
            Timer::Store => self.write_summaries(),
            Timer::Heartbeat => {
                if self.is_up() {
                    self.send(&ClientFrame::Ping {});
                }
            }
            Timer::AnswerDue => self.check_answers(),
        }
    }

    fn said_something(&mut self) {
        if let Link::Up { heartbeat_ms } = self.link {
            self.timers.set(Timer::Heartbeat, self.now.monotonic_ms + heartbeat_ms);
        }
    }

    /// A frame that is not answered in time means that the socket or the server is broken: better a new one.
    fn check_answers(&mut self) {
        let Some(oldest) = self.frames.values().map(|(_, sent_at)| *sent_at).min() else { return };
        let due = oldest + self.options.answer_timeout_ms;
        if due <= self.now.monotonic_ms {
            self.close("an answer is overdue", None, None);
        } else {
            self.timers.set(Timer::AnswerDue, due);
        }
    }

    fn drop_link(&mut self) {
        self.link = Link::Down;
        self.listing = None;
        self.frames.clear();
        self.catching_up.clear();
        for timer in [Timer::AnswerDue, Timer::Heartbeat] {
            self.timers.cancel(timer);
        }
        self.fetches_lost();
        self.cursors_lost();
        self.changes_lost();
        self.people_lost();
        self.write_summaries();
    }
}
