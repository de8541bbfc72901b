//! What is derived of a log is found wrong when it is, and is computed anew.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use loquat_domain::ports::{AuditLog as _, Inspection as _, NewAct};
use loquat_proto::{ConversationId, UserId};
use loquat_store::SqliteStore;
use loquat_store::conformance::World;
use rusqlite::Connection;
use support::Home;

/// A conversation with everything in it that leaves a trace.
async fn lively(store: &SqliteStore) -> (ConversationId, [UserId; 3]) {
    let world = World::new(store);
    let users @ [ann, bob, cleo] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    let first = world.say(group, ann, "first").await;
    let second = world.say(group, bob, "second").await;
    world.append_one(group, world.edit(ann, first, "first, better")).await;
    world.append_one(group, world.react(bob, first, "👍", true)).await;
    world.append_one(group, world.react(ann, first, "👍", true)).await;
    world.append_one(group, world.react(ann, second, "🍅", true)).await;
    world.append_one(group, world.react(ann, second, "🍅", false)).await;
    world.append_one(group, world.pin(ann, second, true)).await;
    world.append_one(group, world.join(ann, cleo, true)).await;
    world.append_one(group, world.mentioning(ann, &[bob])).await;
    let erased = world.say(group, bob, "erased").await;
    world.append_one(group, world.react(ann, erased, "👍", true)).await;
    world.append_one(group, world.delete(bob, erased)).await;
    world.read_to(group, bob, 4, 2).await;
    (group, users)
}

/// Everything that is derived, as text.
fn derived(connection: &Connection) -> Vec<String> {
    let mut rows = Vec::new();
    for sql in [
        "SELECT format('event %d %d %s', seq, number, revised) FROM events ORDER BY seq",
        "SELECT format('head %d %d %d %d', head, number, last_message, last_activity) FROM heads",
        "SELECT format('conversation %d %s', member_count, owner) FROM conversations",
        "SELECT format('cursor %d %d %d %d %d', user_id, delivered, read, number_at_read, own_after_read)
         FROM cursors ORDER BY user_id",
        "SELECT format('device %d %d', device_id, delivered) FROM device_cursors ORDER BY device_id",
        "SELECT format('reaction %d %s %d %d %d', target, emoji, user_id, seq, since) FROM reactions
         ORDER BY target, emoji, user_id",
        "SELECT format('pin %d', target) FROM pins",
        "SELECT format('mention %d %d', user_id, seq) FROM mentions",
        "SELECT format('former %d', user_id) FROM former_members",
    ] {
        let mut statement = connection.prepare(sql).unwrap();
        rows.extend(statement.query_map([], |row| row.get(0)).unwrap().map(|row| row.unwrap()));
    }
    rows
}

