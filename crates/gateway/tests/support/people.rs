//! People with accounts, and groups of them.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::{Client, Server, Socket};

pub const PASSWORD: &str = "correct horse";

static NONCES: AtomicU64 = AtomicU64::new(1);

/// A nonce that no other call of this process has.
pub fn nonce() -> String {
    format!("n-{}", NONCES.fetch_add(1, Ordering::Relaxed))
}

/// Somebody signed in; calls on it are calls as that person.
#[derive(Clone)]
pub struct Person {
    pub id: String,
    pub device: String,
    pub username: String,
    pub token: String,
    pub refresh_token: String,
    client: Client,
}

impl Deref for Person {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Person {
    pub async fn sign_up(server: &Server, username: &str) -> Self {
        let body =
            json!({"username": username, "password": PASSWORD, "device": {"name": "d", "platform": "test"}});
        let session = server.client().post("/v1/auth/signup", body).await.expect(201);
        Self::from_session(server, &session)
    }

    /// The same person on another device.
    pub async fn log_in(server: &Server, username: &str) -> Self {
        let body = json!({"login": username, "password": PASSWORD});
        let session = server.client().post("/v1/auth/login", body).await.expect(200);
        Self::from_session(server, &session)
    }

    pub fn from_session(server: &Server, session: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let token = text(&session["access_token"]);
        Self {
            id: text(&session["user"]["id"]),
            device: text(&session["device"]["id"]),
            username: text(&session["user"]["username"]),
            client: server.client().with_token(&token),
            token,
            refresh_token: text(&session["refresh_token"]),
        }
    }

    /// Creates a group with these members.
    pub async fn create_group(&self, members: &[&Self]) -> String {
        self.create("group", members).await
    }

    /// Creates a group or a channel with these members.
    pub async fn create(&self, kind: &str, members: &[&Self]) -> String {
        let members: Vec<_> = members.iter().map(|member| &member.id).collect();
        let body = json!({"kind": kind, "title": "Harvest", "members": members});
        let conversation = self.post("/v1/conversations", body).await.expect(201);
        conversation["id"].as_str().unwrap().to_owned()
    }

    /// Sends a message; its `seq`.
    pub async fn say(&self, conversation: &str, text: &str) -> u64 {
        let body = json!({"nonce": nonce(), "text": text});
        let path = format!("/v1/conversations/{conversation}/messages");
        self.post(&path, body).await.expect(201)["seq"].as_u64().unwrap()
    }

    /// Opens a socket and says hello.
    pub async fn connect(&self, server: &Server) -> Socket {
        let mut socket = Socket::open(server).await;
        socket.hello(&self.token).await;
        socket
    }
}

/// A group with somebody of each role, an outsider, and one who left.
pub struct Group {
    pub id: String,
    /// A message of the author.
    pub message: u64,
}

impl Group {
    /// `owner` creates it, makes `admin` an admin and `guest` a guest, removes `gone`; `author` writes a message. In a
    /// channel, members may write as in a group.
    pub async fn create(
        (kind, owner): (&str, &Person),
        [admin, author, guest, gone]: [&Person; 4],
        members: &[&Person],
    ) -> Self {
        let all: Vec<_> = [admin, author, guest, gone].into_iter().chain(members.iter().copied()).collect();
        let id = owner.create(kind, &all).await;
        if kind == "channel" {
            let permissions =
                json!({"post": "member", "invite": "admin", "edit_info": "admin", "pin": "admin"});
            let path = format!("/v1/conversations/{id}");
            owner.patch(&path, json!({"permissions": permissions})).await.expect(200);
        }
        for (person, role) in [(admin, "admin"), (guest, "guest")] {
            let path = format!("/v1/conversations/{id}/members/{}", person.id);
            owner.patch(&path, json!({"role": role})).await.expect(200);
        }
        let message = author.say(&id, "by the author").await;
        owner.delete(&format!("/v1/conversations/{id}/members/{}", gone.id)).await.expect(200);
        Self { id, message }
    }
}
