//! `/v1/presence`.

use axum::Json as JsonBody;
use axum::extract::State;
use axum::http::Method;
use loquat_domain::Refusal;
use loquat_proto::presence::{Heartbeat, HeartbeatAnswer};
use loquat_proto::{Items, Presence, UserId};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::describe::on;
use crate::extract::{Json, Query, SignedIn};
use crate::problem::Failure;
use crate::route::{Access, Audience, Route};
use crate::state::GatewayState;

pub(crate) static ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/presence", Access::SignedIn(Audience::Everyone), |method| on(method, query))
        .about("Shows who is there.", "Those whose presence the caller may not see are `offline`."),
    Route::new(Method::POST, "/v1/presence/heartbeat", Access::SignedIn(Audience::Everyone), |method| {
        on(method, heartbeat)
    })
    .about("Says that the caller is there.", "For clients without a socket."),
];

/// `?users=1,2,3`
#[derive(Debug, Deserialize, JsonSchema)]
struct PresenceQuery {
    /// Ids, with commas between them.
    #[schemars(regex(pattern = r"^[0-9, ]*$"))]
    users: String,
}

async fn query(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Query(query): Query<PresenceQuery>,
) -> Result<JsonBody<Items<Presence>>, Failure> {
    let users = parse_users(&query.users, state.app.config().limits.watched_users)?;
    Ok(JsonBody(Items { items: state.app.presence().query(caller, users).await? }))
}

async fn heartbeat(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Json(Heartbeat { state: presence }): Json<Heartbeat>,
) -> Result<JsonBody<HeartbeatAnswer>, Failure> {
    Ok(JsonBody(state.app.presence().heartbeat(caller, presence).await?))
}

fn parse_users(list: &str, limit: usize) -> Result<Vec<UserId>, Failure> {
    let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let users: Vec<UserId> = entries
        .take(limit.saturating_add(1))
        .map(str::parse)
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::invalid(format!("users: {error}")))?;
    if users.len() > limit {
        return Err(Refusal::TooLarge { what: "the number of users", limit }.into());
    }
    Ok(users)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_a_list_of_ids_up_to_the_limit() {
        let parse = |list| {
            let users = parse_users(list, 3).ok()?;
            Some(users.into_iter().map(UserId::get).collect::<Vec<_>>())
        };
        assert_eq!(parse("1,2,3"), Some(vec![1, 2, 3]));
        assert_eq!(parse(" 1, 2,"), Some(vec![1, 2]));
        assert_eq!(parse(""), Some(vec![]));
        assert_eq!(parse("1,2,3,4"), None);
        assert_eq!(parse("1,x"), None);
        assert_eq!(parse("0"), None);
    }
}
