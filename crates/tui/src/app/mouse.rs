//! The mouse: what lies under it, and what a click or the wheel does there.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::command::Command;
use super::effect::Device;
use super::layout::Layout;
use super::{App, Effect, Focus};
use crate::screens::Overlay;
use crate::screens::chats;
use crate::screens::conversation::items::Key;
use crate::screens::list::Click;
use crate::screens::popup::Popup;

/// Lines that one turn of the wheel scrolls.
const WHEEL: isize = 3;

impl App {
    /// The mouse was pressed or its wheel turned.
    pub(super) fn mouse(&mut self, event: MouseEvent) -> Vec<Effect> {
        let mut effects: Vec<Effect> = self.woke_up().into_iter().collect();
        if self.me.is_none() {
            return effects;
        }
        let at = Position { x: event.column, y: event.row };
        effects.extend(match event.kind {
            MouseEventKind::ScrollUp => self.wheel(at, 1),
            MouseEventKind::ScrollDown => self.wheel(at, -1),
            MouseEventKind::Down(MouseButton::Left) if self.overlay.is_some() => self.click_overlay(at),
            MouseEventKind::Down(MouseButton::Left) => self.click(at),
            _ => Vec::new(),
        });
        effects
    }

    fn wheel(&mut self, at: Position, up: isize) -> Vec<Effect> {
        let code = if up > 0 { KeyCode::Up } else { KeyCode::Down };
        if self.overlay.is_some() {
            return self.overlay_key(KeyEvent::new(code, KeyModifiers::NONE));
        }
        let layout = Layout::of(self);
        if layout.chats.is_some_and(|area| area.contains(at)) {
            self.chats.step(-up);
            return Vec::new();
        }
        let over_messages = layout.conversation.as_ref().is_some_and(|panes| panes.messages.contains(at));
        if !over_messages {
            return Vec::new();
        }
        self.with_pane(|open, size| open.scroll(up * WHEEL, size));
        self.after_view_changed()
    }

    fn click(&mut self, at: Position) -> Vec<Effect> {
        let layout = Layout::of(self);
        if layout.banner.is_some_and(|area| area.contains(at)) {
            return vec![Effect::Device(Device::ReconnectNow)];
        }
        if let Some(area) = layout.chats.filter(|area| area.contains(at)) {
            let list = chats::list_area(area);
            let open = self.open.as_ref().filter(|_| layout.conversation.is_some()).map(|open| open.id);
            return match chats::entry_at(&self.chats, (list, open), at) {
                Some(id) => self.open(id),
                None => {
                    let effects = self.keep_draft();
                    self.set_focus(Focus::Chats);
                    effects
                }
            };
        }
        let Some(panes) = layout.conversation.filter(|_| self.open.is_some()) else { return Vec::new() };
        if panes.header.contains(at) {
            let is_back = layout.chats.is_none() && at.x < panes.header.x + 4;
            if is_back {
                let effects = self.keep_draft();
                self.set_focus(Focus::Chats);
                return effects;
            }
            return self.perform(Command::Info);
        }
        if panes.compose.contains(at) {
            let on_rule = at.y == panes.compose.y;
            if on_rule && self.open.as_ref().is_some_and(|open| !open.is_at_bottom()) {
                return self.jump_to_bottom();
            }
            self.set_focus(Focus::Compose);
            return self.after_view_changed();
        }
        if panes.messages.contains(at) { self.click_message(panes.messages, at) } else { Vec::new() }
    }

    /// The first click chooses a message, the second one opens an address in it.
    fn click_message(&mut self, area: Rect, at: Position) -> Vec<Effect> {
        let above = usize::from(area.bottom() - 1 - at.y);
        let clicked = self.with_pane(|open, size| {
            let index = open.pane(size).entry_above_bottom(&open.anchor, above)?;
            let key = open.items().get(index).map(Key::of)?;
            let again = open.selected.as_ref() == Some(&key);
            Some((key, again))
        });
        let Some((key, again)) = clicked.flatten() else { return Vec::new() };
        if self.focus != Focus::Messages {
            self.set_focus(Focus::Messages);
        }
        if again {
            return self.messages_key(KeyEvent::new(KeyCode::Char('o'), KeyModifiers::NONE));
        }
        if let Some(open) = &mut self.open {
            open.selected = Some(key);
        }
        self.after_view_changed()
    }

    fn click_overlay(&mut self, at: Position) -> Vec<Effect> {
        let screen = Rect { x: 0, y: 0, width: self.size.0, height: self.size.1 };
        let Some(mut overlay) = self.overlay.take() else { return Vec::new() };
        let click = match &mut overlay {
            Overlay::Menu(popup) => popup.click(at, screen),
            Overlay::Switcher(popup) => popup.click(at, screen, self.choices()),
            Overlay::Contacts(popup) => match &self.book {
                Some(book) => popup.click(at, screen, book),
                None => Click::Beside,
            },
            Overlay::Devices(popup) => popup.click(at, screen),
            Overlay::Invites(popup) => popup.click(at, screen),
            Overlay::Search(popup) => popup.click(at, screen),
            Overlay::Pins(popup) => popup.click(at, screen),
            Overlay::Members(popup) => popup.click(at, screen),
            Overlay::Info(popup) => match self.info_view(popup.conversation) {
                Some(view) => popup.click(at, screen, view),
                None => Click::Beside,
            },
            Overlay::Account(popup) => match self.account_view() {
                Some(view) => popup.click(at, screen, view),
                None => Click::Beside,
            },
            _ => Click::Beside,
        };
        self.overlay = Some(overlay);
        match click {
            Click::Again => self.overlay_key(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE)),
            Click::Moved => Vec::new(),
            Click::Beside => self.click_beside(at, screen),
        }
    }

    /// Outside of what lies above, a click closes it, where nothing that was typed would be lost.
    fn click_beside(&mut self, at: Position, screen: Rect) -> Vec<Effect> {
        let widest = Popup { title: "", keys: &[], width: 76, height: 24 }.area(screen);
        let is_reading = !matches!(
            self.overlay,
            Some(Overlay::NewGroup(_) | Overlay::Password(_) | Overlay::Join(_) | Overlay::Confirm(_))
        );
        if is_reading && !widest.contains(at) {
            return self.overlay_key(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE));
        }
        Vec::new()
    }
}
