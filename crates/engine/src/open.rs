//! Open timelines: which part of a log is in memory, how it gets there from the store, and how it stays exact while
//! loads are under way.

use std::collections::BTreeSet;

use loquat_proto::{ConversationId, ConversationKind, Event, Seq};

use crate::CommandError;
use crate::effect::LoadId;
use crate::engine::{Engine, LoadFor};
use crate::room::Room;
use crate::store::{Query, is_shown};
use crate::window::{Entry, Window};

/// Entries loaded from the store at once.
const PAGE: usize = 50;
/// Quoted messages kept beside a window.
const QUOTED: usize = 200;

/// An open timeline.
#[derive(Debug, Default)]
pub(crate) struct Open {
    /// Ascending with each opening, for who was opened longest ago.
    pub(crate) order: u64,
    /// What is shown; `None` until it was loaded.
    pub(crate) window: Option<Window>,
    /// The load that is under way.
    pub(crate) loading: Option<LoadId>,
    /// Events applied since that load was asked for: it does not have them.
    since_load: Vec<Event>,
    /// Whether the user asked for more above, which is not there yet.
    pub(crate) wants_older: bool,
    /// Messages quoted in the window that are not in it.
    pub(crate) quoted: Option<Window>,
    /// Which ones were looked for.
    looked_for: BTreeSet<Seq>,
}

/// What a load of a window was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WindowPage {
    conversation: ConversationId,
    before: Seq,
    floor: Seq,
}

impl Open {
    /// What is shown is not adjacent to the newest part any more: it is loaded anew.
    pub(crate) fn drop_windows(&mut self) {
        self.window = None;
        self.loading = None;
        self.since_load.clear();
        self.quoted = None;
        self.looked_for.clear();
    }

    /// Erases what has expired. A load under way may bring what it was: it is asked for anew.
    pub(crate) fn expire(&mut self, upto: Seq) {
        for window in [self.window.as_mut(), self.quoted.as_mut()].into_iter().flatten() {
            window.expire(upto);
        }
        self.loading = None;
        self.since_load.clear();
    }

    /// Applies an event at the top.
    pub(crate) fn apply(&mut self, event: &Event, bound: usize) {
        if self.loading.is_some() {
            self.since_load.push(event.clone());
            if self.since_load.len() > bound {
                self.drop_windows();
                return;
            }
        }
        if let Some(window) = self.window.as_mut() {
            window.apply(event);
            window.trim(bound);
        }
        if let Some(quoted) = self.quoted.as_mut() {
            if !is_shown(event.kind) {
                quoted.apply(event);
            }
        }
    }
}

impl Engine {
    pub(crate) fn open(&mut self, conversation: ConversationId) -> Result<(), CommandError> {
        self.opened += 1;
        let order = self.opened;
        let room = self.room(conversation)?;
        let kind = room.summary.as_ref().map(|summary| summary.kind);
        let was_open = room.open.is_some();
        room.open.get_or_insert_default().order = order;
        match kind {
            Some(ConversationKind::Group) if !was_open => self.list_members(conversation, None),
            // Joins and leaves are not in a channel's log: how many members it has by now is asked for.
            Some(ConversationKind::Channel) => self.refresh_summary(conversation),
            _ => {}
        }
        self.close_oldest();
        self.wanted.insert(conversation);
        self.changes.timelines.insert(conversation);
        self.serve_window(conversation);
        Ok(())
    }

    fn close_oldest(&mut self) {
        let open = self.rooms.iter().filter_map(|(id, room)| Some((room.open.as_ref()?.order, *id)));
        let mut open: Vec<(u64, ConversationId)> = open.collect();
        open.sort_unstable();
        let excess = open.len().saturating_sub(self.options.open.max(1));
        for (_, conversation) in open.into_iter().take(excess) {
            self.close_timeline(conversation);
        }
    }

    pub(crate) fn close_timeline(&mut self, conversation: ConversationId) {
        if let Some(room) = self.rooms.get_mut(&conversation) {
            room.open = None;
        }
        self.send_draft(conversation);
    }

    pub(crate) fn load_older(&mut self, conversation: ConversationId) -> Result<(), CommandError> {
        let room = self.room(conversation)?;
        if let Some(open) = room.open.as_mut() {
            open.wants_older = true;
        }
        self.changes.timelines.insert(conversation);
        self.serve_window(conversation);
        Ok(())
    }

