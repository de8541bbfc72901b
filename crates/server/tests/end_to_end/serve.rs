//! `loquat serve` from start to end, as an operator sees it.

use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use crate::support::{PASSWORD, Place, complaint, run, scrape};
use rustix::process::Signal;
use serde_json::Value;

#[test]
fn it_serves_without_configuration_stops_cleanly_and_starts_again() {
    let place = Place::new();
    let service = place.serve();
    assert_eq!(service.get("/healthz").status, 200);
    assert_eq!(service.get("/readyz").status, 200);
    let about = service.get("/v1/server").json();
    assert_eq!((&about["name"], &about["version"]), (&"Loquat".into(), &env!("CARGO_PKG_VERSION").into()));
    service.sign_up("mira");
    assert!(service.stop().success());

    let service = place.serve();
    assert_eq!(service.log_in("mira", PASSWORD).status, 200);
    assert_eq!(service.log_in("mira", "another password").status, 401);
    assert!(service.stop().success());
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let place = Place::new();
    let service = place.serve();
    let session = service.sign_up("mira");
    let token = session["access_token"].as_str().unwrap().to_owned();
    service.kill();

    let service = place.serve();
    let me = service.authorised_call("GET", "/v1/me", (None, Some(&token)));
    assert_eq!(me.status, 200, "{}", me.body);
    assert_eq!(me.json()["username"], "mira");
}

#[test]
fn one_service_at_a_time_has_a_data_folder() {
    let place = Place::new();
    let service = place.serve();
    let second = run(&["serve", "--listen", "127.0.0.1:0", "--data", &place.data()]);
    assert_eq!(second.status.code(), Some(1));
    assert!(complaint(&second).contains("is in use by another process"), "{}", complaint(&second));
    assert_eq!(service.get("/readyz").status, 200, "the first one is not disturbed");
}

#[test]
fn the_data_folder_is_for_its_user_alone() {
    let place = Place::new();
    let _service = place.serve();
    let mode = place.path("data").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_taken_address_is_named() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for flag in ["--listen", "--metrics-listen"] {
        let mut arguments = vec!["serve", "--data"];
        let data = place.data();
        arguments.extend([&*data, flag, &address]);
        if flag != "--listen" {
            arguments.extend(["--listen", "127.0.0.1:0"]);
        }
        let refused = run(&arguments);
        assert_eq!(refused.status.code(), Some(1), "{flag}");
        assert!(
            complaint(&refused).contains(&format!("cannot listen on {address}")),
            "{}",
            complaint(&refused)
        );
    }
}

#[test]
fn a_mistake_in_the_settings_ends_the_start_with_its_place() {
    let place = Place::new();
    let file = place.text("loquat.toml");
    std::fs::write(&file, "\n[limits]\ngroup_member = 3\n").unwrap();
    let refused = run(&["serve", "--config", &file, "--data", &place.data()]);
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(
        complaint(&refused),
        format!(
            "error: {file}:3: there is no setting `limits.group_member`; did you mean `limits.group_members`?\n"
        )
    );
    assert!(!place.path("data").exists(), "nothing was touched");
}

#[test]
fn settings_of_every_layer_arrive() {
    let place = Place::new();
    let file = place.text("loquat.toml");
    std::fs::write(&file, "server_name = \"Orchard\"\n[limits]\ntext_bytes = 1000\ngroup_members = 7\n")
        .unwrap();
    let service = place.serve_with(|command| {
        command
            .env("LOQUAT_CONFIG", &file)
            .env("LOQUAT_LIMITS__GROUP_MEMBERS", "8")
            .env("LOQUAT_LIMITS__TITLE_CHARS", "9");
        command.args(["--set", "limits.title_chars=10"]);
    });
    let about = service.get("/v1/server").json();
    let limits = &about["limits"];
    assert_eq!(about["name"], "Orchard");
    assert_eq!([&limits["text_bytes"], &limits["group_members"], &limits["title_chars"]], [1000, 8, 10]);
}

#[test]
fn a_second_signal_ends_at_once() {
    let place = Place::new();
    let service = place.serve();
    // A request whose head is not complete is waited for.
    let mut half_open = service.connect();
    half_open.write_all(b"GET /healthz HTTP/1.1\r\nhost: lo").unwrap();
    service.get("/healthz");
    service.signal(Signal::INT);
    service.await_log("draining");
    service.signal(Signal::INT);
    assert_eq!(service.wait().code(), Some(1));
    drop(half_open);
}

