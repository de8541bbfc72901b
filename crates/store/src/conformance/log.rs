//! Properties of [`EventLog`](loquat_domain::ports::EventLog).

use std::sync::Arc;

use loquat_domain::ports::{Append, AppendOutcome, EventRange, NewEvent, Placement};
use loquat_proto::{AccountEventKind, ConversationId, EventKind, Nonce, UserId};
use serde_json::json;

use super::world::named;
use super::{Ports, World};

fn nonce(text: &str) -> Nonce {
    text.parse().unwrap()
}

fn seqs(outcome: &AppendOutcome) -> Vec<(u64, bool)> {
    match outcome {
        AppendOutcome::Appended { placements, .. } => {
            placements.iter().map(|placement| (placement.seq, placement.replayed)).collect()
        }
        AppendOutcome::Conflict => Vec::new(),
    }
}

async fn log_of<S: Ports>(world: &World<'_, S>, viewer: UserId, conversation: ConversationId) -> Vec<u64> {
    let page = world.store.events(viewer, conversation, EventRange::After(0), 1000).await.unwrap().unwrap();
    page.items.iter().map(|event| event.seq).collect()
}

/// `seq` is contiguous from 1 in each conversation, whatever is appended between.
pub async fn seq_is_contiguous_from_one<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let (one, other) = (world.group(&[ann, bob]).await, world.direct(ann, bob).await);
    for round in 0..5 {
        world.chatter(one, ann, round + 1).await;
        world.chatter(other, bob, 2).await;
    }
    assert_eq!(log_of(&world, ann, one).await, (1..=15).collect::<Vec<_>>());
    assert_eq!(log_of(&world, ann, other).await, (1..=10).collect::<Vec<_>>());
    assert_eq!(world.facts(one).await.head, 15);
}

/// Placements stand in the order of the events.
pub async fn placements_tell_place_and_time<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann] = world.users().await;
    let group = world.group(&[ann]).await;
    world.say(group, ann, "first").await;
    let events = vec![world.message(ann, "second"), world.message(ann, "third")];
    let times: Vec<_> = events.iter().map(|event| event.ts).collect();
    let placements = world.append(group, events).await;
    let placed = |seq, ts| Placement { seq, ts, replayed: false, erased: false };
    assert_eq!(placements, [placed(2, times[0]), placed(3, times[1])]);
}

/// A known nonce is answered with the first placement, even if head and version have moved; nothing is appended.
pub async fn a_replay_is_answered_from_the_log<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    let first = world.append(group, vec![named(world.message(ann, "once"), "n1")]).await;
    world.chatter(group, bob, 3).await;
    let again = Append {
        conversation: group,
        expected_head: 0,
        expected_version: 77,
        events: vec![named(world.message(ann, "once more"), "n1")],
    };
    let outcomes = store.append_many(vec![again]).await.unwrap();
    let placements = vec![Placement { replayed: true, ..first[0] }];
    assert_eq!(outcomes, [AppendOutcome::Appended { placements, account: Vec::new() }]);
    assert_eq!(world.facts(group).await.head, 4);
    let kept = store.message(ann, group, 1).await.unwrap().unwrap();
    assert_eq!(kept.text.as_deref(), Some("once"));
    // An erased event is still known by its nonce.
    world.append_one(group, world.delete(ann, 1)).await;
    let outcome = world.append(group, vec![named(world.message(ann, "again"), "n1")]).await;
    assert!(outcome[0].replayed && outcome[0].seq == 1);
}

/// The same nonce twice in one append stands once.
pub async fn a_replay_within_one_append_appends_once<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann] = world.users().await;
    let group = world.group(&[ann]).await;
    let twice = ["n1", "n1", "n2"].map(|nonce| named(world.message(ann, "text"), nonce));
    let append = world.fitting(group, twice.to_vec()).await;
    let outcomes = store.append_many(vec![append]).await.unwrap();
    assert_eq!(seqs(&outcomes[0]), [(1, false), (1, true), (2, false)]);
    assert_eq!(world.facts(group).await.head, 2);
}

