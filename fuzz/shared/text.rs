//! Other people's text on a terminal: nothing that a terminal obeys comes through.

use loquat_tui::text::sanitise::{block, line};

/// Where to begin.
pub const SEEDS: &[&str] = &[
    "plain text\nof two lines\twith a tab",
    "\u{1b}[31mred\u{1b}]0;title\u{7}\u{9b}2J",
    "a\u{202e}b\u{2066}c\u{200f}d",
    "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
    "👩‍👩‍👧‍👦 🏴󠁧󠁢󠁥󠁮󠁧󠁿 👍🏽 ภาษาไทย עברית \u{2028}\u{85}",
];

/// One input.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for (shown, breaks) in [(block(&text), true), (line(&text), false)] {
        let obeyed = |c: char| {
            (c.is_control() && !(breaks && c == '\n'))
                || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
        };
        assert!(!shown.chars().any(obeyed), "{shown:?}");
    }
}
