//! `loquat backup`, `restore` and `admin seed`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::support::{PASSWORD, Place, complaint, names, run};
use serde_json::Value;

#[test]
fn a_running_service_is_backed_up_and_restored_elsewhere() {
    let place = Place::new();
    let service = place.serve();
    service.sign_up("mira");
    let backup = place.text("backup.db");
    let made = run(&["backup", &backup, "--data", &place.data()]);
    assert!(made.status.success(), "{}", complaint(&made));
    assert_eq!(
        fs::metadata(&backup).unwrap().permissions().mode() & 0o077,
        0,
        "a backup is for its owner alone"
    );
    service.sign_up("later");
    assert!(service.stop().success());
    let mut left = names(&place.path("."));
    left.retain(|name| name != "data" && name != "log");
    assert_eq!(left, ["backup.db"], "no temporary file is left");

    let other = Place::new();
    let restored = run(&["restore", &backup, "--data", &other.data()]);
    assert!(restored.status.success(), "{}", complaint(&restored));
    let service = other.serve();
    assert_eq!(service.log_in("mira", PASSWORD).status, 200);
    assert_eq!(service.log_in("later", PASSWORD).status, 401, "made after the backup");
}

#[test]
fn a_stopped_service_is_backed_up_too() {
    let place = Place::new();
    let service = place.serve();
    service.sign_up("mira");
    service.kill();
    let backup = place.text("backup.db");
    assert!(run(&["backup", &backup, "--data", &place.data()]).status.success());
    let other = Place::new();
    assert!(run(&["restore", &backup, "--data", &other.data()]).status.success());
    assert_eq!(other.serve().log_in("mira", PASSWORD).status, 200);
}

#[test]
fn nothing_is_overwritten() {
    let place = Place::new();
    assert!(place.serve().stop().success());
    let backup = place.text("backup.db");
    assert!(run(&["backup", &backup, "--data", &place.data()]).status.success());
    let before = fs::read(&backup).unwrap();

    let again = run(&["backup", &backup, "--data", &place.data()]);
    assert_eq!(again.status.code(), Some(1));
    assert!(complaint(&again).contains("backup.db exists already"), "{}", complaint(&again));
    assert_eq!(fs::read(&backup).unwrap(), before);

    let over = run(&["restore", &backup, "--data", &place.data()]);
    assert_eq!(over.status.code(), Some(1));
    assert!(complaint(&over).contains("exists already"), "{}", complaint(&over));
    assert_eq!(place.serve().get("/readyz").status, 200);
}

#[test]
fn what_is_no_backup_is_refused() {
    let place = Place::new();
    let (text, missing) = (place.text("letter.txt"), place.text("missing.db"));
    fs::write(&text, "Dear reader, ".repeat(100)).unwrap();
    for source in [&text, &missing] {
        let refused = run(&["restore", source, "--data", &place.data()]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(complaint(&refused).contains(source.as_str()), "{}", complaint(&refused));
        assert!(!place.path("data").join("loquat.db").exists());
    }
    let nothing = run(&["backup", &place.text("backup.db"), "--data", &place.text("nowhere")]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(!place.path("backup.db").exists() && !place.path("nowhere").exists());
}

#[test]
fn seeded_accounts_work() {
    let place = Place::new();
    let seeded = run(&["admin", "seed", "--users", "30", "--prefix", "tree", "--data", &place.data()]);
    assert!(seeded.status.success(), "{}", complaint(&seeded));
    let lines = String::from_utf8(seeded.stdout.clone()).unwrap();
    let accounts: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let usernames: Vec<_> = accounts.iter().map(|account| account["username"].as_str().unwrap()).collect();
    let expected: Vec<_> = (1..=30).map(|number| format!("tree{number}")).collect();
    assert_eq!(usernames, expected);

    let told = complaint(&seeded);
    let password = told.trim().rsplit_once(' ').unwrap().1;
    let service = place.serve();
    for account in &accounts {
        let me = service.authorised_call("GET", "/v1/me", (None, account["access_token"].as_str()));
        assert_eq!(me.json()["id"], account["id"]);
    }
    assert_eq!(service.log_in("tree30", password).status, 200);
    let refresh = serde_json::json!({ "refresh_token": accounts[0]["refresh_token"] });
    assert_eq!(service.call("POST", "/v1/auth/refresh", Some(&refresh)).status, 200);

    let busy = run(&["admin", "seed", "--users", "1", "--prefix", "more", "--data", &place.data()]);
    assert_eq!(busy.status.code(), Some(1));
    assert!(complaint(&busy).contains("needs the data folder for itself"), "{}", complaint(&busy));
    assert!(busy.stdout.is_empty());
}

#[test]
fn seeded_messages_are_read_like_any_other() {
    let place = Place::new();
    let seeded = run(&["admin", "seed", "--users", "5", "--data", &place.data()]);
    let accounts: Vec<Value> = std::str::from_utf8(&seeded.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    std::fs::write(place.path("users"), &seeded.stdout).unwrap();
    let fill = |conversations: &str, messages: &str| {
        let users = place.text("users");
        let arguments = ["--accounts", &users, "--conversations", conversations, "--messages", messages];
        run(&[&["admin", "seed-messages", "--data", &place.data()][..], &arguments].concat())
    };
    assert!(fill("2", "0").status.success());
    // What is there is used: the same two, and one more.
    let filled = fill("3", "500");
    assert!(filled.status.success(), "{}", complaint(&filled));
    let conversations: Vec<Value> = std::str::from_utf8(&filled.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let heads = conversations.iter().map(|conversation| conversation["head"].as_u64().unwrap());
    assert_eq!((conversations.len(), heads.sum::<u64>()), (3, 500));

    let service = place.serve();
    for conversation in &conversations {
        let id = conversation["conversation"].as_str().unwrap();
        let reader =
            accounts.iter().find(|account| account["id"] == conversation["members"][1]).expect("a member");
        let path = format!("/v1/conversations/{id}/messages?after=0&limit=50");
        let page = service.authorised_call("GET", &path, (None, reader["access_token"].as_str())).json();
        assert_eq!(page["head"], conversation["head"]);
        let items = page["items"].as_array().unwrap();
        assert_eq!(items.len(), 50);
        for (item, seq) in items.iter().zip(1..) {
            let text = item["text"].as_str().unwrap();
            assert!(item["seq"] == seq && text.starts_with(&format!("{id}/{seq} ")), "{item}");
            assert_eq!(text.len(), 200);
        }
    }
    drop(service);
    let too_many = fill("7", "0");
    assert!(complaint(&too_many).contains("5 accounts have 6 pairs, not 7"), "{}", complaint(&too_many));
    std::fs::write(place.path("users"), "{}").unwrap();
    assert!(complaint(&fill("1", "0")).contains("line 1 of"), "{}", complaint(&fill("1", "0")));
}

#[test]
fn seeding_the_same_names_again_says_which() {
    let place = Place::new();
    assert!(run(&["admin", "seed", "--users", "2", "--data", &place.data()]).status.success());
    let again = run(&["admin", "seed", "--users", "2", "--data", &place.data()]);
    assert_eq!(again.status.code(), Some(1));
    assert!(complaint(&again).contains("cannot make the account bench1"), "{}", complaint(&again));
}
