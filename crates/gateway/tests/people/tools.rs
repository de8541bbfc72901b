//! What these tests often do.

use serde_json::{Value, json};

use crate::support::{Person, Server, Socket, nonce};

/// So many people.
pub async fn people<const N: usize>(server: &Server) -> [Person; N] {
    let mut people = Vec::with_capacity(N);
    for name in ["ann", "bob", "carl", "dora"].into_iter().take(N) {
        people.push(server.sign_up(name).await);
    }
    people.try_into().ok().unwrap()
}

impl Person {
    /// Asks somebody to be a contact: the answer's status.
    pub async fn ask(&self, other: &Self) -> String {
        let answer = self.post("/v1/contacts/requests", json!({"user": other.id})).await;
        assert!(matches!(answer.status, 200 | 201), "{}", answer.body);
        answer.body["status"].as_str().unwrap().to_owned()
    }

    /// The two become contacts.
    pub async fn befriend(&self, other: &Self) {
        assert_eq!(self.ask(other).await, "pending");
        let accept = format!("/v1/contacts/requests/{}/accept", self.id);
        other.post(&accept, Value::Null).await.expect(200);
    }

    /// Blocks somebody.
    pub async fn block(&self, other: &Self) {
        self.put(&format!("/v1/blocks/{}", other.id)).await.expect(204);
    }

    /// Blocks somebody no longer.
    pub async fn unblock(&self, other: &Self) {
        self.delete(&format!("/v1/blocks/{}", other.id)).await.expect(204);
    }

    /// The ids of the users in a list.
    pub async fn listed(&self, path: &str) -> Vec<String> {
        let page = self.get(path).await.expect(200);
        let items = page["items"].as_array().unwrap().iter();
        items.map(|item| item["user"].as_str().unwrap().to_owned()).collect()
    }

    /// Requests that wait: whose, and in which direction.
    pub async fn requests(&self) -> Vec<(String, String)> {
        let page = self.get("/v1/contacts/requests").await.expect(200);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let items = page["items"].as_array().unwrap().iter();
        items.map(|item| (text(&item["user"]), text(&item["direction"]))).collect()
    }

    /// The direct conversation with somebody.
    pub async fn direct(&self, other: &Self) -> String {
        let body = json!({"kind": "direct", "members": [other.id]});
        let answer = self.post("/v1/conversations", body).await;
        assert!(matches!(answer.status, 200 | 201), "{}", answer.body);
        answer.body["id"].as_str().unwrap().to_owned()
    }

    /// What the status of somebody is, as this person sees it: the state, and whether a time is shown.
    pub async fn sees(&self, other: &Self) -> (String, bool) {
        let page = self.get(&format!("/v1/presence?users={}", other.id)).await.expect(200);
        let presence = &page["items"][0];
        assert_eq!(presence["user"], other.id.as_str());
        (presence["state"].as_str().unwrap().to_owned(), !presence["last_seen"].is_null())
    }

    /// Changes one's privacy.
    pub async fn set_privacy(&self, privacy: Value) {
        self.patch("/v1/me", json!({"privacy": privacy})).await.expect(200);
    }
}

/// A message as a frame.
pub fn send(conversation: &str, text: &str) -> Value {
    json!({"op": "send", "conversation": conversation, "nonce": nonce(), "body": {"text": text}})
}

impl Socket {
    /// The next account event: its kind and body.
    pub async fn account_event(&mut self) -> (String, Value) {
        let event = self.push("account").await["event"].clone();
        (event["kind"].as_str().unwrap().to_owned(), event["body"].clone())
    }

    /// The next cursor of this user that a receipt tells.
    pub async fn receipt_of(&mut self, user: &str) -> Value {
        loop {
            let receipt = self.push("receipt").await;
            let items = receipt["items"].as_array().unwrap();
            if let Some(cursor) = items.iter().find(|cursor| cursor["user"] == user) {
                return cursor.clone();
            }
        }
    }

    /// The kinds of the account events that came and were not looked at.
    pub async fn account_kinds(&mut self) -> Vec<String> {
        let pushes = self.pushes_until_now().await;
        let account = pushes.iter().filter(|push| push["op"] == "account");
        account.map(|push| push["event"]["kind"].as_str().unwrap().to_owned()).collect()
    }
}
