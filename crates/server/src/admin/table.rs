//! Tables for terminals.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr as _;

/// Rows under headings, each column as wide as its widest cell; numbers to the right.
pub(crate) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Without rows yet. A heading that ends in `#` is a column of numbers.
    pub(crate) fn new(headings: &[&'static str]) -> Self {
        Self { headings: headings.to_vec(), rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| plain(&cell)).collect());
    }

    /// Prints it.
    pub(crate) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let titles: Vec<String> =
            self.headings.iter().map(|heading| heading.trim_end_matches('#').to_owned()).collect();
        let widths: Vec<usize> = (0..titles.len())
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.chain(titles.get(column)).map(|cell| cell.width()).max().unwrap_or(0)
            })
            .collect();
        for row in std::iter::once(&titles).chain(&self.rows) {
            let mut line = String::new();
            for ((cell, width), heading) in row.iter().zip(&widths).zip(&self.headings) {
                let padding = " ".repeat(width.saturating_sub(cell.width()));
                let (before, after) =
                    if heading.ends_with('#') { (padding.as_str(), "") } else { ("", padding.as_str()) };
                line.push_str(&format!("{before}{cell}{after}  "));
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A text without what would move the cursor or turn the direction: names are what users chose.
pub(crate) fn plain(text: &str) -> String {
    let turns = |character| matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}');
    text.chars()
        .map(|character| if character.is_control() || turns(character) { '\u{fffd}' } else { character })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_cells() {
        let mut table = Table::new(&["name", "count#", "note"]);
        table.row(["枇杷".to_owned(), "7".to_owned(), "wide".to_owned()]);
        table.row(["a\x1b[2Jb".to_owned(), "12345678".to_owned(), String::new()]);
        let mut out = Vec::new();
        table.print(&mut out).unwrap();
        let expected = "name       count  note\n枇杷           7  wide\na\u{fffd}[2Jb  12345678\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