/// The same nonce in two appends of one call stands once, though the second expects a head that has moved.
pub async fn a_replay_within_one_call_appends_once<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann] = world.users().await;
    let group = world.group(&[ann]).await;
    let append = world.fitting(group, vec![named(world.message(ann, "text"), "n1")]).await;
    let outcomes = store.append_many(vec![append.clone(), append]).await.unwrap();
    assert_eq!(outcomes.iter().map(seqs).collect::<Vec<_>>(), [vec![(1, false)], vec![(1, true)]]);
    assert_eq!(world.facts(group).await.head, 1);
}

/// New events around replays get consecutive `seq`.
pub async fn replays_are_left_out_of_the_sequence<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann] = world.users().await;
    let group = world.group(&[ann]).await;
    world.append(group, vec![named(world.message(ann, "known"), "known")]).await;
    let events = [Some("a"), Some("known"), None, Some("b"), Some("known")].map(|nonce| {
        let event = world.message(ann, "text");
        nonce.map_or_else(|| event.clone(), |nonce| named(event.clone(), nonce))
    });
    let append = world.fitting(group, events.to_vec()).await;
    let outcomes = store.append_many(vec![append]).await.unwrap();
    assert_eq!(seqs(&outcomes[0]), [(2, false), (1, true), (3, false), (4, false), (1, true)]);
    assert_eq!(log_of(&world, ann, group).await, [1, 2, 3, 4]);
}

/// A nonce is one namespace for each sender and conversation.
pub async fn nonces_are_known_for_each_sender_and_conversation<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let (one, other) = (world.group(&[ann, bob]).await, world.group(&[ann, bob]).await);
    for (conversation, sender, seq) in [(one, ann, 1), (one, bob, 2), (other, ann, 1), (other, bob, 2)] {
        let placed = world.append(conversation, vec![named(world.message(sender, "text"), "same")]).await;
        assert!(!placed[0].replayed);
        assert_eq!(placed[0].seq, seq);
    }
}

/// Nonces are known for as long as the conversation lives.
pub async fn a_nonce_stays_known_after_many_others<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann] = world.users().await;
    let group = world.group(&[ann]).await;
    let name = |number: u64| format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    for round in 0..20 {
        let numbers = round * 2000..(round + 1) * 2000;
        let events = numbers.map(|number| named(world.message(ann, "text"), &name(number)));
        world.append(group, events.collect()).await;
    }
    for number in (0..40_000).step_by(997) {
        let found = store.find_nonce(group, ann, &nonce(&name(number))).await.unwrap();
        assert_eq!(found.map(|placement| placement.seq), Some(number + 1), "{number}");
    }
    let events = (0..40_000).step_by(101).map(|number| named(world.message(ann, "text"), &name(number)));
    let placements = world.append(group, events.collect()).await;
    assert!(placements.iter().all(|placement| placement.replayed));
    assert_eq!(store.find_nonce(group, ann, &nonce(&name(40_001))).await.unwrap(), None);
}

/// Another head or version than expected, or no conversation: a conflict.
pub async fn a_wrong_head_or_version_is_a_conflict<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann] = world.users().await;
    let group = world.group(&[ann]).await;
    world.chatter(group, ann, 2).await;
    let nowhere = world.conversation_id();
    for (conversation, expected_head, expected_version) in
        [(group, 1, 0), (group, 3, 0), (group, 2, 1), (nowhere, 0, 0)]
    {
        let events = vec![world.message(ann, "text")];
        let append = Append { conversation, expected_head, expected_version, events };
        assert_eq!(store.append_many(vec![append]).await.unwrap(), [AppendOutcome::Conflict]);
    }
    assert_eq!(world.facts(group).await.head, 2);
}

