//! `loquat admin` with a running service and without one.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::support::{PASSWORD, Place, Service, complaint, loquat, run};
use crate::websocket::Socket;

fn admin(place: &Place, arguments: &[&str]) -> Output {
    let data = place.data();
    run(&[&["admin"], arguments, &["--data", &data]].concat())
}

/// Runs a command that succeeds, and reads its JSON.
fn done(place: &Place, arguments: &[&str]) -> Value {
    let output = admin(place, &[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", complaint(&output));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
}

fn refused(place: &Place, arguments: &[&str]) -> String {
    let output = admin(place, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    complaint(&output)
}

fn token(session: &Value) -> &str {
    session["access_token"].as_str().expect("a token")
}

fn me(service: &Service, session: &Value) -> u16 {
    service.authorised_call("GET", "/v1/me", (None, Some(token(session)))).status
}

fn refresh(service: &Service, session: &Value) -> u16 {
    let request = json!({ "refresh_token": session["refresh_token"] });
    service.call("POST", "/v1/auth/refresh", Some(&request)).status
}

fn group(service: &Service, owner: &Value, members: &[&Value]) -> String {
    let members: Vec<_> = members.iter().map(|session| &session["user"]["id"]).collect();
    let body = json!({ "kind": "group", "title": "Harvest", "members": members });
    let made = service.authorised_call("POST", "/v1/conversations", (Some(&body), Some(token(owner))));
    assert_eq!(made.status, 201, "{}", made.body);
    made.json()["id"].as_str().unwrap().to_owned()
}

fn say(service: &Service, session: &Value, group: &str, text: &str) -> u16 {
    let body = json!({ "nonce": text, "text": text });
    let path = format!("/v1/conversations/{group}/messages");
    service.authorised_call("POST", &path, (Some(&body), Some(token(session)))).status
}

#[test]
fn a_disabled_account_is_out_at_once_until_it_is_enabled() {
    let place = Place::new();
    let service = place.serve();
    let mira = service.sign_up("mira");
    let mut socket = Socket::open(&service, token(&mira));
    assert_eq!(me(&service, &mira), 200);

    let shown = done(&place, &["users", "disable", "mira", "--reason", "spam"]);
    assert_eq!(shown["state"], "disabled");
    assert_eq!(socket.close_code(), 4002, "its socket is closed");
    assert_eq!(me(&service, &mira), 401);
    assert_eq!(refresh(&service, &mira), 401);
    assert_eq!(service.log_in("mira", PASSWORD).status, 401);

    let shown = done(&place, &["users", "enable", "@mira"]);
    assert_eq!((&shown["state"], &shown["devices"]), (&json!("active"), &json!(1)), "its device was kept");
    assert_eq!(me(&service, &mira), 200);
    assert_eq!(refresh(&service, &mira), 200);
    assert_eq!(service.log_in("mira", PASSWORD).status, 200);
}

#[test]
fn accounts_are_managed_while_the_service_runs() {
    let place = Place::new();
    let service = place.serve();
    let (mira, noor) = (service.sign_up("mira"), service.sign_up("noor"));
    let group = group(&service, &mira, &[&noor]);
    assert_eq!(say(&service, &noor, &group, "hello"), 201);

    let listed = done(&place, &["users", "list"]);
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    let id = noor["user"]["id"].as_str().unwrap();
    assert_eq!(done(&place, &["users", "show", id])["username"], "noor");

    let reset = done(&place, &["users", "reset-password", "noor"]);
    assert_eq!(reset["signed_out"], 1);
    assert_eq!(me(&service, &noor), 401, "every device is signed out");
    assert_eq!(service.log_in("noor", PASSWORD).status, 401);
    let again = service.log_in("noor", reset["password"].as_str().unwrap());
    assert_eq!(again.status, 200);

    let mut socket = Socket::open(&service, token(&again.json()));
    let device = again.json()["device"]["id"].as_str().unwrap().to_owned();
    let devices = done(&place, &["devices", "list", "--user", "noor"]);
    assert_eq!(devices["items"][0]["device"]["id"], device.as_str());
    done(&place, &["devices", "revoke", &device]);
    assert_eq!(socket.close_code(), 4002);

    let unsure = refused(&place, &["users", "delete", "noor"]);
    assert!(unsure.contains("--yes"), "{unsure}");
    let deleted = done(&place, &["users", "delete", "noor", "--yes"]);
    assert_eq!((&deleted["state"], &deleted["username"]), (&json!("deleted"), &Value::Null));
    let path = format!("/v1/conversations/{group}");
    let seen = service.authorised_call("GET", &path, (None, Some(token(&mira)))).json();
    assert_eq!(seen["member_count"], 1, "the lane heard of it");
    assert!(refused(&place, &["users", "enable", id]).contains("the account is deleted"));
    assert!(refused(&place, &["users", "show", "nobody_here"]).contains("not found"));

    let stats = done(&place, &["stats"]);
    assert_eq!(
        (&stats["users_active"], &stats["users_deleted"], &stats["groups"]),
        (&json!(1), &json!(1), &json!(1))
    );
}

#[test]
fn a_password_is_read_from_standard_input() {
    let place = Place::new();
    let service = place.serve();
    service.sign_up("mira");
    let mut command = loquat();
    command.args(["admin", "users", "reset-password", "mira", "--stdin", "--data", &place.data()]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"a new password\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(!String::from_utf8_lossy(&output.stdout).contains("a new password"));
    assert_eq!(service.log_in("mira", "a new password").status, 200);
}

#[test]
fn every_act_is_on_record_with_who_and_how_it_ended() {
    let place = Place::new();
    let service = place.serve();
    service.sign_up("mira");
    done(&place, &["users", "disable", "mira", "--reason", "spam"]);
    refused(&place, &["users", "enable", "nobody_here"]);
    assert!(service.stop().success());
    done(&place, &["users", "enable", "mira"]);

    let record = done(&place, &["audit"]);
    let acts = record["items"].as_array().unwrap();
    let told: Vec<_> =
        acts.iter().map(|act| (act["act"].as_str().unwrap(), act["outcome"].as_str().unwrap())).collect();
    assert_eq!(
        told,
        [("enable_user", "done"), ("enable_user", "not_found: not found"), ("disable_user", "done")]
    );
    assert_eq!(acts[2]["detail"], "spam");
    assert!(acts[2]["subject"].as_str().unwrap().ends_with("(mira)"), "{}", acts[2]);
    assert!(acts.iter().all(|act| act["actor"] == acts[0]["actor"] && act["actor"] != ""), "{record}");
    let table = admin(&place, &["audit"]);
    assert!(String::from_utf8_lossy(&table.stdout).contains("disable_user"));
}

#[test]
fn a_conversation_is_repaired_under_a_running_service() {
    let place = Place::new();
    let service = place.serve();
    let (mira, noor) = (service.sign_up("mira"), service.sign_up("noor"));
    let group = group(&service, &mira, &[&noor]);
    assert_eq!(say(&service, &mira, &group, "one"), 201);
    let healthy = done(&place, &["conversations", "repair", "--all"]);
    assert_eq!((&healthy["checked"], &healthy["items"]), (&json!(1), &json!([])));

    let database = rusqlite::Connection::open(place.path("data").join("loquat.db")).unwrap();
    database.execute("UPDATE conversations SET member_count = 9", []).unwrap();
    database.execute("UPDATE cursors SET number_at_read = 5", []).unwrap();
    let dry = admin(&place, &["conversations", "repair", &group, "--dry-run", "--json"]);
    assert_eq!(dry.status.code(), Some(1), "something is wrong");
    let dry: Value = serde_json::from_slice(&dry.stdout).unwrap();
    let found: Vec<_> =
        dry["items"][0]["findings"].as_array().unwrap().iter().map(|f| f["what"].clone()).collect();
    assert_eq!(found, ["member_count", "cursors"]);
    let shown = done(&place, &["conversations", "show", &group]);
    assert_eq!((&shown["members"], &shown["findings"].as_array().unwrap().len()), (&json!(9), &2));

    done(&place, &["conversations", "repair", &group]);
    assert_eq!(done(&place, &["conversations", "show", &group])["findings"], json!([]));
    assert_eq!(say(&service, &mira, &group, "two"), 201, "the lane read it again");
    let listed = done(&place, &["conversations", "list", "--member", "noor"]);
    assert_eq!((&listed["items"][0]["members"], &listed["items"][0]["messages"]), (&json!(2), &json!(2)));
    assert!(refused(&place, &["conversations", "show", "77"]).contains("not found"));
}

#[test]
fn without_a_service_the_data_is_opened_and_without_data_nothing_is_made() {
    let place = Place::new();
    let nothing = refused(&place, &["stats"]);
    assert!(nothing.contains("there is no data in"), "{nothing}");
    assert!(!place.path("data").exists());
    let service = place.serve();
    service.sign_up("mira");
    service.kill();
    assert!(place.path("data").join("admin.sock").exists(), "a killed service leaves its socket");
    assert_eq!(done(&place, &["stats"])["users_active"], 1);
    let service = place.serve();
    assert_eq!(done(&place, &["stats"])["users_active"], 1);
    assert!(service.stop().success());
    assert!(!place.path("data").join("admin.sock").exists());
}

#[test]
fn the_admin_socket_is_for_its_user_and_takes_bounded_requests() {
    let place = Place::new();
    let _service = place.serve();
    let path = place.path("data").join("admin.sock");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let speak = |request: &[u8]| {
        let mut stream = UnixStream::connect(&path).unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let greeting: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(greeting["version"], env!("CARGO_PKG_VERSION"));
        // A request that is too long is not read to its end.
        let _ = stream.write_all(request);
        let answer: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        answer
    };
    for (request, code) in [
        (&b"{\"call\":\"dance\"}\n"[..], "invalid"),
        (b"no json\n", "invalid"),
        (b"{\"call\":\"list_users\",\"after\":null,\"prefix\":null,\"state\":null,\"limit\":0}\n", "invalid"),
        (b"{\"call\":\"show_user\",\"user\":\"nobody_here\"}\n", "not_found"),
        (&[b'x'; 70_000], "invalid"),
    ] {
        assert_eq!(speak(request)["error"]["code"], code);
    }
    assert_eq!(speak(b"{\"call\":\"statistics\"}\n")["ok"]["answer"], "statistics");
}
