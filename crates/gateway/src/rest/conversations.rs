//! `/v1/conversations`: conversations and the caller's preferences in them.

use axum::Json as JsonBody;
use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::on;
use loquat_domain::messages::Act;
use loquat_proto::conversation::{CreateConversation, OwnMembership, UpdateConversation, UpdatePreferences};
use loquat_proto::{Conversation, ConversationId, Page, Role};

use super::mutate;
use crate::extract::{IdempotencyKey, Json, Paging, Path, Query, SignedIn};
use crate::problem::Failure;
use crate::route::{Access, Audience, Route};
use crate::state::GatewayState;

const EVERYONE: Access = Access::SignedIn(Audience::Everyone);
const ANY_MEMBER: Access = Access::SignedIn(Audience::Members(Role::Guest));
const ADMINS: Access = Access::SignedIn(Audience::Members(Role::Admin));
const OWNER: Access = Access::SignedIn(Audience::Members(Role::Owner));

pub(crate) static ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/conversations", EVERYONE, |method| on(method, list)),
    Route::new(Method::POST, "/v1/conversations", EVERYONE, |method| on(method, create)),
    Route::new(Method::GET, "/v1/conversations/{conversation}", ANY_MEMBER, |method| on(method, show)),
    Route::new(Method::PATCH, "/v1/conversations/{conversation}", ADMINS, |method| on(method, update)),
    Route::new(Method::DELETE, "/v1/conversations/{conversation}", OWNER, |method| on(method, delete)),
    Route::new(Method::PATCH, "/v1/conversations/{conversation}/preferences", ANY_MEMBER, |method| {
        on(method, update_preferences)
    }),
];

async fn list(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Query(paging): Query<Paging>,
) -> Result<JsonBody<Page<Conversation>>, Failure> {
    let limit = paging.limit()?;
    Ok(JsonBody(state.app.conversations().list(caller, paging.into_cursor(), limit).await?))
}

async fn create(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    key: IdempotencyKey,
    Json(request): Json<CreateConversation>,
) -> Result<Response, Failure> {
    let created = state.app.conversations().create(caller, request, key.key()).await?;
    if !created.created {
        return Ok(JsonBody(created.conversation).into_response());
    }
    let location = format!("/v1/conversations/{}", created.conversation.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], JsonBody(created.conversation)).into_response())
}

async fn show(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path(conversation): Path<ConversationId>,
) -> Result<JsonBody<Conversation>, Failure> {
    Ok(JsonBody(state.app.conversations().get(caller, conversation).await?))
}

async fn update(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path(conversation): Path<ConversationId>,
    key: IdempotencyKey,
    Json(request): Json<UpdateConversation>,
) -> Result<JsonBody<Conversation>, Failure> {
    let nonce = key.nonce(request.nonce);
    let JsonBody(_) = mutate(&state, caller, conversation, nonce, Act::Settings(request.settings)).await?;
    Ok(JsonBody(state.app.conversations().get(caller, conversation).await?))
}

async fn delete(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path(conversation): Path<ConversationId>,
) -> Result<StatusCode, Failure> {
    state.app.conversations().delete(caller, conversation).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn update_preferences(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path(conversation): Path<ConversationId>,
    Json(change): Json<UpdatePreferences>,
) -> Result<JsonBody<OwnMembership>, Failure> {
    Ok(JsonBody(state.app.conversations().preferences(caller, conversation, change).await?))
}
