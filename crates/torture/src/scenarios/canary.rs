//! Secrets that must never be seen again: not in logs, not in metrics, not in errors.

use std::time::Duration;

use serde_json::json;

use crate::api::{Address, Api, Call};
use crate::arena::{Arena, Context, Equipment};
use crate::failure::Outcome;
use crate::report::Report;
use crate::server::free_port;
use crate::socket::Socket;

/// A text that marks everything private it is part of.
const CANARY: &str = "canary";

/// Passwords, tokens and texts go through every path, right and wrong, with the log at its loudest.
pub(super) async fn canary(context: Context) -> Outcome<Report> {
    let mut report = Report::new("canary");
    let metrics = Address::default();
    metrics.set_port(free_port()?);
    let settings = vec![
        ("LOQUAT_LOG__LEVEL".to_owned(), "trace".to_owned()),
        ("LOQUAT_METRICS__LISTEN".to_owned(), format!("127.0.0.1:{}", metrics.port())),
    ];
    let equipment = Equipment { settings, ..Equipment::default() };
    let mut arena = Arena::open(&context, "canary", equipment).await?;
    arena.load_for(Duration::from_millis(300)).await?;
    context.progress.inc(1);
    let mut secrets: Vec<(String, String)> = Vec::new();
    for account in &arena.world.accounts {
        secrets.push(("a password".into(), account.password.clone()));
        secrets.push(("an access token".into(), account.token.clone()));
        secrets.push(("a refresh token".into(), account.refresh_token.clone()));
    }
    let marked = format!("{CANARY}{}", arena.dice.hex(20));
    secrets.push(("a marked text".into(), marked.clone()));
    let answers = provoke(&arena, &marked).await?;
    context.progress.inc(1);

    let figures = Api::new(metrics).call(Call::get("/metrics")).await?;
    report.check("metrics are served", figures.is_success(), format!("{} bytes", figures.text.len()));
    arena.running()?.terminate().await?;
    let ended = arena.running()?.wait(Duration::from_secs(35)).await?;
    report.check("the service stops", ended.is_some(), "");
    context.progress.inc(1);
    let logs = arena.launch.files.logs()?;
    report.check("the log is loud", logs.len() > 1_000, format!("{} bytes", logs.len()));
    let errors = answers.join("\n");
    report.check("errors were provoked", answers.len() >= 10, format!("{} of them", answers.len()));
    for (place, text) in [("logs", &logs), ("metrics", &figures.text), ("errors", &errors)] {
        let found = secrets.iter().find(|(_, secret)| text.contains(secret.as_str()));
        let line = found.and_then(|(_, secret)| text.lines().find(|line| line.contains(secret.as_str())));
        let detail = found.map_or(String::new(), |(what, _)| format!("{what} in: {}", line.unwrap_or("")));
        report.check(format!("no secret in the {place}"), found.is_none(), detail);
    }
    context.progress.inc(1);
    Ok(report)
}

/// Sends the secret every way there is; the errors that came back.
async fn provoke(arena: &Arena, marked: &str) -> Outcome<Vec<String>> {
    let room = &arena.world.rooms[0];
    let account = &arena.world.accounts[room.owner];
    let base = format!("/v1/conversations/{}", room.id);
    let mut api = Api::with_token(arena.address.clone(), &account.token);
    let mut errors = Vec::new();
    let calls = [
        Call::post("/v1/auth/login").json(&json!({"login": account.username, "password": marked})),
        Call::post("/v1/auth/login").json(&json!({"login": marked, "password": marked})),
        Call::post("/v1/auth/signup").json(&json!({"username": "UPPER CASE", "password": marked})),
        Call::post("/v1/auth/signup").json(&json!({"username": account.username, "password": marked})),
        Call::post("/v1/auth/refresh").json(&json!({"refresh_token": marked})),
        Call::post("/v1/auth/password").json(&json!({"current": marked, "new": marked})),
        Call::delete("/v1/me").json(&json!({"password": marked})),
        Call::post(format!("{base}/messages")).json(&json!({"nonce": "canary-1", "text": marked})),
        Call::post(format!("{base}/messages")).json(&json!({"nonce": 7, "text": marked})),
        Call::post(format!("{base}/messages")).json(&json!({"nonce": "canary 2", "text": marked})),
        Call::post(format!("{base}/messages")).json(&json!({"text": marked})),
        Call::post(format!("{base}/messages")).json(&json!({"nonce": "canary-3", "text": [marked]})),
        Call::post(format!("{base}/messages"))
            .raw(format!("{{\"nonce\": \"canary-4\", \"text\": \"{marked}")),
        Call::patch(format!("{base}/messages/1"))
            .json(&json!({"nonce": "canary-5", "text": marked.repeat(2_000)})),
        Call::patch(format!("{base}/preferences")).json(&json!({"draft": marked})),
        Call::patch("/v1/me").json(&json!({"settings": marked})),
    ];
    for call in calls {
        let reply = api.call(call).await?;
        if !reply.is_success() {
            errors.push(reply.text);
        }
    }
    let mut stranger = Api::with_token(arena.address.clone(), marked);
    errors.push(stranger.call(Call::get("/v1/me")).await?.text);
    let (socket, _) = Socket::connect(&arena.address, &account.token, None).await?;
    let frames = [
        json!({"op": "send", "conversation": room.id.0, "nonce": "canary-6", "body": {"text": marked}}),
        json!({"op": "send", "conversation": room.id.0, "nonce": "canary-7", "body": {"text": 1, "more": marked}}),
        json!({"op": "send", "conversation": "x", "nonce": "canary-8", "body": {"text": marked}}),
        json!({"op": "edit", "conversation": room.id.0, "nonce": "canary-9", "target": "one", "text": marked}),
        json!({"op": "edit", "conversation": room.id.0, "nonce": "canary-9", "target": 1, "text": [marked]}),
    ];
    for frame in frames {
        let answer = socket.request(frame).await?;
        if answer.get("error").is_some() {
            errors.push(answer.to_string());
        }
    }
    // Malformed: the socket may be closed for it.
    let _ = socket.send_text(format!("{{\"op\": \"send\", \"body\": \"{marked}")).await;
    if Socket::connect(&arena.address, marked, None).await.is_ok() {
        errors.push(format!("a made-up token signs in: {marked}"));
    }
    Ok(errors)
}
