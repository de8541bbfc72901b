//! `THREATS.md` names tests that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Every `fn` name, and every scenario of torture, in the sources of a crate.
fn names(folder: &Path, found: &mut BTreeSet<String>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            names(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source file");
            let declared = text.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
            found.extend(declared.map(str::to_owned));
        }
    }
}

/// What a row names: pairs of crate and test, from "domain: `a`, `b`; gateway: `c`".
fn named(cell: &str) -> Vec<(String, String)> {
    let part = |part: &str| {
        let (package, tests) = part.split_once(':').unwrap_or_else(|| panic!("no crate in {part:?}"));
        let package = package.trim().to_owned();
        let tests: Vec<_> = tests.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        assert!(!tests.is_empty(), "no test in {part:?}");
        tests.into_iter().map(move |test| (package.clone(), test)).collect::<Vec<_>>()
    };
    cell.split(';').flat_map(part).collect()
}

#[test]
fn every_defence_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let threats = fs::read_to_string(root.join("THREATS.md")).expect("THREATS.md");
    let mut rows = 0;
    let mut missing = Vec::new();
    let mut in_table = false;
    for line in threats.lines() {
        in_table = line.starts_with('|') && (in_table || line.contains("| tests |"));
        let cells: Vec<_> = line.trim_matches('|').split(" | ").collect();
        if !in_table || line.contains("| tests |") || line.starts_with("| ---") {
            continue;
        }
        assert_eq!(cells.len(), 3, "{line}");
        rows += 1;
        for (package, test) in named(cells[2]) {
            let mut found = BTreeSet::new();
            for folder in ["src", "tests"].map(|folder| root.join("crates").join(&package).join(folder)) {
                if folder.is_dir() {
                    names(&folder, &mut found);
                }
            }
            if !found.contains(&test) {
                missing.push(format!("{package}: {test}"));
            }
        }
    }
    assert!(rows > 40, "the tables of THREATS.md were not found");
    assert!(missing.is_empty(), "THREATS.md names tests that are not there: {missing:#?}");
}
