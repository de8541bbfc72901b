//! `/v1/conversations/{conversation}/members`.

use axum::Json as JsonBody;
use axum::extract::State;
use axum::http::Method;
use loquat_domain::messages::Act;
use loquat_proto::conversation::{AddMembers, ChangeRole};
use loquat_proto::message::Appended;
use loquat_proto::{ConversationId, Member, Page, Role};

use super::mutate;
use crate::describe::on;
use crate::extract::{IdempotencyKey, Json, Paging, Path, Query, SignedIn, UserSegment};
use crate::problem::Failure;
use crate::route::{Access, Audience, Route};
use crate::state::GatewayState;

const ANY_MEMBER: Access = Access::SignedIn(Audience::Members(Role::Guest));
const ADMINS: Access = Access::SignedIn(Audience::Members(Role::Admin));

pub(crate) static ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/conversations/{conversation}/members", ANY_MEMBER, |method| {
        on(method, list)
    }).about("Lists the members of a conversation.", ""),
    Route::new(Method::POST, "/v1/conversations/{conversation}/members", ADMINS, |method| on(method, add)).about("Adds members.", ""),
    Route::new(Method::PATCH, "/v1/conversations/{conversation}/members/{user}", ADMINS, |method| {
        on(method, change_role)
    }).about("Changes a member's role.", "Who is made owner takes the place of the caller, who is an admin then."),
    // Others are removed by admins; everyone may leave (`me`).
    Route::new(Method::DELETE, "/v1/conversations/{conversation}/members/{user}", ADMINS, |method| {
        on(method, remove)
    }).about("Removes a member; with `me` the caller leaves.", "Everyone may leave; removing others is for admins. An owner who leaves is succeeded by the admin, or else the member, who has been there the longest."),
];

async fn list(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path(conversation): Path<ConversationId>,
    Query(paging): Query<Paging>,
) -> Result<JsonBody<Page<Member>>, Failure> {
    let limit = paging.limit()?;
    Ok(JsonBody(state.app.conversations().members(caller, conversation, paging.into_cursor(), limit).await?))
}

async fn add(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path(conversation): Path<ConversationId>,
    key: IdempotencyKey,
    Json(request): Json<AddMembers>,
) -> Result<JsonBody<Appended>, Failure> {
    let nonce = key.nonce(request.nonce);
    mutate(&state, caller, conversation, nonce, Act::AddMembers(request.users)).await
}

async fn change_role(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path((conversation, user)): Path<(ConversationId, UserSegment)>,
    key: IdempotencyKey,
    Json(request): Json<ChangeRole>,
) -> Result<JsonBody<Appended>, Failure> {
    let nonce = key.nonce(request.nonce);
    let act = Act::ChangeRole { user: user.resolve(caller), role: request.role };
    mutate(&state, caller, conversation, nonce, act).await
}

async fn remove(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path((conversation, user)): Path<(ConversationId, UserSegment)>,
    key: IdempotencyKey,
) -> Result<JsonBody<Appended>, Failure> {
    mutate(&state, caller, conversation, key.nonce(None), Act::RemoveMember(user.resolve(caller))).await
}
