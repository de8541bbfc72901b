//! The bus between nodes, over NATS.
//!
//! A node subscribes to a topic's subject while somebody on it listens, so that a signal travels to those nodes alone, and
//! the interest of a node that dies goes with its connection. Who listens on the same node is told in the caller's
//! thread, without NATS, and so even while NATS is away; the server does not send a node its own words back.
//!
//! Subjects are `PREFIX.EPOCH.KIND.ID`, the epoch being that of the store: two services that share a NATS by mistake
//! do not hear one another, whatever their prefix.
//!
//! Publishing never waits. What waits for the connection is bounded in bytes; beyond, and while there is no
//! connection, signals are dropped and counted: a hint that is late is worth less than the memory, and clients repair what they
//! miss.

mod wire;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectOptions, Event, RequestErrorKind};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use loquat_domain::ports::{Bus, Receiver, Signal, StoreError, Topic};
use rustc_hash::{FxHashMap, FxHashSet};
use thiserror::Error;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use crate::AlreadyBound;

/// How long the server may take to answer [`Bus::check`].
const CHECK_LIMIT: Duration = Duration::from_secs(2);

/// Where NATS is, and bounds.
#[derive(Clone)]
pub struct NatsOptions {
    /// Servers: `nats://` or, encrypted, `tls://`, with user and password or token if need be; separated by commas.
    pub url: String,
    /// File of credentials (JWT and seed), in place of those in the URL.
    pub credentials: Option<PathBuf>,
    /// File of the roots in PEM that the servers are trusted by, besides those of the system.
    pub roots: Option<PathBuf>,
    /// What all subjects begin with.
    pub prefix: String,
    /// The life of the store that the nodes share.
    pub epoch: u64,
    /// Name of this node, for who looks at the server's connections.
    pub name: String,
    /// Signals that may wait to be sent; beyond, they are dropped.
    pub outgoing: usize,
    /// Bytes of them; the same.
    pub outgoing_bytes: usize,
    /// Messages of one topic that may wait to be taken; beyond, they are dropped.
    pub incoming: usize,
}

impl Default for NatsOptions {
    fn default() -> Self {
        Self {
            url: "nats://127.0.0.1:4222".to_owned(),
            credentials: None,
            roots: None,
            prefix: "loquat".to_owned(),
            epoch: 0,
            name: "loquat".to_owned(),
            outgoing: 16_384,
            outgoing_bytes: 64 << 20,
            incoming: 1024,
        }
    }
}

impl fmt::Debug for NatsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may hold a password.
        f.debug_struct("NatsOptions")
            .field("prefix", &self.prefix)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Why there is no bus.
#[derive(Debug, Error)]
pub enum NatsError {
    /// The settings cannot be used. The text does not quote the URL.
    #[error("{0}")]
    Settings(String),
    /// No server can be reached, or it refuses.
    #[error("NATS: {0}")]
    Server(String),
}

/// What was dropped, and why; each ascends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// There was no connection.
    pub disconnected: u64,
    /// Too much waited to be sent.
    pub outgoing: u64,
    /// It is larger than the server takes.
    pub too_large: u64,
    /// Too much of a topic waited to be taken.
    pub incoming: u64,
    /// It could not be read: another version's, or nobody's.
    pub unreadable: u64,
}

#[derive(Default)]
struct Counters {
    disconnected: AtomicU64,
    outgoing: AtomicU64,
    too_large: AtomicU64,
    incoming: AtomicU64,
    unreadable: AtomicU64,
    /// Messages that were taken, whatever became of them.
    taken: AtomicU64,
    /// Questions that the server answered.
    asked: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The bus of one of many nodes.
pub struct NatsBus {
    inner: Arc<Inner>,
    outgoing: mpsc::Sender<(Topic, Bytes)>,
    tasks: Vec<JoinHandle<()>>,
}

struct Inner {
    client: Client,
    root: String,
    receiver: OnceLock<Weak<dyn Receiver>>,
    topics: Mutex<Topics>,
    /// Topics have changed.
    changed: Notify,
    waiting_bytes: AtomicUsize,
    most_bytes: usize,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Topics {
    /// How often each topic is joined.
    joins: FxHashMap<Topic, usize>,
    /// Whose subscription may not be as it should.
    changed: FxHashSet<Topic>,
    /// Some are being set right.
    busy: bool,
}

impl Topics {
    fn are_changing(&self) -> bool {
        self.busy || !self.changed.is_empty()
    }
}

impl NatsBus {
    /// Connects. Needs a runtime, on which its tasks run.
    ///
    /// # Errors
    /// See [`NatsError`].
    pub async fn connect(options: &NatsOptions) -> Result<Self, NatsError> {
        let counters = Arc::new(Counters::default());
        let client = connect(options, counters.clone()).await?;
        let inner = Arc::new(Inner {
            client,
            root: format!("{}.{}", options.prefix, options.epoch),
            receiver: OnceLock::new(),
            topics: Mutex::default(),
            changed: Notify::new(),
            waiting_bytes: AtomicUsize::new(0),
            most_bytes: options.outgoing_bytes,
            counters,
        });
        let (outgoing, to_send) = mpsc::channel(options.outgoing.max(1));
        let tasks =
            vec![tokio::spawn(send(inner.clone(), to_send)), tokio::spawn(keep_subscriptions(inner.clone()))];
        Ok(Self { inner, outgoing, tasks })
    }