    /// Loads what an open conversation shows, as far as the store has it; the rest is fetched.
    pub(crate) fn serve_window(&mut self, conversation: ConversationId) {
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        let (visible_from, newest) = (room.visible_from(), room.progress.ranges.newest());
        let Some(open) = room.open.as_mut().filter(|open| open.loading.is_none()) else { return };
        let (low, top) = newest.unwrap_or((visible_from, visible_from - 1));
        let before = match &open.window {
            None if newest.is_none() && room.progress.head >= visible_from => return,
            None => top + 1,
            Some(_) if !open.wants_older => return,
            Some(window) if window.low > low => window.low,
            Some(_) if low > visible_from => {
                // The store has no more: the server has.
                self.wanted.insert(conversation);
                return;
            }
            Some(_) => {
                open.wants_older = false;
                return;
            }
        };
        let page = WindowPage { conversation, before, floor: low };
        let query = Query::Page { conversation, before, floor: low, limit: PAGE };
        let id = self.load(query, LoadFor::Window(page));
        if let Some(open) = self.rooms.get_mut(&conversation).and_then(|room| room.open.as_mut()) {
            open.loading = Some(id);
            open.since_load.clear();
        }
    }

    pub(crate) fn window_loaded(&mut self, id: LoadId, page: WindowPage, events: &[Event]) {
        let me = self.me;
        let Some(room) = self.rooms.get_mut(&page.conversation) else { return };
        let Some(open) = room.open.as_mut().filter(|open| open.loading == Some(id)) else { return };
        open.loading = None;
        let since_load = std::mem::take(&mut open.since_load);
        let shown = events.iter().filter(|event| is_shown(event.kind) && event.seq < page.before);
        let low = match shown.clone().next() {
            Some(first) if shown.count() >= PAGE => first.seq,
            _ => page.floor,
        };
        let mut loaded = Window::new(me, low);
        loaded.fold(events.iter().chain(&since_load));
        match open.window.as_mut() {
            Some(window) => {
                open.wants_older = false;
                window.extend_down(loaded);
            }
            None => open.window = Some(loaded),
        }
        self.changes.timelines.insert(page.conversation);
        self.load_quoted(page.conversation);
        self.serve_window(page.conversation);
    }

    /// Looks for messages that are quoted in the window and not in it.
    pub(crate) fn load_quoted(&mut self, conversation: ConversationId) {
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        let Some(open) = room.open.as_mut() else { return };
        let Some(window) = &open.window else { return };
        if open.looked_for.len() > QUOTED {
            open.looked_for.clear();
            open.quoted = None;
        }
        let quoted = window.entries.values().filter_map(|entry| match entry {
            Entry::Message(folded) => folded.message.reply_to,
            Entry::Notice { .. } => None,
        });
        // Only from the newest part: what lies below a gap may have been erased in it.
        let newest = room.progress.ranges.newest().map_or(Seq::MAX, |(first, _)| first);
        let missing = |seq: &Seq| (newest..window.low).contains(seq);
        let seqs: Vec<Seq> =
            quoted.filter(missing).filter(|seq| !open.looked_for.contains(seq)).take(QUOTED).collect();
        if seqs.is_empty() {
            return;
        }
        open.looked_for.extend(&seqs);
        self.load(Query::Messages { conversation, seqs }, LoadFor::Quoted(conversation));
    }

    pub(crate) fn quoted_loaded(&mut self, conversation: ConversationId, events: &[Event]) {
        let me = self.me;
        let Some(room) = self.rooms.get_mut(&conversation) else { return };
        let expired_to = room.expired_to();
        let Some(open) = room.open.as_mut() else { return };
        let quoted = open.quoted.get_or_insert_with(|| Window::new(me, 1));
        quoted.fold(events);
        // They may have been read before they expired.
        quoted.expire(expired_to);
        self.changes.timelines.insert(conversation);
    }
}

impl Room {
    /// Whether there is more above what is shown.
    pub(crate) fn has_older(&self) -> bool {
        let low = self.open.as_ref().and_then(|open| open.window.as_ref()).map(|window| window.low);
        low.unwrap_or(self.progress.head + 1) > self.visible_from()
    }
}
