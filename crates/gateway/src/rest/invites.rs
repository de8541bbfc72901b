//! Invitations: `/v1/conversations/{conversation}/invites` for who may invite, `/v1/invites/{code}` for who is invited.

use axum::Json as JsonBody;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use loquat_domain::ports::InviteRecord;
use loquat_proto::invite::CreateInvite;
use loquat_proto::{Conversation, ConversationId, Invite, InvitePreview, Page, Role};

use crate::describe::on;
use crate::extract::{IdempotencyKey, Json, Paging, Path, Query, SignedIn};
use crate::problem::Failure;
use crate::route::{Access, Audience, Route};
use crate::state::GatewayState;

const EVERYONE: Access = Access::SignedIn(Audience::Everyone);
const WELCOME: Access = Access::SignedIn(Audience::NotRemoved);
const ADMINS: Access = Access::SignedIn(Audience::Members(Role::Admin));

const INVITES: &str = "/v1/conversations/{conversation}/invites";

/// Where people open an invitation, under the public URL. The web client shows the preview there.
const JOIN_PATH: &str = "/join/";

pub(crate) static ROUTES: &[Route] = &[
    Route::new(Method::POST, INVITES, ADMINS, |method| on(method, create)).about(
        "Makes an invitation: a code by which others join.",
        "As many may use it as want, for ever, unless `max_uses` or `expires_in` say otherwise.",
    ),
    Route::new(Method::GET, INVITES, ADMINS, |method| on(method, list))
        .about("Lists the invitations of a conversation.", ""),
    Route::new(Method::DELETE, "/v1/conversations/{conversation}/invites/{code}", ADMINS, |method| {
        on(method, revoke)
    })
    .about("Takes an invitation back.", "Who has joined by it stays."),
    Route::new(Method::GET, "/v1/invites/{code}", EVERYONE, |method| on(method, preview))
        .about("Shows where an invitation leads, before joining.", ""),
    Route::new(Method::POST, "/v1/invites/{code}/join", WELCOME, |method| on(method, join))
        .about("Joins by an invitation.", "Who is a member already stays one, and no use is counted."),
];

async fn create(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path(conversation): Path<ConversationId>,
    key: IdempotencyKey,
    headers: HeaderMap,
    Json(mut request): Json<CreateInvite>,
) -> Result<(StatusCode, JsonBody<Invite>), Failure> {
    let base = base_url(&state, &headers)?;
    request.nonce = key.nonce(request.nonce);
    let invite = state.app.invites().create(caller, conversation, request).await?;
    Ok((StatusCode::CREATED, JsonBody(shown(invite, &base))))
}

async fn list(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path(conversation): Path<ConversationId>,
    Query(paging): Query<Paging>,
    headers: HeaderMap,
) -> Result<JsonBody<Page<Invite>>, Failure> {
    let base = base_url(&state, &headers)?;
    let limit = paging.limit()?;
    let page = state.app.invites().list(caller, conversation, paging.into_cursor(), limit).await?;
    let items = page.items.into_iter().map(|invite| shown(invite, &base)).collect();
    Ok(JsonBody(Page { items, next_cursor: page.next_cursor }))
}

async fn revoke(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path((conversation, code)): Path<(ConversationId, String)>,
) -> Result<StatusCode, Failure> {
    state.app.invites().revoke(caller, conversation, &code).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn preview(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path(code): Path<String>,
) -> Result<JsonBody<InvitePreview>, Failure> {
    let found = state.app.invites().preview(caller, &code).await?;
    Ok(JsonBody(InvitePreview {
        title: found.title,
        kind: found.kind,
        member_count: found.member_count,
        conversation: found.joined.then_some(found.invite.conversation),
    }))
}

async fn join(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path(code): Path<String>,
    key: IdempotencyKey,
) -> Result<JsonBody<Conversation>, Failure> {
    Ok(JsonBody(state.app.invites().join(caller, &code, key.nonce(None)).await?))
}

fn shown(invite: InviteRecord, base: &str) -> Invite {
    let InviteRecord { code, conversation, creator, created_at, expires_at, max_uses, uses } = invite;
    let url = format!("{base}{JOIN_PATH}{code}");
    Invite { code, url, uses, max_uses, expires_at, conversation, creator, created_at }
}

/// Where people reach the service: the public URL, or else where the request came to.
fn base_url(state: &GatewayState, headers: &HeaderMap) -> Result<String, Failure> {
    if let Some(public_url) = &state.app.config().public_url {
        return Ok(public_url.trim_end_matches('/').to_owned());
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.ok_or_else(|| Failure::invalid("the request names no host"))?;
    let scheme = if state.origins.are_secure() { "https" } else { "http" };
    Ok(format!("{scheme}://{host}"))
}
