//! What keys mean everywhere: plain keys, and editing by the habits of shells and editors.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::editor::{Editor, Motion};

/// Whether a key is pressed without Control or Alt.
#[must_use]
pub fn is_plain(key: KeyEvent) -> bool {
    !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT)
}

/// Whether this letter is pressed with Control.
#[must_use]
pub fn is_control(key: KeyEvent, letter: char) -> bool {
    key.modifiers.contains(KeyModifiers::CONTROL)
        && matches!(key.code, KeyCode::Char(pressed) if pressed.eq_ignore_ascii_case(&letter))
}

/// What a key did to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edited {
    /// The text is another.
    Changed,
    /// The cursor moved, or could have.
    Moved,
    /// The text would not fit: nothing was inserted.
    Full,
    /// The key is none of an editor's.
    NotMine,
}

/// Applies a key to a text under edit. Enter, Tab, Escape, Up and Down are the caller's.
pub fn edit_field(editor: &mut Editor, key: KeyEvent) -> Edited {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let alt = key.modifiers.contains(KeyModifiers::ALT);
    let (motion, delete) = match key.code {
        KeyCode::Char(character) if !control && !alt => {
            let fitted = editor.insert(character.encode_utf8(&mut [0; 4]));
            return if fitted { Edited::Changed } else { Edited::Full };
        }
        KeyCode::Left if control || alt => (Motion::WordLeft, false),
        KeyCode::Right if control || alt => (Motion::WordRight, false),
        KeyCode::Char('b') if alt => (Motion::WordLeft, false),
        KeyCode::Char('f') if alt => (Motion::WordRight, false),
        KeyCode::Left => (Motion::Left, false),
        KeyCode::Right => (Motion::Right, false),
        KeyCode::Home if control => (Motion::Start, false),
        KeyCode::End if control => (Motion::End, false),
        KeyCode::Home => (Motion::LineStart, false),
        KeyCode::End => (Motion::LineEnd, false),
        KeyCode::Char('a') if control => (Motion::LineStart, false),
        KeyCode::Char('e') if control => (Motion::LineEnd, false),
        KeyCode::Backspace if control || alt => (Motion::WordLeft, true),
        KeyCode::Backspace => (Motion::Left, true),
        // What many terminals send for Control-Backspace.
        KeyCode::Char('h') if control => (Motion::WordLeft, true),
        KeyCode::Char('w') if control => (Motion::WordLeft, true),
        KeyCode::Char('d') if alt => (Motion::WordRight, true),
        KeyCode::Delete if control || alt => (Motion::WordRight, true),
        KeyCode::Delete => (Motion::Right, true),
        KeyCode::Char('u') if control => (Motion::LineStart, true),
        KeyCode::Char('k') if control => (Motion::LineEnd, true),
        _ => return Edited::NotMine,
    };
    if delete {
        let before = editor.text().len();
        editor.delete(motion);
        if editor.text().len() == before { Edited::Moved } else { Edited::Changed }
    } else {
        editor.go(motion);
        Edited::Moved
    }
}
