//! Judges what [`source`](super::source) found: length, nesting, and calls that only tests may make.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Finding;
use super::files::SourceFile;
use super::rules;
use super::source::{self, Source};

const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 100;
const NESTING: usize = 5;

/// Folders of a crate that hold no production code.
const TEST_FOLDERS: [&str; 3] = ["tests", "benches", "examples"];
/// Modules of tests that other crates run, too: the conformance suites of the ports.
const SUITE: &str = "conformance";

/// Judges every production file of Rust.
pub(crate) fn inspect(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut read = Vec::new();
    for file in files.iter().filter(|file| file.is("rs") && !in_test_folder(&file.path)) {
        match source::read(&file.text) {
            Ok(source) => read.push((file.path.as_path(), source)),
            Err(error) => {
                let problem = format!("is not Rust: {error}");
                findings.push(Finding::new(&file.path, None, problem, "mend the syntax"));
            }
        }
    }
    let tests: BTreeSet<PathBuf> =
        read.iter().flat_map(|(path, source)| test_modules(path, source)).collect();
    let is_test = |path: &Path| path.ancestors().any(|folder| tests.contains(&folder.with_extension("")));
    for (path, source) in read.iter().filter(|(path, _)| !is_test(path)) {
        findings.extend(judge(path, source));
    }
    findings
}

fn judge(path: &Path, source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if source.lines > FILE_LINES {
        let problem = format!("{} lines outside tests, of at most {FILE_LINES}", source.lines);
        findings.push(Finding::new(path, None, problem, "split it by what its parts are for"));
    }
    for function in &source.functions {
        if function.lines > FUNCTION_LINES {
            let problem =
                format!("`{}` has {} lines, of at most {FUNCTION_LINES}", function.name, function.lines);
            findings.push(Finding::new(
                path,
                Some(function.line),
                problem,
                "give its steps names of their own",
            ));
        }
        if function.nesting > NESTING {
            let problem =
                format!("`{}` nests {} deep, of at most {NESTING}", function.name, function.nesting);
            let remedy = "return early, or move the inner part to a function";
            findings.push(Finding::new(path, Some(function.deepest), problem, remedy));
        }
    }
    for line in &source.unwraps {
        let remedy = "return an error, or `expect` with the reason why it cannot fail";
        findings.push(Finding::new(path, Some(*line), "`unwrap` outside tests".to_owned(), remedy));
    }
    if is_clockless(path) {
        for line in &source.clock_reads {
            let problem = "reads the system's clock".to_owned();
            findings.push(Finding::new(path, Some(*line), problem, "take the time from the `Clock` port"));
        }
    }
    findings
}

/// Whether the crate of this file gets time through a port.
fn is_clockless(path: &Path) -> bool {
    let mut parts = path.components().filter_map(|part| part.as_os_str().to_str());
    let package = match (parts.next(), parts.next()) {
        (Some("crates"), Some(folder)) => format!("loquat-{folder}"),
        _ => return false,
    };
    rules::rule(&package).is_some_and(|rule| rule.clockless)
}

/// A crate's own `tests` folder and its like, and not a module of that name; or the conformance suite of a port.
fn in_test_folder(path: &Path) -> bool {
    let mut parts = path.components().filter_map(|part| part.as_os_str().to_str());
    match (parts.next(), parts.next(), parts.next()) {
        (Some("crates"), Some(_), Some("src")) => {
            parts.next().is_some_and(|name| name.trim_end_matches(".rs") == SUITE)
        }
        (Some("crates"), Some(_), Some(folder)) => TEST_FOLDERS.contains(&folder),
        (Some("xtask"), Some(folder), _) => TEST_FOLDERS.contains(&folder),
        _ => false,
    }
}

