//! What many writers, lost connections and a server that dies must not break.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use loquat_domain::ports::{
    Append, AppendOutcome, Conversations as _, EventLog as _, EventRange, NewEvent, StoreError, Timeline as _,
};
use loquat_proto::{ConversationId, UserId};
use loquat_store::conformance::World;
use loquat_store::{ConnectError, PostgresOptions, PostgresStore};
use loquat_testkit::PostgresServer;
use support::Counting;
use support::postgres::{self, Place, options, shared};

fn named(mut event: NewEvent, nonce: &str) -> NewEvent {
    event.nonce = Some(nonce.parse().unwrap());
    event
}

fn open(url: &str, options: &PostgresOptions) -> Result<PostgresStore, ConnectError> {
    PostgresStore::open(url, options, &Counting(AtomicU64::new(1)))
}

/// Says something as a lane would: loads, appends, and loads again after a conflict. Its `seq`, and how many conflicts.
async fn insist(
    store: &PostgresStore,
    conversation: ConversationId,
    event: NewEvent,
) -> Result<(u64, u32), StoreError> {
    let mut conflicts = 0;
    loop {
        let facts = store.load(conversation).await?.unwrap();
        let append = Append {
            conversation,
            expected_head: facts.head,
            expected_version: facts.version,
            events: vec![event.clone()],
        };
        match store.append_many(vec![append]).await?.remove(0) {
            AppendOutcome::Appended { placements, .. } => return Ok((placements[0].seq, conflicts)),
            AppendOutcome::Conflict => conflicts += 1,
        }
    }
}

/// Nodes that all believe to own the same conversations cost one another conflicts and nothing else; a worker that
/// tails meanwhile meets every event once, in the order of its positions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_write_the_same_logs_leave_no_gap_and_hide_nothing_from_workers() {
    const NODES: usize = 3;
    const EACH: usize = 40;
    let place = Place::new();
    let url = shared().url(place.database());
    let world = World::new(place.store());
    let [ann, bob] = world.users().await;
    let groups = [world.group(&[ann, bob]).await, world.group(&[ann, bob]).await];
    let done = Arc::new(AtomicBool::new(false));
    let worker = tokio::spawn(tail_until(place.store().clone(), done.clone()));
    let nodes: Vec<PostgresStore> = (0..NODES).map(|_| open(&url, &options()).unwrap()).collect();
    let mut writers = Vec::new();
    for (number, node) in nodes.iter().enumerate() {
        let node = node.clone();
        let events: Vec<NewEvent> = (0..EACH)
            .map(|event| {
                // Some are edits, which go another way.
                let text = format!("{number} {event}");
                let event_of = if event % 8 == 7 {
                    world.react(ann, 1, &format!("{number}{event}"), true)
                } else {
                    world.message(if number == 0 { ann } else { bob }, &text)
                };
                named(event_of, &format!("nonce-{number}-{event}"))
            })
            .collect();
        writers.push(tokio::spawn(async move {
            let mut placed = Vec::new();
            let mut conflicts = 0;
            for (number, event) in events.into_iter().enumerate() {
                let group = groups[number % 2];
                let (seq, more) = insist(&node, group, event).await.unwrap();
                placed.push((group, seq));
                conflicts += more;
            }
            (placed, conflicts)
        }));
    }
    let mut placed: Vec<(ConversationId, u64)> = Vec::new();
    let mut conflicts = 0;
    for writer in writers {
        let (some, more) = writer.await.unwrap();
        placed.extend(some);
        conflicts += more;
    }
    assert!(conflicts > 0, "nobody came across anybody: this test shows nothing");
    done.store(true, Ordering::Release);
    let met = worker.await.unwrap();
    for group in groups {
        let mut seqs: Vec<u64> = placed.iter().filter(|(at, _)| *at == group).map(|(_, seq)| *seq).collect();
        seqs.sort_unstable();
        assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
        let page = place.store().events(ann, group, EventRange::After(0), 999).await.unwrap().unwrap();
        assert_eq!(page.items.iter().map(|event| event.seq).collect::<Vec<_>>(), seqs);
        let report = loquat_domain::ports::Inspection::inspect(place.store(), group).await.unwrap().unwrap();
        assert_eq!(report.findings, [], "what is derived agrees with the log");
        assert_eq!(met[&group], seqs, "the worker met them in their order, each once");
    }
}

