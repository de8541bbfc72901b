//! The client's owning task: it drives the engine, and is the only one that touches it.
//!
//! Handles send it [`Request`]s over a bounded queue; the link, the store's thread and REST calls report to it. After
//! each input it carries out the engine's effects in order. While more than [`UNWRITTEN`] batches wait for the disk
//! it takes no frames in, so that a slow disk slows the server down instead of filling the memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::Method;
use loquat_engine::store::Restored;
use loquat_engine::view::{Change, ConversationSummary, OutboxEntry, SyncState, Timeline, ViewChange};
use loquat_engine::{
    BatchId, Command, CommandError, Effect, Engine, Now, Options, RequestFailure, RequestId, RestRequest,
    Setup,
};
use loquat_proto::message::Appended;
use loquat_proto::{
    AccountEvent, AccountEventKind, Conversation, ConversationId, ErrorBody, Nonce, OwnProfile, Presence,
    Privacy, Problem, Profile, UserId,
};
use serde::Deserialize;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use crate::link::{Link, LinkEvent};
use crate::session::{self, Sessions, Stored};
use crate::store::{StoreHandle, Written};
use crate::transport::rest::Call;
use crate::{ClientEvent, ConnectionState, Error, random};

/// Batches that may wait for the disk while frames are still taken in.
const UNWRITTEN: usize = 64;

pub(crate) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// What a handle asks of the task.
pub(crate) enum Request {
    /// Somebody is signed in: run an engine from this.
    Start(Arc<Stored>, Box<Restored>, Reply<()>),
    /// Nobody is signed in any more.
    Stop(Reply<()>),
    /// Write what is not written, and end.
    Close(Reply<()>),
    ReconnectNow,
    Obey(Command, Reply<()>),
    /// Queue a change; answered once it is stored.
    Change(ConversationId, Change, Reply<Nonce>),
    /// Queue a change; answered once the server has it.
    ChangeAndWait(ConversationId, Change, Reply<Appended>),
    /// Answered once nothing waits in the queue.
    Flush(Reply<()>),
    /// A REST call answered with this conversation.
    Told(Box<Conversation>, Reply<()>),
    Conversations(Reply<Vec<ConversationSummary>>),
    Conversation(ConversationId, Reply<Option<Conversation>>),
    Timeline(ConversationId, Reply<Option<Timeline>>),
    Outbox(Reply<Vec<OutboxEntry>>),
    Presence(UserId, Reply<Option<Presence>>),
    Profile(UserId, Reply<Option<Profile>>),
}

/// What the task is made of.
pub(crate) struct Parts {
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) store: StoreHandle,
    pub(crate) options: Options,
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) written: mpsc::UnboundedReceiver<Written>,
    pub(crate) events: broadcast::Sender<ClientEvent>,
    pub(crate) connection: watch::Sender<ConnectionState>,
}

/// Callers that wait for something to happen.
#[derive(Default)]
struct Waiters {
    /// For this batch to be written; then they get the nonce.
    stored: Vec<(BatchId, Nonce, Reply<Nonce>)>,
    /// For the server to have this change.
    done: BTreeMap<Nonce, Reply<Appended>>,
    /// For the queue to be empty.
    flushed: Vec<Reply<()>>,
}

/// See the module.
pub(crate) struct Driver {
    parts: Parts,
    started: Instant,
    engine: Option<Engine>,
    link: Link,
    calls: JoinSet<(RequestId, Result<bytes::Bytes, Error>)>,
    waiters: Waiters,
    /// Batches that the store has not written yet.
    unwritten: VecDeque<BatchId>,
    /// Why the store failed, after which nothing goes on.
    failure: Option<String>,
}

impl Driver {
    pub(crate) fn new(parts: Parts) -> Self {
        let link = Link::new(Arc::clone(&parts.sessions));
        Self {
            parts,
            started: Instant::now(),
            engine: None,
            link,
            calls: JoinSet::new(),
            waiters: Waiters::default(),
            unwritten: VecDeque::new(),
            failure: None,
        }
    }

