//! Hints from lanes to workers: something may have become due earlier than planned.

use std::collections::HashSet;

use loquat_proto::ConversationId;
use parking_lot::Mutex;

/// Conversations that are remembered; beyond, hints are dropped: the job looks again by itself, only later.
const MANY: usize = 10_000;

/// Conversations whose members have acknowledged what is erased once delivered. A hint, never the truth: a lost one
/// delays an erasure until its job looks again.
#[derive(Debug, Default)]
pub struct Hints {
    conversations: Mutex<HashSet<ConversationId>>,
}

impl Hints {
    /// Something was acknowledged here.
    pub fn note(&self, conversation: ConversationId) {
        let mut conversations = self.conversations.lock();
        if conversations.len() < MANY {
            conversations.insert(conversation);
        }
    }

    /// Takes all.
    pub(super) fn take(&self) -> Vec<ConversationId> {
        let mut taken: Vec<ConversationId> = self.conversations.lock().drain().collect();
        // A set's order is random; a test's schedule is not.
        taken.sort_unstable();
        taken
    }
}
