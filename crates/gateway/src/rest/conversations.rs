//! `/v1/conversations`: conversations and the caller's preferences in them.

use axum::Json as JsonBody;
use axum::extract::State;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use loquat_domain::conversations::Created as CreatedConversation;
use loquat_domain::messages::Act;
use loquat_proto::conversation::{CreateConversation, OwnMembership, UpdateConversation, UpdatePreferences};
use loquat_proto::{Conversation, ConversationId, Page, Role};

use super::mutate;
use crate::describe::{Answer, Draft, NoContent, on};
use crate::extract::{IdempotencyKey, Json, Paging, Path, Query, SignedIn};
use crate::problem::Failure;
use crate::route::{Access, Audience, Route};
use crate::state::GatewayState;

const EVERYONE: Access = Access::SignedIn(Audience::Everyone);
const UNBLOCKED: Access = Access::SignedIn(Audience::Unblocked);
const ANY_MEMBER: Access = Access::SignedIn(Audience::Members(Role::Guest));
const ADMINS: Access = Access::SignedIn(Audience::Members(Role::Admin));
const OWNER: Access = Access::SignedIn(Audience::Members(Role::Owner));

pub(crate) static ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/conversations", EVERYONE, |method| on(method, list))
        .about("Lists the caller's conversations, newest activity first.", ""),
    Route::new(Method::POST, "/v1/conversations", UNBLOCKED, |method| on(method, create)).about(
        "Creates a conversation.",
        "A direct conversation that is there already is answered with 200.",
    ),
    Route::new(Method::GET, "/v1/conversations/{conversation}", ANY_MEMBER, |method| on(method, show))
        .about("Shows a conversation as the caller sees it.", ""),
    Route::new(Method::PATCH, "/v1/conversations/{conversation}", ADMINS, |method| on(method, update)).about(
        "Changes title, description, avatar, retention, permissions or slow mode.",
        "Absent fields stay as they are; what changes nothing appends nothing.",
    ),
    Route::new(Method::DELETE, "/v1/conversations/{conversation}", OWNER, |method| on(method, delete))
        .about("Deletes a conversation with all that was said in it.", ""),
    Route::new(Method::PATCH, "/v1/conversations/{conversation}/preferences", ANY_MEMBER, |method| {
        on(method, update_preferences)
    })
    .about(
        "Changes the caller's preferences in a conversation.",
        "Absent fields stay as they are, `null` clears.",
    ),
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
) -> Result<Found, Failure> {
    Ok(Found(state.app.conversations().create(caller, request, key.key()).await?))
}

/// A conversation that was created, or was there already.
struct Found(CreatedConversation);

impl IntoResponse for Found {
    fn into_response(self) -> Response {
        let CreatedConversation { conversation, created, .. } = self.0;
        if !created {
            return JsonBody(conversation).into_response();
        }
        let location = format!("/v1/conversations/{}", conversation.id);
        (StatusCode::CREATED, [(header::LOCATION, location)], JsonBody(conversation)).into_response()
    }
}

impl Answer for Found {
    fn describe(draft: &mut Draft<'_>) {
        draft.answer::<Conversation>(StatusCode::OK, "The direct conversation was there already.");
        draft.answer::<Conversation>(StatusCode::CREATED, "Created.");
        draft.answer_header(StatusCode::CREATED, "Location", "Where the conversation is.");
    }
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
) -> Result<NoContent, Failure> {
    state.app.conversations().delete(caller, conversation).await?;
    Ok(NoContent)
}

async fn update_preferences(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path(conversation): Path<ConversationId>,
    Json(change): Json<UpdatePreferences>,
) -> Result<JsonBody<OwnMembership>, Failure> {
    Ok(JsonBody(state.app.conversations().preferences(caller, conversation, change).await?))
}
