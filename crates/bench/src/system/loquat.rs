//! Loquat itself: seeded accounts, conversations made over REST, rate limits off.

use std::{ffi::OsString, net::SocketAddr, path::Path, process::Command};

use futures_util::future::try_join_all;
use hyper::{Method, StatusCode};
use serde::Deserialize;

use super::{Account, Conversation, http::Client};
use crate::{error::BenchError, layout::Layout};

/// Settings of a server under load: no rate limits, room for every socket of the idle workload, and
/// tokens that outlive a run. Everything else is as a fresh installation has it.
pub(super) const ENVIRONMENT: [(&str, &str); 7] = [
    ("LOQUAT_LIMITS__SENDS_PER_SECOND", "0"),
    ("LOQUAT_LIMITS__REQUESTS_PER_SECOND", "0"),
    ("LOQUAT_LIMITS__SIGNUPS_PER_HOUR", "0"),
    ("LOQUAT_LIMITS__LOGINS_PER_MINUTE", "0"),
    ("LOQUAT_LIMITS__SOCKETS_PER_USER", "100"),
    ("LOQUAT_LIMITS__CONNECTIONS", "20000"),
    ("LOQUAT_AUTH__ACCESS_TOKEN_SECONDS", "14400"),
];

/// One line of `loquat admin seed`.
#[derive(Deserialize)]
struct Seeded {
    id: String,
    access_token: String,
}

/// The fields of a conversation that a run needs.
#[derive(Deserialize)]
struct Created {
    id: String,
    head: u64,
}

/// Arguments that start the server.
pub(super) fn serve_arguments(address: SocketAddr, data: &Path) -> Vec<OsString> {
    vec![
        "serve".into(),
        "--listen".into(),
        address.to_string().into(),
        "--data".into(),
        data.as_os_str().to_owned(),
    ]
}

/// What `loquat admin seed` made.
pub(super) struct Accounts {
    pub(super) accounts: Vec<Account>,
    /// What it printed.
    pub(super) lines: Vec<u8>,
}

/// Makes accounts in an empty data directory before the server starts.
pub(super) fn seed(binary: &Path, data: &Path, users: usize) -> Result<Accounts, BenchError> {
    let output = Command::new(binary)
        .args(["admin", "seed", "--users", &users.to_string(), "--prefix", "bench", "--data"])
        .arg(data)
        .envs(ENVIRONMENT)
        .output()
        .map_err(|error| BenchError::Server(format!("{} did not start: {error}", binary.display())))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(BenchError::Server(format!("admin seed ended with {}: {said}", output.status)));
    }
    let accounts = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| {
            let seeded: Seeded = serde_json::from_str(line)?;
            Ok(Account { id: seeded.id, token: seeded.access_token })
        })
        .collect::<Result<Vec<_>, BenchError>>()?;
    if accounts.len() != users {
        return Err(BenchError::Server(format!("admin seed made {} accounts of {users}", accounts.len())));
    }
    Ok(Accounts { accounts, lines: output.stdout })
}

/// Connections that make direct conversations at the same time.
const CREATORS: usize = 32;

/// Makes direct conversations between these accounts, by their places; the first one of a pair creates it.
pub(super) async fn create_directs(
    address: SocketAddr,
    accounts: &[Account],
    pairs: &[(usize, usize)],
) -> Result<Vec<Conversation>, BenchError> {
    let create_share = async |pairs: &[(usize, usize)]| {
        let mut client = Client::connect(address).await?;
        let mut conversations = Vec::with_capacity(pairs.len());
        for (one, other) in pairs {
            let body = serde_json::json!({ "kind": "direct", "members": [accounts[*other].id] });
            conversations.push(create(&mut client, &accounts[*one], &body).await?);
        }
        Ok::<_, BenchError>(conversations)
    };
    let share = pairs.len().div_ceil(CREATORS).max(1);
    Ok(try_join_all(pairs.chunks(share).map(create_share)).await?.concat())
}

async fn create(
    client: &mut Client,
    creator: &Account,
    body: &serde_json::Value,
) -> Result<Conversation, BenchError> {
    let (status, answer) =
        client.request(Method::POST, "/v1/conversations", Some(&creator.token), body.to_string()).await?;
    if status != StatusCode::CREATED {
        let answer = String::from_utf8_lossy(&answer);
        return Err(BenchError::Protocol(format!("POST /v1/conversations answered {status}: {answer}")));
    }
    let Created { id, head } = serde_json::from_slice(&answer)?;
    Ok(Conversation { id, head })
}

/// Members that a request may name.
const AT_A_TIME: usize = 1_000;

