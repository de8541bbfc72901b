//! From layers to [`Settings`], where every mistake names itself and its place.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize as _;
use thiserror::Error;
use toml::{Table, Value};

use super::check::{self, Clash};
use super::layers::{self, Entry, Given, Origin, Sources};
use super::{Settings, reference};

/// How unlike a known key a wrong one may be for the known one to be suggested: single edits.
const SUGGESTED_EDITS: usize = 3;

/// Why there are no settings.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the settings file {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A key that does not exist.
    #[error("{origin}: there is no setting `{key}`{}", suggestion.map(|known| format!("; did you mean `{known}`?")).unwrap_or_default())]
    UnknownKey {
        /// Where it stands.
        origin: Origin,
        /// The key.
        key: String,
        /// An existing key much like it.
        suggestion: Option<&'static str>,
    },
    /// A value that a setting cannot have, or a file that is no TOML.
    #[error("{origin}: {reason}")]
    Value {
        /// Where it stands.
        origin: Origin,
        /// The key and what is wrong.
        reason: String,
    },
}

/// Settings with where they came from.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The settings.
    pub(crate) settings: Settings,
    /// `LOQUAT_` environment variables that were passed over: no setting has their name.
    pub(crate) strangers: Vec<String>,
    origins: BTreeMap<String, Origin>,
}

impl Loaded {
    /// Where this setting was found.
    pub(crate) fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or(Origin::Default)
    }

    /// Whether somebody chose this setting; else it is the default.
    pub(crate) fn is_set(&self, key: &str) -> bool {
        self.origins.contains_key(key)
    }
}

/// Reads all layers.
pub(crate) fn load(sources: &Sources) -> Result<Loaded, SettingsError> {
    let defaults = defaults();
    let is_setting = |key: &str| lookup(&defaults, key).is_some();
    let findings = layers::read(sources, is_setting)?;
    let mut merged = defaults.clone();
    let mut origins = BTreeMap::new();
    for entry in findings.entries {
        if let Some(value) = accept(&defaults, &entry)? {
            insert(&mut merged, &entry.key, value);
            origins.insert(entry.key, entry.origin);
        }
    }
    // Each value was accepted alone, so that together they are accepted too; the error is for completeness.
    let settings = Settings::deserialize(merged).map_err(|error| SettingsError::Unreadable {
        path: sources.file.clone().unwrap_or_default(),
        reason: error.message().to_owned(),
    })?;
    match check::together(&settings) {
        Some(clash) => Err(blame(&clash, &origins)),
        None => Ok(Loaded { settings, strangers: findings.strangers, origins }),
    }
}

/// The error of settings that do not go together: at the first one that somebody chose.
fn blame(clash: &Clash, origins: &BTreeMap<String, Origin>) -> SettingsError {
    let chosen = clash.sides.iter().find_map(|(key, reason)| Some((key, reason, origins.get(*key)?)));
    let [(key, reason), _] = &clash.sides;
    // The defaults go together (a test says so), so that one of the two was chosen.
    let (key, reason, origin) = match chosen {
        Some((key, reason, origin)) => (key, reason, origin.clone()),
        None => (key, reason, Origin::Default),
    };
    SettingsError::Value { origin, reason: format!("`{key}`: {reason}") }
}

/// The defaults as a tree of values: which keys there are, and of what type.
pub(super) fn defaults() -> Table {
    // Settings consist of what TOML can say; a test reads this tree back.
    Table::try_from(Settings::default()).unwrap_or_default()
}

/// The value of an entry in the type of its setting; `None` for a group.
fn accept(defaults: &Table, entry: &Entry) -> Result<Option<Value>, SettingsError> {
    let Entry { key, given, origin } = entry;
    let wrong = |reason: String| SettingsError::Value {
        origin: origin.clone(),
        reason: format!("`{key}`: {reason}"),
    };
    let Some(default) = lookup(defaults, key) else {
        return Err(SettingsError::UnknownKey {
            origin: origin.clone(),
            key: key.clone(),
            suggestion: suggestion(key),
        });
    };
    let value = match (default, given) {
        (Value::Table(_), Given::Group) => return Ok(None),
        (Value::Table(_), _) => return Err(wrong(format!("is a group; set `{key}.…`"))),
        (_, Given::Group) => return Err(wrong("is one setting, not a group".to_owned())),
        (_, Given::Typed(value)) => value.clone(),
        (default, Given::Text(text)) => read_as(default, text).map_err(wrong)?,
    };
    let mut alone = Table::new();
    insert(&mut alone, key, value.clone());
    let settings = Settings::deserialize(alone).map_err(|error| wrong(first_line(error.message())))?;
    check::value(key, &value, &settings).map_err(wrong)?;
    Ok(Some(value))
}

/// A text from the environment or a flag as a value of the same type as the default.
fn read_as(default: &Value, text: &str) -> Result<Value, String> {
    match default {
        Value::Integer(_) => text
            .trim()
            .parse()
            .map(Value::Integer)
            .map_err(|_| format!("expected a whole number, not {text:?}")),
        Value::Boolean(_) => text
            .trim()
            .parse()
            .map(Value::Boolean)
            .map_err(|_| format!("expected `true` or `false`, not {text:?}")),
        Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
        }
        _ => Ok(Value::String(text.to_owned())),
    }
}

pub(super) fn lookup<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    match key.split_once('.') {
        None => table.get(key),
        Some((group, rest)) => lookup(table.get(group)?.as_table()?, rest),
    }
}

fn insert(table: &mut Table, key: &str, value: Value) {
    let Some((group, rest)) = key.split_once('.') else {
        table.insert(key.to_owned(), value);
        return;
    };
    let group = table.entry(group).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(group) = group {
        insert(group, rest, value);
    }
}

fn suggestion(key: &str) -> Option<&'static str> {
    let distance = |known: &'static str| (strsim::damerau_levenshtein(key, known), known);
    let (edits, known) = reference::SETTINGS.iter().map(|setting| distance(setting.key)).min()?;
    (edits <= SUGGESTED_EDITS).then_some(known)
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
