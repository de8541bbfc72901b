//! Columns: how wide text is drawn, grapheme by grapheme (UAX #29, UAX #11).

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// What stands for text that was cut off.
pub const ELLIPSIS: &str = "…";

/// Columns that a text takes on one line.
#[must_use]
pub fn columns(text: &str) -> usize {
    text.graphemes(true).map(grapheme_columns).sum()
}

/// Columns of one grapheme: never more than two, whatever it is made of.
#[must_use]
pub fn grapheme_columns(grapheme: &str) -> usize {
    grapheme.width().min(2)
}

/// The text, cut to at most `limit` columns with an ellipsis where something was left out.
#[must_use]
pub fn truncate(text: &str, limit: usize) -> String {
    if columns(text) <= limit {
        return text.to_owned();
    }
    if limit == 0 {
        return String::new();
    }
    let mut out = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let wide = grapheme_columns(grapheme);
        if used + wide + 1 > limit {
            break;
        }
        out.push_str(grapheme);
        used += wide;
    }
    let mut out = out.trim_end().to_owned();
    out.push_str(ELLIPSIS);
    out
}

/// The text cut or filled with spaces to exactly `width` columns.
#[must_use]
pub fn fit(text: &str, width: usize) -> String {
    let mut out = truncate(text, width);
    let missing = width.saturating_sub(columns(&out));
    out.extend(std::iter::repeat_n(' ', missing));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_follow_graphemes() {
        for (text, wide) in
            [("", 0), ("abc", 3), ("日本", 4), ("e\u{301}", 1), ("👍🏽", 2), ("👨‍👩‍👧‍👦", 2), ("🇯🇵", 2), ("مرحبا", 5)]
        {
            assert_eq!(columns(text), wide, "{text:?}");
        }
    }

    #[test]
    fn truncating_never_splits_a_grapheme_nor_exceeds() {
        for (text, limit, cut) in [
            ("hello", 5, "hello"),
            ("hello!", 5, "hell…"),
            ("a b c d", 4, "a b…"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("👨‍👩‍👧‍👦 family", 3, "👨‍👩‍👧‍👦…"),
            ("x", 0, ""),
            ("xy", 1, "…"),
        ] {
            let out = truncate(text, limit);
            assert_eq!(out, cut, "{text:?} to {limit}");
            assert!(columns(&out) <= limit);
        }
    }

    #[test]
    fn fitting_is_exact() {
        for text in ["", "ab", "日本語の文章", "long enough to be cut"] {
            assert_eq!(columns(&fit(text, 7)), 7, "{text:?}");
        }
    }
}