#[tokio::test]
async fn whatever_is_derived_is_found_wrong_and_made_right() {
    let home = Home::new();
    let store = home.open();
    let (group, [ann, bob, _]) = lively(&store).await;
    let path = home.path("loquat.db");
    let before = derived(&Connection::open(&path).unwrap());
    assert_eq!(store.inspect(group).await.unwrap().unwrap().findings, []);
    for (damage, named) in [
        ("UPDATE events SET number = number + 1 WHERE seq > 3".to_owned(), "message_numbers"),
        ("UPDATE heads SET head = head - 1".to_owned(), "head"),
        ("UPDATE heads SET number = 99, last_message = 1".to_owned(), "head"),
        ("UPDATE heads SET last_activity = 5".to_owned(), "head"),
        ("UPDATE events SET revised = NULL".to_owned(), "edits_shown"),
        ("UPDATE conversations SET member_count = 9".to_owned(), "member_count"),
        ("UPDATE conversations SET owner = NULL".to_owned(), "owner"),
        (format!("UPDATE conversations SET owner = {bob}"), "owner"),
        ("UPDATE cursors SET number_at_read = 7".to_owned(), "cursors"),
        ("UPDATE cursors SET own_after_read = 7".to_owned(), "cursors"),
        (
            "INSERT INTO cursors (conversation_id, user_id, delivered, read, number_at_read, own_after_read)
             VALUES ((SELECT id FROM conversations), 77, 0, 0, 0, 0)"
                .to_owned(),
            "cursors",
        ),
        (
            "INSERT INTO device_cursors VALUES ((SELECT id FROM conversations), 77, 78, 1)".to_owned(),
            "device_cursors",
        ),
        (format!("DELETE FROM reactions WHERE user_id = {ann}"), "reactions"),
        (
            format!("INSERT INTO reactions VALUES ((SELECT id FROM conversations), 1, '🌾', {ann}, 1, 1, 1)"),
            "reactions",
        ),
        ("DELETE FROM pins".to_owned(), "pins"),
        ("INSERT INTO pins VALUES ((SELECT id FROM conversations), 1)".to_owned(), "pins"),
        ("INSERT INTO mentions VALUES (77, (SELECT id FROM conversations), 1)".to_owned(), "mentions"),
        (
            format!(
                "INSERT INTO former_members (user_id, conversation_id) VALUES ({ann}, (SELECT id FROM conversations))"
            ),
            "former_members",
        ),
    ] {
        let connection = Connection::open(&path).unwrap();
        let changed = connection.execute(&damage, []).unwrap();
        assert!(changed > 0, "{damage}");
        let findings = store.inspect(group).await.unwrap().unwrap().findings;
        assert!(
            findings.iter().any(|finding| finding.what == named && finding.repairable),
            "{damage}: {findings:?}"
        );
        let version = |connection: &Connection| -> i64 {
            connection.query_row("SELECT version FROM heads", [], |row| row.get(0)).unwrap()
        };
        let old_version = version(&connection);
        assert_eq!(store.repair(group).await.unwrap(), Some(findings), "{damage}");
        assert_eq!(derived(&connection), before, "{damage}");
        assert!(version(&connection) > old_version, "whoever has it in memory notices");
        assert_eq!(store.inspect(group).await.unwrap().unwrap().findings, [], "{damage}");
    }
}

#[tokio::test]
async fn a_lost_head_or_cursor_comes_back() {
    let home = Home::new();
    let store = home.open();
    let (group, [ann, ..]) = lively(&store).await;
    let connection = Connection::open(home.path("loquat.db")).unwrap();
    for damage in ["DELETE FROM heads".to_owned(), format!("DELETE FROM cursors WHERE user_id = {ann}")] {
        connection.execute(&damage, []).unwrap();
        assert!(!store.repair(group).await.unwrap().unwrap().is_empty(), "{damage}");
        assert_eq!(store.inspect(group).await.unwrap().unwrap().findings, [], "{damage}");
    }
    World::new(&store).view(ann, group).await.expect("members see it again");
}

#[tokio::test]
async fn what_cannot_be_derived_is_named_and_left() {
    let home = Home::new();
    let store = home.open();
    let (group, _) = lively(&store).await;
    let connection = Connection::open(home.path("loquat.db")).unwrap();
    connection.execute("DELETE FROM events WHERE seq = 2", []).unwrap();
    connection.execute("UPDATE events SET body = 'no json' WHERE seq = 1", []).unwrap();
    let findings = store.repair(group).await.unwrap().unwrap();
    for named in ["log_gaps", "unreadable_bodies"] {
        assert!(findings.iter().any(|finding| finding.what == named && !finding.repairable), "{findings:?}");
    }
    let left = store.inspect(group).await.unwrap().unwrap().findings;
    assert_eq!(
        left.iter().map(|finding| finding.what.as_str()).collect::<Vec<_>>(),
        ["log_gaps", "unreadable_bodies"]
    );
}

#[tokio::test]
async fn the_record_of_acts_cannot_be_changed() {
    let home = Home::new();
    let store = home.open();
    let act =
        NewAct { ts: 1, actor: "root".into(), act: "a".into(), subject: "s".into(), detail: String::new() };
    let id = store.begin_act(act).await.unwrap();
    store.end_act(id, "done", 2).await.unwrap();
    let connection = Connection::open(home.path("loquat.db")).unwrap();
    for sql in [
        "UPDATE audit_acts SET actor = 'nobody'",
        "DELETE FROM audit_acts",
        "UPDATE audit_outcomes SET outcome = 'x'",
        "DELETE FROM audit_outcomes",
    ] {
        let refused = connection.execute(sql, []).unwrap_err().to_string();
        assert!(refused.contains("the record stays"), "{sql}: {refused}");
    }
}
