//! The use cases of invitations.
//!
//! A code has 128 random bits: it cannot be guessed, and requests are limited anyway. Who was removed is barred from
//! joining by any invitation until somebody who may adds them again; who left may come back. With a removed member go
//! the invitations that they made.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use loquat_proto::invite::CreateInvite;
use loquat_proto::{Conversation, ConversationId, ConversationKind, Limits, Nonce, Page, Timestamp};

use super::ConversationService;
use super::rights::Right;
use crate::messages::{Act, MessageService, Mutation};
use crate::ports::{
    Clock, Conversations, Invitation, InviteOutcome, InviteRecord, Invites, NewInvite, Random, Standing,
};
use crate::{Caller, Refusal};

/// The longest that an invitation may work before it expires: ten years, in seconds.
const MAX_EXPIRES_IN: u64 = 10 * 366 * 24 * 60 * 60;
/// The most uses that may be asked for.
const MAX_USES: u64 = 1_000_000_000;
/// Random bytes of a code.
const CODE_BYTES: usize = 16;
/// The longest text that is looked up as a code.
const MAX_CODE_CHARS: usize = 64;
/// How often a creation is decided again because the creator's standing changed meanwhile.
const MAX_RETRIES: usize = 5;

/// What invitations need.
pub struct InviteDeps {
    /// The directory of invitations.
    pub invites: Arc<dyn Invites>,
    /// Who is what in a conversation.
    pub directory: Arc<dyn Conversations>,
    /// Conversations, for the answer to who joined.
    pub conversations: ConversationService,
    /// Joining is a change of the conversation's log or membership: it goes through its lane.
    pub messages: MessageService,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for codes.
    pub random: Arc<dyn Random>,
    /// The limits in force.
    pub limits: Limits,
}

/// A cheap handle to the use cases of invitations.
#[derive(Clone)]
pub struct InviteService {
    deps: Arc<InviteDeps>,
}

impl InviteService {
    /// The service over these parts.
    #[must_use]
    pub fn new(deps: InviteDeps) -> Self {
        Self { deps: Arc::new(deps) }
    }

    /// Makes an invitation.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] for who is no member, [`Refusal::Forbidden`] for who may not invite and in direct
    /// conversations, [`Refusal::Invalid`], [`Refusal::TooLarge`] where as many work as may.
    pub async fn create(
        &self,
        caller: Caller,
        conversation: ConversationId,
        wish: CreateInvite,
    ) -> Result<InviteRecord, Refusal> {
        let CreateInvite { max_uses, expires_in, nonce } = wish;
        let now = self.deps.clock.now();
        let expires_at = expires_in.map(|seconds| expiry(seconds, now)).transpose()?;
        if max_uses.is_some_and(|uses| uses == 0 || uses > MAX_USES) {
            return Err(Refusal::invalid("max_uses: 1 to 1,000,000,000"));
        }
        for _ in 0..MAX_RETRIES {
            let standing = self.deps.directory.standing(caller.user, conversation).await?;
            let standing = standing.ok_or(Refusal::NotFound)?;
            may_invite(standing)?;
            let invite = InviteRecord {
                code: self.code(),
                conversation,
                creator: caller.user,
                created_at: now,
                expires_at,
                max_uses,
                uses: 0,
            };
            match self.make(invite, nonce.clone(), standing).await? {
                InviteOutcome::Made(invite) => return Ok(invite),
                InviteOutcome::TooMany => {
                    return Err(Refusal::TooLarge {
                        what: "invitations of a conversation",
                        limit: self.deps.limits.invites,
                    });
                }
                InviteOutcome::Stale | InviteOutcome::CodeTaken => {}
            }
        }
        Err(Refusal::busy("the conversation is busy"))
    }

    async fn make(
        &self,
        invite: InviteRecord,
        nonce: Option<Nonce>,
        standing: Standing,
    ) -> Result<InviteOutcome, Refusal> {
        let limit = self.deps.limits.invites;
        Ok(self.deps.invites.create_invite(NewInvite { invite, nonce, standing, limit }).await?)
    }

    fn code(&self) -> String {
        let mut code = [0; CODE_BYTES];
        self.deps.random.fill(&mut code);
        URL_SAFE_NO_PAD.encode(code)
    }

