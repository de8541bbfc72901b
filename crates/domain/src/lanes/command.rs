//! What a lane is asked to do: a closed set.

use std::sync::Arc;

use loquat_proto::conversation::{Cursor, Receipts};
use loquat_proto::frame::{self, FrameId};
use loquat_proto::{ConversationId, ErrorBody, UserId};
use tokio::sync::oneshot;

use crate::fanout::Session;
use crate::messages::{Act, Ticket};
use crate::ports::{Creation, CreationOutcome, Horizons};
use crate::sync::FanoutPass;
use crate::{Caller, Refusal};

/// One request to a lane.
pub(super) enum Command {
    /// Append, if the rules allow.
    Mutate(Ticket, Act),
    /// Move a member's cursors.
    Receipt(ReceiptCommand),
    /// Somebody writes, or stopped.
    Typing {
        caller: Caller,
        conversation: ConversationId,
        on: bool,
        done: Option<oneshot::Sender<Result<(), Refusal>>>,
    },
    /// Create a conversation and fan out its first events, before anything else that happens in it.
    Create(CreateCommand),
    /// Tell the members how far retention has erased.
    Erased { conversation: ConversationId, horizons: Horizons, done: oneshot::Sender<Result<(), Refusal>> },
    /// Delete the conversation with all content.
    Delete { caller: Caller, conversation: ConversationId, done: oneshot::Sender<Result<(), Refusal>> },
    /// A user's read receipts are shown from now on, or not.
    ShowReads { user: UserId, shown: bool },
    /// What is known of a conversation may be old; answer once nothing is shown by it any more.
    Doubt { conversation: ConversationId, done: oneshot::Sender<()> },
    /// Answer once everything appended so far was fanned out.
    Barrier(oneshot::Sender<()>),
}

/// A conversation to create.
pub(super) struct CreateCommand {
    pub creation: Box<Creation>,
    /// Given back once all is fanned out, whoever still waits for the answer.
    pub pass: FanoutPass,
    pub done: oneshot::Sender<Result<CreationOutcome, Refusal>>,
}

impl Command {
    /// Who sends receipts or typing.
    pub fn sender(&self) -> Option<UserId> {
        match self {
            Self::Receipt(ReceiptCommand { caller, .. }) | Self::Typing { caller, .. } => Some(caller.user),
            _ => None,
        }
    }

    /// Refuses receipts, typing or the telling of an erasure.
    pub fn refuse(self, refusal: &Refusal) {
        match self {
            Self::Receipt(command) => command.reply.refuse(refusal),
            Self::Typing { done: Some(done), .. } | Self::Erased { done, .. } => {
                drop(done.send(Err(refusal.clone())));
            }
            _ => {}
        }
    }
}

/// A member's cursors to move.
pub(super) struct ReceiptCommand {
    pub conversation: ConversationId,
    pub caller: Caller,
    pub receipts: Receipts,
    pub reply: ReceiptReply,
}

/// To whom the outcome of a receipt goes.
pub(super) enum ReceiptReply {
    /// To a waiting caller.
    Waiting(oneshot::Sender<Result<Cursor, Refusal>>),
    /// Into a session's queue, if it wants an answer.
    Session { session: Arc<Session>, re: Option<FrameId> },
}

impl ReceiptReply {
    /// The session that moved the cursor: it knows already.
    pub fn session_id(&self) -> Option<u64> {
        match self {
            Self::Session { session, .. } => Some(session.id().0),
            Self::Waiting(_) => None,
        }
    }

    pub fn succeed(self, cursor: Cursor) {
        match self {
            Self::Waiting(sender) => drop(sender.send(Ok(cursor))),
            Self::Session { session, re: Some(re) } => session.push(frame::answer(re, &cursor)),
            Self::Session { re: None, .. } => {}
        }
    }

    pub fn refuse(self, refusal: &Refusal) {
        match self {
            Self::Waiting(sender) => drop(sender.send(Err(refusal.clone()))),
            // Receipts are repeated after `ready`: without an id, nobody waits for the error.
            Self::Session { session, re: Some(re) } => {
                session.push(frame::answer_error(Some(re), &ErrorBody::from(refusal)));
            }
            Self::Session { re: None, .. } => {}
        }
    }
}
