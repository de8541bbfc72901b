//! Compares layouts of the hot path with bare SQLite: what an append costs with each way of keeping nonces.
//!
//! `cargo run --release --example layout -- <directory> [variant] [messages] [batch]`. The figures stand in
//! `docs/decisions/0002-sqlite-layout.md`.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

fn cpu() -> Duration {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    #[allow(unsafe_code, reason = "getrusage fills the struct")]
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let time = |t: libc::timeval| Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1000);
    time(usage.ru_utime) + time(usage.ru_stime)
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Variant {
    None,
    Text,
    Key,
    Deferred,
}

struct Rng(u64);
impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let dir = Path::new(&args[1]);
    let variants = match args.get(2).map(String::as_str) {
        Some("none") => vec![Variant::None],
        Some("text") => vec![Variant::Text],
        Some("key") => vec![Variant::Key],
        Some("deferred") => vec![Variant::Deferred],
        _ => vec![Variant::None, Variant::Text, Variant::Key, Variant::Deferred],
    };
    let messages: usize = args.get(3).map_or(1_000_000, |n| n.parse().unwrap());
    let batch: usize = args.get(4).map_or(1600, |n| n.parse().unwrap());
    let flags: Vec<&str> = args.iter().skip(5).map(String::as_str).collect();
    for variant in variants {
        run(dir, variant, messages, batch, &flags);
    }
}