#[test]
fn a_supervisor_is_told_of_start_and_end() {
    let place = Place::new();
    let socket = place.path("notify");
    let supervisor = UnixDatagram::bind(&socket).unwrap();
    let service = place.serve_with(|command| {
        command.env("NOTIFY_SOCKET", &socket);
    });
    let mut told = [0; 32];
    let length = supervisor.recv(&mut told).unwrap();
    assert_eq!(&told[..length], b"READY=1");
    assert!(service.stop().success());
    let length = supervisor.recv(&mut told).unwrap();
    assert_eq!(&told[..length], b"STOPPING=1");
}

#[test]
fn logs_are_json_lines_without_secrets_at_any_level() {
    let place = Place::new();
    let service = place.serve_with(|command| {
        command.args(["--log-level", "trace"]);
    });
    let session = service.sign_up("mira");
    let secret = |name: &str| session[name].as_str().unwrap().to_owned();
    let secrets = [PASSWORD.to_owned(), secret("access_token"), secret("refresh_token")];
    service.authorised_call("GET", "/v1/me", (None, Some(&secrets[1])));
    service.call("POST", "/v1/auth/refresh", Some(&serde_json::json!({ "refresh_token": secrets[2] })));
    service.log_in("mira", PASSWORD);
    let answered = service.await_log("request answered");
    assert!(answered["span"]["id"].is_string() && answered["span"]["route"].is_string(), "{answered}");
    let log = service.log();
    for line in log.lines() {
        let parsed: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(parsed["level"].is_string() && parsed["timestamp"].is_string(), "{line}");
    }
    for secret in &secrets {
        assert!(!log.contains(secret), "a secret is in the log");
    }
    assert!(service.stop().success());
}

/// Families of a scrape: name, kind, help.
fn families(scrape: &str) -> Vec<[String; 3]> {
    let mut families = Vec::new();
    let mut help = ("", "");
    for line in scrape.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').expect("a name and its help");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a name and its type");
            assert_eq!(name, help.0, "a family without help");
            families.push([name, kind, help.1].map(str::to_owned));
        }
    }
    families
}

/// The guide's table is made of what is exposed: `LOQUAT_UPDATE_DOCS=1` writes it.
#[test]
fn the_operator_guide_lists_the_metrics_as_they_are() {
    const BEGIN: &str = "<!-- metrics: begin -->\n";
    const END: &str = "<!-- metrics: end -->";
    let place = Place::new();
    let service = place.serve_with(|command| {
        command.args(["--metrics-listen", "127.0.0.1:0"]);
    });
    let address = service.await_log("metrics")["address"].as_str().unwrap().to_owned();
    // What has labels shows only once something happened.
    assert_eq!(service.get("/v1/me").status, 401);
    let session = service.sign_up("mira");
    let as_mira = |method, path: &str, body| {
        service.authorised_call(method, path, (Some(&body), session["access_token"].as_str()))
    };
    let group = serde_json::json!({ "kind": "group", "title": "Harvest", "members": [] });
    let group = as_mira("POST", "/v1/conversations", group).json()["id"].as_str().unwrap().to_owned();
    let edit = serde_json::json!({ "nonce": "1", "text": "what was never said" });
    assert_eq!(as_mira("PATCH", &format!("/v1/conversations/{group}/messages/99"), edit).status, 404);
    let scraped = scrape(&address);
    assert_eq!(scraped.status, 200);
    let mut table = "| metric | type | meaning |\n| --- | --- | --- |\n".to_owned();
    for [name, kind, help] in families(&scraped.body) {
        table.push_str(&format!("| `{name}` | {kind} | {} |\n", help.trim_end_matches('.')));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operator-guide.md");
    let guide = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = guide.split_once(BEGIN).expect("the guide marks where the table begins");
    let (written, after) = rest.split_once(END).expect("the guide marks where the table ends");
    if std::env::var_os("LOQUAT_UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
    } else {
        assert_eq!(
            written, table,
            "run LOQUAT_UPDATE_DOCS=1 cargo test -p loquat-server --test end_to_end guide"
        );
    }
    assert_eq!(service.get("/metrics").status, 404, "metrics are not for clients");
}

#[test]
fn a_taken_default_metrics_address_is_done_without() {
    // Whoever has it, this test or somebody else: the service must serve.
    let _taken = TcpListener::bind("127.0.0.1:9464");
    let place = Place::new();
    let service = place.serve_with(|command| {
        command.env_remove("LOQUAT_METRICS__LISTEN");
    });
    assert_eq!(service.get("/readyz").status, 200);
    assert!(service.log().contains("serving without metrics"), "{}", service.log());
}
