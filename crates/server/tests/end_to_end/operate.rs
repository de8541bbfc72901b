//! `loquat config`, `doctor` and `top`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use serde_json::Value;

use crate::support::{Place, complaint, loquat, run};

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", complaint(output)))
}

#[test]
fn config_shows_what_is_in_force_and_where_it_comes_from() {
    let place = Place::new();
    let file = place.text("loquat.toml");
    fs::write(&file, "server_name = \"Orchard\"\n[traces]\nheaders = \"authorization=Bearer canary\"\n")
        .unwrap();
    let mut command = loquat();
    command.args(["config", "--config", &file, "--set", "limits.group_members=7"]);
    let shown = command.env("LOQUAT_LIMITS__TITLE_CHARS", "9").output().unwrap();
    assert!(shown.status.success(), "{}", complaint(&shown));
    let text = String::from_utf8(shown.stdout).unwrap();
    for expected in [
        format!("# {file}:1 · LOQUAT_SERVER_NAME\nserver_name = \"Orchard\"\n"),
        "# environment variable LOQUAT_LIMITS__TITLE_CHARS · LOQUAT_LIMITS__TITLE_CHARS\ntitle_chars = 9\n"
            .to_owned(),
        "# flag --set · LOQUAT_LIMITS__GROUP_MEMBERS\ngroup_members = 7\n".to_owned(),
        "# headers = \"(secret)\"\n".to_owned(),
    ] {
        assert!(text.contains(&expected), "{expected}\n{text}");
    }
    assert!(!text.contains("canary"));

    let chosen = run(&["config", "--config", &file, "--chosen", "--json", "server_name"]);
    let chosen = json(&chosen);
    assert_eq!((&chosen[0]["key"], &chosen[0]["value"]), (&"server_name".into(), &"Orchard".into()));
    let unknown = run(&["config", "limit"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(complaint(&unknown).contains("no setting or group `limit`"), "{}", complaint(&unknown));
}

/// The checks of a doctor's report by name.
fn checks(report: &Value) -> Vec<(&str, &str)> {
    let checks = report["checks"].as_array().expect("checks").iter();
    checks.map(|check| (check["name"].as_str().unwrap(), check["verdict"].as_str().unwrap())).collect()
}

fn doctor(place: &Place, arguments: &[&str]) -> Output {
    let data = place.data();
    let listen: &[&str] = if arguments.contains(&"--listen") { &[] } else { &["--listen", "127.0.0.1:0"] };
    let all = [&["doctor", "--json", "--data", &data], listen, arguments].concat();
    // The tests' own hashing is cheap, and their limits are off: not what this is about.
    let mut command = loquat();
    command
        .args(all)
        .env_remove("LOQUAT_AUTH__ARGON2__MEMORY_KIB")
        .env_remove("LOQUAT_AUTH__ARGON2__ITERATIONS");
    command.output().unwrap()
}

#[test]
fn doctor_examines_a_service_before_while_and_after_it_runs() {
    let place = Place::new();
    let before = json(&doctor(&place, &[]));
    assert_eq!(before["running"], false);
    assert!(checks(&before).contains(&("data folder", "ok")), "{before}");
    assert!(!place.path("data").exists(), "nothing is made");

    let service = place.serve();
    service.sign_up("mira");
    let running = json(&doctor(&place, &["--full"]));
    assert_eq!(running["running"], true);
    for expected in [("database", "ok"), ("schema", "ok"), ("logs", "ok"), ("clock", "ok"), ("service", "ok")]
    {
        assert!(checks(&running).contains(&expected), "{expected:?}: {running}");
    }
    let left: Vec<_> =
        fs::read_dir(place.path("data")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("doctor")), "{left:?}");
    assert!(service.stop().success());
    let after = json(&doctor(&place, &[]));
    assert!(checks(&after).contains(&("port", "ok")), "{after}");
}

#[test]
fn doctor_names_what_is_wrong_and_what_to_do() {
    let place = Place::new();
    let service = place.serve();
    service.sign_up("mira");
    fs::set_permissions(place.path("data"), fs::Permissions::from_mode(0o755)).unwrap();
    let open = doctor(&place, &[]);
    assert!(checks(&json(&open)).contains(&("data folder", "warning")));
    assert!(matches!(open.status.code(), Some(1 | 3)), "{:?}", open.status);
    // A clean stop, so that everything is in the one file.
    assert!(service.stop().success());

    let address = service_address();
    let taken = doctor(&place, &["--listen", &address.1]);
    assert_eq!(taken.status.code(), Some(1));
    assert!(checks(&json(&taken)).contains(&("port", "problem")));

    let database = place.path("data").join("loquat.db");
    let mut bytes = fs::read(&database).unwrap();
    // The pages after the first one, which says that it is a store.
    let middle = bytes.len() / 2;
    bytes[4_096..middle].fill(0x5a);
    fs::write(&database, bytes).unwrap();
    let damaged = doctor(&place, &[]);
    assert_eq!(damaged.status.code(), Some(1));
    let report = json(&damaged);
    assert!(checks(&report).contains(&("database", "problem")), "{report}");
    let advice =
        report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "database").unwrap();
    assert!(advice["advice"].as_str().unwrap().contains("restore"), "{advice}");

    let mistaken = doctor(&place, &["--set", "limits.group_members=none"]);
    assert_eq!(mistaken.status.code(), Some(1));
    assert_eq!(checks(&json(&mistaken)), [("settings", "problem")]);
    let table = run(&["doctor", "--data", &place.data(), "--listen", "127.0.0.1:0"]);
    assert!(String::from_utf8_lossy(&table.stdout).contains("PROBLEM  database"), "{}", complaint(&table));
}

/// A listener of this test, and where it is.
fn service_address() -> (std::net::TcpListener, String) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

#[test]
fn top_finds_the_metrics_of_the_service_on_the_folder() {
    let place = Place::new();
    let service = place.serve_with(|command| {
        command.args(["--metrics-listen", "127.0.0.1:0"]);
    });
    let session = service.sign_up("mira");
    let once = run(&["top", "--once", "--data", &place.data()]);
    assert!(once.status.success(), "{}", complaint(&once));
    let figures = json(&once);
    assert_eq!(figures["version"], env!("CARGO_PKG_VERSION"));
    assert!(figures["database_bytes"].as_f64().unwrap() > 0.0, "{figures}");
    assert!(
        figures["most_descriptors"].as_f64().unwrap() > 0.0 && figures["disk_bytes"].as_f64().unwrap() > 0.0
    );
    assert!(session["user"]["id"].is_string());
    assert!(service.stop().success());
    let gone = run(&["top", "--once", "--url", "http://127.0.0.1:1/metrics"]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(complaint(&gone).contains("no metrics at http://127.0.0.1:1/metrics"), "{}", complaint(&gone));
}
