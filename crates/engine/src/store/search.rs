//! Search in what this device holds: which words a text is found by, and what is asked and answered.
//!
//! A text is found by its words, in lower case. Scripts that write no spaces between words (Chinese, Japanese, Thai and
//! others) have no words that a device could tell apart, so there each character counts as one. Every part of a query
//! between spaces is a phrase: its words follow each other in the text, the last one perhaps only begun. So `jap 日本`
//! finds "日本語 (Japanese)". An index is built from [`words`] and asked by [`phrases`]; both cut alike.

use loquat_proto::{ConversationId, Seq, Timestamp, UserId};

/// Phrases of a query that count; more are ignored.
const PHRASES: usize = 16;

/// A search in the messages that this device holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// What the user typed. Without a letter or digit in it nothing is found.
    pub text: String,
    /// Only here; everywhere if `None`.
    pub conversation: Option<ConversationId>,
    /// At most so many answers, the newest.
    pub limit: usize,
}

/// A message that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where.
    pub conversation: ConversationId,
    /// Which message.
    pub seq: Seq,
    /// When it was appended.
    pub ts: Timestamp,
    /// Who wrote it.
    pub sender: UserId,
    /// The text of now, edits applied.
    pub text: String,
}

/// The words that a text is found by, in their order.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    for character in text.chars() {
        let alone = is_written_without_spaces(character);
        if (alone || !character.is_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if character.is_alphanumeric() {
            word.extend(character.to_lowercase());
        }
        if alone && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// What a query asks for: phrases that must all be there, each as the words that follow each other, of which the last
/// may go on.
#[must_use]
pub fn phrases(query: &str) -> Vec<Vec<String>> {
    query.split_whitespace().map(words).filter(|words| !words.is_empty()).take(PHRASES).collect()
}

/// Whether a text with these words has all of these phrases.
#[must_use]
pub(super) fn has_all(words: &[String], phrases: &[Vec<String>]) -> bool {
    phrases.iter().all(|phrase| {
        words.windows(phrase.len()).any(|run| {
            let mut pairs = run.iter().zip(phrase).rev();
            let goes_on = pairs.next().is_some_and(|(word, begun)| word.starts_with(begun.as_str()));
            goes_on && pairs.all(|(word, wanted)| word == wanted)
        })
    })
}

/// Characters of scripts that do not part words by spaces.
const fn is_written_without_spaces(character: char) -> bool {
    matches!(
        character,
        '\u{0E00}'..='\u{0EFF}' // Thai, Lao
            | '\u{1000}'..='\u{109F}' // Myanmar
            | '\u{1780}'..='\u{17FF}' // Khmer
            | '\u{3040}'..='\u{30FF}' // Hiragana, Katakana
            | '\u{31F0}'..='\u{31FF}'
            | '\u{3400}'..='\u{4DBF}' // Han
            | '\u{4E00}'..='\u{9FFF}'
            | '\u{F900}'..='\u{FAFF}'
            | '\u{20000}'..='\u{3134F}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_into_words() {
        for (text, expected) in [
            ("", vec![]),
            ("--- …", vec![]),
            ("Hello, World!", vec!["hello", "world"]),
            ("don't", vec!["don", "t"]),
            ("日本語x", vec!["日", "本", "語", "x"]),
            ("über 3 km", vec!["über", "3", "km"]),
            ("a\"b*c", vec!["a", "b", "c"]),
        ] {
            assert_eq!(words(text), expected, "{text:?}");
        }
    }

    #[test]
    fn every_phrase_must_be_there() {
        for (text, query, expected) in [
            ("the ladder is in the shed", "lad shed", true),
            ("the ladder is in the shed", "adder", false),
            ("the ladder is in the shed", "ladder boat", false),
            ("don't go", "don't", true),
            ("t don", "don't", false),
            ("日本語", "本語", true),
            ("日本語", "語本", false),
        ] {
            assert_eq!(has_all(&words(text), &phrases(query)), expected, "{query:?} in {text:?}");
        }
    }
}
