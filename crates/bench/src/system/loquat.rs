//! Loquat itself: seeded accounts, conversations made over REST, rate limits off.

use std::{ffi::OsString, net::SocketAddr, path::Path, process::Command};

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

/// Makes accounts in an empty data directory before the server starts.
pub(super) fn seed(binary: &Path, data: &Path, users: usize) -> Result<Vec<Account>, BenchError> {
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
    Ok(accounts)
}

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
        let body = match layout {
            Layout::Groups { .. } => {
                serde_json::json!({ "kind": "group", "title": format!("bench {conversation}"), "members": others })
            }
            Layout::Pairs(_) | Layout::Users(_) => serde_json::json!({ "kind": "direct", "members": others }),
        };
        let (status, answer) =
            client.request(Method::POST, "/v1/conversations", Some(&creator.token), body.to_string()).await?;
        if status != StatusCode::CREATED {
            let answer = String::from_utf8_lossy(&answer);
            return Err(BenchError::Protocol(format!("POST /v1/conversations answered {status}: {answer}")));
        }
        let created: Created = serde_json::from_slice(&answer)?;
        conversations.push(Conversation { id: created.id, head: created.head });
    }
    Ok(conversations)
}