    /// The invitations that work, the newest first: all of them to admins, to others who may invite their own.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] for who is no member, [`Refusal::Forbidden`] for who may not invite,
    /// [`Refusal::Invalid`] for a cursor that is none of ours.
    pub async fn list(
        &self,
        caller: Caller,
        conversation: ConversationId,
        cursor: Option<String>,
        limit: usize,
    ) -> Result<Page<InviteRecord>, Refusal> {
        let now = self.deps.clock.now();
        let found = self.deps.invites.invites(caller.user, conversation, now).await?;
        let (standing, mut items) = found.ok_or(Refusal::NotFound)?;
        may_invite(standing)?;
        if !Right::ManageInvites.is_held_by(standing.role, &standing.permissions) {
            items.retain(|invite| invite.creator == caller.user);
        }
        let place = |invite: &InviteRecord| (invite.created_at, invite.code.clone());
        if let Some(cursor) = cursor {
            let last = parse_cursor(&cursor)?;
            items.retain(|invite| place(invite) < last);
        }
        let more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| more).map(place);
        Ok(Page { next_cursor: last.map(|(created_at, code)| format!("{created_at}.{code}")), items })
    }

    /// Makes an invitation useless.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] for who is no member or where no such invitation works, [`Refusal::Forbidden`] for who
    /// neither made it nor is an admin.
    pub async fn revoke(
        &self,
        caller: Caller,
        conversation: ConversationId,
        code: &str,
    ) -> Result<(), Refusal> {
        let standing = self.deps.directory.standing(caller.user, conversation).await?;
        let standing = standing.ok_or(Refusal::NotFound)?;
        let managing = Right::ManageInvites.require(standing.role, &standing.permissions);
        let found = self.find(caller, code).await?;
        match found.filter(|found| found.invite.conversation == conversation) {
            Some(found) if found.invite.creator == caller.user => {}
            Some(_) => managing?,
            // Whether there is one is known to those only who see the list.
            None => return Err(may_invite(standing).err().unwrap_or(Refusal::NotFound)),
        }
        let revoked = self.deps.invites.revoke_invite(conversation, code).await?;
        if revoked { Ok(()) } else { Err(Refusal::NotFound) }
    }

    /// Where a code leads.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] for a code that never was, [`Refusal::Gone`] for one that works no more.
    pub async fn preview(&self, caller: Caller, code: &str) -> Result<Invitation, Refusal> {
        let found = self.find(caller, code).await?.ok_or(Refusal::NotFound)?;
        let now = self.deps.clock.now();
        // Who is in may look at the way they came.
        if found.joined || works(&found, now) { Ok(found) } else { Err(Refusal::Gone) }
    }

    /// Makes the caller a member, and shows the conversation. A member stays as they are.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] for a code that never was, [`Refusal::Gone`] for one that works no more,
    /// [`Refusal::Forbidden`] for who was removed, [`Refusal::GroupFull`].
    pub async fn join(
        &self,
        caller: Caller,
        code: &str,
        nonce: Option<Nonce>,
    ) -> Result<Conversation, Refusal> {
        let found = self.find(caller, code).await?.ok_or(Refusal::NotFound)?;
        let conversation = found.invite.conversation;
        if !found.joined {
            let act = Act::Join { code: code.to_owned() };
            self.deps.messages.perform(caller, Mutation { conversation, nonce, act }).await?;
        }
        self.deps.conversations.get(caller, conversation).await
    }

    async fn find(&self, caller: Caller, code: &str) -> Result<Option<Invitation>, Refusal> {
        let is_code = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if code.len() > MAX_CODE_CHARS || !code.chars().all(is_code) {
            return Ok(None);
        }
        Ok(self.deps.invites.invitation(code, caller.user).await?)
    }
}

/// Whether somebody may join by it now.
pub(crate) fn works(invitation: &Invitation, now: Timestamp) -> bool {
    let Invitation { invite, revoked, .. } = invitation;
    let in_time = invite.expires_at.is_none_or(|expires_at| now < expires_at);
    let has_uses = invite.max_uses.is_none_or(|max_uses| invite.uses < max_uses);
    !revoked && in_time && has_uses
}

fn may_invite(standing: Standing) -> Result<(), Refusal> {
    if standing.kind == ConversationKind::Direct {
        return Err(Refusal::Forbidden("a direct conversation keeps its two members"));
    }
    Right::Invite.require(standing.role, &standing.permissions)
}

fn expiry(seconds: u64, now: Timestamp) -> Result<Timestamp, Refusal> {
    if seconds == 0 || seconds > MAX_EXPIRES_IN {
        return Err(Refusal::invalid("expires_in: 1 second to ten years"));
    }
    let milliseconds = i64::try_from(seconds * 1000).unwrap_or(i64::MAX);
    Ok(now.saturating_add(milliseconds))
}

fn parse_cursor(cursor: &str) -> Result<(Timestamp, String), Refusal> {
    let place = cursor.split_once('.').and_then(|(at, code)| Some((at.parse().ok()?, code.to_owned())));
    place.ok_or_else(|| Refusal::invalid("cursor: not one that this server gave"))
}
