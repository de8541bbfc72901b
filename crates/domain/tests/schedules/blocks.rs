//! Blocks against what is under way.
//!
//! Two users with a direct conversation; one pipelines messages, typing and receipts, the other one blocks and unblocks
//! at random moments, over storage that is slow and fails. A block takes effect at once: from the moment in which it is
//! acknowledged until the moment in which its end is asked for, nothing is appended, and nothing of the blocked one
//! reaches the other.

use std::sync::Arc;
use std::time::Duration;

use loquat_domain::ports::{Signal, Topic};
use loquat_domain::{Caller, Refusal, Storage};
use loquat_proto::conversation::Receipts;
use loquat_proto::{ConversationId, ErrorCode, History, UserId};
use loquat_testkit::{Dice, MemoryStore, TestApp, TestClock, TestSession, TestSettings, text};
use parking_lot::Mutex;

/// Frames that reached the bus, by user, in order.
type Published = Arc<Mutex<Vec<(UserId, String)>>>;

/// A time in which a block stood for certain.
struct Span {
    /// The head when it was acknowledged, and when its end was asked for.
    heads: (usize, usize),
    /// What was published between these moments.
    frames: (usize, usize),
}

struct World {
    app: TestApp,
    store: MemoryStore,
    published: Published,
    ann: Caller,
    bob: Caller,
    direct: ConversationId,
}

pub async fn run(seed: u64) {
    let play = play(seed);
    tokio::time::timeout(Duration::from_secs(3600), play).await.expect("a schedule got stuck");
}

async fn play(seed: u64) {
    let mut dice = Dice::new(seed);
    let world = Arc::new(build(seed).await);
    let faults = world.store.faults();
    faults.yield_up_to(dice.below(4));
    faults.delay_up_to(Duration::from_millis([0, 5, 100, 700][dice.below(4) as usize]));
    faults.refuse_writes([0, 0, 60, 200][dice.below(4) as usize]);
    let sending = tokio::spawn(send(world.clone(), Dice::new(dice.next())));
    let inviting = tokio::spawn(invite(world.clone(), Dice::new(dice.next())));
    let spans = block(&world, dice).await;
    sending.await.expect("who sends does not panic");
    inviting.await.expect("who invites does not panic");
    world.store.faults().refuse_writes(0);
    judge(&world, &spans).await;
}

async fn build(seed: u64) -> World {
    let store = MemoryStore::new(seed);
    let published = Published::default();
    let tap = published.clone();
    let settings = TestSettings {
        seed,
        clock: Arc::new(TestClock::following_runtime()),
        tap: Some(Box::new(move |topic, signal| {
            if let (Topic::User(user), Signal::Frame { frame, .. }) = (topic, signal) {
                tap.lock().push((user, String::from_utf8_lossy(frame).into_owned()));
            }
        })),
        ..TestSettings::default()
    };
    let app = TestApp::start(Storage::from_one(Arc::new(store.clone())), settings).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let direct = app.direct(ann, bob.user).await.expect("nothing fails yet");
    World { app, store, published, ann, bob, direct }
}

/// Bob writes as fast as he can.
async fn send(world: Arc<World>, mut dice: Dice) {
    let mut session = TestSession::connect(&world.app, world.bob, None).await;
    while session.is_err() {
        session = TestSession::connect(&world.app, world.bob, None).await;
    }
    let mut session = session.expect("just looked");
    for number in 0..4 + dice.below(12) {
        let nonce = format!("bob-{number}");
        let re = session.submit(world.direct, Some(nonce.parse().expect("a nonce")), text(&nonce));
        if dice.chance(300) {
            world.app.receipts().typing(world.bob, world.direct, true);
        }
        if dice.chance(300) {
            session.acknowledge(world.direct, Receipts { delivered: Some(1), read: Some(1) });
        }
        if dice.chance(500) {
            let outcome = session.outcome(re).await.expect("the session stays open");
            if let Err(error) = outcome {
                let expected = matches!(error.code, ErrorCode::Blocked | ErrorCode::Unavailable);
                assert!(expected, "{error:?}");
            }
        }
        tokio::time::sleep(Duration::from_millis(dice.below(80))).await;
    }
    // What is still under way is answered, too.
    let nonce = "bob-last";
    let re = session.submit(world.direct, Some(nonce.parse().expect("a nonce")), text(nonce));
    let _ = session.outcome(re).await.expect("the session stays open");
}

/// Bob opens groups with Ann and adds her to them.
async fn invite(world: Arc<World>, mut dice: Dice) {
    for _ in 0..1 + dice.below(4) {
        let members: &[UserId] = if dice.chance(500) { &[world.ann.user] } else { &[] };
        if let Ok(group) = world.app.group(world.bob, members, History::Full).await {
            let add = loquat_domain::messages::Act::AddMembers(vec![world.ann.user]);
            let _ = world.app.act(world.bob, group, None, add).await;
        }
        tokio::time::sleep(Duration::from_millis(dice.below(200))).await;
    }
}

/// Ann blocks and unblocks: the times in which a block stood.
async fn block(world: &World, mut dice: Dice) -> Vec<Span> {
    let mut spans = Vec::new();
    for _ in 0..1 + dice.below(3) {
        tokio::time::sleep(Duration::from_millis(dice.below(300))).await;
        insist(|| world.app.contacts().block(world.ann, world.bob.user)).await;
        let begun = (world.store.whole_log(world.direct).len(), world.published.lock().len());
        let member = memberships(world);
        tokio::time::sleep(Duration::from_millis(dice.below(400))).await;
        assert!(memberships(world) <= member, "bob brought ann in while she blocks him");
        let ended = (world.store.whole_log(world.direct).len(), world.published.lock().len());
        spans.push(Span { heads: (begun.0, ended.0), frames: (begun.1, ended.1) });
        if dice.chance(800) {
            insist(|| world.app.contacts().unblock(world.ann, world.bob.user)).await;
        }
    }
    spans
}

/// In how many conversations Ann is.
fn memberships(world: &World) -> usize {
    world.store.conversations_of(world.ann.user).len()
}

/// Repeats a call until it is done.
async fn insist<F: Future<Output = Result<(), Refusal>>>(mut call: impl FnMut() -> F) {
    while let Err(refusal) = call().await {
        assert!(refusal.is_retryable(), "{refusal}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn judge(world: &World, spans: &[Span]) {
    let published = std::mem::take(&mut *world.published.lock());
    let about = format!("\"conversation\":\"{}\"", world.direct);
    for Span { heads, frames } in spans {
        assert_eq!(heads.0, heads.1, "something was appended while a block stood");
        for (user, frame) in &published[frames.0..frames.1] {
            // What was appended before may still be on its way.
            let shows = frame.contains("\"op\":\"typing\"") || is_receipt_of(frame, world);
            let shows = frame.contains(&about) && shows;
            assert!(*user != world.ann.user || !shows, "reached who blocks: {frame}");
        }
    }
    insist(|| world.app.contacts().unblock(world.ann, world.bob.user)).await;
    let last = world.app.send(world.bob, world.direct, "at-the-end").await;
    assert!(last.is_ok(), "unblocking restores: {last:?}");
}

fn is_receipt_of(frame: &str, world: &World) -> bool {
    frame.contains("\"op\":\"receipt\"") && frame.contains(&format!("\"user\":\"{}\"", world.bob.user))
}
