//! The layers that settings come from, flattened to dotted keys with their origins.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use toml::Value;
use toml::de::{DeTable, DeValue};

use super::load::SettingsError;

/// Prefix of environment variables that are settings.
const PREFIX: &str = "LOQUAT_";

/// What stands between two levels of a key in the name of an environment variable.
const LEVEL: &str = "__";

/// What other commands read, or the command line itself: no settings of the service, and no strangers either.
const OURS: [&str; 5] = ["CONFIG", "SERVER", "PROFILE", "USER", "PASSWORD"];

/// Where settings are looked for, besides the defaults.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// A TOML file.
    pub(crate) file: Option<PathBuf>,
    /// Environment variables, those that are none of ours included.
    pub(crate) environment: Vec<(String, String)>,
    /// Flags.
    pub(crate) flags: Vec<Flag>,
}

/// A setting given on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flag {
    /// How it was written: `--listen`, `--set`.
    pub(crate) name: &'static str,
    /// The dotted key.
    pub(crate) key: String,
    /// The value as text.
    pub(crate) value: String,
}

/// Where a setting was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// On a line of a file.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// In an environment variable.
    Environment(String),
    /// In a flag.
    Flag(&'static str),
    /// Nobody chose it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// What was found for a key.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Given {
    /// A text that is still to be read as the setting's type.
    Text(String),
    /// A typed value.
    Typed(Value),
    /// A table: its entries follow under their own keys.
    Group,
}

/// One finding.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) given: Given,
    pub(super) origin: Origin,
}

/// All findings, those that prevail last, and what the environment has beside settings.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) entries: Vec<Entry>,
    /// `LOQUAT_` variables that can be no setting of a group and may be somebody else's.
    pub(super) strangers: Vec<String>,
}

/// Reads every layer.
pub(super) fn read(sources: &Sources, is_setting: impl Fn(&str) -> bool) -> Result<Findings, SettingsError> {
    let mut findings = Findings::default();
    if let Some(path) = &sources.file {
        findings.entries.extend(read_file(path)?);
    }
    for (name, value) in &sources.environment {
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let key = rest.to_lowercase().replace(LEVEL, ".");
        if is_setting(&key) || rest.contains(LEVEL) {
            let given = Given::Text(value.clone());
            findings.entries.push(Entry { key, given, origin: Origin::Environment(name.clone()) });
        } else if !OURS.contains(&rest) {
            findings.strangers.push(name.clone());
        }
    }
    findings.entries.extend(sources.flags.iter().map(|flag| Entry {
        key: flag.key.clone(),
        given: Given::Text(flag.value.clone()),
        origin: Origin::Flag(flag.name),
    }));
    Ok(findings)
}

/// The environment variable of a setting.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase().replace('.', LEVEL))
}

fn read_file(path: &PathBuf) -> Result<Vec<Entry>, SettingsError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| SettingsError::Unreadable { path: path.clone(), reason: error.to_string() })?;
    let file = File { path, text: &text };
    let table = DeTable::parse(&text).map_err(|error| SettingsError::Value {
        origin: file.origin(error.span().unwrap_or_default()),
        reason: error.message().to_owned(),
    })?;
    let mut entries = Vec::new();
    file.flatten("", table.get_ref(), &mut entries);
    Ok(entries)
}

struct File<'a> {
    path: &'a PathBuf,
    text: &'a str,
}

impl File<'_> {
    fn origin(&self, span: Range<usize>) -> Origin {
        let before = self.text.as_bytes().iter().take(span.start);
        Origin::File { path: self.path.clone(), line: before.filter(|byte| **byte == b'\n').count() + 1 }
    }

    fn flatten(&self, prefix: &str, table: &DeTable<'_>, entries: &mut Vec<Entry>) {
        for (name, value) in table {
            let key = format!("{prefix}{}", name.get_ref());
            let origin = self.origin(name.span());
            match value.get_ref() {
                DeValue::Table(inner) => {
                    entries.push(Entry { key: key.clone(), given: Given::Group, origin });
                    self.flatten(&format!("{key}."), inner, entries);
                }
                leaf => entries.push(Entry { key, given: Given::Typed(typed(leaf)), origin }),
            }
        }
    }
}

/// A leaf as a plain value. A number beyond 64 bits stays text, which no number setting accepts.
fn typed(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::String(number.to_string()), Value::Integer),
        DeValue::Float(number) => {
            number.as_str().parse().map_or_else(|_| Value::String(number.to_string()), Value::Float)
        }
        DeValue::Boolean(truth) => Value::Boolean(*truth),
        DeValue::Datetime(moment) => Value::Datetime(*moment),
        DeValue::Array(items) => Value::Array(items.iter().map(|item| typed(item.get_ref())).collect()),
        DeValue::Table(table) => Value::Table(
            table.iter().map(|(name, value)| (name.get_ref().to_string(), typed(value.get_ref()))).collect(),
        ),
    }
}
