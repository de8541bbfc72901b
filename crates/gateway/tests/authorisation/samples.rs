//! How to call each route: a request that succeeds for whoever may make it.

use loquat_gateway::Route;
use serde_json::{Value, json};

use crate::cast::Scene;
use crate::support::{PASSWORD, Person, nonce};

pub struct Sample {
    pub path: String,
    pub body: Option<Value>,
}

/// The sample of a route; `None` if there is none yet.
pub async fn sample(route: &Route, scene: &Scene<'_>) -> Option<Sample> {
    let query = match route.template() {
        "/v1/users" => "?q=own",
        "/v1/presence" => "?users=1,2",
        "/v1/sync" => "?timeout=0",
        _ => "",
    };
    let body = body(route, scene).await?;
    let path = format!("{}{query}", fill(route.template(), scene).await);
    Some(Sample { path, body: Some(body).filter(|body| !body.is_null()) })
}

async fn fill(template: &str, scene: &Scene<'_>) -> String {
    let mut path = template
        .replace("{conversation}", &scene.group.id)
        .replace("{user}", &whom(template, scene).id)
        .replace("{seq}", &scene.group.message.to_string())
        .replace("{emoji}", "%F0%9F%91%8D");
    if path.contains("{device}") {
        let device = Person::log_in(scene.server, &scene.cast.author.username).await.device;
        path = path.replace("{device}", &device);
    }
    if path.contains("{code}") {
        path = path.replace("{code}", &scene.invite().await);
    }
    path
}

/// On whom a call is made.
fn whom<'a>(template: &str, scene: &'a Scene<'_>) -> &'a Person {
    // The bystander asks nobody whom they block.
    if template.ends_with("/decline") { scene.observer() } else { &scene.cast.bystander }
}

/// Asks everybody to be a contact, as far as they may be asked.
async fn ask_everybody(asker: &Person, scene: &Scene<'_>) {
    let cast = scene.cast;
    for one in
        [&cast.stranger, &cast.former, &cast.guest, &cast.member, &cast.author, &cast.admin, &cast.owner]
    {
        asker.post("/v1/contacts/requests", json!({"user": one.id})).await;
    }
    asker.post("/v1/contacts/requests", json!({"user": cast.blocked.id})).await;
}

/// The body of a call: `Null` for none.
async fn body(route: &Route, scene: &Scene<'_>) -> Option<Value> {
    let nothing = Value::Null;
    Some(match (route.method().as_str(), route.template()) {
        ("POST", "/v1/auth/signup") => json!({"username": nonce().replace('-', "."), "password": PASSWORD}),
        ("POST", "/v1/auth/login") => json!({"login": scene.observer().username, "password": PASSWORD}),
        ("POST", "/v1/auth/refresh") => {
            let fresh = Person::log_in(scene.server, &scene.observer().username).await;
            json!({"refresh_token": fresh.refresh_token})
        }
        ("POST", "/v1/auth/logout") => nothing,
        ("POST", "/v1/auth/password") => json!({"current": PASSWORD, "new": "another password"}),
        ("GET", "/.well-known/jwks.json" | "/v1/server" | "/healthz" | "/readyz" | "/v1/ws" | "/v1/sync") => {
            nothing
        }
        ("GET", "/v1/openapi.json" | "/v1/asyncapi.json" | "/docs" | "/docs/page.js" | "/docs/page.css") => {
            nothing
        }
        (
            "GET",
            "/v1/me" | "/v1/me/devices" | "/v1/me/export" | "/v1/users" | "/v1/users/{user}" | "/v1/presence",
        ) => nothing,
        ("PATCH", "/v1/me") => json!({"bio": "grows fruit"}),
        ("DELETE", "/v1/me") => json!({"password": PASSWORD}),
        ("DELETE", "/v1/me/devices/{device}") => nothing,
        ("POST", "/v1/presence/heartbeat") => json!({"state": "online"}),
        ("POST", "/v1/connect") => nothing,
        ("GET", "/v1/contacts" | "/v1/contacts/requests" | "/v1/blocks") => nothing,
        ("POST", "/v1/contacts/requests") => json!({"user": scene.cast.bystander.id}),
        (
            "POST",
            template @ ("/v1/contacts/requests/{user}/accept" | "/v1/contacts/requests/{user}/decline"),
        ) => {
            ask_everybody(whom(template, scene), scene).await;
            nothing
        }
        ("DELETE", "/v1/contacts/{user}" | "/v1/blocks/{user}") | ("PUT", "/v1/blocks/{user}") => nothing,
        ("GET", "/v1/conversations") => nothing,
        ("POST", "/v1/conversations") => {
            json!({"kind": "group", "title": "New", "members": [scene.cast.bystander.id]})
        }
        ("GET", "/v1/invites/{code}") => nothing,
        ("POST", "/v1/invites/{code}/join") => nothing,
        (method, template) => {
            let inner = template.strip_prefix("/v1/conversations/{conversation}")?;
            return conversation_body(method, inner, scene);
        }
    })
}

fn conversation_body(method: &str, template: &str, scene: &Scene<'_>) -> Option<Value> {
    Some(match (method, template) {
        ("GET", "" | "/members" | "/invites" | "/pins" | "/messages" | "/messages/{seq}" | "/events") => {
            Value::Null
        }
        ("PATCH", "") => json!({"title": "Orchard", "nonce": nonce()}),
        ("DELETE", "") => Value::Null,
        ("PATCH", "/preferences") => json!({"pinned": true}),
        ("POST", "/members") => json!({"users": [scene.cast.stranger.id], "nonce": nonce()}),
        ("PATCH", "/members/{user}") => json!({"role": "guest", "nonce": nonce()}),
        ("DELETE", "/members/{user}") => Value::Null,
        ("POST", "/invites") => json!({"max_uses": 3, "nonce": nonce()}),
        ("DELETE", "/invites/{code}") => Value::Null,
        ("POST", "/messages") => json!({"text": "hello", "nonce": nonce()}),
        ("PATCH", "/messages/{seq}") => json!({"text": "changed", "nonce": nonce()}),
        ("DELETE", "/messages/{seq}") => Value::Null,
        ("PUT" | "DELETE", "/messages/{seq}/reactions/{emoji}" | "/pins/{seq}") => Value::Null,
        ("POST", "/receipts") => json!({"read": scene.group.message}),
        ("POST", "/typing") => json!({"on": true}),
        _ => return None,
    })
}