    /// Sets who receives on this node, once.
    ///
    /// # Errors
    /// A receiver was bound before; it stays.
    pub fn bind(&self, receiver: Weak<dyn Receiver>) -> Result<(), AlreadyBound> {
        self.inner.receiver.set(receiver).map_err(|_| AlreadyBound)
    }

    /// What was dropped so far.
    #[must_use]
    pub fn dropped(&self) -> Dropped {
        let counters = &self.inner.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Dropped {
            disconnected: read(&counters.disconnected),
            outgoing: read(&counters.outgoing),
            too_large: read(&counters.too_large),
            incoming: read(&counters.incoming),
            unreadable: read(&counters.unreadable),
        }
    }

    /// Whether there is a connection.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.inner.client.connection_state() == State::Connected
    }

    /// Returns when what was published before has reached the server, earlier joins and leaves count there, and
    /// what the server had sent by then was taken.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn settle(&self) -> Result<(), StoreError> {
        let away = || StoreError::Unavailable("NATS does not answer".to_owned());
        while self.inner.waiting_bytes.load(Ordering::Acquire) > 0 || self.inner.topics().are_changing() {
            if !self.is_connected() {
                return Err(away());
            }
            tokio::task::yield_now().await;
        }
        if !self.inner.round_trip().await {
            return Err(away());
        }
        let counters = &self.inner.counters;
        let arrived = self.inner.client.statistics().in_messages.load(Ordering::Acquire);
        let taken = async {
            while counters.taken.load(Ordering::Acquire) + counters.asked.load(Ordering::Acquire) < arrived {
                tokio::task::yield_now().await;
            }
        };
        // Messages of topics that were left meanwhile are never taken.
        let _ = tokio::time::timeout(CHECK_LIMIT, taken).await;
        Ok(())
    }
}

impl Drop for NatsBus {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn connect(options: &NatsOptions, counters: Arc<Counters>) -> Result<Client, NatsError> {
    let servers: Vec<async_nats::ServerAddr> =
        options.url.split(',').map(|one| one.trim().parse()).collect::<Result<_, _>>().map_err(|_| {
            NatsError::Settings("expected nats://host or tls://host, separated by commas".to_owned())
        })?;
    let is_plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    if !is_plain(&options.prefix) {
        return Err(NatsError::Settings("the prefix of subjects must be letters, digits, - or _".to_owned()));
    }
    let mut connect = ConnectOptions::new()
        .name(&options.name)
        .no_echo()
        .subscription_capacity(options.incoming.max(1))
        .ping_interval(Duration::from_secs(10))
        .connection_timeout(Duration::from_secs(5))
        .event_callback(move |event| {
            let counters = counters.clone();
            async move { note(&event, &counters) }
        });
    if let Some(file) = &options.credentials {
        connect = connect.credentials_file(file).await.map_err(|error| {
            NatsError::Settings(format!("cannot read the credentials of the bus: {error}"))
        })?;
    }
    if let Some(file) = &options.roots {
        connect = connect.add_root_certificates(file.clone());
    }
    connect.connect(servers).await.map_err(|error| NatsError::Server(error.kind().to_string()))
}

fn note(event: &Event, counters: &Counters) {
    match event {
        // One message was dropped.
        Event::SlowConsumer(_) => count(&counters.incoming),
        Event::Connected => tracing::info!("the bus is connected"),
        Event::Disconnected => tracing::warn!("the bus is disconnected: what others say arrives late"),
        other => tracing::warn!(event = %other, "the bus"),
    }
}

impl Inner {
    // No code of a caller runs under the lock, so that a poisoned lock still guards whole topics.
    fn topics(&self) -> MutexGuard<'_, Topics> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn subject(&self, topic: Topic) -> String {
        let root = &self.root;
        match topic {
            Topic::User(user) => format!("{root}.user.{user}"),
            Topic::Presence(user) => format!("{root}.presence.{user}"),
            Topic::Conversation(conversation) => format!("{root}.conversation.{conversation}"),
        }
    }

