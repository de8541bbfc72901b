//! How the outcome of a mutation finds its way back.

use std::sync::Arc;

use loquat_proto::frame::{self, FrameId};
use loquat_proto::message::Appended;
use loquat_proto::{ConversationId, ErrorBody, Nonce};
use tokio::sync::oneshot;

use crate::fanout::Session;
use crate::{Caller, Refusal, failpoint};

/// To whom the outcome goes.
#[derive(Debug)]
pub(crate) enum Reply {
    /// To a waiting caller.
    Waiting(oneshot::Sender<Result<Appended, Refusal>>),
    /// Into a session's queue, as an answer frame, in the order of outcomes.
    Session {
        /// The session.
        session: Arc<Session>,
        /// The frame's id, if it wants an answer.
        re: Option<FrameId>,
        /// The mutation's place in the session's order; `None` where it has none (no nonce, or refused at entry).
        ordinal: Option<u64>,
    },
}

/// Who did what under which name, and to whom the outcome goes.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub caller: Caller,
    pub conversation: ConversationId,
    pub nonce: Option<Nonce>,
    pub reply: Reply,
}

impl Ticket {
    /// The session that has its answer already and is left out of the fan-out.
    pub fn session_id(&self) -> Option<u64> {
        match &self.reply {
            Reply::Session { session, .. } => Some(session.id().0),
            Reply::Waiting(_) => None,
        }
    }

    /// Whether the mutation may still be appended: its session is open, and nothing before it failed meanwhile.
    pub fn check_order(&self) -> Result<(), Refusal> {
        match &self.reply {
            Reply::Session { session, ordinal, .. } => {
                if session.closed() == Some(loquat_proto::CloseCode::Revoked) {
                    return Err(Refusal::Unauthorized);
                }
                ordinal.map_or(Ok(()), |ordinal| session.order().check(self.conversation, ordinal))
            }
            Reply::Waiting(_) => Ok(()),
        }
    }

    /// Answers that it stands in the log.
    pub fn succeed(self, appended: Appended) {
        match self.reply {
            // The caller may have gone; the event stands all the same.
            Reply::Waiting(sender) => drop(sender.send(Ok(appended))),
            Reply::Session { session, re, .. } => {
                if let Some(nonce) = &self.nonce {
                    session.order().settled(self.conversation, nonce);
                }
                if let Some(re) = re {
                    failpoint::pass("before_ack");
                    session.push(frame::answer_appended(
                        re,
                        appended.conversation,
                        appended.seq,
                        appended.ts,
                    ));
                    failpoint::pass("after_ack");
                }
            }
        }
    }

    /// Notes a refusal in the session's order, at once: where it is retryable, what comes behind must fail too.
    pub fn note_refusal(&self, refusal: &Refusal) {
        let Reply::Session { session, ordinal: Some(ordinal), .. } = &self.reply else { return };
        let Some(nonce) = &self.nonce else { return };
        match refusal.retry_after_ms() {
            Some(retry_after_ms) => {
                session.order().failed(self.conversation, nonce, *ordinal, retry_after_ms);
            }
            None => session.order().settled(self.conversation, nonce),
        }
    }

    /// Notes and answers that it was refused.
    pub fn refuse(self, refusal: Refusal) {
        self.note_refusal(&refusal);
        self.answer_refusal(refusal);
    }

    /// Answers that it was refused, as was noted before.
    pub fn answer_refusal(self, refusal: Refusal) {
        match self.reply {
            Reply::Waiting(sender) => drop(sender.send(Err(refusal))),
            Reply::Session { session, re, .. } => {
                session.push(frame::answer_error(re, &ErrorBody::from(&refusal)));
                if let Some(nonce) = &self.nonce {
                    session.order().told(self.conversation, nonce);
                }
            }
        }
    }
}
