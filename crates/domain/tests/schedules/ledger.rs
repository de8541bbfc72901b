//! What happened, in the order in which it was noticed: for the oracle.

use std::sync::Arc;

use loquat_domain::Caller;
use loquat_domain::fanout::SessionId;
use loquat_domain::messages::Act;
use loquat_domain::ports::{Signal, Topic};
use loquat_proto::conversation::Cursor;
use loquat_proto::message::{Appended, EventPage};
use loquat_proto::{ConversationId, ErrorBody, Event, Nonce, Ready, Seq, UserId};
use parking_lot::Mutex;

/// A moment: grows with everything that is noted.
pub type Moment = u64;

/// Asked for at one moment, known to be done at another.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub asked: Moment,
    pub done: Option<Moment>,
}

/// A change of who is a member.
#[derive(Debug, Clone, Copy)]
pub struct MemberSpan {
    pub conversation: ConversationId,
    pub user: UserId,
    /// Whether it lets the user in.
    pub enters: bool,
    pub span: Span,
}

/// What a client saw of its session, in order.
#[derive(Debug, Clone)]
pub enum Seen {
    Ready(Box<Ready>),
    Event(Event),
    /// An own mutation stands in the log.
    Acknowledged {
        conversation: ConversationId,
        seq: Seq,
    },
    Receipt {
        conversation: ConversationId,
        items: Vec<Cursor>,
    },
    Account(u64),
    Tick(String),
}

/// One session, with what its client knew already.
#[derive(Debug, Clone)]
pub struct SessionLog {
    pub caller: Caller,
    /// What the sessions saw that this one goes on from, then what it saw itself.
    pub seen: Vec<Seen>,
    /// Where its own part begins.
    pub own: usize,
    /// Whether it was open to the end.
    pub open: bool,
}

/// A mutation, as its client knows it.
#[derive(Debug, Clone)]
pub struct Item {
    pub caller: Caller,
    pub conversation: ConversationId,
    pub nonce: Nonce,
    pub act: Act,
    pub state: ItemState,
    /// The sessions by which it was sent.
    pub sessions: Vec<SessionId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemState {
    /// To be sent, once more perhaps.
    Waiting,
    /// Sent under this frame id.
    InFlight(u64),
    Acknowledged(Appended),
    Refused(ErrorBody),
}

/// A frame about a conversation on its way to a user.
#[derive(Debug, Clone)]
pub struct Published {
    pub at: Moment,
    pub user: UserId,
    pub frame: String,
}

/// A page of a log that a member read by REST.
#[derive(Debug, Clone)]
pub struct Read {
    pub user: UserId,
    pub conversation: ConversationId,
    pub page: EventPage,
}

/// A group, with how many members it began with.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    pub id: ConversationId,
    pub founders: u64,
}

#[derive(Debug, Default)]
pub struct Notes {
    pub now: Moment,
    pub members: Vec<MemberSpan>,
    pub published: Vec<Published>,
    pub reads: Vec<Read>,
    pub groups: Vec<Group>,
    pub deleted: Vec<ConversationId>,
}

/// The notes of one schedule, shared by everybody in it.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    notes: Arc<Mutex<Notes>>,
}

impl Ledger {
    pub fn with<T>(&self, work: impl FnOnce(&mut Notes) -> T) -> T {
        let mut notes = self.notes.lock();
        notes.now += 1;
        work(&mut notes)
    }

    /// Notes that a membership is asked to change; the answer names the note.
    pub fn ask(&self, conversation: ConversationId, user: UserId, enters: bool) -> usize {
        self.with(|notes| {
            let span = Span { asked: notes.now, done: None };
            notes.members.push(MemberSpan { conversation, user, enters, span });
            notes.members.len() - 1
        })
    }

    /// Notes that a change is done.
    pub fn done(&self, note: usize) {
        self.with(|notes| notes.members[note].span.done = Some(notes.now));
    }

    /// Notes that a change was refused: it never was.
    pub fn refused(&self, note: usize) {
        self.with(|notes| notes.members[note].span = Span { asked: Moment::MAX, done: None });
    }

    /// Hears all that is published.
    pub fn hear(&self, topic: Topic, signal: &Signal) {
        match (topic, signal) {
            (Topic::User(user), Signal::Frame { frame, .. }) => self.publish(user, frame),
            (Topic::Conversation(_), Signal::Shared { frame, instead, .. }) => {
                for (user, frame) in instead.iter().filter_map(|(user, frame)| Some((*user, frame.as_ref()?)))
                {
                    self.publish(user, frame);
                }
                self.publish(somebody(), frame);
            }
            _ => {}
        }
    }

    fn publish(&self, user: UserId, frame: &[u8]) {
        let frame = String::from_utf8(frame.to_vec()).expect("frames are text");
        self.with(|notes| notes.published.push(Published { at: notes.now, user, frame }));
    }
}

/// To whom goes what is published to a channel: it is shown to somebody who is none of the cast.
fn somebody() -> UserId {
    UserId::new(1).expect("1 is an id")
}
