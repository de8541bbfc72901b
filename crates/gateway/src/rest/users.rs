//! `/v1/users`: public profiles and search.

use axum::Json as JsonBody;
use axum::extract::State;
use axum::http::Method;
use loquat_proto::{Page, Profile};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::describe::on;
use crate::extract::{Paging, Path, Query, SignedIn, UserSegment};
use crate::problem::Failure;
use crate::route::{Access, Audience, Route};
use crate::state::GatewayState;

pub(crate) static ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/users", Access::SignedIn(Audience::Everyone), |method| on(method, search)).about("Searches for users.", "By the beginning of a username or display name, or by a whole e-mail address or phone number; as far as the users let themselves be found so."),
    Route::new(Method::GET, "/v1/users/{user}", Access::SignedIn(Audience::Everyone), |method| {
        on(method, show)
    }).about("Shows a user's public profile.", "`me` is the caller."),
];

#[derive(Debug, Deserialize, JsonSchema)]
struct Search {
    /// The beginning of a name, or a whole address.
    #[schemars(length(min = 1, max = 254))]
    q: String,
}

async fn search(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Query(Search { q }): Query<Search>,
    Query(paging): Query<Paging>,
) -> Result<JsonBody<Page<Profile>>, Failure> {
    let limit = paging.limit()?;
    let cursor = paging.into_cursor();
    Ok(JsonBody(state.app.accounts().search(caller, &q, cursor.as_deref(), limit).await?))
}

async fn show(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path(user): Path<UserSegment>,
) -> Result<JsonBody<Profile>, Failure> {
    Ok(JsonBody(state.app.accounts().profile(caller, user.resolve(caller)).await?))
}
