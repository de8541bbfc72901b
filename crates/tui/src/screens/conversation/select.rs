//! The selection mode: a cursor on the messages, and what can be done with the one under it.

use crossterm::event::{KeyCode, KeyEvent};
use loquat_client::view::{MessageStatus, MessageView, TimelineItem};
use loquat_proto::{Nonce, Seq, UserId};

use super::items::Key;
use super::{Conversation, PaneSize, as_message};
use crate::keys::is_plain;

/// What the user wants of the message under the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Answer it.
    Reply(Seq),
    /// Write it anew.
    Edit(Seq),
    /// Erase it for everyone, after a question.
    Delete(Seq),
    /// React to it, with an emoji to be picked.
    React(Seq),
    /// Put its text on the clipboard.
    Copy(String),
    /// See who has it and who has read it.
    Details(Seq),
    /// Pin it, or take the pin off.
    Pin(Seq, bool),
    /// Open an address in it.
    OpenLinks(String),
    /// Write to its sender alone.
    WriteTo(UserId),
    /// Try a refused one again.
    Retry(Nonce),
    /// Drop one that was not sent.
    Discard(Nonce),
    /// It cannot be done; why.
    Refuse(&'static str),
    /// Back to the compose box.
    Leave,
}

impl Conversation {
    /// Starts the mode with the newest message that is in sight.
    pub fn start_selecting(&mut self, size: &PaneSize<'_>) {
        let bottom = self.pane(size).last_visible(&self.anchor);
        let in_sight = bottom.map_or(&[] as &[TimelineItem], |index| &self.items()[..=index]);
        self.selected = in_sight.iter().rev().find(|item| as_message(item).is_some()).map(Key::of);
    }

    /// Ends it.
    pub fn stop_selecting(&mut self) {
        self.selected = None;
    }

    /// A key in the mode.
    pub fn select_key(&mut self, key: KeyEvent, size: &PaneSize<'_>) -> Option<Action> {
        let page = isize::try_from(size.height / 2).unwrap_or(10).max(1);
        match key.code {
            KeyCode::Up => self.move_selection(-1, size),
            KeyCode::Down => self.move_selection(1, size),
            KeyCode::Char('k') if is_plain(key) => self.move_selection(-1, size),
            KeyCode::Char('j') if is_plain(key) => self.move_selection(1, size),
            KeyCode::PageUp => self.move_selection(-page, size),
            KeyCode::PageDown => self.move_selection(page, size),
            KeyCode::Home => self.move_selection(isize::MIN / 2, size),
            KeyCode::End => self.move_selection(isize::MAX / 2, size),
            KeyCode::Char('g') if is_plain(key) => self.move_selection(isize::MIN / 2, size),
            KeyCode::Char('G') => self.move_selection(isize::MAX / 2, size),
            KeyCode::Esc => return Some(Action::Leave),
            _ => return self.act(key, size.me.id),
        }
        None
    }

    fn act(&self, key: KeyEvent, me: UserId) -> Option<Action> {
        let view = self.selected_message()?;
        if !is_plain(key) {
            return None;
        }
        let own = view.message.sender == me;
        let erased = view.message.text.is_none();
        match (key.code, view.seq()) {
            (KeyCode::Char('c' | 'y'), _) => {
                let text = view.message.text.clone();
                Some(text.map_or(Action::Refuse("There is no text to copy"), Action::Copy))
            }
            (KeyCode::Char('o'), _) => {
                let text = view.message.text.clone();
                Some(text.map_or(Action::Refuse("There is no address in it"), Action::OpenLinks))
            }
            (KeyCode::Char('w'), _) if own => Some(Action::Refuse("It is your own message")),
            (KeyCode::Char('w'), _) => Some(Action::WriteTo(view.message.sender)),
            (KeyCode::Char('t'), None) => {
                failed(view).then(|| view.nonce.clone()).flatten().map(Action::Retry)
            }
            (KeyCode::Char('d') | KeyCode::Delete, None) => view.nonce.clone().map(Action::Discard),
            (KeyCode::Char('r' | 'e' | '+' | 'p') | KeyCode::Enter, None) => {
                Some(Action::Refuse("It has not been sent yet: t tries again, d drops it"))
            }
            (KeyCode::Char('r' | 'e' | 'd' | '+' | 'p') | KeyCode::Enter | KeyCode::Delete, _) if erased => {
                Some(Action::Refuse("The message was deleted"))
            }
            (KeyCode::Char('r') | KeyCode::Enter, Some(seq)) => Some(Action::Reply(seq)),
            (KeyCode::Char('e'), Some(seq)) if own => Some(Action::Edit(seq)),
            (KeyCode::Char('e'), Some(_)) => Some(Action::Refuse("Only your own messages can be edited")),
            (KeyCode::Char('d') | KeyCode::Delete, Some(seq)) => Some(Action::Delete(seq)),
            (KeyCode::Char('+'), Some(seq)) => Some(Action::React(seq)),
            (KeyCode::Char('p'), Some(seq)) => Some(Action::Pin(seq, !view.message.pinned)),
            (KeyCode::Char('i'), Some(seq)) => Some(Action::Details(seq)),
            _ => None,
        }
    }

    fn move_selection(&mut self, step: isize, size: &PaneSize<'_>) {
        let messages: Vec<Key> =
            self.items().iter().filter(|item| as_message(item).is_some()).map(Key::of).collect();
        let Some(last) = messages.len().checked_sub(1) else { return };
        let index = self.selected.as_ref().and_then(|key| messages.iter().position(|other| other == key));
        let target = index.map_or(last, |index| index.saturating_add_signed(step).min(last));
        let key = messages[target].clone();
        self.selected = Some(key.clone());
        let pane = self.pane(size);
        let anchor = if target == 0 && step < 0 { pane.top() } else { pane.showing(&self.anchor, &key) };
        self.anchor = anchor;
    }
}

fn failed(view: &MessageView) -> bool {
    matches!(view.status, Some(MessageStatus::Failed(_)))
}
