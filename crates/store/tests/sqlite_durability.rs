//! What SQLite alone has to show: the store survives closing and dying, and refuses what it cannot do.

mod support;

use loquat_domain::ports::{
    AccountLog, Accounts, Append, AppendOutcome, Conversations, EventLog, EventRange, MessageWindow,
    StoreError, Timeline, ViewQuery,
};
use loquat_store::conformance::{NOW, World};
use loquat_store::{OpenError, Options, SqliteStore};
use support::Home;

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_reopen() {
    let home = Home::new();
    let store = home.open();
    let world = World::new(&store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    let mut event = world.message(ann, "kept");
    event.nonce = Some("n1".parse().unwrap());
    world.append(group, vec![event.clone()]).await;
    world.chatter(group, bob, 10).await;
    world.read_to(group, ann, 9, 7).await;
    let (view, position) = (world.view(ann, group).await, store.position(ann).await.unwrap());
    store.close();
    assert!(matches!(store.load(group).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.check().await, Err(StoreError::Unavailable(_))));

    let store = home.open();
    assert_eq!(store.views(ann, ViewQuery::One(group)).await.unwrap().items.pop(), view);
    let append = Append { conversation: group, expected_head: 0, expected_version: 0, events: vec![event] };
    let outcomes = store.append_many(vec![append]).await.unwrap();
    assert!(matches!(&outcomes[0], AppendOutcome::Appended { placements, .. } if placements[0].replayed));
    let later = store.position(ann).await.unwrap();
    assert_eq!(later.epoch, position.epoch);
    assert!(later.pos >= position.pos);
}

#[tokio::test]
async fn positions_never_go_back_whatever_was_deleted() {
    let home = Home::new();
    let store = home.open();
    let world = World::new(&store);
    let [ann] = world.users().await;
    let group = world.group(&[ann]).await;
    world.chatter(group, ann, 100).await;
    let before = store.position(ann).await.unwrap().pos;
    Conversations::delete(&store, group, NOW).await.unwrap();
    drop(store);
    let store = home.open();
    assert!(store.position(ann).await.unwrap().pos >= before);
}

#[tokio::test]
async fn one_process_serves_a_store() {
    let home = Home::new();
    let store = home.open();
    let again = SqliteStore::open(&home.path("loquat.db"), &Options::default(), &home.random);
    assert!(matches!(again, Err(OpenError::InUse(_))));
    store.close();
    home.open();
}

#[test]
fn foreign_files_are_left_alone() {
    let home = Home::new();
    let path = home.path("loquat.db");
    std::fs::write(
        &path,
        "Dear diary, this is longer than a hundred bytes, so that SQLite reads a header. ".repeat(9),
    )
    .unwrap();
    let open = || SqliteStore::open(&path, &Options::default(), &home.random);
    assert!(matches!(open(), Err(OpenError::NotAStore(_))), "{:?}", open());
    std::fs::remove_file(&path).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE diary (entry TEXT)").unwrap();
    drop(other);
    assert!(matches!(open(), Err(OpenError::NotAStore(_))), "{:?}", open());
    let missing = home.path("nowhere").join("loquat.db");
    assert!(matches!(
        SqliteStore::open(&missing, &Options::default(), &home.random),
        Err(OpenError::Io { .. })
    ));
}

#[test]
fn a_newer_schema_is_refused() {
    let home = Home::new();
    drop(home.open());
    let file = rusqlite::Connection::open(home.path("loquat.db")).unwrap();
    file.execute_batch(
        "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
         SELECT 99, 'tomorrow', applied_on, checksum FROM refinery_schema_history LIMIT 1",
    )
    .unwrap();
    drop(file);
    let opened = SqliteStore::open(&home.path("loquat.db"), &Options::default(), &home.random);
    assert!(matches!(opened, Err(OpenError::Schema(_))), "{opened:?}");
}

/// A full disk: writes are refused and undone, reads go on, and writes go on once there is room.
#[tokio::test]
async fn a_full_disk_refuses_writes_and_nothing_else() {
    let home = Home::new();
    let store = home.open_with(&Options { max_pages: Some(400), ..Options::default() });
    let world = World::new(&store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    let text = "x".repeat(8000);
    let mut refused = 0;
    for number in 0..300 {
        let mut event = world.message(ann, &text);
        event.nonce = Some(format!("n{number}").parse().unwrap());
        let append = world.fitting(group, vec![event]).await;
        match store.append_many(vec![append]).await {
            Ok(outcomes) => assert!(matches!(outcomes[0], AppendOutcome::Appended { .. }) && refused == 0),
            Err(StoreError::Unavailable(_)) => refused += 1,
            Err(StoreError::Corrupt(text)) => panic!("{text}"),
        }
    }
    assert!(refused > 10, "{refused}");
    let head = world.facts(group).await.head;
    assert_eq!(head + refused, 300);
    let page = store.events(bob, group, EventRange::After(0), 999).await.unwrap().unwrap();
    assert_eq!(page.items.len() as u64, head, "what was refused is not there");
    // An erasure makes room.
    for seq in 1..=head / 2 {
        let outcome = store.append_many(vec![world.fitting(group, vec![world.delete(ann, seq)]).await]).await;
        if outcome.is_err() {
            break;
        }
    }
    store.close();
    let store = home.open();
    store.check().await.unwrap();
    let world = World::new(&store);
    // What was refused was not half remembered either.
    let mut event = world.message(ann, "again");
    event.nonce = Some("n299".parse().unwrap());
    assert!(!world.append(group, vec![event]).await[0].replayed);
}

/// When the queue of writes is full, newcomers are refused at once and nobody else suffers.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_newcomers() {
    let home = Home::new();
    let store = home.open_with(&Options { writer_queue: 2, ..Options::default() });
    let world = World::new(&store);
    let [ann] = world.users().await;
    let mut calls = Vec::new();
    for _ in 0..64 {
        let store = store.clone();
        calls.push(tokio::spawn(async move {
            store.append(ann, loquat_proto::AccountEventKind::Read, serde_json::json!({}), NOW).await
        }));
    }
    let (mut done, mut refused) = (0, 0);
    for call in calls {
        match call.await.unwrap() {
            Ok(_) => done += 1,
            Err(StoreError::Unavailable(_)) => refused += 1,
            Err(StoreError::Corrupt(text)) => panic!("{text}"),
        }
    }
    assert!(done >= 2 && refused > 0, "{done} done, {refused} refused");
    assert_eq!(store.position(ann).await.unwrap().account, done);
    store.check().await.unwrap();
}

/// The log of writes is moved into the database beside the writer, and does not grow for ever.
#[tokio::test]
async fn the_write_ahead_log_stays_bounded() {
    let home = Home::new();
    let store = home.open_with(&Options { checkpoint_pages: 100, ..Options::default() });
    let world = World::new(&store);
    let [ann] = world.users().await;
    let group = world.group(&[ann]).await;
    for _ in 0..300 {
        world.chatter(group, ann, 20).await;
    }
    let log = std::fs::metadata(home.path("loquat.db-wal")).unwrap().len();
    let database = std::fs::metadata(home.path("loquat.db")).unwrap().len();
    assert!(database > 500_000, "{database} bytes in the database");
    assert!(log < 2_500_000, "{log} bytes in the log: 6,000 messages in 300 commits are more than 5 MB");
    store.close();
    assert!(!home.path("loquat.db-wal").exists(), "a closed store is one file");
}

/// What a crash interrupts is finished at the next start.
#[tokio::test]
async fn interrupted_erasures_are_finished() {
    let home = Home::new();
    let store = home.open();
    let world = World::new(&store);
    let [ann, bob] = world.users().await;
    let (kept, doomed) = (world.group(&[bob, ann]).await, world.group(&[ann, bob]).await);
    for group in [kept, doomed] {
        world.chatter(group, ann, 50).await;
        world.chatter(group, bob, 50).await;
    }
    drop(store);
    // As the first transactions of both leave it.
    let file = rusqlite::Connection::open(home.path("loquat.db")).unwrap();
    file.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    for table in ["members", "cursors", "heads"] {
        file.execute(
            &format!("DELETE FROM {table} WHERE conversation_id = ?1"),
            [doomed.get().cast_signed()],
        )
        .unwrap();
    }
    file.execute("DELETE FROM conversations WHERE id = ?1", [doomed.get().cast_signed()]).unwrap();
    file.execute(
        "INSERT INTO unfinished (task, subject) VALUES (1, ?1), (2, ?2)",
        [doomed.get().cast_signed(), ann.get().cast_signed()],
    )
    .unwrap();
    drop(file);

    let store = home.open();
    let tailed = store.tail(0, 999).await.unwrap();
    assert_eq!(tailed.len(), 100);
    assert!(tailed.iter().all(|tailed| tailed.event.conversation == kept));
    assert!(tailed.iter().all(|tailed| tailed.event.body.is_none() == (tailed.event.sender == ann)));
    let page = store.messages(bob, kept, MessageWindow::Latest, 200).await.unwrap().unwrap();
    assert_eq!(page.items.iter().filter(|message| message.deleted).count(), 50);
    drop(store);
    let file = rusqlite::Connection::open(home.path("loquat.db")).unwrap();
    let left: i64 = file.query_row("SELECT COUNT(*) FROM unfinished", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
}

/// Erased text is nowhere in the file.
#[tokio::test]
async fn erased_text_leaves_the_file() {
    let home = Home::new();
    let store = home.open();
    let world = World::new(&store);
    let [ann] = world.users().await;
    let group = world.group(&[ann]).await;
    world.say(group, ann, "a canary sings").await;
    world.append_one(group, world.edit(ann, 1, "the canary sang")).await;
    world.append_one(group, world.delete(ann, 1)).await;
    drop(store);
    let bytes = std::fs::read(home.path("loquat.db")).unwrap();
    assert!(!bytes.windows(6).any(|window| window == b"canary"));
}

/// An account is deleted while others write: nobody waits for the whole of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_erasure_lets_others_write_between() {
    let home = Home::new();
    let store = home.open();
    let world = World::new(&store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[bob, ann]).await;
    for _ in 0..10 {
        world.chatter(group, ann, 3000).await;
    }
    let erasing = store.clone();
    let erasure = tokio::spawn(async move { Accounts::delete(&erasing, ann, NOW).await });
    let mut written = 0;
    while !erasure.is_finished() {
        store.check().await.unwrap();
        written += 1;
    }
    erasure.await.unwrap().unwrap();
    assert!(written > 3, "{written} writes came through meanwhile");
    let page = store.messages(bob, group, MessageWindow::After(0), 9999).await.unwrap().unwrap();
    assert!(page.items.iter().all(|message| message.deleted));
}
