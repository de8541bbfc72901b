//! The process dies at failpoints. The tests run themselves again as a child with `LOQUAT_FAILPOINT` set.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::AtomicU64;

use loquat_domain::ports::{EventLog, EventRange, Timeline};
use loquat_proto::{ConversationId, Nonce, UserId};
use loquat_store::conformance::World;
use loquat_store::{Options, SqliteStore};
use support::{Counting, Home};

const DIRECTORY: &str = "LOQUAT_STORE_TEST_DIRECTORY";
/// Rounds that the child appends before it would end by itself.
const ROUNDS: u64 = 50;

fn nonce(number: u64) -> Nonce {
    format!("n{number}").parse().unwrap()
}

/// What the child does: two users, a group, then rounds of one message and one cursor; each acknowledged round is
/// written to a file.
async fn run_child(directory: PathBuf) {
    let random = Counting(AtomicU64::new(1));
    let store = SqliteStore::open(&directory.join("loquat.db"), &Options::default(), &random).unwrap();
    let world = World::new(&store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    std::fs::write(directory.join("group"), format!("{group} {ann}")).unwrap();
    for round in 1..=ROUNDS {
        let mut event = world.message(ann, &format!("round {round}"));
        event.nonce = Some(nonce(round));
        let seq = world.append_one(group, event).await;
        std::fs::write(directory.join("acknowledged"), format!("{round} {seq}")).unwrap();
        world.read_to(group, bob, seq, seq).await;
    }
}

#[tokio::test]
async fn child() {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        run_child(PathBuf::from(directory)).await;
    }
}

/// Runs the child until it dies at the n-th passage; the round that was acknowledged last, and the store after it.
fn die_at(failpoint: &str, passage: u64) -> (Home, u64) {
    let home = Home::new();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child"])
        .env(DIRECTORY, home.path(""))
        .env("LOQUAT_FAILPOINT", format!("{failpoint}:{passage}"))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(!status.success(), "{failpoint}:{passage} was not reached");
    let acknowledged = std::fs::read_to_string(home.path("acknowledged")).unwrap_or_default();
    let round = acknowledged.split(' ').next().and_then(|round| round.parse().ok()).unwrap_or(0);
    (home, round)
}

#[tokio::test]
async fn acknowledged_messages_survive_every_failpoint() {
    // How many rounds are surely there beyond the acknowledged ones: those that were committed but not answered.
    for (failpoint, passage, committed_unanswered) in [
        ("before_append", 7, Some(0)),
        ("after_append", 7, Some(0)),
        ("before_commit", 11, None),
        ("before_commit", 12, None),
        ("after_commit", 11, None),
        ("after_commit", 12, None),
        ("before_cursor_flush", 5, Some(0)),
    ] {
        let (home, acknowledged) = die_at(failpoint, passage);
        let ids = std::fs::read_to_string(home.path("group")).unwrap();
        let (group, ann) = ids.split_once(' ').unwrap();
        let (group, ann): (ConversationId, UserId) = (group.parse().unwrap(), ann.parse().unwrap());
        let store = home.open();
        let page = store.events(ann, group, EventRange::After(0), 999).await.unwrap().unwrap();
        let seqs: Vec<_> = page.items.iter().map(|event| event.seq).collect();
        assert_eq!(seqs, (1..=page.head).collect::<Vec<_>>(), "{failpoint}");
        assert!(page.head == acknowledged || page.head == acknowledged + 1, "{failpoint}: {}", page.head);
        if let Some(more) = committed_unanswered {
            assert_eq!(page.head, acknowledged + more, "{failpoint}");
        }
        for round in 1..=page.head + 1 {
            let found = store.find_nonce(group, ann, &nonce(round)).await.unwrap();
            let expected = (round <= page.head).then_some(round);
            assert_eq!(found.map(|placement| placement.seq), expected, "{failpoint}: nonce {round}");
        }
        store.check().await.unwrap();
    }
}