/// What a worker meets until all is written, by conversation.
async fn tail_until(store: PostgresStore, done: Arc<AtomicBool>) -> BTreeMap<ConversationId, Vec<u64>> {
    let nobody = UserId::new(1).unwrap();
    let mut met: BTreeMap<ConversationId, Vec<u64>> = BTreeMap::new();
    let mut pos = 0;
    loop {
        let last_round = done.load(Ordering::Acquire);
        let settled = store.position(nobody).await.unwrap().pos;
        for tailed in store.tail(pos, 7).await.unwrap() {
            assert!(tailed.pos > pos, "positions ascend");
            pos = tailed.pos;
            met.entry(tailed.event.conversation).or_default().push(tailed.event.seq);
        }
        if last_round
            && store.tail(pos, 1).await.unwrap().is_empty()
            && settled <= store.position(nobody).await.unwrap().pos
        {
            return met;
        }
    }
}

/// A transaction that began before others and ends after them is not passed over.
#[tokio::test]
async fn what_is_committed_late_is_not_passed_over() {
    let place = Place::new();
    let world = World::new(place.store());
    let [ann] = world.users().await;
    let group = world.group(&[ann]).await;
    let (client, connection) =
        tokio_postgres::connect(&shared().url(place.database()), tokio_postgres::NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    client.batch_execute("BEGIN; SELECT pg_current_xact_id()").await.unwrap();
    let before = place.store().position(ann).await.unwrap().pos;
    world.say(group, ann, "behind an older transaction").await;
    assert_eq!(place.store().tail(0, 10).await.unwrap(), [], "the older one may have a smaller position");
    assert_eq!(place.store().tail_marks(0, 10).await.unwrap(), []);
    assert_eq!(place.store().position(ann).await.unwrap().pos, before, "a token claims nothing of it");
    client.batch_execute("COMMIT").await.unwrap();
    assert_eq!(place.store().tail(0, 10).await.unwrap().len(), 1);
    assert!(place.store().position(ann).await.unwrap().pos > before);
    drop(client);
    driver.await.unwrap().unwrap();
}

/// Passes bytes on, until it is told to lose the answer to a commit.
struct Proxy {
    port: u16,
    lose_next_commit: Arc<AtomicBool>,
}

impl Proxy {
    fn start(server: &PostgresServer) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let lose_next_commit = Arc::new(AtomicBool::new(false));
        let (lose, server) = (lose_next_commit.clone(), server.address());
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                let Ok(server) = TcpStream::connect(&server) else { continue };
                pass_on(client, server, lose.clone());
            }
        });
        Self { port, lose_next_commit }
    }
}

