//! `/v1/contacts` and `/v1/blocks`.

use axum::Json as JsonBody;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use loquat_domain::contacts::Requested;
use loquat_proto::contact::RequestContact;
use loquat_proto::{Block, Contact, ContactAnswer, ContactRequest, Page};

use crate::describe::{Answer, Draft, NoContent, on};
use crate::extract::{Json, Paging, Path, Query, SignedIn, UserSegment};
use crate::problem::Failure;
use crate::route::{Access, Audience, Route};
use crate::state::GatewayState;

const EVERYONE: Access = Access::SignedIn(Audience::Everyone);
const UNBLOCKED: Access = Access::SignedIn(Audience::Unblocked);

pub(crate) static ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/contacts", EVERYONE, |method| on(method, list))
        .about("Lists the caller's contacts.", "By id."),
    Route::new(Method::DELETE, "/v1/contacts/{user}", EVERYONE, |method| on(method, remove)).about(
        "Ends a contact, or withdraws a request.",
        "The other one is told. Where there is neither, nothing happens.",
    ),
    Route::new(Method::GET, "/v1/contacts/requests", EVERYONE, |method| on(method, requests))
        .about("Lists the requests for contact that wait, in both directions.", "By the other one's id."),
    Route::new(Method::POST, "/v1/contacts/requests", UNBLOCKED, |method| on(method, request)).about(
        "Asks somebody to be a contact.",
        "Where they asked before, the two are contacts at once. Asking again changes nothing.",
    ),
    Route::new(Method::POST, "/v1/contacts/requests/{user}/accept", UNBLOCKED, |method| on(method, accept))
        .about("Accepts a request for contact.", "Being contacts is mutual; both are told."),
    Route::new(Method::POST, "/v1/contacts/requests/{user}/decline", EVERYONE, |method| on(method, decline))
        .about("Declines a request for contact.", "Who asked is not told: to them the request waits on."),
    Route::new(Method::GET, "/v1/blocks", EVERYONE, |method| on(method, blocks))
        .about("Lists whom the caller blocks.", "By id."),
    Route::new(Method::PUT, "/v1/blocks/{user}", EVERYONE, |method| on(method, block)).about(
        "Blocks somebody.",
        "They cannot open a direct conversation with the caller, write in it, add the caller to conversations, or see \
         when the caller is there. They are not told.",
    ),
    Route::new(Method::DELETE, "/v1/blocks/{user}", EVERYONE, |method| on(method, unblock))
        .about("Ends a block.", "Where there is none, nothing happens."),
];

async fn list(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Query(paging): Query<Paging>,
) -> Result<JsonBody<Page<Contact>>, Failure> {
    let limit = paging.limit()?;
    Ok(JsonBody(state.app.contacts().contacts(caller, paging.into_cursor(), limit).await?))
}

async fn remove(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path(user): Path<UserSegment>,
) -> Result<NoContent, Failure> {
    state.app.contacts().remove(caller, user.resolve(caller)).await?;
    Ok(NoContent)
}

async fn requests(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Query(paging): Query<Paging>,
) -> Result<JsonBody<Page<ContactRequest>>, Failure> {
    let limit = paging.limit()?;
    Ok(JsonBody(state.app.contacts().requests(caller, paging.into_cursor(), limit).await?))
}

async fn request(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Json(RequestContact { user }): Json<RequestContact>,
) -> Result<Asked, Failure> {
    Ok(Asked(state.app.contacts().request(caller, user).await?))
}

/// A request that is new, or how the two stand already.
struct Asked(Requested);

impl IntoResponse for Asked {
    fn into_response(self) -> Response {
        let Requested { answer, created } = self.0;
        let status = if created { StatusCode::CREATED } else { StatusCode::OK };
        (status, JsonBody(answer)).into_response()
    }
}

impl Answer for Asked {
    fn describe(draft: &mut Draft<'_>) {
        draft.answer::<ContactAnswer>(StatusCode::OK, "The request waits already, or the two are contacts.");
        draft.answer::<ContactAnswer>(StatusCode::CREATED, "The request waits for an answer.");
    }
}

async fn accept(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path(user): Path<UserSegment>,
) -> Result<JsonBody<ContactAnswer>, Failure> {
    Ok(JsonBody(state.app.contacts().accept(caller, user.resolve(caller)).await?))
}

async fn decline(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path(user): Path<UserSegment>,
) -> Result<NoContent, Failure> {
    state.app.contacts().decline(caller, user.resolve(caller)).await?;
    Ok(NoContent)
}

async fn blocks(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Query(paging): Query<Paging>,
) -> Result<JsonBody<Page<Block>>, Failure> {
    let limit = paging.limit()?;
    Ok(JsonBody(state.app.contacts().blocks(caller, paging.into_cursor(), limit).await?))
}

async fn block(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path(user): Path<UserSegment>,
) -> Result<NoContent, Failure> {
    state.app.contacts().block(caller, user.resolve(caller)).await?;
    Ok(NoContent)
}

async fn unblock(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path(user): Path<UserSegment>,
) -> Result<NoContent, Failure> {
    state.app.contacts().unblock(caller, user.resolve(caller)).await?;
    Ok(NoContent)
}
