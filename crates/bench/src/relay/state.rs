//! What the relay knows: the sockets of its users, the head of each conversation, receipts that wait.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::extract::ws::Utf8Bytes;
use parking_lot::Mutex;

use super::{
    frames::{self, Message},
    log::Log,
    outbox::Outbox,
};
use crate::layout::Layout;

/// Groups above this size gather receipts instead of sending each at once, as direct conversations do.
const DIRECT_MEMBERS: usize = 2;
/// Above this size nobody is told of the receipts of others.
const TOLD_MEMBERS: usize = 256;

/// The shared state of all sessions. Ids on the wire are the numbers of the layout plus one.
pub(super) struct Relay {
    layout: Layout,
    conversations: Vec<Mutex<Conversation>>,
    users: Vec<Mutex<Option<Arc<Outbox>>>>,
    log: Option<Arc<Log>>,
}

#[derive(Default)]
struct Conversation {
    head: u64,
    /// Delivered cursors that moved since the last gathering, by user id.
    moved: BTreeMap<u64, u64>,
}

/// A message on its way to its readers, held back until it is durable where a log is kept.
pub(super) struct Append {
    pub(super) conversation: usize,
    pub(super) sender: usize,
    pub(super) answer: Utf8Bytes,
    pub(super) event: Utf8Bytes,
}

impl Relay {
    pub(super) fn new(layout: Layout, log: Option<Arc<Log>>) -> Self {
        Self {
            layout,
            conversations: (0..layout.conversations()).map(|_| Mutex::default()).collect(),
            users: (0..layout.users()).map(|_| Mutex::default()).collect(),
            log,
        }
    }

    /// Connects a user's socket; a later one replaces it. False where there is no such user.
    pub(super) fn join(&self, user: usize, outbox: &Arc<Outbox>) -> bool {
        let Some(slot) = self.users.get(user) else { return false };
        *slot.lock() = Some(Arc::clone(outbox));
        true
    }

    /// Forgets a socket when it ends, unless another has replaced it.
    pub(super) fn leave(&self, user: usize, outbox: &Arc<Outbox>) {
        if let Some(slot) = self.users.get(user) {
            let mut slot = slot.lock();
            if slot.as_ref().is_some_and(|current| Arc::ptr_eq(current, outbox)) {
                *slot = None;
            }
        }
    }

    /// Gives a message its place and passes it on, through the log where there is one. False where the
    /// sender is no member.
    pub(super) fn send(&self, sender: usize, re: u64, conversation_id: u64, text: &str) -> bool {
        let Some(conversation) = self.member_of(sender, conversation_id) else { return false };
        let seq = {
            let mut state = self.conversations[conversation].lock();
            state.head += 1;
            state.head
        };
        let message =
            Message { conversation: conversation_id, seq, ts: now_ms(), sender: wire_id(sender), text };
        let event = frames::event(&message);
        let append = Append { conversation, sender, answer: frames::answer(re, &message), event };
        match &self.log {
            Some(log) => {
                let record = append.event.clone();
                log.append(&record, append);
            }
            None => self.publish(append),
        }
        true
    }

    /// Answers the sender and delivers to the other members.
    pub(super) fn publish(&self, append: Append) {
        self.push(append.sender, append.answer);
        for member in self.layout.members(append.conversation) {
            if member != append.sender {
                self.push(member, append.event.clone());
            }
        }
    }

    /// Passes a delivered cursor on: at once between two, gathered in groups. False where the user is no member.
    pub(super) fn acknowledge(&self, user: usize, conversation_id: u64, delivered: u64) -> bool {
        let Some(conversation) = self.member_of(user, conversation_id) else { return false };
        let members = self.layout.members(conversation);
        if members.len() > TOLD_MEMBERS {
            return true;
        }
        if members.len() > DIRECT_MEMBERS {
            self.conversations[conversation].lock().moved.insert(wire_id(user), delivered);
            return true;
        }
        let receipt = frames::receipt(conversation_id, &[(wire_id(user), delivered)]);
        for member in members {
            if member != user {
                self.push(member, receipt.clone());
            }
        }
        true
    }

    /// Sends every member of every group the cursors that moved since the last call.
    pub(super) fn flush_group_receipts(&self) {
        for (conversation, state) in self.conversations.iter().enumerate() {
            let moved = std::mem::take(&mut state.lock().moved);
            if moved.is_empty() {
                continue;
            }
            let items: Vec<(u64, u64)> = moved.into_iter().collect();
            let receipt = frames::receipt(wire_id(conversation), &items);
            for member in self.layout.members(conversation) {
                self.push(member, receipt.clone());
            }
        }
    }

    fn member_of(&self, user: usize, conversation_id: u64) -> Option<usize> {
        let conversation = usize::try_from(conversation_id.checked_sub(1)?).ok()?;
        let known = conversation < self.conversations.len();
        (known && self.layout.members(conversation).contains(&user)).then_some(conversation)
    }

    fn push(&self, user: usize, frame: Utf8Bytes) {
        if let Some(outbox) = self.users[user].lock().as_ref() {
            outbox.push(frame);
        }
    }
}

/// The id on the wire of the user or conversation with this number.
pub(super) fn wire_id(number: usize) -> u64 {
    number as u64 + 1
}

/// Milliseconds since the Unix epoch.
fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as u64)
}
