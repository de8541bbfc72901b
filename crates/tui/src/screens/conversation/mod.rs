//! The open conversation: its timeline, where the pane looks, what is selected, and the compose box.

pub mod items;
pub mod scroll;
pub mod select;
pub mod view;

use std::collections::HashSet;

use loquat_client::view::{MessageView, Timeline, TimelineItem};
use loquat_proto::{Conversation as Whole, ConversationId, Seq, UserId};

use self::items::{Context, Key};
use self::scroll::{Anchor, Pane};
use crate::app::Me;
use crate::screens::compose::Compose;

/// On opening, the first unread message is looked for among this many entries; further up it begins with the oldest.
const MOST_SEARCHED: usize = 1_000;

/// A message that is sought is given up after so many entries: the nearest one is shown.
const MOST_SOUGHT: usize = 10_000;

/// The state of the open conversation.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// Which one.
    pub id: ConversationId,
    /// Its newest part; `None` until it is loaded.
    pub timeline: Option<Timeline>,
    /// Where the pane looks.
    pub anchor: Anchor,
    /// The entry under the cursor of the selection mode.
    pub selected: Option<Key>,
    /// The divider of unread messages stands behind this `seq`. It stays where it was when the conversation was opened.
    pub divider: Option<Seq>,
    /// The compose box.
    pub compose: Compose,
    /// Settings and permissions, once they are known.
    pub whole: Option<Box<Whole>>,
    /// A message that is to be shown: older history is loaded until it is there.
    goal: Option<Seq>,
    /// How far the server was told that the user has read.
    told_read: Seq,
    /// Whether the pane was placed when the first timeline came.
    placed: bool,
    /// The `seq` of the oldest entry when older history was last asked for: one request for each.
    asked_above: Option<Seq>,
}

impl Conversation {
    /// A conversation that is being opened, with this draft.
    #[must_use]
    pub fn new(id: ConversationId, draft: Option<&str>) -> Self {
        Self {
            id,
            timeline: None,
            anchor: Anchor::Bottom,
            selected: None,
            divider: None,
            compose: Compose::new(draft),
            whole: None,
            goal: None,
            told_read: 0,
            placed: false,
            asked_above: None,
        }
    }

    /// The entries that are loaded.
    #[must_use]
    pub fn items(&self) -> &[TimelineItem] {
        self.timeline.as_ref().map_or(&[], |timeline| timeline.items.as_slice())
    }

    /// Takes the timeline as it is now. `pane` measures with what is drawn; `is_looking` says whether the user sees it.
    pub fn set_timeline(&mut self, timeline: Timeline, pane: &PaneSize<'_>, is_looking: bool) {
        let read = timeline.read;
        self.timeline = Some(timeline);
        if !self.placed {
            self.placed = self.reaches_down_to(read);
            if self.placed {
                self.place(read, pane);
            }
        } else if !is_looking || !self.is_at_bottom() {
            self.divide_unseen(pane.me.id);
        }
        self.reach_goal(pane);
        let selected_is_gone =
            self.selected.as_ref().is_some_and(|key| !self.items().iter().any(|item| Key::of(item) == *key));
        if selected_is_gone {
            self.select_newest_message();
        }
    }

    /// Shows this message, once it is loaded.
    pub fn show(&mut self, seq: Seq, pane: &PaneSize<'_>) {
        self.goal = Some(seq);
        self.asked_above = None;
        self.reach_goal(pane);
    }

    /// Whether a message is being looked for.
    #[must_use]
    pub const fn is_seeking(&self) -> bool {
        self.goal.is_some()
    }

    fn reach_goal(&mut self, pane: &PaneSize<'_>) {
        let (Some(goal), Some(timeline)) = (self.goal, &self.timeline) else { return };
        let oldest = timeline.items.iter().find_map(TimelineItem::seq);
        let loaded = oldest.is_some_and(|oldest| oldest <= goal) || !timeline.has_older;
        let given_up = timeline.items.len() >= MOST_SOUGHT;
        if !self.placed || timeline.items.is_empty() || !(loaded || given_up) {
            return;
        }
        self.goal = None;
        let messages = timeline.items.iter().filter(|item| as_message(item).is_some());
        let nearest = messages.min_by_key(|item| item.seq().map_or(Seq::MAX, |seq| seq.abs_diff(goal)));
        let Some(key) = nearest.map(Key::of) else { return };
        let anchor = self.pane(pane).showing(&self.anchor, &key);
        self.anchor = anchor;
        self.selected = Some(key);
    }

    /// Whether enough history is loaded to begin with the first unread message.
    fn reaches_down_to(&self, read: Seq) -> bool {
        let Some(timeline) = self.timeline.as_ref().filter(|timeline| !timeline.items.is_empty()) else {
            return false;
        };
        let oldest = timeline.items.iter().find_map(TimelineItem::seq).unwrap_or(0);
        !timeline.has_older || oldest <= read + 1 || timeline.items.len() >= MOST_SEARCHED
    }

    /// On opening: the divider where the unread ones begin, and in sight.
    fn place(&mut self, read: Seq, pane: &PaneSize<'_>) {
        let Some(first_unread) = self.first_unread(read, pane.me.id) else { return };
        self.divider = first_unread.checked_sub(1);
        let pane = self.pane(pane);
        let anchor = pane.with_on_top(&Key::Log(first_unread));
        self.anchor = anchor;
    }

    /// Messages of others came while the user was not looking: the divider stands before the first of them.
    fn divide_unseen(&mut self, me: UserId) {
        let read = self.timeline.as_ref().map_or(0, |timeline| timeline.read).max(self.told_read);
        if self.divider.is_none() {
            self.divider = self.first_unread(read, me).and_then(|first| first.checked_sub(1));
        }
    }

