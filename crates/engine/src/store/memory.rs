//! The reference store, in memory: for tests, and for hosts without storage.

use std::collections::BTreeMap;
use std::convert::Infallible;

use loquat_proto::{Conversation, ConversationId, Event, EventBody, EventKind, Nonce, Profile, Seq, UserId};

use super::search::{has_all, phrases, words};
use super::{
    Found, Operation, Progress, Query, QueuedChange, Restored, Search, Store, SyncPoint, is_shown, target,
};

type Log = BTreeMap<Seq, Event>;

/// See the module. Cloning it is a snapshot, as a crash would leave it.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    sync: SyncPoint,
    conversations: BTreeMap<ConversationId, Conversation>,
    progress: BTreeMap<ConversationId, Progress>,
    logs: BTreeMap<ConversationId, Log>,
    queue: BTreeMap<Nonce, QueuedChange>,
    profiles: BTreeMap<UserId, Profile>,
}

impl MemoryStore {
    fn apply_one(&mut self, operation: &Operation) {
        match operation {
            Operation::PutConversation(conversation) => {
                self.conversations.insert(conversation.id, (**conversation).clone());
            }
            Operation::PutProgress(conversation, progress) => {
                self.progress.insert(*conversation, progress.clone());
            }
            Operation::RemoveConversation(conversation) => {
                self.conversations.remove(conversation);
                self.progress.remove(conversation);
                self.logs.remove(conversation);
                self.queue.retain(|_, change| change.conversation != *conversation);
            }
            Operation::ForgetLog(conversation) => {
                self.logs.remove(conversation);
            }
            Operation::PutEvents(events) => {
                for event in events {
                    let log = self.logs.entry(event.conversation).or_default();
                    log.entry(event.seq).or_insert_with(|| event.clone());
                }
            }
            Operation::Erase { conversation, target } => self.erase(*conversation, *target),
            Operation::EraseUpTo { conversation, upto } => self.erase_up_to(*conversation, *upto),
            Operation::PutChange(change) => {
                self.queue.insert(change.nonce.clone(), (**change).clone());
            }
            Operation::RemoveChange(nonce) => {
                self.queue.remove(nonce);
            }
            Operation::PutProfile(profile) => {
                self.profiles.insert(profile.id, (**profile).clone());
            }
            Operation::PutSync(point) => self.sync = point.clone(),
        }
    }

    fn erase(&mut self, conversation: ConversationId, message: Seq) {
        let Some(log) = self.logs.get_mut(&conversation) else { return };
        for event in log.range_mut(message..).map(|(_, event)| event) {
            let is_edit = event.kind == EventKind::Edit && target(event) == Some(message);
            if event.seq == message || is_edit {
                event.body = None;
            }
        }
    }

    fn erase_up_to(&mut self, conversation: ConversationId, upto: Seq) {
        for event in self.logs.get_mut(&conversation).into_iter().flat_map(BTreeMap::values_mut) {
            let about = match event.kind {
                EventKind::Message => Some(event.seq),
                EventKind::Edit | EventKind::Reaction => target(event),
                _ => None,
            };
            if about.is_some_and(|seq| seq <= upto) {
                event.body = None;
            }
        }
    }

    fn with_targeting(log: &Log, mut chosen: Log) -> Vec<Event> {
        let Some(first) = chosen.keys().next().copied() else { return Vec::new() };
        let targeting = log.range(first..).filter(|(_, event)| {
            target(event).is_some_and(|seq| chosen.get(&seq).is_some_and(|event| is_shown(event.kind)))
        });
        let targeting: Vec<(Seq, Event)> = targeting.map(|(seq, event)| (*seq, event.clone())).collect();
        chosen.extend(targeting);
        chosen.into_values().collect()
    }

    /// The text of now; `None` for what is no message or was deleted.
    fn text(log: &Log, message: &Event) -> Option<String> {
        let Ok(Some(EventBody::Message(body))) = message.decode() else { return None };
        let changes = log.range(message.seq..).map(|(_, event)| event);
        let changes = changes.filter(|event| target(event) == Some(message.seq));
        changes.filter_map(|event| event.decode().ok().flatten()).try_fold(body.text, |text, body| match body
        {
            EventBody::Delete(_) => None,
            EventBody::Edit(edit) => Some(edit.text),
            _ => Some(text),
        })
    }
}

impl Store for MemoryStore {
    type Error = Infallible;

    fn apply(&mut self, operations: &[Operation]) -> Result<(), Infallible> {
        operations.iter().for_each(|operation| self.apply_one(operation));
        Ok(())
    }

    fn load(&mut self, query: &Query) -> Result<Vec<Event>, Infallible> {
        let (Query::Page { conversation, .. }
        | Query::Messages { conversation, .. }
        | Query::Events { conversation, .. }) = query;
        let Some(log) = self.logs.get(conversation) else { return Ok(Vec::new()) };
        let copy = |(seq, event): (&Seq, &Event)| (*seq, event.clone());
        Ok(match query {
            Query::Page { before, floor, limit, .. } => {
                let shown = log.range(*floor..(*before).max(*floor)).rev();
                let shown = shown.filter(|(_, event)| is_shown(event.kind)).take(*limit);
                Self::with_targeting(log, shown.map(copy).collect())
            }
            Query::Messages { seqs, .. } => {
                let chosen = log.iter().filter(|(seq, _)| seqs.contains(seq));
                Self::with_targeting(log, chosen.map(copy).collect())
            }
            Query::Events { after, limit, .. } => {
                log.range(after.saturating_add(1)..).take(*limit).map(|(_, event)| event.clone()).collect()
            }
        })
    }

    fn search(&mut self, search: &Search) -> Result<Vec<Found>, Infallible> {
        let phrases = phrases(&search.text);
        if phrases.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = |id: &ConversationId| search.conversation.is_none_or(|wanted| wanted == *id);
        let logs = self.logs.iter().filter(|(id, _)| wanted(id));
        let mut found: Vec<Found> = logs
            .flat_map(|(conversation, log)| {
                log.values().filter_map(|event| {
                    let text = Self::text(log, event)?;
                    let (seq, ts, sender) = (event.seq, event.ts, event.sender);
                    has_all(&words(&text), &phrases).then_some(Found {
                        conversation: *conversation,
                        seq,
                        ts,
                        sender,
                        text,
                    })
                })
            })
            .collect();
        found.sort_by_key(|found| std::cmp::Reverse((found.ts, found.seq)));
        found.truncate(search.limit);
        Ok(found)
    }

    fn restore(&mut self) -> Result<Restored, Infallible> {
        let mut queue: Vec<QueuedChange> = self.queue.values().cloned().collect();
        queue.sort_by_key(|change| change.order);
        let conversations = self.conversations.iter().map(|(id, conversation)| {
            (conversation.clone(), self.progress.get(id).cloned().unwrap_or_default())
        });
        Ok(Restored {
            sync: self.sync.clone(),
            conversations: conversations.collect(),
            queue,
            profiles: self.profiles.values().cloned().collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_conforms() {
        super::super::conformance::check(MemoryStore::default);
    }
}
