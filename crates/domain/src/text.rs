//! Rules of the texts that people give to things: names, titles, descriptions.
//!
//! Whatever passes is stored as it came. Refused is what could break a line of a log or a list, or show text in
//! another order than it is stored in: control characters, and in names the bidirectional embeddings, overrides and
//! isolates (Unicode UAX #9, U+202A to U+202E and U+2066 to U+2069).

use crate::Refusal;

/// A name or title: one line of 1 to `max_chars` characters, at least one of them visible.
///
/// # Errors
/// [`Refusal::Invalid`] naming the field, [`Refusal::TooLarge`].
pub fn line(field: &'static str, text: &str, max_chars: usize) -> Result<String, Refusal> {
    let line = optional_line(field, text, max_chars)?;
    if line.chars().all(is_invisible) {
        return Err(Refusal::invalid(format!("{field}: must not be empty")));
    }
    Ok(line)
}

/// One line of up to `max_chars` characters; may be empty.
///
/// # Errors
/// [`Refusal::Invalid`] naming the field, [`Refusal::TooLarge`].
pub fn optional_line(field: &'static str, text: &str, max_chars: usize) -> Result<String, Refusal> {
    at_most(field, text, max_chars)?;
    match text.chars().find(|c| breaks_lines(*c) || reorders(*c)) {
        Some(refused) => Err(forbidden(field, refused)),
        None => Ok(text.to_owned()),
    }
}

/// Running text of up to `max_chars` characters with line breaks and tabs; may be empty.
///
/// # Errors
/// [`Refusal::Invalid`] naming the field, [`Refusal::TooLarge`].
pub fn prose(field: &'static str, text: &str, max_chars: usize) -> Result<String, Refusal> {
    at_most(field, text, max_chars)?;
    match text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        Some(refused) => Err(forbidden(field, refused)),
        None => Ok(text.to_owned()),
    }
}

fn at_most(field: &'static str, text: &str, max_chars: usize) -> Result<(), Refusal> {
    // A character has at least one byte: most texts need no counting.
    if text.len() > max_chars && text.chars().count() > max_chars {
        return Err(Refusal::TooLarge { what: field, limit: max_chars });
    }
    Ok(())
}

fn forbidden(field: &str, refused: char) -> Refusal {
    Refusal::invalid(format!("{field}: must not contain U+{:04X}", u32::from(refused)))
}

fn breaks_lines(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

const fn reorders(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// Whether a character alone shows nothing: white space, zero-width characters and the blank letters that are used to
/// fake empty names.
const fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_one_visible_line() {
        let cases: &[(&str, bool)] = &[
            ("Ada", true),
            ("  Ada  ", true),
            ("<b>Ada</b>", true),
            ("آدا", true),
            ("👩‍👩‍👧", true),
            ("\u{10FFFF}", true),
            ("", false),
            (" \u{3000}\u{200B}\u{2800}", false),
            ("a\nb", false),
            ("a\rb", false),
            ("a\0b", false),
            ("a\u{1b}[31mb", false),
            ("a\u{85}b", false),
            ("a\u{2028}b", false),
            ("a\u{202E}b", false),
            ("a\u{2066}b", false),
        ];
        for (text, accepted) in cases {
            let result = line("title", text, 16);
            match result {
                Ok(stored) => assert!(*accepted && stored == *text, "{text:?}"),
                Err(Refusal::Invalid(detail)) => {
                    assert!(!accepted && detail.starts_with("title: "), "{text:?}: {detail}");
                }
                Err(other) => panic!("{text:?}: {other}"),
            }
        }
    }

    #[test]
    fn limits_count_characters() {
        assert_eq!(line("title", "ääää", 4).unwrap(), "ääää");
        assert_eq!(line("title", "äääää", 4), Err(Refusal::TooLarge { what: "title", limit: 4 }));
        assert_eq!(prose("bio", "äääää", 4), Err(Refusal::TooLarge { what: "bio", limit: 4 }));
        assert_eq!(optional_line("name", "", 4).unwrap(), "");
    }

    #[test]
    fn prose_has_line_breaks_but_no_other_control_characters() {
        assert_eq!(prose("bio", "a\r\n\tb\u{2067}c\u{2069}", 16).unwrap(), "a\r\n\tb\u{2067}c\u{2069}");
        assert!(matches!(prose("bio", "a\u{7}", 16), Err(Refusal::Invalid(_))));
    }

    proptest! {
        #[test]
        fn what_passes_is_kept_and_breaks_no_line(text in any::<String>()) {
            if let Ok(stored) = line("title", &text, 64) {
                prop_assert_eq!(&stored, &text);
                prop_assert!(stored.chars().count() <= 64);
                prop_assert!(!stored.chars().any(char::is_control));
                prop_assert_eq!(stored.lines().count(), 1);
            }
        }
    }
}
