//! SQLite under the shim: with `synchronous=FULL` no committed row is lost; with less, rows are lost, which
//! shows that this harness can fail.
#![allow(missing_docs)]

mod support;

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use support::{Disk, acknowledge};

const CYCLES: i64 = 50;

fn open(root: &Path, synchronous: &str) -> Connection {
    let connection = Connection::open(root.join("rows.db")).expect("opens");
    connection.pragma_update(None, "journal_mode", "wal").expect("WAL");
    connection.pragma_update(None, "synchronous", synchronous).expect("synchronous");
    // Small, so that checkpoints are among what is killed.
    connection.pragma_update(None, "wal_autocheckpoint", 40).expect("checkpoints");
    connection
        .execute_batch("CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        .expect("a table");
    connection
}

fn body(id: i64) -> Vec<u8> {
    vec![u8::try_from(id % 251).expect("small"); usize::try_from(id * 37 % 3000).expect("small")]
}

/// Commits rows for ever and says so after each commit. A second connection reads, as a server's would.
#[test]
#[ignore = "a worker, run under the shim by the tests"]
fn worker_commits() {
    let Some(root) = std::env::var_os("LOQUAT_FAULTFS_ROOT").map(PathBuf::from) else { return };
    let synchronous = std::env::var("SYNCHRONOUS").expect("is set");
    let mut connection = open(&root, &synchronous);
    let reader = open(&root, &synchronous);
    let last: i64 =
        reader.query_row("SELECT coalesce(max(id), 0) FROM rows", [], |row| row.get(0)).expect("reads");
    let mut id = last;
    loop {
        let transaction = connection.transaction().expect("begins");
        let batch = 1 + id % 4;
        for _ in 0..batch {
            id += 1;
            transaction.execute("INSERT INTO rows VALUES (?1, ?2)", (id, body(id))).expect("inserts");
        }
        transaction.commit().expect("commits");
        let count: i64 = reader.query_row("SELECT count(*) FROM rows", [], |row| row.get(0)).expect("reads");
        assert!(count > 0);
        acknowledge(id);
    }
}

/// What one power loss left.
#[derive(Debug, Default)]
struct Damage {
    lost: i64,
    corrupt: bool,
}

fn examine(disk: &Disk, acknowledged: i64) -> Damage {
    let copy = disk.copy();
    let Ok(connection) = Connection::open(copy.path().join("copy/rows.db")) else {
        return Damage { lost: acknowledged, corrupt: true };
    };
    let check = connection.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
    if check.as_deref() != Ok("ok") {
        return Damage { lost: 0, corrupt: true };
    }
    let whole = |id: &i64| {
        let found: Result<Vec<u8>, _> =
            connection.query_row("SELECT body FROM rows WHERE id = ?1", [id], |row| row.get(0));
        found.is_ok_and(|found| found == body(*id))
    };
    let lost = (1..=acknowledged).filter(|id| !whole(id)).count();
    Damage { lost: i64::try_from(lost).expect("small"), corrupt: false }
}

/// Loses power `CYCLES` times under load; what was damaged in all.
fn run(synchronous: &str, spill: u8) -> Damage {
    let mut disk = Disk::new(spill);
    let mut total = Damage::default();
    for cycle in 0..CYCLES {
        disk.seed = cycle.unsigned_abs();
        let enough = usize::try_from(1 + cycle * 7 % 60).expect("small");
        let mut acknowledged = 0;
        // Every other time a second process goes on with what the first one wrote and perhaps never synced.
        for _ in 0..=cycle % 2 {
            let worker = disk.start("worker_commits", &[("SYNCHRONOUS", synchronous)]);
            acknowledged = worker.kill_after(enough).last().copied().unwrap_or(0);
        }
        disk.lose_power();
        let damage = examine(&disk, acknowledged);
        total.lost += damage.lost;
        if damage.corrupt {
            total.corrupt = true;
            return total;
        }
    }
    total
}

#[test]
fn full_loses_nothing() {
    for spill in [0, 25, 60] {
        let damage = run("FULL", spill);
        assert!(damage.lost == 0 && !damage.corrupt, "spill {spill}: {damage:?}");
    }
}

#[test]
fn normal_loses_committed_rows() {
    let damage = run("NORMAL", 25);
    assert!(damage.lost > 0 && !damage.corrupt, "WAL with NORMAL is whole but not durable: {damage:?}");
}

#[test]
fn off_loses_committed_rows_or_the_database() {
    let damage = run("OFF", 25);
    assert!(damage.lost > 0 || damage.corrupt, "{damage:?}");
}
