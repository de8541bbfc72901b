//! Properties of [`AccountLog`](loquat_domain::ports::AccountLog).

use loquat_proto::AccountEventKind;
use serde_json::json;

use super::{Ports, World};

const KIND: AccountEventKind = AccountEventKind::Read;

/// Each user's positions are contiguous from 1; pages ascend.
pub async fn account_logs_are_contiguous_from_one<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann, bob] = world.users().await;
    for number in 1..=10 {
        let entry = store.append(ann, KIND, json!({ "n": number }), number).await.unwrap();
        assert_eq!((entry.user, entry.event.pos, entry.event.ts), (ann, number.unsigned_abs(), number));
        if number % 5 == 0 {
            store.append(bob, KIND, json!(null), number).await.unwrap();
        }
    }
    let (mut pos, mut met) = (0, Vec::new());
    loop {
        let page = store.after(ann, pos, 3).await.unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        pos = last.pos;
        met.extend(page);
    }
    assert_eq!(met.iter().map(|event| event.pos).collect::<Vec<_>>(), (1..=10).collect::<Vec<_>>());
    assert!(met.iter().all(|event| event.kind == KIND && event.body == json!({ "n": event.pos })));
    assert_eq!(store.position(ann).await.unwrap().account, 10);
    assert_eq!(store.position(bob).await.unwrap().account, 2);
    assert_eq!(store.after(world.user_id(), 0, 10).await.unwrap(), []);
}

/// However many append at once.
pub async fn concurrent_appends_to_an_account_log_leave_no_gap<S: Ports>(store: &S) {
    let world = World::new(store);
    let [ann] = world.users().await;
    let write = || async {
        let mut taken = Vec::new();
        for _ in 0..25 {
            taken.push(store.append(ann, KIND, json!({}), 1).await.unwrap().event.pos);
        }
        taken
    };
    let (one, two, three) = tokio::join!(write(), write(), write());
    let mut taken = [one, two, three].concat();
    taken.sort_unstable();
    assert_eq!(taken, (1..=75).collect::<Vec<_>>());
}
