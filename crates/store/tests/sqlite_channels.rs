//! What of channels, and of what cannot be read, only the embedded store can show.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Instant;

use loquat_domain::ports::{Conversations as _, EventLog as _, NewEvent, Placement, ViewQuery};
use loquat_proto::{ConversationId, ConversationKind, UserId};
use loquat_store::conformance::World;
use support::Home;

/// Changes beside the log are known by their nonces after a restart: no event could bring them back.
#[tokio::test]
async fn nonces_beside_the_log_survive_a_restart() {
    let home = Home::new();
    let store = home.open();
    let world = World::new(&store);
    let [ann, bob] = world.users().await;
    let conversation = world.new_conversation(ConversationKind::Channel, &[ann]);
    let channel = conversation.id;
    world.create(conversation).await;
    let nonce: loquat_proto::Nonce = "n-1".parse().unwrap();
    let join = NewEvent { logged: false, nonce: Some(nonce.clone()), ..world.join(ann, bob, false) };
    let first = world.append(channel, vec![join]).await[0];
    store.close();
    let store = home.open();
    let replay = Some(Placement { replayed: true, ..first });
    assert_eq!(store.find_nonce(channel, ann, &nonce).await.unwrap(), replay);
    assert_eq!(store.find_nonce(channel, bob, &nonce).await.unwrap(), None);
}

/// One conversation that cannot be read does not break the list, and with it all of sync (CVE-2024-52815).
#[tokio::test]
async fn one_unreadable_conversation_costs_only_itself() {
    let home = Home::new();
    let store = home.open();
    let world = World::new(&store);
    let [ann, bob] = world.users().await;
    let (good, bad) = (world.group(&[ann, bob]).await, world.group(&[ann, bob]).await);
    for group in [good, bad] {
        world.say(group, ann, "hello").await;
    }
    let file = rusqlite::Connection::open(home.path("loquat.db")).unwrap();
    let id = i64::try_from(bad.get()).unwrap();
    let spoilt = file.execute("UPDATE events SET body = '{' WHERE conversation_id = ?1", [id]).unwrap();
    assert_eq!(spoilt, 1);
    drop(file);
    let every = [ViewQuery::Newest { after: None, limit: 10 }, ViewQuery::ChangedSince { pos: 0, limit: 10 }];
    for query in every {
        let slice = store.views(bob, query).await.unwrap();
        assert_eq!(slice.items.iter().map(|view| view.id).collect::<Vec<_>>(), [good]);
    }
    assert!(store.views(bob, ViewQuery::One(bad)).await.is_err(), "asked for it, one is told");
}

/// Loading a channel, appending to it, moving a cursor and showing it cost the same with ten members and with a hundred
/// thousand.
#[tokio::test]
#[ignore = "makes a hundred thousand accounts: run it by name"]
async fn a_hundred_thousand_members_cost_nothing_at_an_append() {
    const MEMBERS: u64 = 100_000;
    let home = Home::new();
    let store = home.open();
    let world = World::new(&store);
    let users: [UserId; 10] = world.users().await;
    let mut channels = Vec::new();
    for _ in 0..2 {
        let conversation = world.new_conversation(ConversationKind::Channel, &users);
        channels.push(conversation.id);
        world.create(conversation).await;
    }
    store.close();
    crowd(&home, channels[1], MEMBERS);
    let store = home.open();
    let world = World::new(&store);
    let mut took = Vec::new();
    for channel in channels {
        assert!(world.facts(channel).await.members.is_empty());
        let began = Instant::now();
        for round in 1..=300 {
            world.say(channel, users[0], "hello").await;
            world.read_to(channel, users[1], round, round).await;
            assert_eq!(world.view(users[1], channel).await.unwrap().me.unread, 0);
        }
        took.push(began.elapsed());
        println!("{} members: {:?}", world.facts(channel).await.member_count, began.elapsed());
    }
    assert!(took[1] < took[0] * 2, "{took:?}");
}

/// Puts accounts and memberships there by hand: signing up so many takes minutes.
fn crowd(home: &Home, channel: ConversationId, members: u64) {
    let file = rusqlite::Connection::open(home.path("loquat.db")).unwrap();
    let numbers =
        format!("WITH RECURSIVE n(id) AS (SELECT 10000000 UNION ALL SELECT id + 1 FROM n LIMIT {members})");
    let id = channel.get();
    file.execute_batch(&format!(
        "BEGIN;
         INSERT INTO users (id, username, display_name, folded_name, bio, kind, password_hash, settings,
                 last_seen_audience, read_receipts, find_by, created_at)
             SELECT n.id, 'crowd' || n.id, '', '', '', 1, '', '{{}}', 1, 1, 1, 0 FROM ({numbers} SELECT id FROM n) n;
         INSERT INTO members (conversation_id, user_id, role, joined_at, joined_pos, visible_from, pinned, archived,
                 touched)
             SELECT {id}, id, 2, 0, 0, 1, 0, 0, 0 FROM users WHERE id >= 10000000;
         INSERT INTO cursors (conversation_id, user_id, delivered, read, number_at_read, own_after_read)
             SELECT {id}, id, 0, 0, 0, 0 FROM users WHERE id >= 10000000;
         UPDATE conversations SET member_count = member_count + {members} WHERE id = {id};
         COMMIT;"
    ))
    .unwrap();
}
