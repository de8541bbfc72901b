//! `loquat config`: what is in force, what it means and where it comes from.
//!
//! The output for people is itself a settings file: `loquat config > loquat.toml` writes down what is in force. A secret
//! is never printed: its line is commented out.

use std::io::{self, Write};

use serde::Serialize;
use toml::{Table, Value};

use super::layers::{self, Origin};
use super::load::{Loaded, defaults, lookup};
use super::reference::{self, SETTINGS};

/// What stands for a secret.
const MASK: &str = "(secret)";

/// Columns of a comment.
const WIDTH: usize = 100;

/// One setting in force.
#[derive(Debug, PartialEq, Serialize)]
struct Shown {
    key: &'static str,
    /// [`MASK`] for a secret that is set.
    value: Value,
    default: Value,
    /// Where the value was found: `default`, `file:line`, a variable, a flag.
    origin: String,
    meaning: &'static str,
    environment: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed: Option<String>,
    secret: bool,
}

/// Which settings to show.
#[derive(Debug, Default)]
pub(crate) struct Selection<'a> {
    /// Keys, or groups; all if empty.
    pub(crate) keys: &'a [String],
    /// Only what somebody chose.
    pub(crate) chosen: bool,
}

impl Selection<'_> {
    fn has(&self, loaded: &Loaded, key: &str) -> bool {
        let is_below = |wanted: &String| {
            key.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        (self.keys.is_empty() || self.keys.iter().any(is_below)) && (!self.chosen || loaded.is_set(key))
    }

    /// A wanted key that is none.
    pub(crate) fn unknown(&self) -> Option<&str> {
        let is_known = |wanted: &str| {
            SETTINGS.iter().any(|setting| {
                setting.key.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
        };
        self.keys.iter().map(String::as_str).find(|wanted| !is_known(wanted))
    }
}

/// Prints the settings as JSON.
pub(crate) fn json(out: &mut impl Write, loaded: &Loaded, selection: &Selection<'_>) -> io::Result<()> {
    writeln!(out, "{:#}", serde_json::to_value(shown(loaded, selection))?)
}

/// Prints the settings as a settings file with comments.
pub(crate) fn toml(out: &mut impl Write, loaded: &Loaded, selection: &Selection<'_>) -> io::Result<()> {
    let mut group = "";
    let mut all = shown(loaded, selection);
    // A file names what is in no group first, and each group once.
    let groups: Vec<&str> = std::iter::once("").chain(all.iter().map(|shown| split(shown.key).0)).collect();
    all.sort_by_key(|shown| groups.iter().position(|group| *group == split(shown.key).0));
    for shown in &all {
        let (its_group, name) = split(shown.key);
        if its_group != group {
            writeln!(out, "[{its_group}]\n")?;
            group = its_group;
        }
        let allowed = shown.allowed.as_ref().map(|allowed| format!(" ({allowed})")).unwrap_or_default();
        comment(out, &format!("{}{allowed}", shown.meaning))?;
        comment(out, &format!("{} · {}", shown.origin, shown.environment))?;
        let masked = shown.secret && shown.value.as_str() == Some(MASK);
        writeln!(out, "{}{name} = {}\n", if masked { "# " } else { "" }, shown.value)?;
    }
    Ok(())
}

/// A key's group and its name in it.
fn split(key: &'static str) -> (&'static str, &'static str) {
    key.rsplit_once('.').unwrap_or(("", key))
}

fn comment(out: &mut impl Write, text: &str) -> io::Result<()> {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + word.chars().count() >= WIDTH {
            writeln!(out, "# {line}")?;
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    writeln!(out, "# {line}")
}

fn shown(loaded: &Loaded, selection: &Selection<'_>) -> Vec<Shown> {
    // Settings consist of what TOML can say; a test reads them back.
    let effective = Table::try_from(&loaded.settings).unwrap_or_default();
    let defaults = defaults();
    let wanted = SETTINGS.iter().filter(|setting| selection.has(loaded, setting.key));
    wanted
        .map(|setting| {
            let value = lookup(&effective, setting.key).cloned().unwrap_or(Value::String(String::new()));
            let default = lookup(&defaults, setting.key).cloned().unwrap_or(Value::String(String::new()));
            let value = if setting.is_secret() { mask(value, &default) } else { value };
            Shown {
                key: setting.key,
                value,
                default,
                origin: match (loaded.origin(setting.key), setting.default_in_words()) {
                    (Origin::Default, Some(words)) => format!("default: {words}"),
                    (origin, _) => origin.to_string(),
                },
                meaning: setting.meaning,
                environment: layers::variable(setting.key),
                allowed: reference::range(setting.key).map(|range| reference::words(&range)),
                secret: setting.is_secret(),
            }
        })
        .collect()
}

/// A secret as it may be seen: not at all, unless it is the default, which everybody knows.
fn mask(value: Value, default: &Value) -> Value {
    if value == *default { value } else { Value::String(MASK.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Flag, Settings, Sources, load};

    fn loaded(flags: &[(&str, &str)]) -> Loaded {
        let flags = flags.iter().map(|(key, value)| Flag {
            name: "--set",
            key: (*key).to_owned(),
            value: (*value).to_owned(),
        });
        load(&Sources { flags: flags.collect(), ..Sources::default() }).unwrap()
    }

    fn text(loaded: &Loaded, selection: &Selection<'_>) -> String {
        let mut out = Vec::new();
        toml(&mut out, loaded, selection).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_printed_is_a_settings_file_that_says_the_same() {
        for flags in [
            &[][..],
            &[
                ("limits.group_members", "7"),
                ("metrics.listen", ""),
                ("gateway.allowed_origins", "https://a.example"),
            ],
        ] {
            let loaded = loaded(flags);
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("loquat.toml");
            std::fs::write(&file, text(&loaded, &Selection::default())).unwrap();
            let again: Settings = load(&Sources { file: Some(file), ..Sources::default() }).unwrap().settings;
            assert_eq!(again, loaded.settings);
        }
    }

    #[test]
    fn each_says_where_it_comes_from() {
        let loaded = loaded(&[("limits.group_members", "7")]);
        let text = text(&loaded, &Selection { keys: &["limits".to_owned()], chosen: false });
        assert!(text.contains("# flag --set · LOQUAT_LIMITS__GROUP_MEMBERS\ngroup_members = 7\n"), "{text}");
        assert!(text.contains("# default · LOQUAT_LIMITS__TEXT_BYTES\ntext_bytes = 16384\n"), "{text}");
        assert!(!text.contains("listen"), "{text}");
    }

    #[test]
    fn only_what_was_chosen_or_asked_for_is_shown() {
        let loaded = loaded(&[("limits.group_members", "7"), ("server_name", "Orchard")]);
        let keys = |keys: &[&str], chosen| {
            let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            let selection = Selection { keys: &keys, chosen };
            shown(&loaded, &selection).iter().map(|shown| shown.key).collect::<Vec<_>>()
        };
        assert_eq!(keys(&[], true), ["server_name", "limits.group_members"]);
        assert_eq!(keys(&["limits"], true), ["limits.group_members"]);
        assert_eq!(keys(&["listen", "runtime"], false), ["listen", "runtime.threads"]);
        let wanted = ["limits".to_owned(), "limit".to_owned()];
        assert_eq!(Selection { keys: &wanted, chosen: false }.unknown(), Some("limit"));
    }

    #[test]
    fn secrets_are_never_printed() {
        let secrets = [
            ("storage.url", "postgres://me:canary@host/name"),
            ("traces.headers", "authorization=Bearer canary"),
            ("bus.url", "nats://me:canary@host"),
        ];
        let known = SETTINGS.iter().filter(|setting| setting.is_secret()).map(|setting| setting.key);
        assert_eq!(known.collect::<Vec<_>>(), secrets.map(|(key, _)| key));
        let loaded = loaded(&secrets);
        let mut out = Vec::new();
        json(&mut out, &loaded, &Selection::default()).unwrap();
        let all = text(&loaded, &Selection::default()) + &String::from_utf8(out).unwrap();
        assert!(!all.contains("canary") && all.contains(MASK), "{all}");
    }
}
