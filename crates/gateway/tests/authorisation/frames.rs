//! The socket's half of the matrix.

use loquat_gateway::{Access, FrameOp, ops};
use serde_json::{Value, json};

use crate::cast::{Actor, Cast, Scene};
use crate::support::{Received, Server, Socket, nonce};
use crate::{Outcome, expected};

/// A frame that succeeds for whoever may send it.
pub fn sample(op: FrameOp, scene: &Scene<'_>) -> Value {
    let conversation = &scene.group.id;
    let target = scene.group.message;
    let nonce = nonce();
    match op {
        FrameOp::Hello => json!({"op": "hello"}),
        FrameOp::Send => {
            json!({"op": "send", "conversation": conversation, "nonce": nonce, "body": {"text": "hi"}})
        }
        FrameOp::Edit => {
            json!({"op": "edit", "conversation": conversation, "nonce": nonce, "target": target, "text": "changed"})
        }
        FrameOp::Delete => {
            json!({"op": "delete", "conversation": conversation, "nonce": nonce, "target": target})
        }
        FrameOp::React => json!({
            "op": "react", "conversation": conversation, "nonce": nonce, "target": target, "emoji": "👍", "on": true
        }),
        FrameOp::Pin => {
            json!({"op": "pin", "conversation": conversation, "nonce": nonce, "target": target, "on": true})
        }
        FrameOp::Ack => json!({"op": "ack", "conversation": conversation, "read": target}),
        FrameOp::Typing => json!({"op": "typing", "conversation": conversation, "on": true}),
        FrameOp::Watch => json!({"op": "watch", "users": [scene.cast.bystander.id]}),
        FrameOp::Status => json!({"op": "status", "state": "away"}),
        FrameOp::Fetch => json!({"op": "fetch", "conversation": conversation, "after": 0, "limit": 10}),
        FrameOp::Ping => json!({"op": "ping"}),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_frame_lets_in_whom_it_should() {
    let server = Server::start().await;
    let cast = Cast::sign_up(&server, 0).await;
    for (op, kind) in ops().flat_map(|op| [(op, "group"), (op, "channel")]) {
        let mut kept = None;
        for actor in Actor::ALL {
            let scene = match kept.take() {
                Some(scene) => scene,
                None => Scene::set(&server, &cast, kind).await,
            };
            let head = scene.head().await;
            let outcome = match scene.person(actor) {
                None => as_nobody(&scene, op).await,
                Some(person) => as_somebody(&scene, op, &person.token).await,
            };
            let expected = match (op.access(), actor) {
                // It brings its credentials itself.
                (Access::Public | Access::Probe, Actor::Nobody | Actor::Revoked) => Outcome::Unauthorized,
                (access, actor) => match expected(access, actor) {
                    Outcome::Forbidden if op == FrameOp::Typing => Outcome::NotFound,
                    expected => expected,
                },
            };
            assert_eq!(outcome, expected, "{op:?} in a {kind} as {actor:?}");
            if outcome != Outcome::Allowed && op != FrameOp::Typing {
                assert_eq!(
                    scene.head().await,
                    head,
                    "{op:?} as {actor:?}: was refused, and appended all the same"
                );
            }
            if outcome != Outcome::Allowed {
                kept = Some(scene);
            }
        }
    }
}

/// Without a valid hello no frame is looked at.
async fn as_nobody(scene: &Scene<'_>, op: FrameOp) -> Outcome {
    let mut socket = Socket::open(scene.server).await;
    let mut frame = sample(op, scene);
    frame["token"] = "made.up.token".into();
    socket.tell(frame).await;
    let Received::Frame(answer) = socket.next().await else { panic!("closed without a word") };
    let code = socket.closed().await;
    match op {
        FrameOp::Hello => {
            assert_eq!((&answer["error"]["code"], code), (&json!("unauthorized"), 4001));
        }
        _ => assert_eq!((&answer["error"]["code"], code), (&json!("invalid"), 4000)),
    }
    Outcome::Unauthorized
}

async fn as_somebody(scene: &Scene<'_>, op: FrameOp, token: &str) -> Outcome {
    let mut socket = Socket::open(scene.server).await;
    let hello = socket.ask(json!({"op": "hello", "token": token})).await;
    match (hello, op) {
        (Err(code), _) => {
            assert_eq!((code.as_str(), socket.closed().await), ("unauthorized", 4001));
            Outcome::Unauthorized
        }
        (Ok(_), FrameOp::Hello) => Outcome::Allowed,
        (Ok(_), FrameOp::Typing) => typing(scene, &mut socket).await,
        (Ok(_), FrameOp::Status) => {
            socket.tell(sample(op, scene)).await;
            let errors = socket.pushes_until_now().await.into_iter().filter(|push| push["op"] == "error");
            assert_eq!(errors.count(), 0);
            Outcome::Allowed
        }
        (Ok(_), op) => match socket.ask(sample(op, scene)).await.map_err(|code| code.leak() as &str) {
            Ok(_) => Outcome::Allowed,
            Err("forbidden") => Outcome::Forbidden,
            Err("not_found") => Outcome::NotFound,
            Err("blocked") => Outcome::Blocked,
            Err(code) => panic!("{op:?}: {code}"),
        },
    }
}

/// Typing is not answered: whether it was allowed is seen by the others.
async fn typing(scene: &Scene<'_>, socket: &mut Socket) -> Outcome {
    let mut observer = scene.observer().connect(scene.server).await;
    socket.tell(sample(FrameOp::Typing, scene)).await;
    socket.pushes_until_now().await;
    // The same lane, so behind it.
    let mut other = Socket::open(scene.server).await;
    other.hello(&scene.observer().token).await;
    other.ask(sample(FrameOp::Send, scene)).await.unwrap();
    let seen = loop {
        match observer.next().await {
            Received::Frame(frame) if frame["op"] == "typing" => break true,
            Received::Frame(frame) if frame["op"] == "event" => break false,
            Received::Frame(_) => {}
            ended => panic!("{ended:?}"),
        }
    };
    // Silence: it does not tell which refusal it was.
    if seen { Outcome::Allowed } else { Outcome::NotFound }
}
