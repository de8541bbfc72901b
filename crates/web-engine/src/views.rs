//! What the pages were told, and how that differs from what is there now.
//!
//! Snapshots are compared as the JSON that was told: what a page cannot see changed is not told again. A timeline is
//! told as one splice, which is exact for what happens in practice (a message more at either end, one changed, a queued
//! one in its place) and right for everything.

use std::collections::{BTreeMap, BTreeSet};

use loquat_engine::Engine;
use loquat_engine::view::{SyncState, Timeline, ViewChange};
use loquat_proto::{ConversationId, Profile, UserId};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::messages::{TimelinePatch, ViewPatch};

/// One timeline as it was told.
#[derive(Debug, Default)]
struct Told {
    version: u64,
    items: Vec<Box<RawValue>>,
    details: String,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Views {
    sync: bool,
    conversations: bool,
    outbox: bool,
    profiles: bool,
    timelines: BTreeSet<ConversationId>,
    told_sync: Option<SyncState>,
    told_order: Vec<ConversationId>,
    told_lines: BTreeMap<ConversationId, String>,
    told_timelines: BTreeMap<ConversationId, Told>,
    told_profiles: BTreeMap<UserId, Profile>,
    versions: u64,
}

impl Views {
    /// Everything is to be told.
    pub(crate) fn mark_all(&mut self) {
        (self.sync, self.conversations, self.outbox, self.profiles) = (true, true, true, true);
    }

    pub(crate) fn mark(&mut self, change: &ViewChange) {
        match change {
            ViewChange::Sync(_) => self.sync = true,
            ViewChange::Conversations | ViewChange::Typing(_) | ViewChange::Presence(_) => {
                self.conversations = true;
            }
            ViewChange::Timeline(conversation) => {
                self.timelines.insert(*conversation);
            }
            ViewChange::Outbox => {
                // Queued messages stand in the list and in timelines, too.
                (self.outbox, self.conversations) = (true, true);
            }
            ViewChange::Profiles => {
                (self.profiles, self.conversations) = (true, true);
                self.timelines.extend(self.told_timelines.keys());
            }
            ViewChange::ConversationLeft(conversation) => {
                self.conversations = true;
                self.told_timelines.remove(conversation);
            }
            ViewChange::LogAdvanced { .. }
            | ViewChange::MessageArrived(_)
            | ViewChange::Acknowledged { .. }
            | ViewChange::Refused { .. }
            | ViewChange::Account(_)
            | ViewChange::Unauthorized => {}
        }
    }

    pub(crate) fn are_stale(&self) -> bool {
        self.sync || self.conversations || self.outbox || self.profiles || !self.timelines.is_empty()
    }

    /// What changed since the last time; everything, if `whole`.
    pub(crate) fn take(&mut self, engine: &Engine, whole: bool) -> ViewPatch {
        if whole {
            let timelines = std::mem::take(&mut self.told_timelines).into_keys().collect();
            *self = Self { timelines, versions: self.versions, ..Self::default() };
            self.mark_all();
        }
        let mut patch = ViewPatch { whole, ..ViewPatch::default() };
        if std::mem::take(&mut self.sync) {
            let state = engine.sync_state();
            patch.sync = (self.told_sync != Some(state)).then_some(state);
            self.told_sync = Some(state);
        }
        if std::mem::take(&mut self.profiles) {
            self.take_profiles(engine, &mut patch);
        }
        if std::mem::take(&mut self.conversations) {
            self.take_conversations(engine, &mut patch);
            // Settings and cursors are not timelines of their own.
            self.timelines.extend(self.told_timelines.keys());
        }
        if std::mem::take(&mut self.outbox) {
            patch.outbox = Some(engine.outbox());
        }
        for conversation in std::mem::take(&mut self.timelines) {
            self.take_timeline(engine, conversation, &mut patch);
        }
        patch
    }

    fn take_profiles(&mut self, engine: &Engine, patch: &mut ViewPatch) {
        for profile in engine.profiles() {
            if self.told_profiles.get(&profile.id) != Some(profile) {
                self.told_profiles.insert(profile.id, profile.clone());
                patch.profiles.push(profile.clone());
            }
        }
    }

    fn take_conversations(&mut self, engine: &Engine, patch: &mut ViewPatch) {
        let lines = engine.conversations();
        let order: Vec<ConversationId> = lines.iter().map(|line| line.id).collect();
        for line in lines {
            let Some(raw) = raw(&line) else { continue };
            if self.told_lines.get(&line.id).is_none_or(|told| told != raw.get()) {
                self.told_lines.insert(line.id, raw.get().to_owned());
                patch.conversations.push(raw);
            }
        }
        if order != self.told_order || patch.whole {
            self.told_lines.retain(|id, _| order.contains(id));
            self.told_order.clone_from(&order);
            patch.order = Some(order);
        }
    }

    fn take_timeline(&mut self, engine: &Engine, conversation: ConversationId, patch: &mut ViewPatch) {
        let Some(timeline) = engine.timeline(conversation) else {
            self.told_timelines.remove(&conversation);
            return;
        };
        let told = self.told_timelines.entry(conversation).or_default();
        self.versions += 1;
        patch.timelines.push(splice(told, timeline, self.versions));
        if let Some(details) = engine.conversation(conversation).and_then(raw) {
            if told.details != details.get() {
                details.get().clone_into(&mut told.details);
                patch.details.push(details);
            }
        }
    }
}

fn splice(told: &mut Told, timeline: Timeline, version: u64) -> TimelinePatch {
    let items: Vec<Box<RawValue>> = timeline.items.iter().filter_map(raw).collect();
    let (old, new) = (&told.items, &items);
    type Item = Box<RawValue>;
    let same = |pair: &(&Item, &Item)| pair.0.get() == pair.1.get();
    let start = old.iter().zip(new).take_while(same).count();
    let shorter = old.len().min(new.len()) - start;
    let end = old.iter().rev().zip(new.iter().rev()).take(shorter).take_while(same).count();
    let patch = TimelinePatch {
        conversation: timeline.conversation,
        base: told.version,
        version,
        start,
        remove: old.len() - start - end,
        insert: new[start..new.len() - end].to_vec(),
        has_older: timeline.has_older,
        loading: timeline.loading,
        head: timeline.head,
        read: timeline.read,
        cursors: timeline.cursors,
    };
    told.version = version;
    told.items = items;
    patch
}

/// A snapshot as JSON. `None` cannot be: the types have string keys only.
fn raw<T: Serialize>(value: &T) -> Option<Box<RawValue>> {
    to_raw_value(value).ok()
}