/// Makes the conversations of a layout; the first member of each is its creator.
pub(super) async fn create_conversations(
    address: SocketAddr,
    accounts: &[Account],
    layout: Layout,
) -> Result<Vec<Conversation>, BenchError> {
    let mut client = Client::connect(address).await?;
    let mut conversations = Vec::with_capacity(layout.conversations());
    for conversation in 0..layout.conversations() {
        let members = &accounts[layout.members(conversation)];
        let (creator, others) = members
            .split_first()
            .ok_or_else(|| BenchError::Arguments(format!("{layout} has conversations without members")))?;
        let others: Vec<&str> = others.iter().map(|account| account.id.as_str()).collect();
        // As many as the service takes at a time; the rest is added.
        let (first, rest) = others.split_at(others.len().min(AT_A_TIME));
        let body = match layout {
            Layout::Groups { .. } => {
                serde_json::json!({ "kind": "group", "title": format!("bench {conversation}"), "members": others })
            }
            Layout::Channel(_) => {
                serde_json::json!({ "kind": "channel", "title": "bench", "members": first })
            }
            Layout::Pairs(_) | Layout::Users(_) => serde_json::json!({ "kind": "direct", "members": others }),
        };
        let created = create(&mut client, creator, &body).await?;
        for users in rest.chunks(AT_A_TIME) {
            let path = format!("/v1/conversations/{}/members", created.id);
            let body = serde_json::json!({ "users": users }).to_string();
            let (status, answer) = client.request(Method::POST, &path, Some(&creator.token), body).await?;
            if status != StatusCode::OK {
                let answer = String::from_utf8_lossy(&answer);
                return Err(BenchError::Protocol(format!("POST {path} answered {status}: {answer}")));
            }
        }
        conversations.push(created);
    }
    Ok(conversations)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

    use axum::{Json, Router, http::HeaderMap, routing::post};
    use tokio::net::TcpListener;

    use super::*;

    /// An executable that answers `admin seed` as `script` says.
    fn stub(directory: &Path, script: &str) -> PathBuf {
        let path = directory.join("loquat");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn seeded_accounts_are_read_and_counted() {
        let line = r#"{"id":"12","username":"bench0","device":"7","access_token":"a.b.c"}"#;
        let cases = [
            (format!("echo '{line}'"), 1, true),
            (format!("echo seeding; echo '{line}'; echo '{line}'"), 2, true),
            (format!("echo '{line}'"), 2, false),
            ("echo '{\"id\":12}'".to_owned(), 1, false),
            (format!("echo '{line}'; exit 3"), 1, false),
        ];
        for (script, users, succeeds) in cases {
            let directory = tempfile::tempdir().unwrap();
            let seeded = seed(&stub(directory.path(), &script), directory.path(), users);
            assert_eq!(seeded.is_ok(), succeeds, "{script}");
            if let Ok(Accounts { accounts, .. }) = seeded {
                assert_eq!((accounts[0].id.as_str(), accounts[0].token.as_str()), ("12", "a.b.c"));
                assert_eq!(accounts[0].number().unwrap(), 12);
            }
        }
    }

    /// Answers as Loquat does: the id says which members were asked for, by whom.
    async fn create(
        headers: HeaderMap,
        Json(body): Json<serde_json::Value>,
    ) -> (StatusCode, Json<serde_json::Value>) {
        if headers["authorization"] == "Bearer refused" {
            return (StatusCode::FORBIDDEN, Json(serde_json::json!({ "code": "blocked" })));
        }
        let members = body["members"].as_array().unwrap().len();
        let id = format!("{} {} {members}", headers["authorization"].to_str().unwrap(), body["kind"]);
        (StatusCode::CREATED, Json(serde_json::json!({ "id": id, "head": 3, "title": body["title"] })))
    }

    #[tokio::test]
    async fn conversations_are_made_by_their_first_members() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/v1/conversations", post(create));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let account = |number: usize| Account { id: number.to_string(), token: format!("t{number}") };
        let accounts: Vec<Account> = (0..6).map(account).collect();
        for (layout, expected) in [
            (Layout::Pairs(2), vec![r#"Bearer t0 "direct" 1"#, r#"Bearer t2 "direct" 1"#]),
            (Layout::Groups { count: 2, size: 3 }, vec![r#"Bearer t0 "group" 2"#, r#"Bearer t3 "group" 2"#]),
            (Layout::Channel(4), vec![r#"Bearer t0 "channel" 3"#]),
            (Layout::Users(6), vec![]),
        ] {
            let made = create_conversations(address, &accounts, layout).await.unwrap();
            assert_eq!(made.iter().map(|made| made.id.as_str()).collect::<Vec<_>>(), expected, "{layout}");
            assert!(made.iter().all(|made| made.head == 3));
        }
        let refused = vec![Account { id: "1".to_owned(), token: "refused".to_owned() }, account(2)];
        let error = create_conversations(address, &refused, Layout::Pairs(1)).await.unwrap_err();
        assert!(error.to_string().contains("403"), "{error}");
    }
}
