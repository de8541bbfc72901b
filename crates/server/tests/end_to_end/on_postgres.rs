//! The service with its storage on PostgreSQL.

use std::process::Command;
use std::thread;
use std::time::Duration;

use loquat_testkit::PostgresServer;
use serde_json::{Value, json};

use crate::support::{Answer, Place, Service, complaint, loquat};

/// A server with a database, and a folder for the service.
struct World {
    server: PostgresServer,
    place: Place,
}

impl World {
    fn new() -> Self {
        let server = PostgresServer::start(&[]);
        server.create("loquat");
        Self { server, place: Place::new() }
    }

    fn url(&self) -> String {
        self.server.url("loquat")
    }

    fn serve(&self) -> Service {
        self.serve_in(&self.place)
    }

    fn serve_in(&self, place: &Place) -> Service {
        place.serve_with(|command| {
            command.env("LOQUAT_STORAGE__URL", self.url());
        })
    }

    fn run(&self, arguments: &[&str]) -> std::process::Output {
        let mut command: Command = loquat();
        command.args(arguments).args(["--data", &self.place.data()]).env("LOQUAT_STORAGE__URL", self.url());
        command.output().expect("the binary starts")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.server.end();
    }
}

/// A user, and a conversation.
fn chat(service: &Service) -> (String, String) {
    let session = service.sign_up("mira");
    let other = service.sign_up("otto");
    let wish = json!({ "kind": "direct", "members": [other["user"]["id"]] });
    let token = session["access_token"].as_str().unwrap().to_owned();
    let made = service.authorised_call("POST", "/v1/conversations", (Some(&wish), Some(&token))).json();
    (token, made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned())
}

fn send(service: &Service, (token, conversation): (&str, &str), nonce: &str) -> Answer {
    let message = json!({ "nonce": nonce, "text": format!("letter {nonce}") });
    let path = format!("/v1/conversations/{conversation}/messages");
    service.authorised_call("POST", &path, (Some(&message), Some(token)))
}

fn seq(answer: &Answer) -> u64 {
    assert_eq!(answer.status, 201, "{}", answer.body);
    let body: Value = answer.json();
    body["seq"].as_u64().or_else(|| body["message"]["seq"].as_u64()).unwrap_or_else(|| panic!("{body}"))
}

fn texts(service: &Service, (token, conversation): (&str, &str)) -> Vec<String> {
    let path = format!("/v1/conversations/{conversation}/messages?limit=100");
    let page = service.authorised_call("GET", &path, (None, Some(token))).json();
    let items = page["items"].as_array().unwrap_or_else(|| panic!("{page}"));
    items.iter().map(|message| message["text"].as_str().unwrap_or_default().to_owned()).collect()
}

/// What is acknowledged survives a kill of the service and a crash of the server; the service goes on by itself.
#[test]
fn what_was_acknowledged_survives_on_postgresql() {
    let world = World::new();
    let service = world.serve();
    let (token, conversation) = chat(&service);
    let chat = (token.as_str(), conversation.as_str());
    assert_eq!(seq(&send(&service, chat, "a")), 1);
    assert_eq!(seq(&send(&service, chat, "b")), 2);
    service.kill();
    let service = world.serve();
    assert_eq!(texts(&service, chat), ["letter a", "letter b"]);
    let again = send(&service, chat, "b");
    assert!([200, 201].contains(&again.status), "{}", again.body);
    world.server.crash_and_restart(&[]);
    // The client's part: it repeats what is refused as unavailable.
    let placed = (0..200).find_map(|_| {
        let answer = send(&service, chat, "c");
        if answer.status == 503 {
            thread::sleep(Duration::from_millis(50));
            return None;
        }
        Some(seq(&answer))
    });
    assert_eq!(placed, Some(3));
    assert_eq!(texts(&service, chat), ["letter a", "letter b", "letter c"]);
    assert_eq!(service.get("/readyz").status, 200);
    assert!(service.stop().success());
}

/// Two processes on one database: neither breaks the other one's log.
#[test]
fn two_services_on_one_database_keep_one_log() {
    let world = World::new();
    let elsewhere = Place::new();
    let (one, other) = (world.serve(), world.serve_in(&elsewhere));
    let (token, conversation) = chat(&one);
    let chat = (token.as_str(), conversation.as_str());
    let mut seqs = Vec::new();
    for round in 0..10 {
        seqs.push(seq(&send(&one, chat, &format!("one-{round}"))));
        seqs.push(seq(&send(&other, chat, &format!("other-{round}"))));
    }
    assert_eq!(seqs, (1..=20).collect::<Vec<_>>());
    assert_eq!(texts(&one, chat), texts(&other, chat));
    assert!(one.stop().success() && other.stop().success());
}

/// What only the embedded storage has says so; the rest works without a service.
#[test]
fn commands_know_where_the_data_is() {
    let world = World::new();
    let service = world.serve();
    service.sign_up("mira");
    assert!(service.stop().success());
    let users = world.run(&["admin", "users", "list"]);
    assert!(
        users.status.success() && String::from_utf8_lossy(&users.stdout).contains("mira"),
        "{}",
        complaint(&users)
    );
    let jobs = world.run(&["admin", "jobs", "list"]);
    assert!(jobs.status.success(), "{}", complaint(&jobs));
    let doctor = world.run(&["doctor"]);
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("PostgreSQL answers"), "{}", complaint(&doctor));
    let copy = world.place.text("copy.db");
    let backup = world.run(&["backup", &copy]);
    assert_eq!(backup.status.code(), Some(1));
    assert!(complaint(&backup).contains("PostgreSQL's own tools"), "{}", complaint(&backup));
}

/// A server that cannot be used stops the start, in words that hold no password.
#[test]
fn an_unusable_server_stops_the_start() {
    let place = Place::new();
    let serve = |change: &dyn Fn(&mut Command)| {
        let mut command = loquat();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data", &place.data()]);
        change(&mut command);
        let output = command.output().expect("the binary starts");
        assert_eq!(output.status.code(), Some(1));
        complaint(&output)
    };
    let away = serve(&|command| {
        command.env("LOQUAT_STORAGE__URL", "postgres://me:hunter2@127.0.0.1:1/x");
    });
    assert!(
        away.contains("cannot open the storage (setting `storage.url`)") && !away.contains("hunter2"),
        "{away}"
    );
    let world = World::new();
    let promised = serve(&|command| {
        command.env("LOQUAT_STORAGE__URL", world.url());
        command.env("LOQUAT_STORAGE__POSTGRES__REQUIRE_STANDBY", "true");
    });
    assert!(promised.contains("synchronous_standby_names"), "{promised}");
}
