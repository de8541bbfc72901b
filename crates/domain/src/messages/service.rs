//! The use cases of messages.

use std::sync::Arc;

use loquat_proto::frame::FrameId;
use loquat_proto::message::{Appended, EventPage, MessagePage};
use loquat_proto::{ConversationId, Limits, Message, Nonce, Page, Seq};
use tokio::sync::oneshot;

use super::validate::validate;
use super::{Act, Mutation, Reply, Ticket};
use crate::fanout::Session;
use crate::lanes::Lanes;
use crate::limits::RateLimits;
use crate::ports::{Accounts, Clock, EventLog, EventRange, MessageWindow, Timeline};
use crate::{Caller, Refusal};

/// What messages need.
pub struct MessageDeps {
    /// The lanes that append.
    pub lanes: Lanes,
    /// The log, for replays.
    pub log: Arc<dyn EventLog>,
    /// Reads.
    pub timeline: Arc<dyn Timeline>,
    /// Who there is.
    pub accounts: Arc<dyn Accounts>,
    /// The rates of sends.
    pub rates: RateLimits,
    /// The limits in force.
    pub limits: Limits,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// A cheap handle to the use cases of messages.
#[derive(Clone)]
pub struct MessageService {
    deps: Arc<MessageDeps>,
}

impl MessageService {
    /// The service over these parts.
    #[must_use]
    pub fn new(deps: MessageDeps) -> Self {
        Self { deps: Arc::new(deps) }
    }

    /// Does it and waits for the outcome: durable when this returns.
    ///
    /// # Errors
    /// Why it was refused; then nothing was appended.
    pub async fn perform(&self, caller: Caller, mutation: Mutation) -> Result<Appended, Refusal> {
        if let Act::AddMembers(users) = &mutation.act {
            self.check_users_exist(users).await?;
        }
        let (sender, outcome) = oneshot::channel();
        let Mutation { conversation, nonce, act } = mutation;
        self.enter(Ticket { caller, conversation, nonce, reply: Reply::Waiting(sender) }, act);
        outcome.await.unwrap_or(Err(Refusal::busy("the service is stopping")))
    }

    /// Does it and returns at once; the answer frame comes by the session's queue. Mutations of one session to one
    /// conversation are appended in the order in which they were submitted.
    pub fn submit(&self, session: &Arc<Session>, re: Option<FrameId>, mutation: Mutation) {
        let Mutation { conversation, nonce, act } = mutation;
        let entered = match &nonce {
            Some(nonce) => session.order().enter(conversation, nonce).map(Some),
            None => Ok(None),
        };
        let ordinal = entered.as_ref().ok().copied().flatten();
        let reply = Reply::Session { session: session.clone(), re, ordinal };
        let ticket = Ticket { caller: session.caller(), conversation, nonce, reply };
        match entered {
            Ok(_) => self.enter(ticket, act),
            // Behind a failed send: it must not open a gap of its own.
            Err(refusal) => self.refuse_unless_replayed(ticket, refusal),
        }
    }

    fn enter(&self, ticket: Ticket, mut act: Act) {
        if let Err(refusal) = validate(&mut act, &self.deps.limits) {
            return ticket.refuse(refusal);
        }
        if matches!(act, Act::Send(_)) {
            if ticket.nonce.is_none() {
                return ticket.refuse(Refusal::invalid("nonce: a send needs one"));
            }
            if let Err(refusal) = self.deps.rates.send(ticket.caller.user) {
                return self.refuse_unless_replayed(ticket, refusal);
            }
        }
        self.deps.lanes.mutate(ticket, act);
    }

    /// A replay returns its first result whatever the reason to refuse it now.
    fn refuse_unless_replayed(&self, ticket: Ticket, refusal: Refusal) {
        ticket.note_refusal(&refusal);
        match ticket.nonce.clone() {
            None => ticket.answer_refusal(refusal),
            Some(nonce) => {
                let log = self.deps.log.clone();
                drop(tokio::spawn(refuse_unless_replayed(log, ticket, nonce, refusal)));
            }
        }
    }

    async fn check_users_exist(&self, users: &[loquat_proto::UserId]) -> Result<(), Refusal> {
        if users.len() > self.deps.limits.group_members.max(1000) {
            return Err(Refusal::TooLarge { what: "users", limit: self.deps.limits.group_members.max(1000) });
        }
        let profiles = self.deps.accounts.profiles(users).await?;
        let there = |user| profiles.iter().any(|profile| profile.id == user && !profile.deleted);
        if users.iter().all(|user| there(*user)) { Ok(()) } else { Err(Refusal::NotFound) }
    }

    /// Events of a log, within what the caller may see.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] for who is no member.
    pub async fn events(
        &self,
        caller: Caller,
        conversation: ConversationId,
        range: EventRange,
        limit: usize,
    ) -> Result<EventPage, Refusal> {
        let page = self.deps.timeline.events(caller.user, conversation, range, limit).await?;
        page.ok_or(Refusal::NotFound)
    }

    /// Messages as they are shown, within what the caller may see.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] for who is no member.
    pub async fn window(
        &self,
        caller: Caller,
        conversation: ConversationId,
        window: MessageWindow,
        limit: usize,
    ) -> Result<MessagePage, Refusal> {
        let page = self.deps.timeline.messages(caller.user, conversation, window, limit).await?;
        page.ok_or(Refusal::NotFound)
    }

    /// One message.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] where the caller sees none there.
    pub async fn one(
        &self,
        caller: Caller,
        conversation: ConversationId,
        seq: Seq,
    ) -> Result<Message, Refusal> {
        self.deps.timeline.message(caller.user, conversation, seq).await?.ok_or(Refusal::NotFound)
    }

    /// The pinned messages within what the caller may see, the newest message first.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] for who is no member, [`Refusal::Invalid`] for a cursor that is none of ours.
    pub async fn pinned(
        &self,
        caller: Caller,
        conversation: ConversationId,
        cursor: Option<String>,
        limit: usize,
    ) -> Result<Page<Message>, Refusal> {
        let before = cursor.as_deref().map(parse_cursor).transpose()?;
        let found = self.deps.timeline.pinned(caller.user, conversation, before, limit + 1).await?;
        let mut items = found.ok_or(Refusal::NotFound)?;
        let more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| more);
        Ok(Page { next_cursor: last.map(|last| last.seq.to_string()), items })
    }
}

/// A cursor of a list of pinned messages: the `seq` of the last one.
fn parse_cursor(cursor: &str) -> Result<Seq, Refusal> {
    cursor.parse().map_err(|_| Refusal::invalid("cursor: not one that this server gave"))
}

/// Looks whether the nonce stands in the log, and answers with its first result or with the refusal, which was noted
/// in the session's order already: by now the client may have sent it again.
pub(crate) async fn refuse_unless_replayed(
    log: Arc<dyn EventLog>,
    ticket: Ticket,
    nonce: Nonce,
    refusal: Refusal,
) {
    match log.find_nonce(ticket.conversation, ticket.caller.user, &nonce).await {
        Ok(Some(placement)) => {
            let conversation = ticket.conversation;
            ticket.succeed(Appended { conversation, seq: placement.seq, ts: placement.ts });
        }
        Ok(None) => ticket.answer_refusal(refusal),
        Err(error) if refusal.is_retryable() => ticket.answer_refusal(error.into()),
        Err(error) => ticket.refuse(error.into()),
    }
}
