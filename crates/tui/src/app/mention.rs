//! Completing `@names` in the compose box.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use loquat_proto::Profile;

use super::{App, Effect};
use crate::screens::compose::Completion;
use crate::screens::list::List;

/// Names offered at most.
const MOST: usize = 50;

impl App {
    /// Looks for names that fit what stands before the cursor.
    pub(super) fn complete(&mut self) {
        let own = self.own_id();
        let Some(open) = &mut self.open else { return };
        let before = &open.compose.editor.text()[..open.compose.editor.cursor()];
        let Some((length, written)) = begun_name(before).map(|name| (name.len(), name.to_lowercase())) else {
            open.compose.completion = None;
            return;
        };
        let fits = |profile: &Profile| {
            let name = profile.display_name.to_lowercase();
            profile.username.starts_with(&written)
                || name.split_whitespace().any(|word| word.starts_with(&written))
        };
        let mut people: Vec<Profile> = open
            .people()
            .into_iter()
            .filter(|user| Some(*user) != own)
            .filter_map(|user| self.people.profile(user))
            .filter(|profile| !profile.deleted && !profile.username.is_empty() && fits(profile))
            .cloned()
            .collect();
        people.sort_by_cached_key(|profile| {
            (!profile.username.starts_with(&written), profile.display_name.to_lowercase())
        });
        people.truncate(MOST);
        // A name that is written out needs no offer.
        let is_done = matches!(people.as_slice(), [only] if only.username == written);
        open.compose.completion = (!people.is_empty() && !is_done).then(|| Completion {
            written: length,
            people,
            list: List::default(),
        });
    }

    /// A key while names are offered; `None` if it is not for them.
    pub(super) fn completion_key(&mut self, key: KeyEvent) -> Option<Vec<Effect>> {
        let completion = self.open.as_mut()?.compose.completion.as_mut()?;
        if key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
            return None;
        }
        let length = completion.people.len();
        match key.code {
            KeyCode::Up | KeyCode::Down => {
                completion.list.arrow(key, length);
                Some(Vec::new())
            }
            KeyCode::Esc => {
                self.open.as_mut()?.compose.completion = None;
                Some(Vec::new())
            }
            KeyCode::Tab | KeyCode::Enter => {
                let index = completion.list.at(length)?;
                let username = completion.people[index].username.clone();
                let written = completion.written;
                Some(self.take_name(written, &username))
            }
            _ => None,
        }
    }

    /// Puts a name in the place of what was written of it.
    fn take_name(&mut self, written: usize, username: &str) -> Vec<Effect> {
        let Some(open) = &mut self.open else { return Vec::new() };
        let editor = &mut open.compose.editor;
        let start = editor.cursor().saturating_sub(written);
        while editor.cursor() > start {
            editor.backspace();
        }
        editor.insert(&format!("{username} "));
        let effects = self.compose_changed();
        if let Some(open) = &mut self.open {
            open.compose.completion = None;
        }
        effects
    }
}

/// What is written of a name: the letters behind an `@` that begins a word, up to the end.
fn begun_name(before: &str) -> Option<&str> {
    let at = before.rfind('@')?;
    let begins = before[..at].chars().next_back().is_none_or(|character| !character.is_alphanumeric());
    let name = &before[at + 1..];
    let valid = name.chars().all(|character| character.is_alphanumeric() || matches!(character, '_' | '.'));
    (begins && valid && name.len() <= 32).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_begins_behind_an_at_sign_that_begins_a_word() {
        for (before, expected) in [
            ("@", Some("")),
            ("hello @to", Some("to")),
            ("(@to", Some("to")),
            ("mail@to", None),
            ("@to and", None),
            ("none", None),
            ("@tomas @in", Some("in")),
        ] {
            assert_eq!(begun_name(before), expected, "{before:?}");
        }
    }
}
