//! What was asked of the service and what it answered: the evidence that outlives any fault.
//!
//! Intents are on disk before they are sent. Answers are appended when they come; should this program die
//! between, the request merely counts as unanswered.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::event::{ConversationId, UserId};
use crate::failure::{Failure, Outcome};

/// What a request wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Send a text.
    Send { text: String },
    /// Give an own message a new text.
    Edit { target: u64, text: String },
    /// Erase an own message.
    Delete { target: u64 },
    /// Put a reaction on, or take it off.
    React { target: u64, emoji: String, on: bool },
    /// Add somebody.
    Add { user: UserId },
    /// Remove somebody.
    Remove { user: UserId },
}

impl Operation {
    /// The kind of event it leaves.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Send { .. } => "message",
            Self::Edit { .. } => "edit",
            Self::Delete { .. } => "delete",
            Self::React { .. } => "reaction",
            Self::Add { .. } | Self::Remove { .. } => "member",
        }
    }

    /// Whether an acknowledgement always means a new event. What is already so (the same reaction, a member
    /// added twice) is acknowledged without one.
    pub(crate) fn always_appends(&self) -> bool {
        matches!(self, Self::Send { .. } | Self::Edit { .. })
    }
}

/// The socket a request went by, and its place in the order of that socket's frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SocketOrder {
    pub(crate) socket: u64,
    pub(crate) index: u64,
}

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Intent {
    pub(crate) nonce: String,
    pub(crate) conversation: ConversationId,
    pub(crate) operation: Operation,
    /// `None` where it went by REST.
    pub(crate) order: Option<SocketOrder>,
}

/// What became of a request, as far as its sender knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// None came, or one that asks for a retry: it may have happened or not.
    None,
    /// It happened; at this `seq` where the answer said so.
    Done(Option<u64>),
    /// It did not happen, and will not.
    Refused(String),
}

/// Which try an answer belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// The first.
    First,
    /// A later one: it has lost its place in the order of its socket.
    Replay,
}

/// A request and what became of it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) user: UserId,
    pub(crate) intent: Intent,
    pub(crate) answer: Answer,
}

/// All requests of one user.
#[derive(Debug)]
pub(crate) struct Ledger {
    user: UserId,
    file: File,
    entries: Vec<Entry>,
    places: HashMap<String, usize>,
}

impl Ledger {
    /// An empty ledger in a new file.
    pub(crate) fn create(path: &Path, user: UserId) -> Outcome<Self> {
        let file = File::create(path).map_err(Failure::io(format!("creating {}", path.display())))?;
        Ok(Self { user, file, entries: Vec::new(), places: HashMap::new() })
    }

    /// Notes, durably, what will be asked.
    pub(crate) fn intend(&mut self, intents: &[Intent]) -> Outcome<()> {
        let mut lines = String::new();
        for intent in intents {
            let operation = format!("{:?}", intent.operation);
            let line =
                json!({"nonce": intent.nonce, "conversation": intent.conversation.0, "asks": operation});
            lines.push_str(&format!("{line}\n"));
            self.places.insert(intent.nonce.clone(), self.entries.len());
            let user = self.user.clone();
            self.entries.push(Entry { user, intent: intent.clone(), answer: Answer::None });
        }
        self.append(&lines)?;
        self.file.sync_data().map_err(Failure::io("syncing a ledger"))
    }

    /// Notes an answer. What was once done stays done: a later answer to a replay does not change it.
    pub(crate) fn settle(&mut self, nonce: &str, answer: Answer, attempt: Attempt) -> Outcome<()> {
        let line: Value = match &answer {
            Answer::None => return Ok(()),
            Answer::Done(seq) => json!({"nonce": nonce, "seq": seq}),
            Answer::Refused(code) => json!({"nonce": nonce, "refused": code}),
        };
        self.append(&format!("{line}\n"))?;
        let place = self.places.get(nonce).and_then(|place| self.entries.get_mut(*place));
        if let Some(entry) = place
            && !matches!(entry.answer, Answer::Done(_))
        {
            entry.answer = answer;
            if attempt == Attempt::Replay {
                entry.intent.order = None;
            }
        }
        Ok(())
    }

    fn append(&mut self, lines: &str) -> Outcome<()> {
        self.file.write_all(lines.as_bytes()).map_err(Failure::io("writing a ledger"))
    }

    /// Everything asked so far, in order.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }
}
