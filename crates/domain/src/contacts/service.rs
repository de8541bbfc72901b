//! The use cases of contacts and blocks.

use std::sync::Arc;

use loquat_proto::{Block, Contact, ContactAnswer, ContactRequest, ContactStatus, Limits, Page, UserId};

use crate::fanout::Announcer;
use crate::lanes::Lanes;
use crate::limits::RateLimits;
use crate::ports::{BlockChange, BlockOutcome, Blocks, Clock, ContactLimits, ContactOutcome, Contacts, Full};
use crate::presence::PresenceService;
use crate::{Caller, Refusal};

/// What contacts need.
pub struct ContactDeps {
    /// Contacts and requests.
    pub contacts: Arc<dyn Contacts>,
    /// Blocks.
    pub blocks: Arc<dyn Blocks>,
    /// Tells account logs.
    pub announcer: Announcer,
    /// The lanes, to which a block is news.
    pub lanes: Lanes,
    /// Who may see whom changes with contacts and blocks.
    pub presence: PresenceService,
    /// The rate of requests.
    pub rates: RateLimits,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The limits in force.
    pub limits: Limits,
}

/// A cheap handle to the use cases of contacts and blocks.
#[derive(Clone)]
pub struct ContactService {
    deps: Arc<ContactDeps>,
}

/// How two users stand after a request, and whether that is news to who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requested {
    /// How they stand.
    pub answer: ContactAnswer,
    /// Whether a request was made that was not there.
    pub created: bool,
}

impl ContactService {
    /// The service over these parts.
    #[must_use]
    pub fn new(deps: ContactDeps) -> Self {
        Self { deps: Arc::new(deps) }
    }

    /// Asks a user to be a contact; where they asked before, the two are contacts at once. Asking again changes
    /// nothing, whether the request waits or was declined.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for oneself, [`Refusal::NotFound`] for nobody, [`Refusal::Blocked`],
    /// [`Refusal::RateLimited`], [`Refusal::Conflict`] where a limit of contacts or requests is reached.
    pub async fn request(&self, caller: Caller, user: UserId) -> Result<Requested, Refusal> {
        not_oneself(caller, user)?;
        self.deps.rates.contact_request(caller.user)?;
        let now = self.deps.clock.now();
        let outcome = self.deps.contacts.request(caller.user, user, self.limits(), now).await?;
        self.concluded(caller, user, outcome)
    }

    /// Accepts what a user asked. Accepting a contact once more is no error.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] where nothing was asked, [`Refusal::Blocked`], [`Refusal::Conflict`] where a limit of
    /// contacts is reached.
    pub async fn accept(&self, caller: Caller, user: UserId) -> Result<ContactAnswer, Refusal> {
        not_oneself(caller, user)?;
        let now = self.deps.clock.now();
        let outcome = self.deps.contacts.accept(caller.user, user, self.limits(), now).await?;
        self.concluded(caller, user, outcome).map(|requested| requested.answer)
    }

    fn concluded(&self, caller: Caller, user: UserId, outcome: ContactOutcome) -> Result<Requested, Refusal> {
        let (status, created_at, created, entries) = match outcome {
            ContactOutcome::Pending { created_at, new, entries } => {
                (ContactStatus::Pending, created_at, new, entries)
            }
            ContactOutcome::Contacts { created_at, entries } => {
                if !entries.is_empty() {
                    self.see_anew(caller.user, user);
                }
                (ContactStatus::Accepted, created_at, false, entries)
            }
            ContactOutcome::Blocked => return Err(Refusal::Blocked),
            ContactOutcome::Unknown => return Err(Refusal::NotFound),
            ContactOutcome::Full(full) => return Err(Refusal::Conflict(describe(full))),
        };
        self.deps.announcer.announce(entries);
        Ok(Requested { answer: ContactAnswer { user, status, created_at }, created })
    }

    /// Declines what a user asked; they are not told.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] where nothing was asked.
    pub async fn decline(&self, caller: Caller, user: UserId) -> Result<(), Refusal> {
        let declined = self.deps.contacts.decline(caller.user, user, self.deps.clock.now()).await?;
        self.deps.announcer.announce(declined.ok_or(Refusal::NotFound)?);
        Ok(())
    }

    /// Ends a contact, or withdraws what the caller asked. Where there is neither, nothing happens.
    ///
    /// # Errors
    /// Storage did not answer.
    pub async fn remove(&self, caller: Caller, user: UserId) -> Result<(), Refusal> {
        let entries = self.deps.contacts.remove(caller.user, user, self.deps.clock.now()).await?;
        if !entries.is_empty() {
            self.see_anew(caller.user, user);
        }
        self.deps.announcer.announce(entries);
        Ok(())
    }

