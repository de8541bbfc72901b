//! What every crate states about itself, and the length of the map of the whole.

use std::path::Path;

use super::Finding;
use super::files::SourceFile;

/// The map is read before the first change: it must stay readable at one sitting.
const ARCHITECTURE_LINES: usize = 200;

/// Lints inherited, crate docs present, `ARCHITECTURE.md` short.
pub(crate) fn inspect(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = files.iter().filter_map(judge).collect();
    if !files.iter().any(|file| file.path == Path::new("ARCHITECTURE.md")) {
        let problem = "there is no ARCHITECTURE.md".to_owned();
        findings.push(Finding::new("ARCHITECTURE.md", None, problem, "write the map of the code"));
    }
    findings
}

fn judge(file: &SourceFile) -> Option<Finding> {
    if file.path == Path::new("ARCHITECTURE.md") {
        let lines = file.text.lines().count();
        return (lines > ARCHITECTURE_LINES).then(|| {
            let problem = format!("{lines} lines, of at most {ARCHITECTURE_LINES}");
            Finding::new(&file.path, Some(ARCHITECTURE_LINES + 1), problem, "move detail to docs/")
        });
    }
    let in_crate = file.path.starts_with("crates") || file.path.starts_with("xtask");
    if in_crate && file.path.ends_with("Cargo.toml") && !inherits_lints(&file.text) {
        let problem = "the crate does not inherit the lints of the workspace".to_owned();
        return Some(Finding::new(&file.path, None, problem, "add `[lints]` with `workspace = true`"));
    }
    let is_root = file.path.ends_with("src/lib.rs") || file.path.ends_with("src/main.rs");
    if in_crate && is_root && !file.text.lines().any(|line| line.starts_with("//!")) {
        let problem = "the crate has no docs".to_owned();
        let remedy = "open with `//!`: what it is, what it must not know, how to extend it";
        return Some(Finding::new(&file.path, None, problem, remedy));
    }
    None
}

fn inherits_lints(manifest: &str) -> bool {
    let compact =
        |line: &str| line.chars().filter(|character| !character.is_whitespace()).collect::<String>();
    let mut in_lints = false;
    for line in manifest.lines().map(compact) {
        if line.starts_with('[') {
            in_lints = line == "[lints]";
        }
        if line == "lints.workspace=true" || (in_lints && line == "workspace=true") {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(path: &str, text: &str) -> Option<String> {
        judge(&SourceFile { path: path.into(), text: text.to_owned() }).map(|finding| finding.problem)
    }

    #[test]
    fn lints_are_inherited() {
        let path = "crates/a/Cargo.toml";
        assert_eq!(finding(path, "[package]\n\n[lints]\nworkspace = true\n"), None);
        assert_eq!(finding(path, "lints.workspace = true\n"), None);
        assert!(finding(path, "[lints]\n[dependencies]\nworkspace = true\n").is_some());
        assert_eq!(finding("Cargo.toml", "[workspace]\n"), None, "the root is no crate");
    }

    #[test]
    fn crates_have_docs_and_the_map_is_short() {
        assert!(finding("crates/a/src/lib.rs", "/// Not the crate's.\npub mod a;\n").is_some());
        assert_eq!(finding("crates/a/src/lib.rs", "//! What it is.\n"), None);
        assert_eq!(finding("crates/a/src/inner.rs", "pub struct A;\n"), None);
        assert_eq!(finding("ARCHITECTURE.md", &"line\n".repeat(200)), None);
        assert!(finding("ARCHITECTURE.md", &"line\n".repeat(201)).is_some());
    }
}
