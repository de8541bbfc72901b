//! The use cases of sync.

use std::sync::Arc;
use std::time::Duration;

use loquat_proto::frame::{self, FrameId, Push};
use loquat_proto::sync::ReceiptUpdate;
use loquat_proto::{AccountEvent, Conversation, Event, Ready, SyncAnswer, UserId};

use super::{SyncToken, Watermark};
use crate::fanout::{Registry, Session};
use crate::ports::{AccountLog, Conversations, EventRange, SyncPosition, Timeline, ViewQuery};
use crate::presence::PresenceService;
use crate::receipts::CursorBook;
use crate::{Caller, Refusal};

/// Conversations in one answer.
const MAX_CHANGED: usize = 200;
/// Account events in one answer; who missed more starts anew.
const MAX_ACCOUNT: usize = 1000;
/// Conversations of which a long poll brings events, and how many of each.
const POLL_CONVERSATIONS: usize = 20;
const POLL_EVENTS: usize = 20;
/// A client that wants to stay online sends something at least this often.
const HEARTBEAT_MS: u64 = 15_000;

/// What sync needs.
pub struct SyncDeps {
    /// The directory.
    pub conversations: Arc<dyn Conversations>,
    /// Account logs.
    pub account_log: Arc<dyn AccountLog>,
    /// Reads of logs.
    pub timeline: Arc<dyn Timeline>,
    /// Cursors that wait to be saved.
    pub book: Arc<CursorBook>,
    /// The sessions of this node.
    pub registry: Arc<Registry>,
    /// Who connects is there.
    pub presence: PresenceService,
    /// How far everything was fanned out.
    pub watermark: Arc<Watermark>,
}

/// A cheap handle to the use cases of sync.
#[derive(Clone)]
pub struct SyncService {
    deps: Arc<SyncDeps>,
}

/// What a client with some token lacks.
struct Missed {
    token: SyncToken,
    changed: Vec<Conversation>,
    more: bool,
    account: Vec<AccountEvent>,
    reset: bool,
}

impl SyncService {
    /// The service over these parts.
    #[must_use]
    pub fn new(deps: SyncDeps) -> Self {
        Self { deps: Arc::new(deps) }
    }

    /// Answers `hello`: pushes `ready` into the session and lets its live frames flow behind it. The session is
    /// subscribed already, so that nothing falls between.
    ///
    /// # Errors
    /// Storage did not answer; the session is not released.
    pub async fn ready(
        &self,
        session: &Arc<Session>,
        re: FrameId,
        since: Option<&str>,
    ) -> Result<(), Refusal> {
        let caller = session.caller();
        self.follow_channels(session).await?;
        let Missed { token, changed, more, account, reset } = self.missed(caller.user, since).await?;
        let ready = Ready {
            user: caller.user,
            device: caller.device,
            session: session.id().to_string(),
            heartbeat_ms: HEARTBEAT_MS,
            since: token.to_string(),
            changed,
            more,
            account,
            reset,
        };
        session.release(frame::answer(re, &ready), token);
        self.deps.presence.connected(session);
        Ok(())
    }

    /// Queues the newest sync token that covers nothing that this session was not sent.
    pub fn tick(&self, session: &Session) {
        let since = session.token(self.deps.watermark.get()).to_string();
        session.push(frame::push(&Push::Tick { since }));
    }

    /// What changed since the token; waits for a change up to `timeout` if there is none.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`] where the user polls too often at a time; storage did not answer.
    pub async fn long_poll(
        &self,
        caller: Caller,
        since: Option<String>,
        timeout: Duration,
    ) -> Result<SyncAnswer, Refusal> {
        let listener = Listener::new(self.deps.registry.clone(), caller)?;
        self.follow_channels(&listener.session).await?;
        let missed = self.missed(caller.user, since.as_deref()).await?;
        let is_news =
            missed.reset || since.is_none() || !missed.changed.is_empty() || !missed.account.is_empty();
        if is_news || timeout.is_zero() {
            return self.answer(caller, missed).await;
        }
        listener.wait(timeout).await?;
        let since = missed.token.to_string();
        let missed = self.missed(caller.user, Some(&since)).await?;
        self.answer(caller, missed).await
    }

    /// Lets a session listen to its user's channels; those joined or left meanwhile are told by their lanes.
    async fn follow_channels(&self, session: &Arc<Session>) -> Result<(), Refusal> {
        self.deps.registry.begin_following(session);
        let channels = self.deps.conversations.channels(session.caller().user).await?;
        self.deps.registry.follow_all(session, &channels);
        Ok(())
    }

    async fn missed(&self, user: UserId, since: Option<&str>) -> Result<Missed, Refusal> {
        self.deps.book.settle_for_reads().await;
        let now = self.deps.conversations.position(user).await?;
        let given =
            since.map(|since| since.parse::<SyncToken>().ok().filter(|token| token.is_honoured_by(&now)));
        let mut reset = given == Some(None);
        let token = given.flatten();
        let all = ViewQuery::Newest { after: None, limit: MAX_CHANGED };
        let query = match token {
            Some(token) => ViewQuery::ChangedSince { pos: token.pos, limit: MAX_CHANGED },
            None => all,
        };
        let mut slice = self.deps.conversations.views(user, query).await?;
        let mut account = match token {
            Some(token) => self.deps.account_log.after(user, token.account, MAX_ACCOUNT + 1).await?,
            None => Vec::new(),
        };
        if account.len() > MAX_ACCOUNT {
            account.clear();
            reset = true;
            // Who starts anew takes `changed` for all there is.
            slice = self.deps.conversations.views(user, all).await?;
        }
        let SyncPosition { epoch, pos, account: head } = slice.position;
        let account_pos = account.last().map_or(head, |last| last.pos);
        let token = SyncToken { epoch, pos, account: account_pos };
        Ok(Missed { token, changed: slice.items, more: slice.more, account, reset })
    }

    async fn answer(&self, caller: Caller, missed: Missed) -> Result<SyncAnswer, Refusal> {
        let Missed { token, changed, more, account, reset } = missed;
        let mut events: Vec<Event> = Vec::new();
        for conversation in changed.iter().take(POLL_CONVERSATIONS) {
            let newest = EventRange::Before(conversation.head + 1);
            let page = self.deps.timeline.events(caller.user, conversation.id, newest, POLL_EVENTS).await?;
            events.extend(page.into_iter().flat_map(|page| page.items));
        }
        let receipts = changed
            .iter()
            .map(|conversation| ReceiptUpdate {
                conversation: conversation.id,
                items: conversation.cursors.clone(),
            })
            .collect();
        Ok(SyncAnswer { since: token.to_string(), changed, events, receipts, account, more, reset })
    }
}

/// A session that only waits for something to happen.
struct Listener {
    registry: Arc<Registry>,
    session: Arc<Session>,
}

impl Listener {
    fn new(registry: Arc<Registry>, caller: Caller) -> Result<Self, Refusal> {
        let session = registry.listen(caller)?;
        Ok(Self { registry, session })
    }

    async fn wait(&self, timeout: Duration) -> Result<(), Refusal> {
        let mut frames = Vec::new();
        self.session.release_empty();
        match tokio::time::timeout(timeout, self.session.drain_into(&mut frames)).await {
            Ok(Err(loquat_proto::CloseCode::Revoked)) => Err(Refusal::Unauthorized),
            _ => Ok(()),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.registry.close(&self.session);
    }
}
