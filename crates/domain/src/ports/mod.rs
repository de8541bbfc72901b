//! The ports: what the domain needs of the world, by access pattern.
//!
//! Each port has one conformance suite that every implementation passes (`loquat-store`, `loquat-bus`). A port's
//! documentation states ordering, atomicity and failure; an implementation promises exactly that.
//!
//! Rules for all storage ports: absence is `Option`, never an error; a call that returns [`StoreError`] has changed
//! nothing, unless it says otherwise; a write that returns `Ok` is durable (fsynced, or committed with
//! `synchronous_commit` on).

mod accounts;
mod administration;
mod bus;
mod clock;
mod contacts;
mod conversations;
mod devices;
mod error;
mod invites;
mod log;
mod outbox;
mod retention;
mod timeline;

pub use accounts::{
    AccountEntry, AccountLog, Accounts, Credentials, IdempotencyKey, NewUser, ProfileChange,
    RememberedAnswer, SignUpOutcome, UserRecord,
};
pub use administration::{
    AccountDetails, AccountQuery, AccountState, AccountSummary, Administration, AuditLog, AuditRecord,
    ConversationQuery, ConversationReport, ConversationSummary, DeviceSummary, Finding, Inspection,
    MemberSummary, NewAct, Statistics,
};
pub use bus::{Bus, Receiver, Signal, Topic};
pub use clock::{Clock, Random};
pub use contacts::{BlockChange, BlockOutcome, Blocks, ContactLimits, ContactOutcome, Contacts, Full};
pub use conversations::{
    ConversationFacts, Conversations, Creation, CreationOutcome, CursorMove, MemberFacts, NewConversation,
    NewMember, Standing, SyncPosition, ViewQuery, ViewSlice,
};
pub use devices::{
    Devices, NewDevice, RefreshOutcome, RefreshRotation, RefreshToken, SignInOutcome, SigningKey,
};
pub use error::StoreError;
pub use invites::{Invitation, InviteOutcome, InviteRecord, Invites, NewInvite};
pub use log::{
    Append, AppendOutcome, Change, EventLog, NewEvent, Placement, TailMark, TailedEvent, TargetFacts,
};
pub use outbox::{
    Claim, ClaimedJob, JobCount, JobQuery, JobRecord, JobState, Lease, NewJob, Outbox, Settlement,
};
pub use retention::{Horizons, MemberDevice, Retentions, SweepFacts, SweptMessage};
pub use timeline::{EventRange, MessageWindow, Presences, Timeline};
