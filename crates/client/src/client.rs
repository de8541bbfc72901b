//! The handle on a client, and what a user does with conversations on this device: none of it waits for the network.

use std::sync::Arc;

use loquat_engine::store::{Found, Query, Search, Store as _};
use loquat_engine::view::{Change, ConversationSummary, OutboxEntry, Timeline};
use loquat_engine::{Command, Options};
use loquat_proto::message::Appended;
use loquat_proto::{
    Conversation, ConversationId, Event, MessageBody, Nonce, OwnProfile, Presence, PresenceState, Profile,
    Seq, UserId,
};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::driver::{Driver, Parts, Reply, Request};
use crate::session::Sessions;
use crate::store::{DeviceStore, StoreError, StoreHandle};
use crate::transport::{Origin, RestTransport};
use crate::{ClientConfig, ConnectionState, Error, LogStream, Subscription};

/// Requests of handles that wait for the owning task; more wait at their callers.
const REQUESTS: usize = 256;
/// Events kept for a slow subscriber before it is told [`ClientEvent::Lagged`](crate::ClientEvent::Lagged).
const EVENTS: usize = 1_024;

/// A cheap handle on a client: clone it freely. The client ends with its last handle, or with [`Client::close`].
///
/// Methods here are answered from this device, at once, connected or not; those that talk to the server say so and
/// can fail with [`Error::Offline`]. Changes (`send`, `edit`, …) are queued durably and shown at once; the queue
/// survives restarts, keeps the order of each conversation, and never doubles a message.
#[derive(Debug, Clone)]
pub struct Client {
    requests: mpsc::Sender<Request>,
    events: broadcast::WeakSender<crate::ClientEvent>,
    connection: watch::Receiver<ConnectionState>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) store: StoreHandle,
    pub(crate) config: Arc<ClientConfig>,
}

impl Client {
    /// Opens a client. It stays offline until somebody is signed in: [`Client::resume`], [`Client::log_in`] or
    /// [`Client::sign_up`].
    ///
    /// # Errors
    /// [`Error::Config`] for a URL that is none, [`Error::StoreInUse`], [`Error::Store`].
    pub async fn open(config: ClientConfig) -> Result<Self, Error> {
        let (origin, _) = Origin::parse(&config.server_url).map_err(Error::Config)?;
        let storage = config.storage.clone();
        let opened = tokio::task::spawn_blocking(move || DeviceStore::open(&storage)).await;
        let store =
            opened.map_err(|error| Error::Store(error.to_string()))?.map_err(|error| match error {
                StoreError::InUse => Error::StoreInUse,
                other => Error::Store(other.to_string()),
            })?;
        // Bounded by what waits for the store: each of its tasks answers once.
        let (to_driver, written) = mpsc::unbounded_channel();
        let store = StoreHandle::start(store, to_driver).map_err(|error| Error::Store(error.to_string()))?;
        let sessions = Arc::new(Sessions::new(RestTransport::new(origin), store.clone()));
        let (to_task, requests) = mpsc::channel(REQUESTS);
        let (events, _) = broadcast::channel(EVENTS);
        let (tell_connection, connection) = watch::channel(ConnectionState::Offline);
        let client = Self {
            requests: to_task,
            events: events.downgrade(),
            connection,
            sessions: Arc::clone(&sessions),
            store: store.clone(),
            config: Arc::new(config),
        };
        let options = Options {
            client_name: client.config.client_name.clone(),
            client_version: env!("CARGO_PKG_VERSION").to_owned(),
            full_history: client.config.full_history,
            ..Options::default()
        };
        let parts =
            Parts { sessions, store, options, requests, written, events, connection: tell_connection };
        tokio::spawn(Driver::new(parts).run());
        Ok(client)
    }

    /// Writes what is not written, closes the connection and ends the client, for all its handles.
    pub async fn close(&self) {
        // Closed already: fine.
        let _ = self.ask(Request::Close).await;
    }