/// What conflicts is not there at all, and its neighbours are whole.
pub async fn a_conflict_changes_nothing_and_costs_no_neighbour<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob, eve] = world.users().await;
    let groups = [world.group(&[ann, bob]).await, world.group(&[ann, bob]).await, world.group(&[ann]).await];
    let known = named(world.message(ann, "known"), "known");
    world.append(groups[1], vec![known.clone()]).await;
    let mut joined = world.join(ann, eve, false);
    joined.account = vec![(eve, AccountEventKind::ConversationJoined, json!({}))];
    let stale = vec![known, named(world.message(ann, "stale"), "stale"), joined];
    let appends = vec![
        world.fitting(groups[0], vec![world.message(ann, "before")]).await,
        Append { conversation: groups[1], expected_head: 9, expected_version: 0, events: stale },
        world.fitting(groups[2], vec![world.message(ann, "after"), world.message(ann, "it")]).await,
    ];
    let outcomes = store.append_many(appends).await.unwrap();
    assert_eq!(seqs(&outcomes[0]), [(1, false)]);
    assert_eq!(outcomes[1], AppendOutcome::Conflict);
    assert_eq!(seqs(&outcomes[2]), [(1, false), (2, false)]);
    assert_eq!(world.facts(groups[1]).await.head, 1);
    assert_eq!(world.facts(groups[1]).await.members.len(), 2);
    assert_eq!(store.find_nonce(groups[1], ann, &nonce("stale")).await.unwrap(), None);
    assert_eq!(store.position(eve).await.unwrap().account, 0);
}

/// Account entries are written with their events, in order, and returned with their positions.
pub async fn account_entries_come_with_their_events<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    let mut event = named(world.message(ann, "text"), "n1");
    let kind = AccountEventKind::Read;
    event.account = vec![(bob, kind, json!({"a": 1})), (ann, kind, json!({"b": 2})), (bob, kind, json!(3))];
    let append = world.fitting(group, vec![event.clone()]).await;
    let outcome = store.append_many(vec![append.clone()]).await.unwrap().remove(0);
    let AppendOutcome::Appended { account, .. } = outcome else { panic!("appended") };
    let told: Vec<_> = account.iter().map(|entry| (entry.user, entry.event.pos)).collect();
    assert_eq!(told, [(bob, 1), (ann, 1), (bob, 2)]);
    let kept = store.after(bob, 0, 10).await.unwrap();
    assert_eq!(kept, [account[0].event.clone(), account[2].event.clone()]);
    assert!(kept.iter().all(|entry| entry.ts == event.ts && entry.kind == kind));
    // A replay tells nobody again.
    let replay = store.append_many(vec![append]).await.unwrap().remove(0);
    assert!(matches!(replay, AppendOutcome::Appended { account, .. } if account.is_empty()));
    assert_eq!(store.position(bob).await.unwrap().account, 2);
}

/// However many append at once, the log has no gap, and whoever was answered stands where the answer says.
pub async fn concurrent_appends_leave_no_gap<S: Ports>(store: &S) {
    let world = Arc::new(World::new(store));
    let [ann, bob, eve] = world.users().await;
    let group = world.group(&[ann, bob, eve]).await;
    let send = |sender: UserId| {
        let world = world.clone();
        async move {
            let mut placed = Vec::new();
            for number in 0..40 {
                let event = named(world.message(sender, &format!("{number}")), &format!("n{number}"));
                loop {
                    let append = world.fitting(group, vec![event.clone()]).await;
                    let outcome = world.store.append_many(vec![append]).await.unwrap().remove(0);
                    if let AppendOutcome::Appended { placements, .. } = outcome {
                        placed.push(placements[0].seq);
                        break;
                    }
                }
            }
            placed
        }
    };
    let (one, two, three) = tokio::join!(send(ann), send(bob), send(eve));
    assert!([&one, &two, &three].iter().all(|seqs| seqs.is_sorted()));
    let mut all = [one, two, three].concat();
    all.sort_unstable();
    assert_eq!(all, (1..=120).collect::<Vec<_>>());
    assert_eq!(log_of(&world, ann, group).await, all);
}