    /// Runs until the client is closed or its last handle is gone.
    pub(crate) async fn run(mut self) {
        loop {
            let wakeup = self.engine.as_ref().and_then(Engine::next_wakeup);
            let wakeup =
                wakeup.map(|at| tokio::time::Instant::from(self.started + Duration::from_millis(at)));
            tokio::select! {
                request = self.parts.requests.recv() => match request {
                    Some(Request::Close(reply)) => {
                        self.stop().await;
                        let _ = reply.send(Ok(()));
                        return;
                    }
                    Some(request) => self.request(request).await,
                    None => {
                        self.stop().await;
                        return;
                    }
                },
                Some(written) = self.parts.written.recv() => self.written(written),
                Some(answer) = self.calls.join_next(), if !self.calls.is_empty() => {
                    if let Ok((id, result)) = answer {
                        self.answered(id, &result);
                    }
                }
                event = self.link.next(self.unwritten.len() < UNWRITTEN) => self.linked(event).await,
                () = sleep_until(wakeup) => {}
            }
            let now = self.now();
            if let Some(engine) = self.engine.as_mut() {
                engine.tick(now);
            }
            self.pump();
        }
    }

    fn now(&self) -> Now {
        Now {
            wall: i64::try_from(session::now_ms()).unwrap_or(i64::MAX),
            monotonic_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn engine(&mut self) -> Result<&mut Engine, Error> {
        match (&self.failure, self.engine.as_mut()) {
            (Some(failure), _) => Err(Error::Store(failure.clone())),
            (None, Some(engine)) => Ok(engine),
            (None, None) => Err(Error::SignedOut),
        }
    }

    async fn request(&mut self, request: Request) {
        // A caller that does not wait any more needs no answer: results of `send` are of no interest here.
        match request {
            Request::Start(session, restored, reply) => {
                self.stop().await;
                self.start(&session, *restored);
                let _ = reply.send(Ok(()));
            }
            Request::Stop(reply) | Request::Close(reply) => {
                self.stop().await;
                let _ = reply.send(Ok(()));
            }
            Request::ReconnectNow => {
                if self.link.hurry() {
                    self.tell_connection(ConnectionState::Connecting);
                }
            }
            Request::Obey(command, reply) => {
                let now = self.now();
                let result =
                    self.engine().and_then(|engine| engine.command(now, command).map_err(Error::from));
                let _ = reply.send(result);
            }
            Request::Change(conversation, change, reply) => match self.change(conversation, change) {
                Ok(nonce) => {
                    self.pump();
                    match self.unwritten.back() {
                        Some(batch) => self.waiters.stored.push((*batch, nonce, reply)),
                        None => drop(reply.send(Ok(nonce))),
                    }
                }
                Err(error) => drop(reply.send(Err(error))),
            },
            Request::ChangeAndWait(conversation, change, reply) => match self.change(conversation, change) {
                Ok(nonce) => drop(self.waiters.done.insert(nonce, reply)),
                Err(error) => drop(reply.send(Err(error))),
            },
            Request::Flush(reply) => self.waiters.flushed.push(reply),
            Request::Told(conversation, reply) => {
                let now = self.now();
                let result = self.engine().map(|engine| engine.conversation_told(now, *conversation));
                let _ = reply.send(result);
            }
            Request::Conversations(reply) => self.inspect(reply, Engine::conversations),
            Request::Conversation(id, reply) => {
                self.inspect(reply, |engine| engine.conversation(id).cloned());
            }
            Request::Timeline(id, reply) => self.inspect(reply, |engine| engine.timeline(id)),
            Request::Outbox(reply) => self.inspect(reply, Engine::outbox),
            Request::Presence(user, reply) => self.inspect(reply, |engine| engine.presence(user).cloned()),
            Request::Profile(user, reply) => {
                let now = self.now();
                let known = self.engine().and_then(|engine| {
                    engine.command(now, Command::LearnProfile(user))?;
                    Ok(engine.profile(user).cloned())
                });
                let _ = reply.send(known);
            }
        }
    }

    fn inspect<T>(&mut self, reply: Reply<T>, look: impl FnOnce(&Engine) -> T) {
        let result = self.engine().map(|engine| look(engine));
        let _ = reply.send(result);
    }

    fn change(&mut self, conversation: ConversationId, change: Change) -> Result<Nonce, Error> {
        let now = self.now();
        let engine = self.engine()?;
        let nonce = engine.new_nonce(now);
        engine.command(now, Command::Change { conversation, nonce: nonce.clone(), change })?;
        Ok(nonce)
    }

    fn start(&mut self, session: &Stored, restored: Restored) {
        info!(user = %session.user.profile.id, conversations = restored.conversations.len(), "signed in");
        self.engine = Some(Engine::new(Setup {
            user: session.user.profile.id,
            device: session.device.id,
            restored,
            options: self.parts.options.clone(),
            entropy: Box::new(random::bits),
        }));
        self.tell_connection(ConnectionState::Connecting);
        self.link.open();
    }

    /// Ends the engine; everything that it wanted written is written when this returns.
    async fn stop(&mut self) {
        let now = self.now();
        if let Some(engine) = self.engine.as_mut() {
            engine.disconnected(now);
        }
        self.pump();
        self.link.close();
        self.calls.shutdown().await;
        if self.failure.is_none() {
            // Tasks of the store run in order: behind this one nothing of the old engine is left.
            let _ = self.parts.store.run(|_| Ok(())).await;
            while let Ok(written) = self.parts.written.try_recv() {
                self.written(written);
            }
        }
        self.engine = None;
        self.unwritten.clear();
        self.waiters = Waiters::default();
        self.tell_connection(ConnectionState::Offline);
    }

    fn written(&mut self, written: Written) {
        let now = self.now();
        let Some(engine) = self.engine.as_mut() else { return };
        match written {
            Written::Batch(batch) => {
                engine.persisted(now, batch);
                self.unwritten.retain(|id| *id > batch);
                let (written, waiting): (Vec<_>, Vec<_>) =
                    std::mem::take(&mut self.waiters.stored).into_iter().partition(|(id, ..)| *id <= batch);
                self.waiters.stored = waiting;
                for (_, nonce, reply) in written {
                    let _ = reply.send(Ok(nonce));
                }
            }
            Written::Events(id, events) => engine.loaded(now, id, &events),
            Written::Failed(error) => {
                warn!(error, "the device store failed; the client stops");
                self.failure = Some(error);
                self.engine = None;
                self.waiters = Waiters::default();
                self.link.close();
                self.tell_connection(ConnectionState::Offline);
            }
        }
    }

    fn answered(&mut self, id: RequestId, result: &Result<bytes::Bytes, Error>) {
        let now = self.now();
        let Some(engine) = self.engine.as_mut() else { return };
        let answer = match result {
            Ok(body) => std::str::from_utf8(body).map_err(|_| RequestFailure::Offline),
            Err(Error::Refused(problem)) => Err(RequestFailure::Problem(error_body(problem))),
            Err(_) => Err(RequestFailure::Offline),
        };
        engine.answered(now, id, answer);
    }

    async fn linked(&mut self, event: LinkEvent) {
        let now = self.now();
        let Some(engine) = self.engine.as_mut() else { return };
        match event {
            LinkEvent::Opened(credential) => engine.connected(now, credential),
            LinkEvent::Frame(frame) => engine.frame(now, &frame),
            LinkEvent::Closed { code, reason } => {
                debug!(?code, reason, "the socket closed");
                engine.disconnected(now);
                self.reconnect(None);
            }
            LinkEvent::Failed(Error::SessionEnded | Error::SignedOut) => self.session_ended().await,
            LinkEvent::Failed(error) => {
                debug!(%error, "no connection");
                let asked = match &error {
                    Error::Refused(problem) => problem.retry_after_ms.map(Duration::from_millis),
                    _ => None,
                };
                self.reconnect(asked);
            }
        }
    }

    fn reconnect(&mut self, asked: Option<Duration>) {
        let (at, attempt) = self.link.open_later(asked);
        self.tell_connection(ConnectionState::Reconnecting { at: at.into_std(), attempt });
    }

    /// The server does not know the session any more: what is stored stays, until somebody signs in.
    async fn session_ended(&mut self) {
        info!("the session has ended");
        self.stop().await;
        self.parts.sessions.end();
        let _ = self.parts.store.run(|store| store.remove_setting(session::SETTING)).await;
        let _ = self.parts.events.send(ClientEvent::SignedOut);
    }

    /// Carries out what the engine wants.
    fn pump(&mut self) {
        while let Some(effect) = self.engine.as_mut().and_then(Engine::take_effect) {
            match effect {
                Effect::Send(frame) => self.link.send(frame),
                Effect::Close { reason, retry_after_ms, .. } => {
                    // The address to go to comes with the next ticket.
                    debug!(reason, "closing the socket");
                    self.reconnect(retry_after_ms.map(Duration::from_millis));
                }
                Effect::Request { id, request } => self.call(id, request),
                Effect::Persist { batch, operations } => {
                    self.unwritten.push_back(batch);
                    self.parts.store.apply(batch, operations);
                }
                Effect::Load { id, query } => self.parts.store.load(id, query),
                Effect::View(change) => self.view(change),
            }
        }
        let empty = self.engine.as_ref().is_some_and(|engine| !engine.has_unsent());
        if empty {
            for reply in self.waiters.flushed.drain(..) {
                let _ = reply.send(Ok(()));
            }
        }
    }

    fn call(&mut self, id: RequestId, request: RestRequest) {
        let sessions = Arc::clone(&self.parts.sessions);
        let call = Call {
            method: Method::from_bytes(request.method.as_str().as_bytes()).unwrap_or_default(),
            path: request.path,
            body: request.body.map(bytes::Bytes::from),
            idempotency_key: request.idempotency_key.map(|nonce| nonce.as_str().to_owned()),
            token: None,
        };
        self.calls.spawn(async move { (id, sessions.call_raw(call).await) });
    }

    fn view(&mut self, change: ViewChange) {
        match &change {
            ViewChange::Sync(SyncState::CatchingUp) => {
                self.link.serves();
                self.tell_connection(ConnectionState::Online { catching_up: true });
            }
            ViewChange::Sync(SyncState::Live) => {
                self.link.serves();
                self.tell_connection(ConnectionState::Online { catching_up: false });
            }
            ViewChange::Acknowledged { conversation, nonce, seq, ts } => {
                if let Some(reply) = self.waiters.done.remove(nonce) {
                    let appended = Appended { conversation: *conversation, seq: *seq, ts: *ts };
                    let _ = reply.send(Ok(appended));
                }
            }
            ViewChange::Refused { nonce, error, .. } => {
                if let Some(reply) = self.waiters.done.remove(nonce) {
                    let _ = reply.send(Err(Error::Refused(Box::new(Problem::from(error.clone())))));
                }
            }
            ViewChange::Account(event) => self.own_profile_changed(event),
            _ => {}
        }
        // Without subscribers nobody wants to know.
        let _ = self.parts.events.send(ClientEvent::View(change));
    }

    fn own_profile_changed(&self, event: &AccountEvent) {
        /// What a `settings` event tells.
        #[derive(Deserialize)]
        struct Changed {
            settings: serde_json::Value,
            privacy: Privacy,
        }
        let user = match event.kind {
            AccountEventKind::Profile => OwnProfile::deserialize(&event.body).ok(),
            AccountEventKind::Settings => {
                let known = self.parts.sessions.current().map(|session| session.user.clone());
                let changed = Changed::deserialize(&event.body).ok();
                known.zip(changed).map(|(known, changed)| OwnProfile {
                    settings: changed.settings,
                    privacy: changed.privacy,
                    ..known
                })
            }
            _ => None,
        };
        if let Some(user) = user {
            let sessions = Arc::clone(&self.parts.sessions);
            tokio::spawn(async move { sessions.profile_changed(user).await });
        }
    }

    fn tell_connection(&self, state: ConnectionState) {
        if self.parts.connection.send_replace(state) != state {
            let _ = self.parts.events.send(ClientEvent::Connection(state));
        }
    }
}

async fn sleep_until(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn error_body(problem: &Problem) -> ErrorBody {
    ErrorBody { code: problem.code, detail: problem.detail.clone(), retry_after_ms: problem.retry_after_ms }
}

impl From<CommandError> for Error {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::NoSuchConversation => Self::NoSuchConversation,
            CommandError::OutboxFull => Self::OutboxFull,
            CommandError::NoSuchChange => Self::NoSuchChange,
        }
    }
}