    /// Asks where nobody listens: the server says so at once, behind everything before it, in both directions.
    async fn round_trip(&self) -> bool {
        let question = self.client.request(format!("{}.nobody", self.root), Bytes::new());
        let answered = match tokio::time::timeout(CHECK_LIMIT, question).await {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => error.kind() == RequestErrorKind::NoResponders,
            Err(_) => false,
        };
        if answered {
            self.counters.asked.fetch_add(1, Ordering::Release);
        }
        answered
    }

    fn receive(&self, topic: Topic, signal: &Signal) {
        if let Some(receiver) = self.receiver.get().and_then(Weak::upgrade) {
            receiver.receive(topic, signal);
        }
    }
}

/// Sends what is published, in order.
async fn send(inner: Arc<Inner>, mut to_send: mpsc::Receiver<(Topic, Bytes)>) {
    while let Some((topic, bytes)) = to_send.recv().await {
        let length = bytes.len();
        if inner.client.connection_state() != State::Connected {
            count(&inner.counters.disconnected);
        } else if inner.client.publish(inner.subject(topic), bytes).await.is_err() {
            count(&inner.counters.too_large);
        }
        inner.waiting_bytes.fetch_sub(length, Ordering::AcqRel);
    }
}

/// Makes subscriptions be as joins and leaves say.
async fn keep_subscriptions(inner: Arc<Inner>) {
    let mut subscriptions: FxHashMap<Topic, Subscription> = FxHashMap::default();
    loop {
        inner.changed.notified().await;
        let changed: Vec<(Topic, bool)> = {
            let mut topics = inner.topics();
            topics.busy = true;
            let changed = std::mem::take(&mut topics.changed);
            changed.into_iter().map(|topic| (topic, topics.joins.contains_key(&topic))).collect()
        };
        for (topic, wanted) in &changed {
            if !wanted {
                subscriptions.remove(topic);
            } else if !subscriptions.contains_key(topic) {
                match inner.client.subscribe(inner.subject(*topic)).await {
                    Ok(subscriber) => {
                        let task = tokio::spawn(take(Arc::downgrade(&inner), *topic, subscriber));
                        subscriptions.insert(*topic, Subscription(task));
                    }
                    Err(error) => tracing::error!(%error, "the bus cannot listen to a topic"),
                }
            }
        }
        inner.topics().busy = false;
    }
}

/// A task that takes the messages of a topic; it ends, and with it the interest, when this is dropped.
struct Subscription(JoinHandle<()>);

impl Drop for Subscription {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn take(inner: Weak<Inner>, topic: Topic, mut subscriber: async_nats::Subscriber) {
    while let Some(message) = subscriber.next().await {
        let Some(inner) = inner.upgrade() else { return };
        match wire::decode(message.payload) {
            Some(signal) => inner.receive(topic, &signal),
            None => count(&inner.counters.unreadable),
        }
        inner.counters.taken.fetch_add(1, Ordering::Release);
    }
}

#[async_trait]
impl Bus for NatsBus {
    fn publish(&self, topic: Topic, signal: &Signal) {
        let inner = &self.inner;
        inner.receive(topic, signal);
        if inner.client.connection_state() != State::Connected {
            return count(&inner.counters.disconnected);
        }
        let bytes = wire::encode(signal);
        let length = bytes.len();
        if length > inner.client.max_payload() {
            return count(&inner.counters.too_large);
        }
        if inner.waiting_bytes.fetch_add(length, Ordering::AcqRel) + length > inner.most_bytes
            || self.outgoing.try_send((topic, bytes)).is_err()
        {
            inner.waiting_bytes.fetch_sub(length, Ordering::AcqRel);
            count(&inner.counters.outgoing);
        }
    }

    fn join(&self, topic: Topic) {
        let mut topics = self.inner.topics();
        let joins = topics.joins.entry(topic).or_default();
        *joins += 1;
        if *joins == 1 {
            topics.changed.insert(topic);
            drop(topics);
            self.inner.changed.notify_one();
        }
    }

    fn leave(&self, topic: Topic) {
        let mut topics = self.inner.topics();
        let Some(joins) = topics.joins.get_mut(&topic) else { return };
        *joins -= 1;
        if *joins == 0 {
            topics.joins.remove(&topic);
            topics.changed.insert(topic);
            drop(topics);
            self.inner.changed.notify_one();
        }
    }

    async fn check(&self) -> Result<(), StoreError> {
        let unavailable = |text: &str| Err(StoreError::Unavailable(text.to_owned()));
        if self.inner.receiver.get().and_then(Weak::upgrade).is_none() {
            return unavailable("nobody receives from the bus");
        }
        if self.is_connected() && self.inner.round_trip().await {
            Ok(())
        } else {
            unavailable("NATS does not answer")
        }
    }
}
