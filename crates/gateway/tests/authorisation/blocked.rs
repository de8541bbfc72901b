//! What the blocked may still do in a direct conversation with the one who blocks them: read, and keep their own things in
//! order. Every route and frame of a conversation, as both of the two.

use loquat_gateway::{FrameOp, Route, ops, routes};
use serde_json::{Value, json};

use crate::cast::{Cast, Scene};
use crate::support::{Person, Server, Socket};
use crate::{Outcome, frames, outcome, samples};

/// What should become of a call in a direct conversation in which one blocks the other.
fn expected(route: &Route) -> Outcome {
    let inner = route.template().strip_prefix("/v1/conversations/{conversation}").unwrap();
    match (route.method().as_str(), inner) {
        ("GET", "" | "/members" | "/pins" | "/messages" | "/messages/{seq}" | "/events") => Outcome::Allowed,
        // One's own: cursors, preferences, and taking back what one wrote.
        ("POST", "/receipts") | ("PATCH", "/preferences") | ("DELETE", "/messages/{seq}") => Outcome::Allowed,
        ("POST", "/messages" | "/typing") | ("PATCH", "/messages/{seq}") => Outcome::Blocked,
        ("PUT", "/messages/{seq}/reactions/{emoji}" | "/pins/{seq}") => Outcome::Blocked,
        ("DELETE", "/messages/{seq}/reactions/{emoji}" | "/pins/{seq}") => Outcome::Blocked,
        // A direct conversation keeps its two members, has no settings but its retention, and no owner.
        ("PATCH" | "DELETE", "") | ("POST" | "GET" | "PATCH" | "DELETE", _) => Outcome::Forbidden,
        (method, _) => panic!("{method} {inner}: say what the blocked may do"),
    }
}

/// What should become of a frame there.
fn expected_of_frame(op: FrameOp) -> Outcome {
    match op {
        FrameOp::Send | FrameOp::Edit | FrameOp::React | FrameOp::Pin => Outcome::Blocked,
        FrameOp::Delete | FrameOp::Ack | FrameOp::Fetch | FrameOp::Watch | FrameOp::Ping => Outcome::Allowed,
        // Not answered: see `a_blocked_user_cannot_write`.
        FrameOp::Typing | FrameOp::Status | FrameOp::Hello => Outcome::Allowed,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_blocked_reads_and_does_not_write() {
    let server = Server::start().await;
    for (index, route) in routes().enumerate() {
        if !route.template().starts_with("/v1/conversations/{conversation}") {
            continue;
        }
        for blocks in [false, true] {
            let cast = Cast::sign_up(&server, 2 * index + usize::from(blocks)).await;
            let scene = Scene::in_direct(&server, &cast);
            let person = if blocks { &cast.bystander } else { &cast.blocked };
            let name = format!("{} {}, blocks: {blocks}", route.method(), route.template());
            let sample = samples::sample(route, &scene).await.expect("the matrix knows every route");
            let head = head(person, &cast).await;
            let answer = person.call(route.method().clone(), &sample.path, sample.body).await;
            let outcome = outcome(&answer, route, &name);
            // The message is the blocked one's: the other one may neither edit nor delete it.
            let not_theirs =
                blocks && route.template().ends_with("/messages/{seq}") && route.method() == "DELETE";
            let expected = if not_theirs { Outcome::Forbidden } else { expected(route) };
            assert_eq!(outcome, expected, "{name}: {}", answer.body);
            if outcome != Outcome::Allowed {
                assert_eq!(
                    self::head(person, &cast).await,
                    head,
                    "{name}: was refused, and appended all the same"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_who_is_blocked_write_nothing() {
    let server = Server::start().await;
    let cast = Cast::sign_up(&server, 0).await;
    let scene = Scene::in_direct(&server, &cast);
    let mut socket = Socket::open(&server).await;
    socket.hello(&cast.blocked.token).await;
    for op in ops().filter(|op| !matches!(op, FrameOp::Hello | FrameOp::Status | FrameOp::Typing)) {
        let before = head(&cast.blocked, &cast).await;
        let answer = socket.ask(frames::sample(op, &scene)).await;
        let expected = match expected_of_frame(op) {
            Outcome::Blocked => Some("blocked"),
            _ => None,
        };
        assert_eq!(answer.as_ref().err().map(String::as_str), expected, "{op:?}");
        let erased = op == FrameOp::Delete;
        assert_eq!(head(&cast.blocked, &cast).await, before + u64::from(erased), "{op:?}");
    }
    let hidden = json!({"user": cast.bystander.id, "state": "offline", "last_seen": Value::Null});
    let watched = socket.ask(json!({"op": "watch", "users": [cast.bystander.id]})).await.unwrap();
    assert_eq!(watched["items"], json!([hidden]));
}

async fn head(person: &Person, cast: &Cast) -> u64 {
    let path = format!("/v1/conversations/{}", cast.direct.id);
    person.get(&path).await.expect(200)["head"].as_u64().unwrap()
}
