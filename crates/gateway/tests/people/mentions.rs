//! PROTOCOL: `me.mentions` of a conversation.

use serde_json::json;

use crate::support::{Person, Server, nonce};
use crate::tools::people;

#[tokio::test]
async fn me_mentions() {
    let server = Server::start().await;
    let [ann, bob, carl] = people(&server).await;
    let id = ann.create_group(&[&bob, &carl]).await;
    let path = format!("/v1/conversations/{id}");
    let mention = async |by: &Person, whom: &Person| {
        let body = json!({"nonce": nonce(), "text": "you there", "mentions": [whom.id]});
        by.post(&format!("{path}/messages"), body).await.expect(201)["seq"].as_u64().unwrap()
    };
    let counts = async |who: &Person| {
        let me = who.get(&path).await.expect(200)["me"].clone();
        (me["unread"].as_u64().unwrap(), me["mentions"].as_u64().unwrap())
    };
    let first = mention(&ann, &bob).await;
    ann.say(&id, "nobody in particular").await;
    let second = mention(&carl, &bob).await;
    mention(&bob, &bob).await;
    assert_eq!(counts(&bob).await, (3, 2), "counted apart, and not one's own");
    assert_eq!(counts(&carl).await, (3, 0));
    bob.post(&format!("{path}/receipts"), json!({"read": first})).await.expect(200);
    assert_eq!(counts(&bob).await, (2, 1), "they fall with the read cursor");
    carl.delete(&format!("{path}/messages/{second}")).await.expect(200);
    assert_eq!(counts(&bob).await.1, 0, "an erased message mentions nobody");
    let third = mention(&ann, &bob).await;
    assert_eq!(counts(&bob).await.1, 1);
    bob.post(&format!("{path}/receipts"), json!({"delivered": third})).await.expect(200);
    assert_eq!(counts(&bob).await.1, 1, "delivered is not read");
    bob.post(&format!("{path}/receipts"), json!({"read": third})).await.expect(200);
    assert_eq!(counts(&bob).await, (0, 0));

    let stranger = server.sign_up("stranger").await;
    let body = json!({"nonce": nonce(), "text": "you there", "mentions": [stranger.id]});
    assert_eq!(ann.post(&format!("{path}/messages"), body).await.refused(409), "not_member");
    // Who leaves takes along what mentioned them.
    mention(&ann, &carl).await;
    carl.delete(&format!("{path}/members/me")).await.expect(200);
    ann.post(&format!("{path}/members"), json!({"users": [carl.id]})).await.expect(200);
    assert_eq!(counts(&carl).await, (0, 0));
}