    /// What happens from now on. Events that a slow subscriber misses are replaced by one
    /// [`ClientEvent::Lagged`](crate::ClientEvent::Lagged).
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        let receiver = match self.events.upgrade() {
            Some(events) => events.subscribe(),
            None => broadcast::channel(1).1,
        };
        Subscription { receiver }
    }

    /// Who is signed in.
    #[must_use]
    pub fn me(&self) -> Option<OwnProfile> {
        self.sessions.current().map(|session| session.user.clone())
    }

    /// How the client stands with its server.
    #[must_use]
    pub fn connection(&self) -> ConnectionState {
        *self.connection.borrow()
    }

    /// Starts the next try to connect now instead of at the end of its wait.
    pub fn reconnect_now(&self) {
        // A queue that is full or closed has other worries.
        let _ = self.requests.try_send(Request::ReconnectNow);
    }

    /// Waits until the client is connected and has what it missed (older history aside).
    ///
    /// # Errors
    /// [`Error::SignedOut`], or [`Error::Closed`].
    pub async fn caught_up(&self) -> Result<(), Error> {
        let mut connection = self.connection.clone();
        let state = connection
            .wait_for(|state| {
                matches!(state, ConnectionState::Offline | ConnectionState::Online { catching_up: false })
            })
            .await
            .map_err(|_| Error::Closed)?;
        if *state == ConnectionState::Offline { Err(Error::SignedOut) } else { Ok(()) }
    }

    /// The conversation list, in the order in which it is to be shown; archived conversations are among it.
    ///
    /// # Errors
    /// [`Error::SignedOut`], [`Error::Store`], [`Error::Closed`]; so for all that follow, unless they say more.
    pub async fn conversations(&self) -> Result<Vec<ConversationSummary>, Error> {
        self.ask(Request::Conversations).await
    }

    /// A conversation, whole: settings, permissions, the own part, cursors.
    ///
    /// # Errors
    /// See [`Client::conversations`].
    pub async fn conversation(&self, conversation: ConversationId) -> Result<Option<Conversation>, Error> {
        self.ask(|reply| Request::Conversation(conversation, reply)).await
    }

    /// Keeps the timeline of a conversation in memory, fetches what it lacks first, and learns its members' names.
    /// Eight are kept; of more, the one opened longest ago is closed.
    ///
    /// # Errors
    /// [`Error::NoSuchConversation`], and see [`Client::conversations`].
    pub async fn open_conversation(&self, conversation: ConversationId) -> Result<(), Error> {
        self.obey(Command::Open(conversation)).await
    }

    /// Lets a timeline go.
    ///
    /// # Errors
    /// See [`Client::conversations`].
    pub async fn close_conversation(&self, conversation: ConversationId) -> Result<(), Error> {
        self.obey(Command::Close(conversation)).await
    }

    /// The timeline of an open conversation; `None` if it is not open.
    ///
    /// # Errors
    /// See [`Client::conversations`].
    pub async fn timeline(&self, conversation: ConversationId) -> Result<Option<Timeline>, Error> {
        self.ask(|reply| Request::Timeline(conversation, reply)).await
    }

    /// Loads a page above the timeline, from this device or from the server;
    /// [`ViewChange::Timeline`](crate::view::ViewChange::Timeline) says when it came.
    ///
    /// # Errors
    /// [`Error::NoSuchConversation`], and see [`Client::conversations`].
    pub async fn load_older(&self, conversation: ConversationId) -> Result<(), Error> {
        self.obey(Command::LoadOlder(conversation)).await
    }

    /// Queues a message. It is stored on this device when this returns, and sent as soon as may be.
    ///
    /// # Errors
    /// [`Error::NoSuchConversation`], [`Error::OutboxFull`], and see [`Client::conversations`].
    pub async fn send(&self, conversation: ConversationId, body: MessageBody) -> Result<Nonce, Error> {
        self.change(conversation, Change::Send { body }).await
    }

    /// Queues a plain text message.
    ///
    /// # Errors
    /// See [`Client::send`].
    pub async fn send_text(
        &self,
        conversation: ConversationId,
        text: impl Into<String>,
    ) -> Result<Nonce, Error> {
        self.send(conversation, MessageBody::text(text)).await
    }

    /// Queues a plain text message that answers another.
    ///
    /// # Errors
    /// See [`Client::send`].
    pub async fn reply(
        &self,
        conversation: ConversationId,
        target: Seq,
        text: impl Into<String>,
    ) -> Result<Nonce, Error> {
        let body = MessageBody { reply_to: Some(target), ..MessageBody::text(text) };
        self.send(conversation, body).await
    }

    /// Queues a message and waits until the server has it durably, however long that takes. A caller that stops
    /// waiting does not stop the message.
    ///
    /// # Errors
    /// [`Error::Refused`] if the server refuses it for good, and see [`Client::send`].
    pub async fn send_and_wait(
        &self,
        conversation: ConversationId,
        body: MessageBody,
    ) -> Result<Appended, Error> {
        let change = Change::Send { body };
        self.ask(|reply| Request::ChangeAndWait(conversation, change, reply)).await
    }

    /// Queues a new text for an own message.
    ///
    /// # Errors
    /// See [`Client::send`].
    pub async fn edit(
        &self,
        conversation: ConversationId,
        target: Seq,
        body: MessageBody,
    ) -> Result<Nonce, Error> {
        self.change(conversation, Change::Edit { target, body }).await
    }

    /// Queues the erasure of a message, for everyone.
    ///
    /// # Errors
    /// See [`Client::send`].
    pub async fn delete(&self, conversation: ConversationId, target: Seq) -> Result<Nonce, Error> {
        self.change(conversation, Change::Delete { target }).await
    }

    /// Queues a reaction, put on or taken off.
    ///
    /// # Errors
    /// See [`Client::send`].
    pub async fn react(
        &self,
        conversation: ConversationId,
        target: Seq,
        emoji: &str,
        on: bool,
    ) -> Result<Nonce, Error> {
        self.change(conversation, Change::React { target, emoji: emoji.to_owned(), on }).await
    }

    /// Queues a message's pinning or unpinning.
    ///
    /// # Errors
    /// See [`Client::send`].
    pub async fn pin(&self, conversation: ConversationId, target: Seq, on: bool) -> Result<Nonce, Error> {
        self.change(conversation, Change::Pin { target, on }).await
    }

    /// The own changes that the server has not acknowledged, in order; those it refused for good, too.
    ///
    /// # Errors
    /// See [`Client::conversations`].
    pub async fn outbox(&self) -> Result<Vec<OutboxEntry>, Error> {
        self.ask(Request::Outbox).await
    }

    /// Puts a refused change back into the queue, at its end.
    ///
    /// # Errors
    /// [`Error::NoSuchChange`], and see [`Client::conversations`].
    pub async fn retry(&self, nonce: Nonce) -> Result<(), Error> {
        self.obey(Command::Retry(nonce)).await
    }

    /// Drops a change that is not in flight. One that was tried before a connection broke may have been done.
    ///
    /// # Errors
    /// [`Error::NoSuchChange`], and see [`Client::conversations`].
    pub async fn discard(&self, nonce: Nonce) -> Result<(), Error> {
        self.obey(Command::Discard(nonce)).await
    }

    /// Waits until nothing waits in the queue, refused changes aside.
    ///
    /// # Errors
    /// See [`Client::conversations`].
    pub async fn flush(&self) -> Result<(), Error> {
        self.ask(Request::Flush).await
    }

    /// Everything up to here has been read, on this device's word: the other members see it.
    ///
    /// # Errors
    /// [`Error::NoSuchConversation`], and see [`Client::conversations`].
    pub async fn mark_read(&self, conversation: ConversationId, seq: Seq) -> Result<(), Error> {
        self.obey(Command::MarkRead { conversation, seq }).await
    }

    /// The user writes, or stopped. Say it with every key: it is sent only as often as needed.
    ///
    /// # Errors
    /// [`Error::NoSuchConversation`], and see [`Client::conversations`].
    pub async fn set_typing(&self, conversation: ConversationId, on: bool) -> Result<(), Error> {
        self.obey(Command::SetTyping { conversation, on }).await
    }

    /// What the user has begun to write: kept on this device at once, on the server once it has rested. `None` or
    /// empty clears it.
    ///
    /// # Errors
    /// [`Error::NoSuchConversation`], and see [`Client::conversations`].
    pub async fn set_draft(&self, conversation: ConversationId, text: Option<String>) -> Result<(), Error> {
        self.obey(Command::SetDraft { conversation, text }).await
    }

    /// Whose presence is shown, up to 500 users; replaces the last list.
    ///
    /// # Errors
    /// See [`Client::conversations`].
    pub async fn watch(&self, users: Vec<UserId>) -> Result<(), Error> {
        self.obey(Command::Watch(users)).await
    }

    /// A watched user's presence, where known.
    ///
    /// # Errors
    /// See [`Client::conversations`].
    pub async fn presence(&self, user: UserId) -> Result<Option<Presence>, Error> {
        self.ask(|reply| Request::Presence(user, reply)).await
    }

    /// The own presence state, for as long as the client is connected.
    ///
    /// # Errors
    /// See [`Client::conversations`].
    pub async fn set_status(&self, state: PresenceState) -> Result<(), Error> {
        self.obey(Command::SetStatus(state)).await
    }

    /// What this device knows of a user. Where it is nothing, the server is asked, and
    /// [`ViewChange::Profiles`](crate::view::ViewChange::Profiles) says when it answered.
    ///
    /// # Errors
    /// See [`Client::conversations`].
    pub async fn profile(&self, user: UserId) -> Result<Option<Profile>, Error> {
        self.ask(|reply| Request::Profile(user, reply)).await
    }

    /// The log of a conversation above `after` (0 for the beginning): every event once, in order, and then live. The
    /// conversation's log is fetched whole from now on.
    ///
    /// # Errors
    /// [`Error::NoSuchConversation`], and see [`Client::conversations`].
    pub async fn log(&self, conversation: ConversationId, after: Seq) -> Result<LogStream, Error> {
        let events = self.subscribe();
        self.obey(Command::Backfill(conversation)).await?;
        let visible_from = self.conversation(conversation).await?.map_or(1, |known| known.visible_from);
        let last = after.max(visible_from.saturating_sub(1));
        Ok(LogStream::new(self.clone(), events, conversation, last))
    }

    /// Finds messages by their words among those that this device holds, the newest first, at most `limit`; everywhere
    /// if no conversation is given. Every part of the query between spaces must be there, the end of a word may be
    /// missing. What this device has not fetched is not found: [`Client::backfill`] fetches it.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Closed`].
    pub async fn search_messages(
        &self,
        text: &str,
        conversation: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<Found>, Error> {
        let search = Search { text: text.to_owned(), conversation, limit };
        self.store.run(move |store| store.search(&search)).await
    }

    /// Fetches the whole log of a conversation onto this device, in the background, and keeps it whole.
    ///
    /// # Errors
    /// [`Error::NoSuchConversation`], and see [`Client::conversations`].
    pub async fn backfill(&self, conversation: ConversationId) -> Result<(), Error> {
        self.obey(Command::Backfill(conversation)).await
    }

    pub(crate) async fn events(&self, query: Query) -> Result<Vec<Event>, Error> {
        self.store.events(query).await
    }

    async fn change(&self, conversation: ConversationId, change: Change) -> Result<Nonce, Error> {
        self.ask(|reply| Request::Change(conversation, change, reply)).await
    }

    async fn obey(&self, command: Command) -> Result<(), Error> {
        self.ask(|reply| Request::Obey(command, reply)).await
    }

    pub(crate) async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }
}
