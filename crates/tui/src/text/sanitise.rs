//! Makes other people's text harmless for a terminal.
//!
//! A message may hold any Unicode, a terminal obeys some of it: escape sequences move the cursor, set titles or read
//! the clipboard; bidirectional overrides (UAX #9) make a name read as another ("Trojan Source", CVE-2021-42574);
//! piles of combining marks draw over the neighbours. Here control characters become visible pictures, overrides
//! disappear and piles are cut. Ordinary text of every script, emoji sequences included, stays as it is.

use unicode_segmentation::UnicodeSegmentation;

/// Combining marks kept on one character. Orthographies need up to four (Vietnamese two, Tibetan and Hebrew more).
const MARKS_KEPT: usize = 6;

/// Code points kept in one grapheme. The longest emoji in use (a family of four with skin tones) has eleven.
const GRAPHEME_POINTS_KEPT: usize = 16;

/// Columns that a tab is drawn with: it cannot jump to a stop inside a cell grid.
const TAB: &str = "    ";

/// A text of several lines: line feeds stay, everything else that a terminal would obey is replaced.
#[must_use]
pub fn block(text: &str) -> String {
    clean(text, '\n')
}

/// A text for one line (names, titles, previews): like [`block`], with line breaks as spaces.
#[must_use]
pub fn line(text: &str) -> String {
    clean(text, ' ')
}

fn clean(text: &str, line_break: char) -> String {
    let mut out = String::with_capacity(text.len());
    for grapheme in text.graphemes(true) {
        match grapheme {
            "\r\n" | "\n" | "\r" | "\u{2028}" | "\u{2029}" => out.push(line_break),
            "\t" => out.push_str(TAB),
            _ => push_grapheme(grapheme, &mut out),
        }
    }
    out
}

fn push_grapheme(grapheme: &str, out: &mut String) {
    let mut marks = 0;
    let is_flag = grapheme.starts_with('\u{1F3F4}');
    for (position, character) in grapheme.chars().enumerate() {
        if position >= GRAPHEME_POINTS_KEPT {
            break;
        }
        match character {
            '\u{0}'..='\u{1F}' => out.push(control_picture(character)),
            '\u{7F}' => out.push('\u{2421}'),
            '\u{80}'..='\u{9F}' => out.push('\u{FFFD}'),
            _ if is_invisible_control(character) => {}
            // Tag characters spell out regional flags behind a black flag; anywhere else they hide text.
            '\u{E0000}'..='\u{E007F}' if !is_flag => {}
            _ if is_combining(character) => {
                marks += 1;
                if marks <= MARKS_KEPT {
                    out.push(character);
                }
            }
            _ => out.push(character),
        }
    }
}

/// The visible picture of a C0 control character: U+2400 and on.
fn control_picture(control: char) -> char {
    char::from_u32(0x2400 + u32::from(control)).unwrap_or('\u{FFFD}')
}

/// Bidirectional embeddings, overrides and isolates, interlinear annotations, and other format characters that draw
/// nothing and change how the rest is read. Joiners (U+200C, U+200D) and the plain direction marks stay: scripts and
/// emoji need them.
const fn is_invisible_control(character: char) -> bool {
    matches!(
        character,
        '\u{00AD}'
            | '\u{061C}'
            | '\u{180E}'
            | '\u{200B}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{FEFF}'
            | '\u{FFF9}'..='\u{FFFB}'
    )
}

/// The blocks of general combining marks, by which characters are piled up.
const fn is_combining(character: char) -> bool {
    matches!(
        character,
        '\u{0300}'..='\u{036F}'
            | '\u{0483}'..='\u{0489}'
            | '\u{1AB0}'..='\u{1AFF}'
            | '\u{1DC0}'..='\u{1DFF}'
            | '\u{20D0}'..='\u{20FF}'
            | '\u{FE20}'..='\u{FE2F}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_passes() {
        for (text, shown) in [
            ("plain", "plain"),
            ("\u{1b}[31mred\u{1b}[0m", "␛[31mred␛[0m"),
            ("\u{1b}]52;c;ZXZpbA==\u{7}", "␛]52;c;ZXZpbA==␇"),
            ("a\u{9b}2Jb", "a\u{FFFD}2Jb"),
            ("bell\u{7}", "bell␇"),
            ("del\u{7f}", "del␡"),
            ("nul\0", "nul␀"),
            ("back\u{8}space", "back␈space"),
            ("shift\u{e}out", "shift␎out"),
            ("tab\tstop", "tab    stop"),
            ("user\u{202e}gpj.exe", "usergpj.exe"),
            ("a\u{2066}b\u{2069}", "ab"),
            ("zero\u{200b}width", "zerowidth"),
            ("hidden\u{E0041}\u{E0042}", "hidden"),
        ] {
            assert_eq!(block(text), shown, "{text:?}");
        }
    }

    #[test]
    fn no_control_character_of_any_kind_survives() {
        let everything: String = (0..=0x10FFFF_u32).filter_map(char::from_u32).collect();
        for cleaned in [block(&everything), line(&everything)] {
            let obeyed = cleaned.chars().find(|c| c.is_control() && *c != '\n');
            assert_eq!(obeyed, None);
        }
        assert!(!line(&everything).contains('\n'));
    }

    #[test]
    fn scripts_and_emoji_stay_whole() {
        for text in [
            "👨‍👩‍👧‍👦 👍🏽 🇯🇵 ❤️ 🏴\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}",
            "日本語の文章",
            "مرحبا بالعالم",
            "שָׁלוֹם",
            "Tiếng Việt, e\u{301}",
            "नमस्ते",
        ] {
            assert_eq!(block(text), text);
        }
    }

    #[test]
    fn line_breaks_are_unified_or_taken_out() {
        assert_eq!(block("a\r\nb\rc\u{2028}d"), "a\nb\nc\nd");
        assert_eq!(line("a\r\nb\nc"), "a b c");
    }

    #[test]
    fn piles_of_marks_are_cut() {
        let pile = format!("z{}", "\u{0335}".repeat(80));
        assert_eq!(block(&pile).chars().count(), 1 + MARKS_KEPT);
    }
}
