//! The dependencies of the workspace, held against the table in [`rules`](super::rules).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::Finding;
use super::rules::{self, Rule};
use crate::shell::{self, Workspace};

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `None` for what ships, else `dev` or `build`.
    kind: Option<String>,
    /// Set for packages of this workspace.
    path: Option<PathBuf>,
}

/// Breaches of the dependency table. A workspace that cargo cannot read is a finding, not a crash.
pub(crate) fn inspect(workspace: &Workspace) -> Vec<Finding> {
    match packages(workspace) {
        Ok(packages) => packages.iter().flat_map(|package| judge(workspace, package)).collect(),
        Err(error) => {
            let problem = format!("cargo cannot read the workspace: {error:#}");
            vec![Finding::new("Cargo.toml", None, problem, "mend the manifests")]
        }
    }
}

fn packages(workspace: &Workspace) -> Result<Vec<Package>> {
    let mut command = workspace.cargo("metadata");
    command.args(["--no-deps", "--format-version", "1"]);
    let metadata: Metadata =
        serde_json::from_str(&shell::output(&mut command)?).context("cargo metadata changed its format")?;
    Ok(metadata.packages)
}

fn judge(workspace: &Workspace, package: &Package) -> Vec<Finding> {
    let manifest = package.manifest_path.strip_prefix(&workspace.root).unwrap_or(&package.manifest_path);
    let Some(rule) = rules::rule(&package.name) else {
        let problem = format!("{} has no row in the dependency table", package.name);
        return vec![Finding::new(manifest, None, problem, "add one to xtask/src/tidy/rules.rs")];
    };
    let text = std::fs::read_to_string(&package.manifest_path).unwrap_or_default();
    let mut findings = direct(rule, package, manifest, &text);
    if rule.never.is_empty() {
        return findings;
    }
    match closure(workspace, &package.name) {
        Ok(reached) => findings.extend(indirect(rule, &reached, manifest, &text)),
        Err(error) => {
            let problem = format!("cargo cannot resolve {}: {error:#}", package.name);
            findings.push(Finding::new(manifest, None, problem, "mend the manifests"));
        }
    }
    findings
}

/// What the package names itself.
fn direct(rule: &Rule, package: &Package, manifest: &Path, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for dependency in
        package.dependencies.iter().filter(|dependency| dependency.kind.as_deref() != Some("dev"))
    {
        let line = line_of(text, &dependency.name);
        if dependency.path.is_some() && !rule.may.contains(&dependency.name) {
            let problem = format!("{} must not depend on {}", package.name, dependency.name);
            findings.push(Finding::new(
                manifest,
                line,
                problem,
                "arrows point inward: put a port between them",
            ));
        }
        if dependency.name == "anyhow" && !rules::PROGRAMS.contains(&rule.package) {
            let problem = format!("{} is a library and uses anyhow", package.name);
            findings.push(Finding::new(manifest, line, problem, "give it an error enum with thiserror"));
        }
    }
    findings
}

/// What the package reaches through others.
fn indirect(rule: &Rule, reached: &BTreeSet<String>, manifest: &Path, text: &str) -> Vec<Finding> {
    let forbidden = rule.never.iter().flat_map(|group| group.iter()).filter(|name| reached.contains(**name));
    forbidden
        .map(|name| {
            let problem = format!("{} must not know {name}, at any distance", rule.package);
            let remedy = "`cargo tree --invert` shows by which way; drop it or move the code outward";
            Finding::new(manifest, line_of(text, name), problem, remedy)
        })
        .collect()
}

/// All packages that ship with this one, with its own features alone: what the whole workspace switches on
/// together would accuse a crate of its neighbours' choices.
fn closure(workspace: &Workspace, package: &str) -> Result<BTreeSet<String>> {
    let mut command = workspace.cargo("tree");
    command.args(["--package", package, "--all-features", "--target", "all"]);
    command.args(["--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"]);
    let tree = shell::output(&mut command)?;
    Ok(tree.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
}

/// The line that names a dependency, below a `[…dependencies]` header.
fn line_of(manifest: &str, dependency: &str) -> Option<usize> {
    let names = |line: &str| {
        line.strip_prefix(dependency).is_some_and(|rest| rest.starts_with([' ', '=', '.']))
            || line.contains(&format!("package = \"{dependency}\""))
    };
    manifest.lines().position(names).map(|index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, dependencies: &[(&str, Option<&str>, bool)]) -> Package {
        let dependencies = dependencies
            .iter()
            .map(|&(name, kind, inner)| Dependency {
                name: name.to_owned(),
                kind: kind.map(str::to_owned),
                path: inner.then(|| PathBuf::from("somewhere")),
            })
            .collect();
        Package { name: name.to_owned(), manifest_path: PathBuf::new(), dependencies }
    }

    fn problems(package: &Package) -> Vec<String> {
        let rule = rules::rule(&package.name).expect("a row");
        direct(rule, package, Path::new("Cargo.toml"), "")
            .into_iter()
            .map(|finding| finding.problem)
            .collect()
    }

    #[test]
    fn arrows_point_inward() {
        let cases = [
            ("loquat-domain", "loquat-proto", true),
            ("loquat-domain", "loquat-store", false),
            ("loquat-proto", "loquat-domain", false),
            ("loquat-gateway", "loquat-store", false),
            ("loquat-gateway", "loquat-domain", true),
            ("loquat-bus", "loquat-store", false),
            ("loquat-engine", "loquat-client", false),
            ("loquat-client", "loquat-domain", false),
            ("loquat-tui", "loquat-client", true),
            ("loquat-server", "loquat-store", true),
            ("loquat-server", "loquat-testkit", false),
            ("loquat-bench", "loquat-gateway", false),
            ("loquat-bench", "loquat-client", true),
            ("xtask", "loquat-proto", false),
        ];
        for (from, to, allowed) in cases {
            let found = problems(&package(from, &[(to, None, true)]));
            assert_eq!(found.is_empty(), allowed, "{from} -> {to}: {found:?}");
            assert!(
                problems(&package(from, &[(to, Some("dev"), true)])).is_empty(),
                "tests of {from} are free"
            );
        }
    }

    #[test]
    fn anyhow_is_for_programs() {
        assert_eq!(problems(&package("loquat-store", &[("anyhow", None, false)])).len(), 1);
        assert!(problems(&package("loquat-server", &[("anyhow", None, false)])).is_empty());
    }

    #[test]
    fn what_must_not_be_known_is_found_at_any_distance() {
        let rule = rules::rule("loquat-engine").expect("a row");
        let reached = ["serde", "tokio", "tokio-util"].map(str::to_owned).into_iter().collect();
        let found = indirect(rule, &reached, Path::new("Cargo.toml"), "");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].problem, "loquat-engine must not know tokio, at any distance");
    }

    #[test]
    fn the_line_of_a_dependency_is_its_own() {
        let manifest =
            "[dependencies]\ntokio-util.workspace = true\ntokio = \"1\"\nsql = { package = \"rusqlite\" }";
        assert_eq!(line_of(manifest, "tokio"), Some(3));
        assert_eq!(line_of(manifest, "rusqlite"), Some(4));
        assert_eq!(line_of(manifest, "axum"), None);
    }

    #[test]
    fn the_table_names_each_package_once() {
        let names: BTreeSet<&str> = rules::RULES.iter().map(|rule| rule.package).collect();
        assert_eq!(names.len(), rules::RULES.len());
    }
}
