//! Backup of a store in use, and restoring.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use loquat_domain::ports::{AccountLog, Conversations, EventLog, EventRange, Timeline};
use loquat_store::conformance::{NOW, World};
use loquat_store::{OpenError, Options, Progress, SqliteStore, backup, restore};
use support::Home;

fn silent(_: Progress) {}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_store_is_copied_whole_and_goes_on() {
    let home = Home::new();
    let store = home.open();
    let world = World::new(&store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    for _ in 0..20 {
        world.chatter(group, ann, 2000).await;
    }
    let acknowledged = world.facts(group).await.head;
    let before = store.position(ann).await.unwrap();

    // Somebody writes all the time; a copy that began anew at every commit would never end.
    let done = Arc::new(AtomicBool::new(false));
    let writing = {
        let (store, done) = (store.clone(), done.clone());
        tokio::spawn(async move {
            let mut written = 0_u64;
            while !done.load(Ordering::Relaxed) {
                store
                    .append(ann, loquat_proto::AccountEventKind::Read, serde_json::json!({}), NOW)
                    .await
                    .unwrap();
                written += 1;
            }
            written
        })
    };
    let (source, copy) = (home.path("loquat.db"), home.path("copy.db"));
    let mut reports = Vec::new();
    tokio::task::block_in_place(|| backup(&source, &copy, &mut |now| reports.push(now))).unwrap();
    done.store(true, Ordering::Relaxed);
    assert!(writing.await.unwrap() > 0);
    assert!(reports.len() > 1 && reports.is_sorted_by_key(|now| now.copied));
    let last = reports.last().unwrap();
    assert_eq!(last.copied, last.total);
    world.say(group, bob, "still here").await;
    drop(store);

    assert!(matches!(restore(&copy, &source, &home.random, &mut silent), Err(OpenError::Exists(_))));
    restore(&copy, &home.path("restored.db"), &home.random, &mut silent).unwrap();
    let restored = SqliteStore::open(&home.path("restored.db"), &Options::default(), &home.random).unwrap();
    assert_eq!(restored.load(group).await.unwrap().unwrap().head, acknowledged);
    let events = restored.events(bob, group, EventRange::After(acknowledged - 5), 99).await.unwrap().unwrap();
    assert_eq!(events.items.len(), 5);
    let after = restored.position(ann).await.unwrap();
    assert_ne!(after.epoch, before.epoch, "old sync tokens fail closed");
    assert!(restored.tail(0, 1).await.unwrap().len() == 1);
    for name in ["copy.db", "restored.db"] {
        for suffix in [".partial", ".partial-wal", ".partial-journal"] {
            assert!(!home.path(&format!("{name}{suffix}")).exists(), "{name}{suffix}");
        }
    }
}

#[test]
fn nothing_is_overwritten_and_nothing_half_is_left() {
    let home = Home::new();
    drop(home.open());
    let source = home.path("loquat.db");
    let target = home.path("target.db");
    std::fs::write(&target, "precious").unwrap();
    assert!(matches!(backup(&source, &target, &mut silent), Err(OpenError::Exists(_))));
    assert_eq!(std::fs::read(&target).unwrap(), b"precious");
    std::fs::remove_file(&target).unwrap();
    // The log of another store would be taken for the copy's.
    std::fs::write(home.path("target.db-wal"), "").unwrap();
    assert!(matches!(backup(&source, &target, &mut silent), Err(OpenError::Exists(_))));
    std::fs::remove_file(home.path("target.db-wal")).unwrap();
    assert!(matches!(backup(&home.path("nothing"), &target, &mut silent), Err(OpenError::Missing(_))));
    std::fs::write(home.path("text"), "not a database, but more than a hundred bytes ".repeat(20)).unwrap();
    assert!(matches!(backup(&home.path("text"), &target, &mut silent), Err(OpenError::NotAStore(_))));
    let names = std::fs::read_dir(home.path("")).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| !name.to_string_lossy().starts_with("target")));
}

#[tokio::test]
async fn a_damaged_backup_is_refused() {
    let home = Home::new();
    let store = home.open();
    let world = World::new(&store);
    let [ann] = world.users().await;
    let group = world.group(&[ann]).await;
    world.chatter(group, ann, 3000).await;
    drop(store);
    let copy = home.path("copy.db");
    backup(&home.path("loquat.db"), &copy, &mut silent).unwrap();
    let mut bytes = std::fs::read(&copy).unwrap();
    let middle = bytes.len() / 8192 * 4096;
    bytes[middle..middle + 4096].fill(0x5a);
    std::fs::write(&copy, bytes).unwrap();
    let target = home.path("target.db");
    let refused = restore(&copy, &target, &home.random, &mut silent);
    assert!(matches!(refused, Err(OpenError::Damaged { .. })), "{refused:?}");
    assert!(!target.exists());
}

#[cfg(unix)]
#[test]
fn files_are_their_owners_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    let store = home.open();
    backup(&home.path("loquat.db"), &home.path("copy.db"), &mut silent).unwrap();
    for name in ["loquat.db", "loquat.db-wal", "copy.db"] {
        let mode = std::fs::metadata(home.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
    drop(store);
}