fn pass_on(client: TcpStream, server: TcpStream, lose: Arc<AtomicBool>) {
    let lost = Arc::new(AtomicBool::new(false));
    let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let told = lost.clone();
    std::thread::spawn(move || {
        let mut buffer = [0; 65_536];
        while let Ok(count @ 1..) = from_client.read(&mut buffer) {
            let commits = buffer[..count].windows(7).any(|word| word == b"COMMIT\0");
            if commits && lose.swap(false, Ordering::AcqRel) {
                told.store(true, Ordering::Release);
            }
            if to_server.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let (mut from_server, mut to_client) = (server, client);
    std::thread::spawn(move || {
        let mut buffer = [0; 65_536];
        let mut withheld = Vec::new();
        while let Ok(count @ 1..) = from_server.read(&mut buffer) {
            if !lost.load(Ordering::Acquire) {
                if to_client.write_all(&buffer[..count]).is_err() {
                    break;
                }
                continue;
            }
            // Nothing of it arrives; and it is over once the server has said that it has committed.
            withheld.extend_from_slice(&buffer[..count]);
            if withheld.windows(7).any(|word| word == b"COMMIT\0") {
                break;
            }
        }
        let _ = to_client.shutdown(Shutdown::Both);
        let _ = from_server.shutdown(Shutdown::Both);
    });
}

/// The connection is lost between a commit and its answer: the append finds by its nonces that it stands, and answers as if
/// nothing had happened; what is no append says that it does not know.
#[tokio::test]
async fn an_unknown_outcome_is_found_out_by_the_nonce() {
    let place = Place::new();
    let world = World::new(place.store());
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    let proxy = Proxy::start(shared());
    let url = format!("postgres://loquat@127.0.0.1:{}/{}", proxy.port, place.database());
    let store = open(&url, &PostgresOptions { appenders: 1, writers: 1, ..options() }).unwrap();
    for (number, event) in
        [world.message(ann, "a round"), world.edit(ann, 1, "alone"), world.message(bob, "a round again")]
            .into_iter()
            .enumerate()
    {
        let append = world.fitting(group, vec![named(event, &format!("nonce-{number}"))]).await;
        proxy.lose_next_commit.store(true, Ordering::Release);
        let outcome = store.append_many(vec![append.clone()]).await.unwrap().remove(0);
        let AppendOutcome::Appended { placements, .. } = outcome else { panic!("{outcome:?}") };
        assert!(!proxy.lose_next_commit.load(Ordering::Acquire), "no answer was lost");
        assert_eq!((placements[0].seq, placements[0].replayed), (number as u64 + 1, false));
        let again = store.append_many(vec![append]).await.unwrap().remove(0);
        let AppendOutcome::Appended { placements, .. } = again else { panic!("{again:?}") };
        assert_eq!((placements[0].seq, placements[0].replayed), (number as u64 + 1, true));
    }
    assert_eq!(world.facts(group).await.head, 3);
    // Without a nonce nobody can tell: the caller loads again and sees.
    let append = world.fitting(group, vec![world.message(ann, "without a nonce")]).await;
    proxy.lose_next_commit.store(true, Ordering::Release);
    assert_eq!(store.append_many(vec![append]).await.unwrap(), [AppendOutcome::Conflict]);
    assert_eq!(world.facts(group).await.head, 4);
    proxy.lose_next_commit.store(true, Ordering::Release);
    let unknown = store.check().await;
    assert!(
        matches!(&unknown, Err(StoreError::Unavailable(text)) if text.contains("not known")),
        "{unknown:?}"
    );
    assert_eq!(store.check().await, Ok(()), "on a new connection");
    store.close();
}

/// The server dies and comes back: what was acknowledged is there, and the store goes on by itself.
#[tokio::test]
async fn a_server_that_dies_is_found_again() {
    let server = PostgresServer::start(&[]);
    server.create("one");
    let store = postgres::open(&server, "one");
    let world = World::new(&store);
    let [ann] = world.users().await;
    let group = world.group(&[ann]).await;
    let first = named(world.message(ann, "first"), "first");
    world.append(group, vec![first.clone()]).await;
    server.crash_and_restart(&[]);
    let append = world.fitting(group, vec![first, named(world.message(ann, "second"), "second")]).await;
    let outcome = insist_on(&store, append).await;
    let AppendOutcome::Appended { placements, .. } = outcome else { panic!("{outcome:?}") };
    let placed: Vec<_> = placements.iter().map(|placement| (placement.seq, placement.replayed)).collect();
    assert_eq!(placed, [(1, true), (2, false)]);
    store.close();
    server.end();
}

/// A retry, as a client makes it when it is told `Unavailable`.
async fn insist_on(store: &PostgresStore, append: Append) -> AppendOutcome {
    for _ in 0..20 {
        match store.append_many(vec![append.clone()]).await {
            Ok(mut outcomes) => return outcomes.remove(0),
            Err(StoreError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(100)).await,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the store does not go on");
}

/// A head that somebody holds costs time, not a thread: appends to it are refused after the lock timeout, their
/// neighbours not at all.
#[tokio::test]
async fn a_lock_that_is_held_is_waited_for_no_longer_than_said() {
    let place = Place::new();
    let world = World::new(place.store());
    let [ann] = world.users().await;
    let (held, free) = (world.group(&[ann]).await, world.group(&[ann]).await);
    let url = shared().url(place.database());
    let impatient = PostgresOptions { lock_timeout: Duration::from_millis(100), ..options() };
    let store = open(&url, &impatient).unwrap();
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    client
        .batch_execute(&format!("BEGIN; SELECT 1 FROM heads WHERE conversation_id = {held} FOR UPDATE"))
        .await
        .unwrap();
    let waiting = world.fitting(held, vec![world.message(ann, "waits")]).await;
    let neighbour = world.fitting(free, vec![world.message(ann, "goes on")]).await;
    let refused = store.append_many(vec![waiting.clone()]).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    let outcome = store.append_many(vec![neighbour]).await.unwrap().remove(0);
    assert!(matches!(outcome, AppendOutcome::Appended { .. }));
    client.batch_execute("ROLLBACK").await.unwrap();
    let outcome = store.append_many(vec![waiting]).await.unwrap().remove(0);
    assert!(matches!(outcome, AppendOutcome::Appended { .. }));
    drop(client);
    driver.await.unwrap().unwrap();
    store.close();
}

/// What would break a promise, or somebody else's database, is refused at the start, in words.
#[test]
fn an_unfit_server_is_refused() {
    let _alone = postgres::alone();
    let server = shared();
    let refusal = |database: &str, options: &PostgresOptions| match open(&server.url(database), options) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("{database} was opened"),
    };
    for (name, encoding) in [("strange", "UTF8"), ("latin", "LATIN1"), ("newer", "UTF8"), ("standby", "UTF8")]
    {
        server.psql(
            "postgres",
            &format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'"),
        );
    }
    server.psql("strange", "CREATE TABLE invoices (id BIGINT)");
    assert!(refusal("strange", &options()).contains("tables of something else"));
    assert!(refusal("latin", &options()).contains("UTF-8"));
    postgres::open(server, "newer").close();
    server.psql(
        "newer",
        "INSERT INTO refinery_schema_history VALUES (9999, 'later', '2027-01-01T00:00:00Z', '1')",
    );
    assert!(refusal("newer", &options()).contains("does not fit this version"));
    let promising = PostgresOptions { require_standby: true, ..options() };
    assert!(refusal("standby", &promising).contains("synchronous_standby_names"));
    assert!(refusal("missing", &options()).contains("does not exist"));
    let nowhere = open("postgres://loquat@127.0.0.1:1/x", &options()).map(drop).unwrap_err();
    assert!(matches!(nowhere, ConnectError::Server(_)), "{nowhere}");
    let secret = open("postgres://loquat:hunter2@[", &options()).map(drop).unwrap_err();
    assert!(matches!(&secret, ConnectError::Url(text) if !text.contains("hunter2")), "{secret}");
}

/// With a certificate of a root that is named, and no other; where TLS is insisted on, a server without it is refused.
#[test]
fn connections_are_encrypted_where_the_url_says_so() {
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, key.cert.pem()).unwrap();
    let server = PostgresServer::start_with_certificate(&key.cert.pem(), &key.key_pair.serialize_pem());
    server.create("one");
    let url = server.url("one").replace("127.0.0.1", "localhost") + "?sslmode=require";
    let trusting = PostgresOptions { roots: Some(roots), ..options() };
    let store = open(&url, &trusting).unwrap();
    let encrypted = "SELECT bool_and(s.ssl) FROM pg_stat_ssl s JOIN pg_stat_activity a ON a.pid = s.pid
                     WHERE a.application_name = 'loquat'";
    // Connections are made when they are needed.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.check()).unwrap();
    assert_eq!(server.psql("one", encrypted), "t");
    store.close();
    assert!(matches!(open(&url, &options()).map(drop), Err(ConnectError::Server(_))), "an unknown root");
    let other_name = url.replace("localhost", "127.0.0.1");
    assert!(matches!(open(&other_name, &trusting).map(drop), Err(ConnectError::Server(_))), "another name");
    server.end();
    let plain = shared().url("postgres") + "?sslmode=require";
    assert!(
        matches!(open(&plain, &trusting).map(drop), Err(ConnectError::Server(_))),
        "a server without TLS"
    );
}

/// Many nodes that start on a new database at once agree on one store.
#[test]
fn nodes_that_start_at_once_migrate_once() {
    let _alone = postgres::alone();
    let server = shared();
    server.create("fresh");
    let url = server.url("fresh");
    std::thread::scope(|scope| {
        let starts: Vec<_> = (0..4_u64)
            .map(|node| {
                let url = &url;
                scope.spawn(move || {
                    PostgresStore::open(url, &options(), &Counting(AtomicU64::new(node * 1000)))
                        .unwrap()
                        .close();
                })
            })
            .collect();
        for start in starts {
            start.join().unwrap();
        }
    });
    assert_eq!(server.psql("fresh", "SELECT COUNT(*) FROM store"), "1");
    let partitions = "SELECT COUNT(*) FROM pg_inherits WHERE inhparent = 'events'::regclass";
    assert_eq!(server.psql("fresh", partitions), "2", "of the transactions of now, and of those to come");
}
