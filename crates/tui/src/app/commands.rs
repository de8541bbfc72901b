//! What the user does in the open conversation: writing, scrolling, and acting on messages.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use loquat_client::view::MessageView;
use loquat_proto::{ConversationKind, Role, Seq};

use super::effect::{Change, Device, Network, Terminal};
use super::layout::Layout;
use super::{App, Effect, Focus};
use crate::keys::{Edited, edit_field, is_control};
use crate::screens::Overlay;
use crate::screens::compose::{Compose, Purpose, TypingNews};
use crate::screens::confirm::Confirm;
use crate::screens::conversation::as_message;
use crate::screens::conversation::items::unknown_name;
use crate::screens::conversation::select::Action;
use crate::screens::details::Details;
use crate::screens::emoji::EmojiPicker;
use crate::screens::links::Links;
use crate::text::links::links;
use crate::text::sanitise;
use crate::text::width::truncate;

impl App {
    /// A key in the compose box.
    pub(super) fn compose_key(&mut self, key: KeyEvent) -> Vec<Effect> {
        if let Some(effects) = self.completion_key(key) {
            return effects;
        }
        let writes = matches!(key.code, KeyCode::Char(_) | KeyCode::Enter)
            && !key.modifiers.contains(KeyModifiers::ALT);
        if let Some(reason) = self.why_silent().filter(|_| writes) {
            self.complain(reason);
            return Vec::new();
        }
        let with_modifier =
            key.modifiers.intersects(KeyModifiers::ALT | KeyModifiers::SHIFT | KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Enter if with_modifier => self.write("\n"),
            _ if is_control(key, 'j') => self.write("\n"),
            KeyCode::Enter => self.submit(),
            KeyCode::Esc => {
                let cancelled = self.open.as_mut().is_some_and(|open| open.compose.cancel());
                if !cancelled {
                    let effects = self.keep_draft();
                    self.set_focus(Focus::Chats);
                    return effects;
                }
                Vec::new()
            }
            KeyCode::Up | KeyCode::Down => self.compose_vertical(key.code),
            KeyCode::PageUp => self.scroll_page(1),
            KeyCode::PageDown => self.scroll_page(-1),
            _ => self.edit_compose(key),
        }
    }

    /// Inserts text into the compose box.
    pub(super) fn write(&mut self, text: &str) -> Vec<Effect> {
        if let Some(reason) = self.why_silent() {
            self.complain(reason);
            return Vec::new();
        }
        let Some(open) = &mut self.open else { return Vec::new() };
        if !open.compose.editor.insert(text) {
            self.complain("That is more than one message can hold");
            return Vec::new();
        }
        self.compose_changed()
    }

    fn edit_compose(&mut self, key: KeyEvent) -> Vec<Effect> {
        let Some(open) = &mut self.open else { return Vec::new() };
        match edit_field(&mut open.compose.editor, key) {
            Edited::Changed => self.compose_changed(),
            Edited::Full => {
                self.complain("That is more than one message can hold");
                Vec::new()
            }
            Edited::Moved | Edited::NotMine => {
                self.complete();
                Vec::new()
            }
        }
    }

    pub(super) fn compose_changed(&mut self) -> Vec<Effect> {
        self.complete();
        let now = self.clock.now;
        let Some(open) = &mut self.open else { return Vec::new() };
        let conversation = open.id;
        match open.compose.touched(now) {
            TypingNews::Began => vec![Effect::Device(Device::Typing { conversation, on: true })],
            TypingNews::Stopped => vec![Effect::Device(Device::Typing { conversation, on: false })],
            TypingNews::Same => Vec::new(),
        }
    }

    /// Up and Down move in the text; Up in an empty box edits the last own message.
    fn compose_vertical(&mut self, code: KeyCode) -> Vec<Effect> {
        let layout = Layout::of(self);
        let me = self.own_id();
        let (Some(open), Some(panes)) = (&mut self.open, &layout.conversation) else { return Vec::new() };
        let columns = Compose::text_columns(usize::from(panes.compose.width));
        let lines = if code == KeyCode::Up { -1 } else { 1 };
        if code == KeyCode::Up && open.compose.editor.is_empty() && open.compose.purpose == Purpose::New {
            let last = me.and_then(|me| open.last_own_message(me)).and_then(editable);
            if let Some((seq, text)) = last {
                open.compose.edit(seq, &text);
            }
        } else {
            open.compose.editor.go_vertical(lines, columns);
        }
        Vec::new()
    }

    fn scroll_page(&mut self, pages_up: isize) -> Vec<Effect> {
        self.with_pane(|open, size| {
            let page = isize::try_from(size.height.saturating_sub(2).max(1)).unwrap_or(1);
            open.scroll(pages_up * page, size);
        });
        self.after_view_changed()
    }

    /// Back to the newest message.
    pub(super) fn jump_to_bottom(&mut self) -> Vec<Effect> {
        if let Some(open) = &mut self.open {
            open.jump_to_bottom();
        }
        self.after_view_changed()
    }

