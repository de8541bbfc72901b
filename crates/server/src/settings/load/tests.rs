//! Precedence, and mistakes with their places.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::settings::{Flag, OptionalAddress};

struct Case {
    file: &'static str,
    environment: &'static [(&'static str, &'static str)],
    flags: &'static [(&'static str, &'static str, &'static str)],
}

const NOTHING: Case = Case { file: "", environment: &[], flags: &[] };

fn file_in(folder: &Path) -> PathBuf {
    folder.join("loquat.toml")
}

fn load_case(folder: &Path, case: &Case) -> Result<Loaded, SettingsError> {
    let path = file_in(folder);
    fs::write(&path, case.file).unwrap();
    let environment = case.environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let flags = case.flags.iter().map(|(name, key, value)| Flag {
        name,
        key: (*key).to_owned(),
        value: (*value).to_owned(),
    });
    load(&Sources { file: Some(path), environment: environment.collect(), flags: flags.collect() })
}

fn loaded(case: &Case) -> Loaded {
    load_case(tempfile::tempdir().unwrap().path(), case).unwrap()
}

/// The error's text, with the folder of the test taken out.
fn mistake(case: &Case) -> String {
    let folder = tempfile::tempdir().unwrap();
    let error = load_case(folder.path(), case).expect_err("a mistake").to_string();
    error.replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn without_any_choice_the_defaults_hold() {
    let Loaded { settings, strangers, origins } = loaded(&NOTHING);
    assert_eq!(settings, Settings::default());
    assert!(strangers.is_empty() && origins.is_empty());
    assert_eq!(load(&Sources::default()).unwrap().settings, Settings::default());
}

#[test]
fn flags_go_before_environment_before_file_before_defaults() {
    let file = "[limits]\nsends_per_second = 1\n";
    let environment: &[_] = &[("LOQUAT_LIMITS__SENDS_PER_SECOND", "2")];
    let flags: &[_] = &[("--set", "limits.sends_per_second", "3")];
    let cases = [
        (NOTHING, 20),
        (Case { file, ..NOTHING }, 1),
        (Case { environment, ..NOTHING }, 2),
        (Case { flags, ..NOTHING }, 3),
        (Case { file, environment, ..NOTHING }, 2),
        (Case { file, flags, ..NOTHING }, 3),
        (Case { environment, flags, ..NOTHING }, 3),
        (Case { file, environment, flags }, 3),
    ];
    for (case, expected) in cases {
        let loaded = loaded(&case);
        assert_eq!(loaded.settings.limits.sends_per_second, expected);
        assert_eq!(loaded.is_set("limits.sends_per_second"), expected != 20);
    }
}

#[test]
fn layers_fill_one_another() {
    let loaded = loaded(&Case {
        file: "server_name = \"Orchard\"\n[gateway]\ntrusted_proxies = [\"10.0.0.0/8\", \"::1\"]\n",
        environment: &[
            ("LOQUAT_LISTEN", "[::1]:9000"),
            ("LOQUAT_METRICS__LISTEN", ""),
            ("LOQUAT_AUTH__ARGON2__ITERATIONS", "3"),
            ("LOQUAT_GATEWAY__ALLOWED_ORIGINS", "https://a.example, https://b.example:8443"),
            ("LOQUAT_GATEWAY__TLS", "true"),
        ],
        flags: &[("--data", "data", "/srv/loquat")],
    });
    let settings = loaded.settings;
    assert_eq!(settings.server_name, "Orchard");
    assert_eq!(settings.listen, "[::1]:9000".parse().unwrap());
    assert_eq!(settings.metrics.listen, OptionalAddress(None));
    assert_eq!(settings.auth.argon2.iterations, 3);
    assert_eq!(settings.gateway.allowed_origins, ["https://a.example", "https://b.example:8443"]);
    assert_eq!(settings.gateway.trusted_proxies, ["10.0.0.0/8", "::1"]);
    assert!(settings.gateway.tls);
    assert_eq!(settings.data, Path::new("/srv/loquat"));
    assert_eq!(settings.limits, Settings::default().limits, "a group keeps what is not chosen");
}

#[test]
fn mistakes_in_a_file_name_their_line() {
    for (file, expected) in [
        (
            "listen = \"127.0.0.1:1\"\nlistn = 1\n",
            "loquat.toml:2: there is no setting `listn`; did you mean `listen`?",
        ),
        (
            "[limits]\n\n# x\nsend_per_second = 1\n",
            "loquat.toml:4: there is no setting `limits.send_per_second`; did you mean `limits.sends_per_second`?",
        ),
        ("[unheard_of_group]\n", "loquat.toml:1: there is no setting `unheard_of_group`"),
        (
            "[limits]\ntext_bytes = \"many\"\n",
            "loquat.toml:2: `limits.text_bytes`: invalid type: string \"many\", expected usize",
        ),
        (
            "[limits]\ntext_bytes = -1\n",
            "loquat.toml:2: `limits.text_bytes`: invalid value: integer `-1`, expected usize",
        ),
        (
            "[limits]\ntext_bytes = 99999999999999999999\n",
            "loquat.toml:2: `limits.text_bytes`: invalid type: string \"99999999999999999999\", expected usize",
        ),
        ("[limits]\ntext_bytes = 0\n", "loquat.toml:2: `limits.text_bytes`: must be 1 to 1048576, not 0"),
        ("limits = 3\n", "loquat.toml:1: `limits`: is a group; set `limits.…`"),
        ("[listen]\nport = 1\n", "loquat.toml:1: `listen`: is one setting, not a group"),
        (
            "listen = \"localhost\"\n",
            "loquat.toml:1: `listen`: expected an address and a port such as 127.0.0.1:8080 or [::]:8080, not \"localhost\"",
        ),
        (
            "[log]\nformat = \"xml\"\n",
            "loquat.toml:2: `log.format`: unknown variant `xml`, expected `human` or `json`",
        ),
        (
            "[gateway]\n\ntrusted_proxies = [\n\"10.0.0.0/33\"]\n",
            "loquat.toml:3: `gateway.trusted_proxies`: \"10.0.0.0/33\" is no network: expected an address, or an address and a prefix length as in 10.0.0.0/8",
        ),
        ("a = 1\na = 2\n", "loquat.toml:2: duplicate key"),
        ("listen = \n", "loquat.toml:1: string values must be quoted, expected literal string"),
    ] {
        assert_eq!(mistake(&Case { file, ..NOTHING }), expected, "{file}");
    }
}

#[test]
fn mistakes_in_the_environment_name_their_variable() {
    for (name, value, expected) in [
        ("LOQUAT_LIMITS__TEXT_BYTES", "1e3", "`limits.text_bytes`: expected a whole number, not \"1e3\""),
        ("LOQUAT_LIMITS__TEXT_BYTES", "0", "`limits.text_bytes`: must be 1 to 1048576, not 0"),
        (
            "LOQUAT_LIMITS__TEXTBYTES",
            "1",
            "there is no setting `limits.textbytes`; did you mean `limits.text_bytes`?",
        ),
        ("LOQUAT_NO__SUCH__THING", "1", "there is no setting `no.such.thing`"),
        ("LOQUAT_LIMITS", "1", "`limits`: is a group; set `limits.…`"),
        ("LOQUAT_GATEWAY__TLS", "yes", "`gateway.tls`: expected `true` or `false`, not \"yes\""),
        (
            "LOQUAT_LISTEN",
            "8080",
            "`listen`: expected an address and a port such as 127.0.0.1:8080 or [::]:8080, not \"8080\"",
        ),
        ("LOQUAT_DATA", "", "`data`: must name a folder"),
        ("LOQUAT_SERVER_NAME", "a\nb", "`server_name`: must not have control characters"),
        (
            "LOQUAT_LOG__LEVEL",
            "loud=loud",
            "`log.level`: expected error, warn, info, debug, trace or off, also by module as in info,loquat_gateway=debug, not \"loud=loud\"",
        ),
        (
            "LOQUAT_PUBLIC_URL",
            "chat.example",
            "`public_url`: expected https://host or http://host[:port], without a path, not \"chat.example\"",
        ),
        (
            "LOQUAT_GATEWAY__ALLOWED_ORIGINS",
            "https://a.example/x",
            "`gateway.allowed_origins`: expected an origin as browsers write it, such as https://chat.example, not \"https://a.example/x\"",
        ),
        (
            "LOQUAT_STORAGE__URL",
            "mysql://u:secret@db/x",
            "`storage.url`: expected `embedded` or postgres://user@host/database",
        ),
        (
            "LOQUAT_BUS__URL",
            "redis://:secret@bus",
            "`bus.url`: expected `embedded`, or nats://host or tls://host, separated by commas",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let sources = Sources {
            environment: vec![(name.to_owned(), value.to_owned())],
            file: Some(file_in(folder.path())),
            ..Sources::default()
        };
        fs::write(file_in(folder.path()), "").unwrap();
        let found = load(&sources).expect_err(name).to_string();
        assert_eq!(found, format!("environment variable {name}: {expected}"));
    }
}

#[test]
fn mistakes_in_flags_name_the_flag() {
    for (flags, expected) in [
        (
            &[("--listen", "listen", "x")],
            "flag --listen: `listen`: expected an address and a port such as 127.0.0.1:8080 or [::]:8080, not \"x\"",
        ),
        (
            &[("--set", "limits.text_byte", "1")],
            "flag --set: there is no setting `limits.text_byte`; did you mean `limits.text_bytes`?",
        ),
    ] {
        assert_eq!(mistake(&Case { flags, ..NOTHING }), expected);
    }
}

#[test]
fn values_that_do_not_go_together_name_the_one_that_was_chosen() {
    assert_eq!(
        mistake(&Case { file: "\n[limits]\nframe_bytes = 4096\n", ..NOTHING }),
        "loquat.toml:3: `limits.frame_bytes`: must be above `limits.text_bytes` (16384): a text travels in a frame"
    );
    assert_eq!(
        mistake(&Case { environment: &[("LOQUAT_LIMITS__TEXT_BYTES", "65536")], ..NOTHING }),
        "environment variable LOQUAT_LIMITS__TEXT_BYTES: `limits.text_bytes`: must be below `limits.frame_bytes` (65536): a text travels in a frame"
    );
    assert_eq!(
        mistake(&Case {
            environment: &[
                ("LOQUAT_AUTH__ARGON2__MEMORY_KIB", "8"),
                ("LOQUAT_AUTH__ARGON2__PARALLELISM", "2")
            ],
            ..NOTHING
        }),
        "environment variable LOQUAT_AUTH__ARGON2__MEMORY_KIB: `auth.argon2.memory_kib`: must be at least 16, 8 for each of `auth.argon2.parallelism` (2)"
    );
}

#[test]
fn variables_of_others_are_passed_over_and_told() {
    let loaded = loaded(&Case {
        environment: &[
            ("LOQUAT_PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("PATH", "/bin"),
            ("LOQUAT_NODE__NAME", "a"),
        ],
        ..NOTHING
    });
    assert_eq!(loaded.strangers, ["LOQUAT_PORT_8080_TCP_ADDR"]);
    assert_eq!(loaded.settings.node.name, "a");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let sources = Sources { file: Some(PathBuf::from("/nowhere/loquat.toml")), ..Sources::default() };
    let error = load(&sources).unwrap_err().to_string();
    assert!(error.starts_with("cannot read the settings file /nowhere/loquat.toml: "), "{error}");
}

/// Every leaf of the defaults under its dotted key.
fn keys(table: &Table, prefix: &str, found: &mut Vec<String>) {
    for (name, value) in table {
        match value {
            Value::Table(group) => keys(group, &format!("{prefix}{name}."), found),
            _ => found.push(format!("{prefix}{name}")),
        }
    }
}

#[test]
fn the_reference_describes_every_setting_and_no_other() {
    let mut exist = Vec::new();
    keys(&defaults(), "", &mut exist);
    let mut described: Vec<_> = reference::SETTINGS.iter().map(|setting| setting.key.to_owned()).collect();
    exist.sort();
    described.sort();
    assert_eq!(described, exist);
}

#[test]
fn every_default_is_allowed() {
    for setting in reference::SETTINGS {
        let value = lookup(&defaults(), setting.key).unwrap().clone();
        assert_eq!(check::value(setting.key, &value, &Settings::default()), Ok(()), "{}", setting.key);
    }
    assert!(check::together(&Settings::default()).is_none());
}

/// The guide's table is made of the reference: `LOQUAT_UPDATE_DOCS=1` writes it.
#[test]
fn the_operator_guide_lists_the_settings_as_they_are() {
    const BEGIN: &str = "<!-- settings: begin -->\n";
    const END: &str = "<!-- settings: end -->";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operator-guide.md");
    let guide = fs::read_to_string(&path).unwrap();
    let (before, rest) = guide.split_once(BEGIN).expect("the guide marks where the table begins");
    let (table, after) = rest.split_once(END).expect("the guide marks where the table ends");
    let expected = reference::markdown();
    if std::env::var_os("LOQUAT_UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
    } else {
        assert_eq!(table, expected, "run LOQUAT_UPDATE_DOCS=1 cargo test -p loquat-server settings");
    }
}

#[path = "../../../../../fuzz/shared/mutate.rs"]
mod mutate;
#[path = "../../../../../fuzz/shared/configuration.rs"]
mod shared;

/// The fuzz target of configuration, on stable Rust and for a second.
#[test]
fn any_text_is_settings_or_an_error_that_says_where() {
    mutate::run(shared::SEEDS, 25, shared::run);
}
