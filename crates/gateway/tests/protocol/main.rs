//! The protocol, row by row: every call, frame, push, limit, error, close code and account event has a test that is named
//! after it. Rows that have more to say have a file of their own beside this folder; [`rows`] finds the tests in all of them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod account_events;
mod accounts;
mod closing;
mod conversations;
mod errors;
mod frames;
mod limits;
mod members;
mod messages;
mod operations;
mod pushes;
mod rows;

use serde_json::{Value, json};
use support::{Person, Server, nonce};

/// Two people, and a group that the first one owns.
struct Stage {
    server: Server,
    ada: Person,
    bob: Person,
    group: String,
}

impl Stage {
    async fn set() -> Self {
        Self::on(Server::start().await).await
    }

    async fn on(server: Server) -> Self {
        let (ada, bob) = (server.sign_up("ada").await, server.sign_up("bob").await);
        let group = ada.create_group(&[&bob]).await;
        Self { server, ada, bob, group }
    }

    /// A path below the group.
    fn path(&self, rest: &str) -> String {
        format!("/v1/conversations/{}{rest}", self.group)
    }

    /// The group as somebody sees it.
    async fn view(&self, person: &Person) -> Value {
        person.get(&self.path("")).await.expect(200)
    }

    /// A frame about the group, with a nonce of its own.
    fn frame(&self, op: &str, more: Value) -> Value {
        let mut frame = json!({"op": op, "conversation": self.group, "nonce": nonce()});
        frame.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        frame
    }
}

/// The number in a field.
#[track_caller]
fn number(value: &Value, field: &str) -> u64 {
    value[field].as_u64().unwrap_or_else(|| panic!("no number {field} in {value}"))
}

/// The items of a list.
#[track_caller]
fn items(page: &Value) -> &Vec<Value> {
    page["items"].as_array().unwrap_or_else(|| panic!("no items in {page}"))
}

/// One field of each item of a list.
fn each(page: &Value, field: &str) -> Vec<Value> {
    items(page).iter().map(|item| item[field].clone()).collect()
}