    fn submit(&mut self) -> Vec<Effect> {
        let Some(me) = self.me.clone() else { return Vec::new() };
        let Some(open) = &mut self.open else { return Vec::new() };
        let conversation = open.id;
        let members = open.people();
        open.compose.completion = None;
        let Some((purpose, mut body)) = open.compose.submit() else { return Vec::new() };
        body.mentions = self.people.mentioned_in(&body.text, &members, &me);
        if let Purpose::Edit { target, .. } = purpose {
            return vec![Effect::Device(Device::Change {
                conversation,
                change: Change::Edit { target, body },
            })];
        }
        open.divider = None;
        open.jump_to_bottom();
        vec![
            Effect::Device(Device::Change { conversation, change: Change::Send(body) }),
            Effect::Device(Device::SaveDraft { conversation, text: None }),
        ]
    }

    /// A key in the selection mode.
    pub(super) fn messages_key(&mut self, key: KeyEvent) -> Vec<Effect> {
        let action = self.with_pane(|open, size| open.select_key(key, size)).flatten();
        match action {
            Some(action) => self.act(action),
            None => self.after_view_changed(),
        }
    }

    fn act(&mut self, action: Action) -> Vec<Effect> {
        match action {
            Action::Leave => self.set_focus(Focus::Compose),
            Action::Refuse(reason) => self.complain(reason),
            Action::Reply(target) => self.start_reply(target),
            Action::Edit(target) => self.start_edit(target),
            Action::Delete(target) => self.ask_to_delete(target),
            Action::React(target) => self.start_reaction(target),
            Action::Details(target) => self.push(Overlay::Details(Details { target })),
            Action::Pin(target, on) => return self.pin(target, on),
            Action::OpenLinks(text) => match Links::new(links(&text)) {
                Some(popup) => self.push(Overlay::Links(popup)),
                None => self.complain("There is no address in it"),
            },
            Action::WriteTo(user) => return vec![Effect::Network(Network::CreateDirect(user))],
            Action::Copy(text) => {
                self.say("Copied, if your terminal allows it");
                return vec![Effect::Terminal(Terminal::Copy(text))];
            }
            Action::Retry(nonce) => return vec![Effect::Device(Device::Retry(nonce))],
            Action::Discard(nonce) => {
                let effect = Effect::Device(Device::Discard(nonce));
                let text = "It will not be sent.";
                self.push(Overlay::Confirm(Confirm::new("Drop this message?", text, effect)));
            }
        }
        Vec::new()
    }

    fn message(&self, target: Seq) -> Option<&MessageView> {
        let open = self.open.as_ref()?;
        open.items().iter().rev().filter_map(as_message).find(|view| view.seq() == Some(target))
    }

    fn pin(&mut self, target: Seq, on: bool) -> Vec<Effect> {
        let Some(open) = &self.open else { return Vec::new() };
        let may = |whole: &loquat_proto::Conversation| {
            whole.kind == ConversationKind::Direct || whole.me.role >= whole.permissions.pin
        };
        if !open.whole.as_deref().is_none_or(may) {
            self.complain("Your role does not pin messages here");
            return Vec::new();
        }
        let conversation = open.id;
        self.say(if on { "Pinned: F6 shows what is pinned" } else { "No longer pinned" });
        vec![Effect::Device(Device::Change { conversation, change: Change::Pin { target, on } })]
    }

    fn start_reply(&mut self, target: Seq) {
        let Some(view) = self.message(target) else { return };
        let name = if Some(view.message.sender) == self.own_id() {
            "yourself".to_owned()
        } else {
            view.sender_name.clone().unwrap_or_else(|| unknown_name(view.message.sender))
        };
        let text = sanitise::line(view.message.text.as_deref().unwrap_or_default());
        self.set_focus(Focus::Compose);
        if let Some(open) = &mut self.open {
            open.compose.reply(target, name, text);
        }
    }

    fn start_edit(&mut self, target: Seq) {
        let Some((_, text)) = self.message(target).and_then(editable) else { return };
        self.set_focus(Focus::Compose);
        if let Some(open) = &mut self.open {
            open.compose.edit(target, &text);
        }
    }

    fn ask_to_delete(&mut self, target: Seq) {
        let (Some(open), Some(view)) = (&self.open, self.message(target)) else { return };
        let row = self.chats.get(open.id);
        let may_moderate =
            row.is_some_and(|row| row.kind != ConversationKind::Direct && row.role >= Role::Admin);
        if Some(view.message.sender) != self.own_id() && !may_moderate {
            return self.complain("Only your own messages can be deleted");
        }
        let quoted = truncate(&sanitise::line(view.message.text.as_deref().unwrap_or_default()), 90);
        let effect = Effect::Device(Device::Change { conversation: open.id, change: Change::Delete(target) });
        let title = "Delete this message for everyone?";
        self.push(Overlay::Confirm(Confirm::new(title, &quoted, effect)));
    }

    fn start_reaction(&mut self, target: Seq) {
        let Some(view) = self.message(target) else { return };
        let own = view.message.reactions.iter().filter(|reaction| reaction.me);
        let own = own.map(|reaction| reaction.emoji.clone()).collect();
        self.push(Overlay::Emoji(EmojiPicker::new(target, own)));
    }
}

fn editable(view: &MessageView) -> Option<(Seq, String)> {
    Some((view.seq()?, view.message.text.clone()?))
}
