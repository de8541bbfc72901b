//! The use cases of conversations.

use std::sync::Arc;

use loquat_proto::conversation::{CreateConversation, OwnMembership, UpdatePreferences};
use loquat_proto::{Conversation, ConversationId, Limits, Member, Page, Timestamp, UserId};

use super::create::Plan;
use crate::accounts::{Begun, Idempotency, request_hash};
use crate::fanout::Announcer;
use crate::lanes::Lanes;
use crate::ports::{Accounts, Clock, Conversations, CreationOutcome, Random, ViewQuery};
use crate::receipts::CursorBook;
use crate::sync::FanoutGate;
use crate::{Caller, Refusal};

/// Bytes of a draft.
const MAX_DRAFT_BYTES: usize = 16_384;

/// What conversations need.
pub struct ConversationDeps {
    /// The directory.
    pub conversations: Arc<dyn Conversations>,
    /// Who there is.
    pub accounts: Arc<dyn Accounts>,
    /// The lanes that own the logs.
    pub lanes: Lanes,
    /// Cursors that wait to be saved.
    pub book: Arc<CursorBook>,
    /// Repeated creations.
    pub idempotency: Idempotency,
    /// Tells account logs.
    pub announcer: Announcer,
    /// Keeps sync tokens behind what is announced.
    pub gate: FanoutGate,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for ids.
    pub random: Arc<dyn Random>,
    /// The limits in force.
    pub limits: Limits,
}

/// A conversation after a request to create it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// As the caller sees it.
    pub conversation: Conversation,
    /// Whether it is new; `false` for a direct conversation that was there.
    pub created: bool,
}

/// A cheap handle to the use cases of conversations.
#[derive(Clone)]
pub struct ConversationService {
    deps: Arc<ConversationDeps>,
}

impl ConversationService {
    /// The service over these parts.
    #[must_use]
    pub fn new(deps: ConversationDeps) -> Self {
        Self { deps: Arc::new(deps) }
    }

    /// Creates a conversation, or finds the direct one that the two have.
    ///
    /// # Errors
    /// [`Refusal::Invalid`], [`Refusal::NotFound`] for a member who does not exist, [`Refusal::GroupFull`],
    /// [`Refusal::Blocked`] where a member blocks the caller, and [`Refusal::Conflict`] where the key came with another
    /// request before.
    pub async fn create(
        &self,
        caller: Caller,
        wish: CreateConversation,
        idempotency_key: Option<String>,
    ) -> Result<Created, Refusal> {
        let Some(key) = idempotency_key else { return self.create_once(caller, wish).await };
        let scope = format!("conversation:{}", caller.user);
        match self.deps.idempotency.begin(&scope, &key, request_hash(&wish)?).await? {
            Begun::Fresh(attempt) => {
                let created = self.create_once(caller, wish).await?;
                attempt.finish(created.conversation.id.get()).await?;
                Ok(created)
            }
            Begun::Replay(id) => {
                let id = ConversationId::new(id).ok_or(Refusal::Gone)?;
                Ok(Created { conversation: self.get(caller, id).await?, created: true })
            }
        }
    }

    async fn create_once(&self, caller: Caller, wish: CreateConversation) -> Result<Created, Refusal> {
        let plan = Plan::new(caller, wish, &self.deps.limits)?;
        let profiles = self.deps.accounts.profiles(&plan.others).await?;
        if profiles.iter().filter(|profile| !profile.deleted).count() < plan.others.len() {
            return Err(Refusal::NotFound);
        }
        loop {
            let Some(id) = ConversationId::new(self.deps.random.id()) else { continue };
            let creation = plan.creation(caller, id, self.deps.clock.now());
            let pass = self.deps.gate.enter().await;
            match self.deps.lanes.create(creation, pass).await? {
                CreationOutcome::Created { .. } => {
                    return Ok(Created { conversation: self.get(caller, id).await?, created: true });
                }
                CreationOutcome::Existing(id) => {
                    return Ok(Created { conversation: self.get(caller, id).await?, created: false });
                }
                CreationOutcome::Blocked => return Err(Refusal::Blocked),
                CreationOutcome::IdTaken => {}
            }
        }
    }

    /// The caller's conversations, newest activity first.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for a cursor that is none of ours.
    pub async fn list(
        &self,
        caller: Caller,
        cursor: Option<String>,
        limit: usize,
    ) -> Result<Page<Conversation>, Refusal> {
        let after = cursor.as_deref().map(parse_cursor).transpose()?;
        self.deps.book.settle_for_reads().await;
        let slice = self.deps.conversations.views(caller.user, ViewQuery::Newest { after, limit }).await?;
        let last = slice.items.last().filter(|_| slice.more);
        let next_cursor = last.map(|last| format!("{}.{}", last.last_activity, last.id));
        Ok(Page { items: slice.items, next_cursor })
    }

    /// One conversation, as the caller sees it.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] for who is no member.
    pub async fn get(&self, caller: Caller, conversation: ConversationId) -> Result<Conversation, Refusal> {
        self.deps.book.settle_for_reads().await;
        let slice = self.deps.conversations.views(caller.user, ViewQuery::One(conversation)).await?;
        slice.items.into_iter().next().ok_or(Refusal::NotFound)
    }

    /// Deletes a conversation with all its content.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] for who is no member, [`Refusal::Forbidden`] for who is not the owner.
    pub async fn delete(&self, caller: Caller, conversation: ConversationId) -> Result<(), Refusal> {
        self.deps.lanes.delete(caller, conversation).await
    }

    /// The members, by id.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] for who is no member, [`Refusal::Invalid`] for a cursor that is none of ours.
    pub async fn members(
        &self,
        caller: Caller,
        conversation: ConversationId,
        cursor: Option<String>,
        limit: usize,
    ) -> Result<Page<Member>, Refusal> {
        let after: Option<UserId> =
            cursor.map(|cursor| cursor.parse().map_err(|_| invalid_cursor())).transpose()?;
        self.deps.book.settle_for_reads().await;
        let found = self.deps.conversations.members(caller.user, conversation, after, limit + 1).await?;
        let mut items = found.ok_or(Refusal::NotFound)?;
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = items.last().filter(|_| more).map(|last| last.user.to_string());
        Ok(Page { items, next_cursor })
    }

    /// Changes the caller's own preferences.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] for who is no member, [`Refusal::TooLarge`] for the draft.
    pub async fn preferences(
        &self,
        caller: Caller,
        conversation: ConversationId,
        change: UpdatePreferences,
    ) -> Result<OwnMembership, Refusal> {
        if change.draft.iter().flatten().any(|draft| draft.len() > MAX_DRAFT_BYTES) {
            return Err(Refusal::TooLarge { what: "draft (bytes)", limit: MAX_DRAFT_BYTES });
        }
        if change != UpdatePreferences::default() {
            let now = self.deps.clock.now();
            let pass = self.deps.gate.enter().await;
            let written =
                self.deps.conversations.set_preferences(caller.user, conversation, change, now).await?;
            self.deps.announcer.announce([written.ok_or(Refusal::NotFound)?]);
            drop(pass);
        }
        Ok(self.get(caller, conversation).await?.me)
    }
}

fn parse_cursor(cursor: &str) -> Result<(Timestamp, ConversationId), Refusal> {
    let (activity, id) = cursor.split_once('.').ok_or_else(invalid_cursor)?;
    let activity = activity.parse().map_err(|_| invalid_cursor())?;
    Ok((activity, id.parse().map_err(|_| invalid_cursor())?))
}

fn invalid_cursor() -> Refusal {
    Refusal::invalid("cursor: not one that this server gave")
}
