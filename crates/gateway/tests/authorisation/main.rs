//! The authorisation matrix: every route of the router and every frame of the frame table, as everybody.
//!
//! What is expected follows from the audience that stands beside each route and frame; a new one cannot escape, since
//! the test walks the tables that the service is built from and fails where it does not know how to call an entry.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod blocked;
mod cast;
mod frames;
mod samples;

use cast::{Actor, Cast, Scene};
use futures_util::{StreamExt as _, stream};
use loquat_gateway::{Access, Audience, Route, routes};
use loquat_proto::Role;
use serde_json::Value;
use support::{Answer, Server};

/// Routes that are tried at the same time.
const AT_A_TIME: usize = 8;

/// What becomes of a call or a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Allowed,
    /// It needs credentials that are valid.
    Unauthorized,
    /// The caller sees what it is about, and may not do this.
    Forbidden,
    /// To the caller it is not there.
    NotFound,
    /// One of the two blocks the other.
    Blocked,
}

/// What should become of it.
pub fn expected(access: Access, actor: Actor) -> Outcome {
    let Access::SignedIn(audience) = access else { return Outcome::Allowed };
    if matches!(actor, Actor::Nobody | Actor::Revoked) {
        return Outcome::Unauthorized;
    }
    let role = actor.role();
    match (audience, role) {
        (Audience::NotRemoved, _) if actor == Actor::Former => Outcome::Forbidden,
        (Audience::Unblocked, _) if actor == Actor::Blocked => Outcome::Blocked,
        (Audience::Everyone | Audience::NotRemoved | Audience::Unblocked, _) => Outcome::Allowed,
        (Audience::DeviceOwner, _) if actor == Actor::Author => Outcome::Allowed,
        (Audience::DeviceOwner, _) | (_, None) => Outcome::NotFound,
        (Audience::Members(least), Some(role)) if role >= least => Outcome::Allowed,
        (Audience::Author | Audience::AuthorOrAdmin, Some(_)) if actor == Actor::Author => Outcome::Allowed,
        (Audience::AuthorOrAdmin, Some(role)) if role >= Role::Admin => Outcome::Allowed,
        (Audience::Members(_) | Audience::Author | Audience::AuthorOrAdmin, Some(_)) => Outcome::Forbidden,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_lets_in_whom_it_should() {
    let server = Server::start().await;
    let shared = Cast::sign_up(&server, 0).await;
    // Routes do not know of one another: they wait for the disk together.
    let in_groups = routes().map(|route| (route, "group"));
    let about_conversations =
        |template: &str| template.contains("{conversation}") || template.contains("{code}");
    let in_channels = routes().filter(|route| about_conversations(route.template()));
    let all = in_groups.chain(in_channels.map(|route| (route, "channel")));
    stream::iter(all.enumerate())
        .for_each_concurrent(AT_A_TIME, |(index, (route, kind))| {
            lets_in_whom_it_should(&server, &shared, index, (route, kind))
        })
        .await;
}

async fn lets_in_whom_it_should(server: &Server, shared: &Cast, index: usize, (route, kind): (&Route, &str)) {
    // What everyone may do may end an account or a session: those routes get people of their own.
    let own = match route.access() {
        Access::SignedIn(Audience::Everyone | Audience::Unblocked) => {
            Some(Cast::sign_up(server, index + 1).await)
        }
        _ => None,
    };
    let cast = own.as_ref().unwrap_or(shared);
    // What is refused changes nothing: the next one plays on the same stage.
    let mut kept = None;
    for actor in Actor::ALL {
        let scene = match kept.take() {
            Some(scene) => scene,
            None => Scene::set(server, cast, kind).await,
        };
        let name = format!("{} {} in a {kind} as {actor:?}", route.method(), route.template());
        let Some(sample) = samples::sample(route, &scene).await else {
            panic!("{name}: the matrix does not know how to call it; add it to samples.rs")
        };
        let head = scene.head().await;
        let client = scene.client(actor);
        let answer = client.call(route.method().clone(), &sample.path, sample.body.clone()).await;
        let outcome = outcome(&answer, route, &name);
        assert_eq!(outcome, expected(route.access(), actor), "{name}: {}", answer.body);
        if outcome == Outcome::Allowed {
            continue;
        }
        assert_eq!(scene.head().await, head, "{name}: was refused, and appended all the same");
        if outcome == Outcome::NotFound && route.template().contains("{conversation}") {
            let elsewhere = sample.path.replace(&scene.group.id, "2251799813685247");
            let nothing = client.call(route.method().clone(), &elsewhere, sample.body).await;
            assert_eq!(
                without_request_id(answer.body),
                without_request_id(nothing.body),
                "{name}: tells that the conversation is there"
            );
        }
        kept = Some(scene);
    }
}

/// What an answer says.
fn outcome(answer: &Answer, route: &Route, name: &str) -> Outcome {
    match answer.status {
        200..=299 => Outcome::Allowed,
        401 => Outcome::Unauthorized,
        403 if answer.body["code"] == "blocked" => Outcome::Blocked,
        403 => Outcome::Forbidden,
        404 => Outcome::NotFound,
        // A socket is not opened by a plain call, but nobody is kept from trying.
        400 if route.template() == "/v1/ws" => Outcome::Allowed,
        status => panic!("{name}: {status} {}", answer.body),
    }
}

fn without_request_id(mut problem: Value) -> Value {
    problem["request_id"] = Value::Null;
    problem
}