    /// Ends all contacts, requests and blocks of a user whose account is about to end. Safe to repeat.
    ///
    /// # Errors
    /// Storage did not answer.
    pub(crate) async fn forget(&self, user: UserId) -> Result<(), Refusal> {
        let entries = self.deps.contacts.forget(user, self.deps.clock.now()).await?;
        self.deps.announcer.announce(entries);
        self.deps.presence.audience_changed(user, None);
        Ok(())
    }

    /// The caller's contacts, by id.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for a cursor that is none of ours.
    pub async fn contacts(
        &self,
        caller: Caller,
        cursor: Option<String>,
        limit: usize,
    ) -> Result<Page<Contact>, Refusal> {
        let items = self.deps.contacts.contacts(caller.user, after(cursor)?, limit + 1).await?;
        Ok(page(items, limit, |contact| contact.user))
    }

    /// Requests that wait, in both directions, by the other one's id.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for a cursor that is none of ours.
    pub async fn requests(
        &self,
        caller: Caller,
        cursor: Option<String>,
        limit: usize,
    ) -> Result<Page<ContactRequest>, Refusal> {
        let items = self.deps.contacts.requests(caller.user, after(cursor)?, limit + 1).await?;
        Ok(page(items, limit, |request| request.user))
    }

    /// Whom the caller blocks, by id.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for a cursor that is none of ours.
    pub async fn blocks(
        &self,
        caller: Caller,
        cursor: Option<String>,
        limit: usize,
    ) -> Result<Page<Block>, Refusal> {
        let items = self.deps.blocks.blocks(caller.user, after(cursor)?, limit + 1).await?;
        Ok(page(items, limit, |block| block.user))
    }

    /// Blocks a user. When this returns, nothing that they send to the caller is appended any more.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for oneself, [`Refusal::NotFound`] for nobody, [`Refusal::Conflict`] where the caller
    /// blocks as many as they may.
    pub async fn block(&self, caller: Caller, user: UserId) -> Result<(), Refusal> {
        not_oneself(caller, user)?;
        let limit = self.deps.limits.blocks;
        match self.deps.blocks.block(caller.user, user, limit, self.deps.clock.now()).await? {
            BlockOutcome::Stands(change) => self.changed(caller, user, change).await,
            BlockOutcome::Unknown => return Err(Refusal::NotFound),
            BlockOutcome::Full => return Err(Refusal::Conflict("you block as many users as you may")),
        }
        Ok(())
    }

    /// Ends a block. Where there is none, nothing happens.
    ///
    /// # Errors
    /// Storage did not answer.
    pub async fn unblock(&self, caller: Caller, user: UserId) -> Result<(), Refusal> {
        let change = self.deps.blocks.unblock(caller.user, user, self.deps.clock.now()).await?;
        self.changed(caller, user, change).await;
        Ok(())
    }

    async fn changed(&self, caller: Caller, user: UserId, change: BlockChange) {
        self.deps.presence.audience_changed(caller.user, Some(user));
        if let Some(direct) = change.direct {
            self.deps.lanes.doubt(direct).await;
        }
        self.deps.announcer.announce(change.entries);
    }

    /// The two may see one another's presence now, or not any more.
    fn see_anew(&self, one: UserId, other: UserId) {
        self.deps.presence.audience_changed(one, Some(other));
        self.deps.presence.audience_changed(other, Some(one));
    }

    fn limits(&self) -> ContactLimits {
        let Limits { contacts, contact_requests, contact_requests_received, .. } = self.deps.limits;
        ContactLimits { contacts, requests: contact_requests, received: contact_requests_received }
    }
}

fn not_oneself(caller: Caller, user: UserId) -> Result<(), Refusal> {
    if caller.user == user { Err(Refusal::invalid("user: that is yourself")) } else { Ok(()) }
}

const fn describe(full: Full) -> &'static str {
    match full {
        Full::Contacts => "one of you has as many contacts as they may",
        Full::Asked => "as many of your requests wait for an answer as may",
        Full::Received => "as many requests wait for this user's answer as may",
    }
}

fn after(cursor: Option<String>) -> Result<Option<UserId>, Refusal> {
    let invalid = || Refusal::invalid("cursor: not one that this server gave");
    cursor.map(|cursor| cursor.parse().map_err(|_| invalid())).transpose()
}

/// A page of `limit`, from one entry more than that.
fn page<T>(mut items: Vec<T>, limit: usize, user: impl Fn(&T) -> UserId) -> Page<T> {
    let more = items.len() > limit;
    items.truncate(limit);
    let next_cursor = items.last().filter(|_| more).map(|last| user(last).to_string());
    Page { items, next_cursor }
}