    /// The first message of another behind this `seq`.
    fn first_unread(&self, read: Seq, me: UserId) -> Option<Seq> {
        let of_others = self.items().iter().filter(|item| is_of_others(item, me));
        of_others.filter_map(TimelineItem::seq).find(|seq| *seq > read)
    }

    /// The pane of this size on the timeline.
    #[must_use]
    pub fn pane<'a>(&'a self, size: &PaneSize<'a>) -> Pane<'a> {
        Pane {
            items: self.items(),
            context: Context {
                clock: size.clock,
                theme: size.theme,
                me: size.me,
                width: usize::from(size.width),
                divider: self.divider,
                selected: self.selected.as_ref(),
                blocked: size.blocked,
            },
            height: usize::from(size.height),
        }
    }

    /// Scrolls by lines, up where positive.
    pub fn scroll(&mut self, up: isize, size: &PaneSize<'_>) {
        let anchor = self.pane(size).scrolled(&self.anchor, up);
        self.anchor = anchor;
    }

    /// Whether the pane follows the newest line.
    #[must_use]
    pub fn is_at_bottom(&self) -> bool {
        self.anchor == Anchor::Bottom
    }

    /// Goes to the newest line.
    pub fn jump_to_bottom(&mut self) {
        self.anchor = Anchor::Bottom;
    }

    /// Whether older history should be asked for: the pane shows the top, or the first unread message is further up.
    pub fn wants_older(&mut self, size: &PaneSize<'_>) -> bool {
        let Some(timeline) = &self.timeline else { return false };
        let oldest = timeline.items.iter().find_map(TimelineItem::seq);
        let wanted = timeline.has_older
            && !timeline.loading
            && self.asked_above != Some(oldest.unwrap_or(0))
            && (!self.placed || self.goal.is_some() || self.pane(size).shows_top(&self.anchor));
        if wanted {
            self.asked_above = Some(oldest.unwrap_or(0));
        }
        wanted
    }

    /// The newest `seq` in sight, if the server was not told yet that it was read.
    pub fn newly_read(&mut self, size: &PaneSize<'_>) -> Option<Seq> {
        let timeline = self.timeline.as_ref().filter(|_| self.placed)?;
        let bottom = self.pane(size).last_visible(&self.anchor)?;
        let seen = self.items()[..=bottom].iter().rev().find_map(TimelineItem::seq)?;
        // At the bottom everything was seen, what draws nothing (a reaction, an edit) included.
        let seen = if self.is_at_bottom() { seen.max(timeline.head) } else { seen };
        if seen <= timeline.read.max(self.told_read) {
            return None;
        }
        self.told_read = seen;
        Some(seen)
    }

    /// Messages of others below the pane that were not read.
    #[must_use]
    pub fn unread_below(&self, me: UserId) -> usize {
        let Some(timeline) = self.timeline.as_ref().filter(|_| !self.is_at_bottom()) else { return 0 };
        let read = timeline.read.max(self.told_read);
        let unread =
            |item: &&TimelineItem| is_of_others(item, me) && item.seq().is_some_and(|seq| seq > read);
        timeline
            .items
            .iter()
            .rev()
            .take_while(|item| item.seq().is_none_or(|seq| seq > read))
            .filter(unread)
            .count()
    }

    /// The message under the cursor.
    #[must_use]
    pub fn selected_message(&self) -> Option<&MessageView> {
        let key = self.selected.as_ref()?;
        self.items().iter().rev().find(|item| Key::of(item) == *key).and_then(as_message)
    }

    /// The newest own message that the server has and that was not erased.
    #[must_use]
    pub fn last_own_message(&self, me: UserId) -> Option<&MessageView> {
        self.items()
            .iter()
            .rev()
            .filter_map(as_message)
            .find(|view| view.message.sender == me && view.seq().is_some() && view.message.text.is_some())
    }

    /// The other members that the timeline knows by their cursors.
    #[must_use]
    pub fn members(&self) -> Vec<UserId> {
        self.timeline
            .as_ref()
            .map_or_else(Vec::new, |timeline| timeline.cursors.iter().map(|cursor| cursor.user).collect())
    }

    /// The members that are known, and who has written in what is loaded: of a channel nobody else is known.
    #[must_use]
    pub fn people(&self) -> Vec<UserId> {
        let mut people = self.members();
        let mut known: HashSet<UserId> = people.iter().copied().collect();
        let senders = self.items().iter().rev().filter_map(as_message).map(|view| view.message.sender);
        people.extend(senders.filter(|sender| known.insert(*sender)));
        people
    }

    fn select_newest_message(&mut self) {
        self.selected = self.items().iter().rev().find(|item| as_message(item).is_some()).map(Key::of);
    }
}

/// The size of the pane and what its lines are drawn with.
#[derive(Debug, Clone, Copy)]
pub struct PaneSize<'a> {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
    /// Now, and the zone.
    pub clock: &'a crate::text::time::Clock,
    /// Colours.
    pub theme: crate::theme::Theme,
    /// Whose view it is.
    pub me: &'a Me,
    /// Whose messages are hidden.
    pub blocked: &'a HashSet<UserId>,
}

/// The message, if the entry is one.
#[must_use]
pub fn as_message(item: &TimelineItem) -> Option<&MessageView> {
    match item {
        TimelineItem::Message(view) => Some(view),
        TimelineItem::Notice(_) => None,
    }
}

fn is_of_others(item: &TimelineItem, me: UserId) -> bool {
    as_message(item).is_some_and(|view| view.message.sender != me)
}