/// The files of `#[cfg(test)] mod name;`, without their extension: `name.rs`, `name/mod.rs` and below.
fn test_modules(path: &Path, source: &Source) -> Vec<PathBuf> {
    let is_root = ["lib.rs", "main.rs", "mod.rs"].iter().any(|root| path.ends_with(root));
    let folder = if is_root { path.parent().unwrap_or(path).to_path_buf() } else { path.with_extension("") };
    source.test_modules.iter().map(|name| folder.join(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<SourceFile> = files
            .iter()
            .map(|(path, text)| SourceFile { path: path.into(), text: (*text).to_owned() })
            .collect();
        let position =
            |finding: &Finding| format!("{}:{}", finding.path.display(), finding.line.unwrap_or(0));
        inspect(&files).iter().map(|finding| format!("{} {}", position(finding), finding.problem)).collect()
    }

    #[test]
    fn files_of_600_lines_pass_and_longer_ones_fail_their_tests_not_counted() {
        let line = "const A: u8 = 1;\n";
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", line.repeat(300));
        assert!(problems(&[("crates/a/src/a.rs", &(line.repeat(600) + &tests))]).is_empty());
        let found = problems(&[("crates/a/src/a.rs", &(line.repeat(601) + &tests))]);
        assert_eq!(found, ["crates/a/src/a.rs:0 601 lines outside tests, of at most 600"]);
    }

    #[test]
    fn functions_of_100_lines_pass_and_longer_ones_fail() {
        let function = |lines: usize| format!("\nfn f() {{\n{}}}\n", "    a();\n".repeat(lines - 2));
        assert!(problems(&[("crates/a/src/a.rs", &function(100))]).is_empty());
        let found = problems(&[("crates/a/src/a.rs", &function(101))]);
        assert_eq!(found, ["crates/a/src/a.rs:2 `f` has 101 lines, of at most 100"]);
    }

    #[test]
    fn nesting_of_5_passes_and_6_fails() {
        let nested =
            |depth: usize| format!("fn f() {{\n{}{}}}\n", "if a {\n".repeat(depth), "}\n".repeat(depth));
        assert!(problems(&[("crates/a/src/a.rs", &nested(5))]).is_empty());
        let found = problems(&[("crates/a/src/a.rs", &nested(6))]);
        assert_eq!(found, ["crates/a/src/a.rs:7 `f` nests 6 deep, of at most 5"]);
    }

    #[test]
    fn unwrap_is_for_tests() {
        let bad = "fn f() {\n    a.unwrap();\n}\n";
        assert_eq!(problems(&[("crates/a/src/a.rs", bad)]), ["crates/a/src/a.rs:2 `unwrap` outside tests"]);
        for path in [
            "crates/a/tests/a.rs",
            "crates/a/benches/a.rs",
            "crates/a/src/conformance/a.rs",
            "xtask/tests/a.rs",
        ] {
            assert!(problems(&[(path, bad)]).is_empty(), "{path}");
        }
        let parents = [
            ("crates/a/src/lib.rs", "crates/a/src/proof.rs"),
            ("crates/a/src/log.rs", "crates/a/src/log/proof.rs"),
            ("crates/a/src/log.rs", "crates/a/src/log/proof/mod.rs"),
            ("crates/a/src/log/mod.rs", "crates/a/src/log/proof/part.rs"),
        ];
        for (parent, child) in parents {
            assert!(problems(&[(parent, "#[cfg(test)]\nmod proof;\n"), (child, bad)]).is_empty(), "{child}");
            assert_eq!(problems(&[(parent, "mod proof;\n"), (child, bad)]).len(), 1, "{child}");
        }
    }

    #[test]
    fn the_clock_is_a_port_where_the_table_says_so() {
        let text = "fn f() {\n    Instant::now();\n}\n";
        assert_eq!(
            problems(&[("crates/domain/src/a.rs", text)]),
            ["crates/domain/src/a.rs:2 reads the system's clock"]
        );
        assert!(problems(&[("crates/gateway/src/a.rs", text)]).is_empty());
    }

    #[test]
    fn a_file_that_does_not_lex_is_told() {
        assert_eq!(problems(&[("crates/a/src/a.rs", "fn a() {\n")]).len(), 1);
    }
}
