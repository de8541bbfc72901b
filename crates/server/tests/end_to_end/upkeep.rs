//! `loquat admin export`, `verify-export` and `jobs`, beside a running service.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use loquat_domain::ports::{Claim, NewJob, Outbox as _, Random, Settlement};
use loquat_store::{Options, SqliteStore};
use serde_json::{Value, json};

use crate::support::{Place, Service, complaint, run};

struct Counting;

impl Random for Counting {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
}

fn out(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A user, and a conversation with messages.
fn chat(service: &Service, retention: &Value) -> (Value, String) {
    let session = service.sign_up("mira");
    let other = service.sign_up("otto");
    let wish = json!({ "kind": "direct", "members": [other["user"]["id"]], "retention": retention });
    let token = session["access_token"].as_str();
    let made = service.authorised_call("POST", "/v1/conversations", (Some(&wish), token)).json();
    let id = made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    for number in 0..30 {
        let message = json!({ "nonce": number.to_string(), "text": format!("letter {number}") });
        let path = format!("/v1/conversations/{id}/messages");
        assert_eq!(service.authorised_call("POST", &path, (Some(&message), token)).status, 201);
    }
    (session, id)
}

#[test]
fn a_users_data_is_exported_beside_the_service_and_verified() {
    let place = Place::new();
    let service = place.serve();
    chat(&service, &json!({ "mode": "keep" }));
    let archive = place.text("mira.tar");
    let made = run(&["admin", "export", "Mira", "--output", &archive, "--data", &place.data()]);
    assert!(made.status.success(), "{}", complaint(&made));
    assert_eq!(out(&made).trim(), archive);
    assert_eq!(fs::metadata(&archive).unwrap().permissions().mode() & 0o077, 0, "it is for its owner alone");
    let verified = run(&["admin", "verify-export", &archive]);
    assert!(verified.status.success(), "{}", complaint(&verified));
    assert!(
        out(&verified).contains("is whole: mira (id ") && out(&verified).contains("30 messages"),
        "{}",
        out(&verified)
    );

    let again = run(&["admin", "export", "mira", "--output", &archive, "--data", &place.data()]);
    assert_eq!(again.status.code(), Some(1), "nothing is overwritten");
    let nobody = place.text("nobody.tar");
    let missing = run(&["admin", "export", "nobody", "--output", &nobody, "--data", &place.data()]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(
        complaint(&missing).contains("there is no account \"nobody\"") && !place.path("nobody.tar").exists()
    );

    let mut bytes = fs::read(&archive).unwrap();
    let at = bytes.windows(9).position(|part| part == b"letter 17").expect("a message");
    bytes[at] = b'L';
    fs::write(&archive, &bytes).unwrap();
    let tampered = run(&["admin", "verify-export", &archive]);
    assert_eq!(tampered.status.code(), Some(1));
    assert!(complaint(&tampered).contains("messages/000001.jsonl was changed"), "{}", complaint(&tampered));
    fs::write(&archive, &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(run(&["admin", "verify-export", &archive]).status.code(), Some(1), "half of it");
    assert!(service.stop().success());
}

/// Puts a dead job into the store of a stopped service.
fn bury(place: &Place) {
    let store =
        SqliteStore::open(&place.path("data").join("loquat.db"), &Options::default(), &Counting).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let job = NewJob { kind: "retention", key: "poison".to_owned(), payload: String::new(), due_at: 1 };
        store.enqueue(vec![job], 1).await.unwrap();
        let claim = Claim { kinds: vec!["retention"], now: 2, lease_until: 3, limit: 9, max_attempts: 5 };
        for job in store.claim(claim).await.unwrap() {
            let error = "the key is no conversation".to_owned();
            assert!(store.settle(job.lease, Settlement::Bury { at: 2, error }).await.unwrap());
        }
    });
    store.close();
}

#[test]
fn dead_letters_are_listed_and_requeued_beside_the_service() {
    let place = Place::new();
    assert!(place.serve().stop().success());
    let data = place.data();
    let nothing = run(&["admin", "jobs", "list", "--data", &data]);
    assert_eq!(
        (nothing.status.success(), out(&nothing).as_str()),
        (true, "no jobs\n"),
        "{}",
        complaint(&nothing)
    );
    bury(&place);
    let service = place.serve();
    let listed = run(&["admin", "jobs", "list", "--state", "dead", "--json", "--data", &data]);
    assert!(listed.status.success(), "{}", complaint(&listed));
    let job: Value = serde_json::from_str(out(&listed).lines().next().expect("a job")).unwrap();
    assert_eq!(
        (&job["kind"], &job["key"], &job["state"]),
        (&json!("retention"), &json!("poison"), &json!("dead"))
    );
    let id = job["id"].to_string();
    assert!(out(&run(&["admin", "jobs", "list", "--data", &data])).contains("the key is no conversation"));
    assert!(out(&run(&["admin", "jobs", "show", &id, "--data", &data])).contains("\"key\": \"poison\""));
    let missing = run(&["admin", "jobs", "show", "4711", "--data", &data]);
    assert_eq!(missing.status.code(), Some(1));

    let requeued = run(&["admin", "jobs", "requeue", "--all", "--data", &data]);
    assert!(requeued.status.success(), "{}", complaint(&requeued));
    assert_eq!(out(&requeued), format!("job {id} will be tried again\n"));
    // The running service takes it up, and fails again: it is poison.
    service.await_log("a job failed");
    let alive = run(&["admin", "jobs", "requeue", &id, "--data", &data]);
    assert_eq!(alive.status.code(), Some(1));
    assert!(complaint(&alive).contains(&format!("not dead, or not there: {id}")), "{}", complaint(&alive));
    assert_eq!(run(&["admin", "jobs", "requeue", "--data", &data]).status.code(), Some(2), "which?");
    assert!(service.stop().success());
}

#[test]
fn retention_works_in_the_real_service() {
    let place = Place::new();
    let service = place.serve_with(|command| {
        command.args(["--set", "workers.poll_ms=10"]);
    });
    let (session, id) = chat(&service, &json!({ "mode": "ttl", "seconds": 1 }));
    let path = format!("/v1/conversations/{id}");
    // Nobody tells a client without a socket; the watchdog ends a vain wait.
    loop {
        let view = service.authorised_call("GET", &path, (None, session["access_token"].as_str())).json();
        if view["expired_to"] == 30 {
            assert_eq!(view["last_message"]["text"], Value::Null);
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(service.stop().success());
    let store = fs::read(place.path("data").join("loquat.db")).unwrap();
    assert!(!store.windows(7).any(|part| part == b"letter "), "erased content leaves the file");
}