/// A nonce is found for its own sender and conversation.
pub async fn find_nonce_finds_what_was_appended<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    world.say(group, bob, "first").await;
    let event = named(world.message(ann, "text"), "n1");
    let ts = event.ts;
    world.append(group, vec![event]).await;
    let found = Placement { seq: 2, ts, replayed: true, erased: false };
    assert_eq!(store.find_nonce(group, ann, &nonce("n1")).await.unwrap(), Some(found));
    assert_eq!(store.find_nonce(group, bob, &nonce("n1")).await.unwrap(), None);
    assert_eq!(store.find_nonce(group, ann, &nonce("N1")).await.unwrap(), None);
    assert_eq!(store.find_nonce(world.conversation_id(), ann, &nonce("n1")).await.unwrap(), None);
}

/// Kind, sender, whether erased and whether pinned.
pub async fn target_tells_what_a_mutation_needs<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    world.say(group, bob, "text").await;
    world.append_one(group, world.pin(ann, 1, true)).await;
    let facts = store.target(group, 1).await.unwrap().unwrap();
    assert_eq!(
        (facts.kind, facts.sender, facts.erased, facts.pinned),
        (EventKind::Message, bob, false, true)
    );
    let pin = store.target(group, 2).await.unwrap().unwrap();
    assert_eq!((pin.kind, pin.sender, pin.erased, pin.pinned), (EventKind::Pin, ann, false, false));
    world.append_one(group, world.delete(bob, 1)).await;
    let facts = store.target(group, 1).await.unwrap().unwrap();
    assert!(facts.erased && !facts.pinned);
    assert_eq!(store.target(group, 4).await.unwrap(), None);
    assert_eq!(store.target(world.conversation_id(), 1).await.unwrap(), None);
}

/// The event by which a user's emoji stands.
pub async fn reaction_tells_where_it_stands<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let group = world.group(&[ann, bob]).await;
    world.say(group, ann, "text").await;
    let event = world.react(bob, 1, "👍", true);
    let ts = event.ts;
    world.append_one(group, event).await;
    let found = store.reaction(group, 1, bob, "👍").await.unwrap().unwrap();
    assert_eq!((found.seq, found.ts), (2, ts));
    assert_eq!(store.reaction(group, 1, ann, "👍").await.unwrap(), None);
    assert_eq!(store.reaction(group, 1, bob, "👎").await.unwrap(), None);
    world.append_one(group, world.react(bob, 1, "👍", false)).await;
    assert_eq!(store.reaction(group, 1, bob, "👍").await.unwrap(), None);
}

/// Workers meet every event of every conversation once, in ascending order, with its nonce.
pub async fn tail_has_every_event_once_in_order<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    let groups = [world.group(&[ann, bob]).await, world.direct(ann, bob).await];
    let mut sent: Vec<NewEvent> = Vec::new();
    for number in 0..30 {
        let event = named(world.message(ann, &format!("{number}")), &format!("n{number}"));
        sent.push(event.clone());
        world.append(groups[number % 2], vec![event]).await;
    }
    let (mut pos, mut met) = (0, Vec::new());
    loop {
        let page = store.tail(pos, 7).await.unwrap();
        assert!(page.len() <= 7);
        assert!(page.iter().all(|tailed| tailed.pos > pos) && page.is_sorted_by_key(|tailed| tailed.pos));
        let Some(last) = page.last() else { break };
        pos = last.pos;
        met.extend(page);
    }
    let nonces: Vec<_> = met.iter().map(|tailed| tailed.event.nonce.clone()).collect();
    assert_eq!(nonces, sent.iter().map(|event| event.nonce.clone()).collect::<Vec<_>>());
    assert!(pos <= store.position(ann).await.unwrap().pos);
}
