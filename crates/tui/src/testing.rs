//! What tests of this crate share.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use loquat_proto::{Profile, UserId, UserKind};

use crate::app::Me;

/// A user id.
pub(crate) fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}

/// A profile with the same username and display name.
pub(crate) fn profile(id: u64, name: &str) -> Profile {
    Profile {
        id: user(id),
        username: name.to_owned(),
        display_name: name.to_owned(),
        bio: String::new(),
        avatar: None,
        kind: UserKind::Person,
        deleted: false,
    }
}

/// The own user: 1, mira.
pub(crate) fn me() -> Me {
    Me { id: user(1), username: "mira".to_owned(), name: "mira".to_owned() }
}

/// A key without modifiers.
pub(crate) fn key(code: KeyCode) -> KeyEvent {
    KeyEvent::new(code, KeyModifiers::NONE)
}

/// A letter with Control.
pub(crate) fn control(letter: char) -> KeyEvent {
    KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL)
}

/// Types a text, key by key.
pub(crate) fn type_text(text: &str, mut press: impl FnMut(KeyEvent)) {
    for character in text.chars() {
        press(key(KeyCode::Char(character)));
    }
}
