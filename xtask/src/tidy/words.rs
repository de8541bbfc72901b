//! Notes of work left undone. They belong in the issue tracker, where somebody sees them.

use super::Finding;
use super::files::SourceFile;

/// Spelt in halves, so that this file passes its own rule.
const MARKERS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
const STUB: &str = concat!("to", "do!(");

/// One finding for each line with a marker.
pub(crate) fn inspect(files: &[SourceFile]) -> Vec<Finding> {
    // Prose may speak of the markers.
    files.iter().filter(|file| !file.is("md")).flat_map(marked_lines).collect()
}

fn marked_lines(file: &SourceFile) -> Vec<Finding> {
    let finding = |index: usize, marker: &str| {
        let problem = format!("`{marker}` marks unfinished work");
        Finding::new(
            &file.path,
            Some(index + 1),
            problem,
            "finish it, or file an issue and say why in plain words",
        )
    };
    file.text
        .lines()
        .enumerate()
        .filter_map(|(index, line)| marker_in(line).map(|marker| finding(index, marker)))
        .collect()
}

fn marker_in(line: &str) -> Option<&'static str> {
    if line.contains(STUB) {
        return Some(STUB);
    }
    MARKERS
        .into_iter()
        .find(|marker| line.match_indices(marker).any(|(start, _)| is_word(line, start, marker.len())))
}

/// Whether no letter, digit or underscore adjoins.
fn is_word(line: &str, start: usize, length: usize) -> bool {
    let part = |character: char| character.is_alphanumeric() || character == '_';
    !line[..start].ends_with(part) && !line[start + length..].starts_with(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_words() {
        let [first, second, third] = MARKERS;
        let marked = [
            format!("// {first}: later"),
            second.to_owned(),
            format!("\"{third}\""),
            format!("({first}(name))"),
            format!("    {STUB})"),
        ];
        for line in marked {
            assert!(marker_in(&line).is_some(), "{line}");
        }
        for line in [format!("mktemp {third}{third}"), format!("{first}S"), "todo list".to_owned()] {
            assert!(marker_in(&line).is_none(), "{line}");
        }
    }

    #[test]
    fn the_line_is_told_and_prose_is_free() {
        let text = format!("fn a() {{\n    {STUB})\n}}\n");
        let file = |path: &str| SourceFile { path: path.into(), text: text.clone() };
        let findings = inspect(&[file("a.rs"), file("a.md")]);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].line, Some(2));
    }
}
