//! Line breaking by columns.
//!
//! Greedy, at spaces, after hyphens, and around wide characters (CJK breaks anywhere); a word longer than
//! a line is broken between graphemes. Spaces that would begin a line hang at the end of the one before, so that
//! nothing is lost: the ranges of the lines cover the text but for its line feeds. The compose editor relies on that.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::width::{columns, grapheme_columns};

/// The lines of a text as byte ranges, each at most `width` columns (trailing spaces aside). At least one line.
#[must_use]
pub fn ranges(text: &str, width: usize) -> Vec<Range<usize>> {
    let width = width.max(2);
    let mut lines = Vec::new();
    let mut start = 0;
    for paragraph in text.split('\n') {
        wrap_paragraph(paragraph, start, width, &mut lines);
        start += paragraph.len() + 1;
    }
    lines
}

/// The lines of a text, without the spaces at their ends.
pub fn lines(text: &str, width: usize) -> impl Iterator<Item = &str> {
    ranges(text, width).into_iter().map(move |range| text[range].trim_end_matches(' '))
}

fn wrap_paragraph(paragraph: &str, offset: usize, width: usize, lines: &mut Vec<Range<usize>>) {
    let mut line_start = 0;
    let mut used = 0;
    // The last place where a line may end, if there is one behind the line's start.
    let mut break_at: Option<usize> = None;
    let mut previous_wide = false;
    for (position, grapheme) in paragraph.grapheme_indices(true) {
        let wide = grapheme_columns(grapheme);
        if position > line_start && (wide == 2 || previous_wide) && grapheme != " " && !closes(grapheme) {
            break_at = Some(position);
        }
        if used + wide > width && grapheme != " " {
            let end = break_at.filter(|end| *end > line_start).unwrap_or(position);
            lines.push(offset + line_start..offset + end);
            used = columns(&paragraph[end..position]);
            line_start = end;
            break_at = None;
        }
        used += wide;
        previous_wide = wide == 2;
        if matches!(grapheme, " " | "-") {
            break_at = Some(position + grapheme.len());
        }
    }
    lines.push(offset + line_start..offset + paragraph.len());
}

/// Punctuation that must not begin a line.
fn closes(grapheme: &str) -> bool {
    matches!(
        grapheme,
        "," | "." | "!" | "?" | ":" | ";" | ")" | "]" | "。" | "、" | "，" | "！" | "？" | "」" | "）"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(text: &str, width: usize) -> Vec<&str> {
        lines(text, width).collect()
    }

    #[test]
    fn lines_break_where_readers_expect() {
        let cases: [(&str, usize, &[&str]); 10] = [
            ("", 5, &[""]),
            ("one two three", 7, &["one two", "three"]),
            ("one  two", 4, &["one", "two"]),
            ("abcdefghij", 4, &["abcd", "efgh", "ij"]),
            ("a\n\nb", 5, &["a", "", "b"]),
            ("well-known", 6, &["well-", "known"]),
            ("日本語の文章", 5, &["日本", "語の", "文章"]),
            ("say 日本語。", 8, &["say 日本", "語。"]),
            ("to 👨‍👩‍👧‍👦👨‍👩‍👧‍👦", 5, &["to 👨‍👩‍👧‍👦", "👨‍👩‍👧‍👦"]),
            ("  indented text", 10, &["  indented", "text"]),
        ];
        for (text, width, expected) in cases {
            assert_eq!(wrapped(text, width), expected, "{text:?} at {width}");
        }
    }

    #[test]
    fn nothing_is_lost_and_no_line_is_too_wide() {
        let text = "A long text, with  double spaces, averyveryverylongwordthatdoesnotfit, 日本語 mixed in, 👍🏽 and\n\nparagraphs ";
        for width in 2..40 {
            let ranges = ranges(text, width);
            let rebuilt: Vec<&str> = ranges.iter().map(|range| &text[range.clone()]).collect();
            assert_eq!(rebuilt.concat(), text.replace('\n', ""), "width {width}");
            for line in rebuilt {
                assert!(columns(line.trim_end()) <= width, "{line:?} at {width}");
            }
        }
    }
}