fn run(dir: &Path, variant: Variant, messages: usize, batch: usize, flags: &[&str]) {
    let path = dir.join("layout.db");
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(dir.join(format!("layout.db{suffix}")));
    }
    let flag = |name: &str| flags.contains(&name);
    let open = || {
        let c = Connection::open_with_flags(
            &path,
            rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE
                | rusqlite::OpenFlags::SQLITE_OPEN_CREATE
                | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .unwrap();
        c.execute_batch(&format!(
            "PRAGMA page_size={}; PRAGMA journal_mode=WAL; PRAGMA synchronous={}; PRAGMA secure_delete={}; PRAGMA cache_size=-{};
             PRAGMA wal_autocheckpoint={}; PRAGMA mmap_size={}; PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=OFF;
             PRAGMA journal_size_limit=67108864;",
            if flag("page8k") { 8192 } else { 4096 },
            if flag("nosync") { "NORMAL" } else { "FULL" },
            if flag("nosecure") { "OFF" } else { "ON" },
            if flag("bigcache") { 65536 } else { 8192 },
            8192,
            if flag("mmap") { 268435456 } else { 0 },
        ))
        .unwrap();
        c
    };
    let c = open();
    c.set_prepared_statement_cache_capacity(64);
    c.execute_batch(
        "CREATE TABLE events(pos INTEGER PRIMARY KEY, conversation INTEGER NOT NULL, seq INTEGER NOT NULL,
           ts INTEGER NOT NULL, sender INTEGER NOT NULL, device INTEGER, kind INTEGER NOT NULL, number INTEGER NOT NULL,
           target INTEGER, revised INTEGER, nonce_key INTEGER, nonce TEXT, body TEXT);
         CREATE UNIQUE INDEX events_seq ON events(conversation, seq);
         CREATE INDEX events_target ON events(conversation, target) WHERE target IS NOT NULL;
         CREATE TABLE heads(conversation INTEGER PRIMARY KEY, head INTEGER, number INTEGER, last_message INTEGER, last_activity INTEGER, touched INTEGER, version INTEGER);
         CREATE TABLE cursors(conversation INTEGER, user INTEGER, delivered INTEGER, read INTEGER, number_at_read INTEGER, own INTEGER, touched INTEGER, PRIMARY KEY(conversation, user)) WITHOUT ROWID;
         CREATE TABLE nonces(conversation INTEGER, key INTEGER, seq INTEGER, PRIMARY KEY(conversation, key, seq)) WITHOUT ROWID;",
    )
    .unwrap();
    match variant {
        Variant::Text => c
            .execute_batch("CREATE UNIQUE INDEX events_nonce ON events(conversation, sender, nonce) WHERE nonce IS NOT NULL")
            .unwrap(),
        Variant::Key => c
            .execute_batch("CREATE INDEX events_nonce ON events(conversation, nonce_key) WHERE nonce_key IS NOT NULL")
            .unwrap(),
        _ => {}
    }
    let mut rng = Rng(0x9e37_79b9_7f4a_7c15);
    let conversations: Vec<(i64, [i64; 2])> = (0..100)
        .map(|_| {
            let mut id = || (rng.next() >> 13) as i64;
            (id(), [id(), id()])
        })
        .collect();
    c.execute_batch("BEGIN").unwrap();
    for (id, users) in &conversations {
        c.execute("INSERT INTO heads VALUES(?1,0,0,0,0,0,0)", [id]).unwrap();
        for user in users {
            c.execute("INSERT INTO cursors VALUES(?1,?2,0,0,0,0,0)", [id, user]).unwrap();
        }
    }
    c.execute_batch("COMMIT").unwrap();

    let body: String = (0..240).map(|_| (b'a' + (rng.next() % 26) as u8) as char).collect();
    let mut pending: BTreeSet<(i64, i64, i64)> = BTreeSet::new();
    let mut sweep: (i64, i64, i64) = (i64::MIN, 0, 0);
    let (mut pos, mut commit_time, mut merge_time) = (1i64, Duration::ZERO, Duration::ZERO);
    let mut window = (Instant::now(), cpu());
    let (start, start_cpu) = window;
    let mut done = 0;
    let mut next_conversation = 0usize;
    while done < messages {
        c.prepare_cached("BEGIN IMMEDIATE").unwrap().execute([]).unwrap();
        let appends = batch.min(100);
        for _ in 0..appends {
            let (conversation, users) = conversations[next_conversation % 100];
            next_conversation += 1;
            let count = batch / appends;
            let (head, number): (i64, i64) = c
                .prepare_cached("SELECT head, number, version FROM heads WHERE conversation = ?1")
                .unwrap()
                .query_row([conversation], |r| Ok((r.get(0)?, r.get(1)?)))
                .unwrap();
            let sender = users[next_conversation & 1];
            let mut insert = c
                .prepare_cached("INSERT INTO events(pos, conversation, seq, ts, sender, device, kind, number, target, revised, nonce_key, nonce, body) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,NULL,NULL,?9,?10,?11)")
                .unwrap();
            for i in 0..count as i64 {
                let key = rng.next() as i64;
                let nonce = format!("{:016x}{:016x}", rng.next(), key as u64);
                match variant {
                    Variant::Text => {
                        let found = c
                            .prepare_cached(
                                "SELECT seq FROM events WHERE conversation=?1 AND sender=?2 AND nonce=?3",
                            )
                            .unwrap()
                            .exists(params![conversation, sender, nonce])
                            .unwrap();
                        assert!(!found);
                    }
                    Variant::Key => {
                        let found = c
                            .prepare_cached(
                                "SELECT seq, nonce FROM events WHERE conversation=?1 AND nonce_key=?2",
                            )
                            .unwrap()
                            .exists(params![conversation, key])
                            .unwrap();
                        assert!(!found);
                    }
                    Variant::Deferred => {
                        let found = pending
                            .range((conversation, key, 0)..=(conversation, key, i64::MAX))
                            .next()
                            .is_some()
                            || (!flag("nolookup")
                                && c.prepare_cached(
                                    "SELECT seq FROM nonces WHERE conversation=?1 AND key=?2",
                                )
                                .unwrap()
                                .exists(params![conversation, key])
                                .unwrap());
                        assert!(!found);
                        pending.insert((conversation, key, head + 1 + i));
                    }
                    Variant::None => {}
                }
                pos += 1;
                let key = (variant == Variant::Key).then_some(key);
                insert
                    .execute(params![
                        pos,
                        conversation,
                        head + 1 + i,
                        1_763_800_000_000_i64,
                        sender,
                        sender ^ 77,
                        0,
                        number + 1 + i,
                        key,
                        nonce,
                        body
                    ])
                    .unwrap();
            }
            let count = count as i64;
            c.prepare_cached("UPDATE heads SET head=?2, number=?3, last_message=?2, last_activity=?4, touched=?5 WHERE conversation=?1")
                .unwrap()
                .execute(params![conversation, head + count, number + count, 1_763_800_000_000_i64, pos])
                .unwrap();
            if !flag("noown") {
                c.prepare_cached("UPDATE cursors SET own = own + ?3 WHERE conversation=?1 AND user=?2")
                    .unwrap()
                    .execute(params![conversation, sender, count])
                    .unwrap();
            }
        }
        if variant == Variant::Deferred && pending.len() > 65536 {
            let t = Instant::now();
            let mut insert = c
                .prepare_cached(
                    "INSERT INTO nonces(conversation, key, seq) VALUES(?1,?2,?3) ON CONFLICT DO NOTHING",
                )
                .unwrap();
            let mut moved = 0;
            while moved < batch.max(64) * 2 && pending.len() > 49152 {
                let next = pending.range(sweep..).next().or_else(|| pending.first()).copied().unwrap();
                pending.remove(&next);
                sweep = next;
                insert.execute(params![next.0, next.1, next.2]).unwrap();
                moved += 1;
            }
            merge_time += t.elapsed();
        }
        let t = Instant::now();
        c.prepare_cached("COMMIT").unwrap().execute([]).unwrap();
        commit_time += t.elapsed();
        done += batch.min(100) * (batch / batch.min(100));
        if done % (messages / 5) < batch {
            let (at, used) = (Instant::now(), cpu());
            println!(
                "  {variant:?} {done:>8}: {:>8.0}/s, cpu {:.2} us",
                (messages / 5) as f64 / (at - window.0).as_secs_f64(),
                (used - window.1).as_secs_f64() * 1e6 / (messages / 5) as f64
            );
            window = (at, used);
        }
    }
    let size: u64 = std::fs::metadata(&path).unwrap().len();
    println!(
        "{variant:?} batch {batch}: {:.0}/s, cpu {:.2} us/message, commit {:.2} us/message ({:.0} us each), merge {:.2} us, {:.0} B/message",
        done as f64 / start.elapsed().as_secs_f64(),
        (cpu() - start_cpu).as_secs_f64() * 1e6 / done as f64,
        commit_time.as_secs_f64() * 1e6 / done as f64,
        commit_time.as_secs_f64() * 1e6 / (done as f64 / batch as f64),
        merge_time.as_secs_f64() * 1e6 / done as f64,
        size as f64 / done as f64,
    );
}
