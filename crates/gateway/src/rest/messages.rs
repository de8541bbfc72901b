//! `/v1/conversations/{conversation}/messages`, reactions, pins, and the raw log.

use axum::Json as JsonBody;
use axum::extract::State;
use axum::http::Method;
use loquat_domain::Refusal;
use loquat_domain::messages::Act;
use loquat_domain::ports::{EventRange, MessageWindow};
use loquat_proto::event::{EditBody, PinBody, ReactionBody};
use loquat_proto::message::{Appended, EditMessage, EventPage, MessagePage, SendMessage};
use loquat_proto::{ConversationId, Message, Page, Role, Seq, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;

use super::mutate;
use crate::describe::{Created, on};
use crate::extract::{IdempotencyKey, Json, Paging, Path, Query, SignedIn, page_limit};
use crate::problem::{Failure, Meter};
use crate::route::{Access, Audience, Route};
use crate::state::GatewayState;

const READERS: Access = Access::SignedIn(Audience::Members(Role::Guest));
const WRITERS: Access = Access::SignedIn(Audience::Members(Role::Member));
const ADMINS: Access = Access::SignedIn(Audience::Members(Role::Admin));
const AUTHOR: Access = Access::SignedIn(Audience::Author);
const AUTHOR_OR_ADMIN: Access = Access::SignedIn(Audience::AuthorOrAdmin);

const MESSAGES: &str = "/v1/conversations/{conversation}/messages";
const MESSAGE: &str = "/v1/conversations/{conversation}/messages/{seq}";
const REACTION: &str = "/v1/conversations/{conversation}/messages/{seq}/reactions/{emoji}";
const PIN: &str = "/v1/conversations/{conversation}/pins/{seq}";

pub(crate) static ROUTES: &[Route] = &[
    Route::new(Method::GET, MESSAGES, READERS, |method| on(method, page)).about("Lists messages, ascending by `seq`.", "The newest ones, or those `before`, `after` or `around` a `seq`, or from the time `at`; one of these at most."),
    Route::new(Method::POST, MESSAGES, WRITERS, |method| on(method, send)).about("Sends a message.", "Answered once it is durable. The same nonce again has the same answer.").metered(Meter::Sends),
    Route::new(Method::GET, MESSAGE, READERS, |method| on(method, show)).about("Shows one message.", ""),
    Route::new(Method::PATCH, MESSAGE, AUTHOR, |method| on(method, edit)).about("Gives a message a new text.", "").metered(Meter::Sends),
    Route::new(Method::DELETE, MESSAGE, AUTHOR_OR_ADMIN, |method| on(method, delete)).about("Erases a message for everyone.", "Its place in the log stays, without content.").metered(Meter::Sends),
    Route::new(Method::PUT, REACTION, READERS, |method| on(method, put_reaction)).about("Puts a reaction on a message.", "").metered(Meter::Sends),
    Route::new(Method::DELETE, REACTION, READERS, |method| on(method, delete_reaction)).about("Takes the caller's reaction off a message.", "").metered(Meter::Sends),
    Route::new(Method::GET, "/v1/conversations/{conversation}/pins", READERS, |method| on(method, pinned)).about("Lists the pinned messages, the newest message first.", ""),
    Route::new(Method::PUT, PIN, ADMINS, |method| on(method, put_pin)).about("Pins a message.", "").metered(Meter::Sends),
    Route::new(Method::DELETE, PIN, ADMINS, |method| on(method, delete_pin)).about("Unpins a message.", "").metered(Meter::Sends),
    Route::new(Method::GET, "/v1/conversations/{conversation}/events", READERS, |method| on(method, events)).about("Lists the raw log, ascending by `seq`.", "Events `after` a `seq`, or those just `before` one. Contiguous from `visible_from` to `head`."),
];

/// `?limit&before=seq|after=seq|around=seq|at=ms`
#[derive(Debug, Deserialize, JsonSchema)]
struct WindowQuery {
    /// How many: 1 to 200, 50 by default.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<usize>,
    /// The newest ones below this `seq`.
    before: Option<Seq>,
    /// The oldest ones above this `seq`.
    after: Option<Seq>,
    /// Those on both sides of this `seq`.
    around: Option<Seq>,
    /// The oldest ones from this time on.
    at: Option<Timestamp>,
}

impl WindowQuery {
    fn window(&self) -> Result<MessageWindow, Failure> {
        match (self.before, self.after, self.around, self.at) {
            (None, None, None, None) => Ok(MessageWindow::Latest),
            (Some(seq), None, None, None) => Ok(MessageWindow::Before(seq)),
            (None, Some(seq), None, None) => Ok(MessageWindow::After(seq)),
            (None, None, Some(seq), None) => Ok(MessageWindow::Around(seq)),
            (None, None, None, Some(ts)) => Ok(MessageWindow::At(ts)),
            _ => Err(Failure::invalid("before, after, around and at exclude one another")),
        }
    }
}

/// `?limit&after=seq|before=seq`
#[derive(Debug, Deserialize, JsonSchema)]
struct RangeQuery {
    /// How many: 1 to 200, 50 by default.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<usize>,
    /// The oldest ones above this `seq`; 0 for the beginning.
    after: Option<Seq>,
    /// The newest ones below this `seq`.
    before: Option<Seq>,
}

async fn page(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path(conversation): Path<ConversationId>,
    Query(query): Query<WindowQuery>,
) -> Result<JsonBody<MessagePage>, Failure> {
    let limit = page_limit(query.limit)?;
    Ok(JsonBody(state.app.messages().window(caller, conversation, query.window()?, limit).await?))
}

async fn send(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path(conversation): Path<ConversationId>,
    Json(request): Json<SendMessage>,
) -> Result<Created<Appended>, Failure> {
    let JsonBody(appended) =
        mutate(&state, caller, conversation, Some(request.nonce), Act::Send(request.body)).await?;
    Ok(Created(appended))
}

async fn show(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path((conversation, seq)): Path<(ConversationId, Seq)>,
) -> Result<JsonBody<Message>, Failure> {
    Ok(JsonBody(state.app.messages().one(caller, conversation, seq).await?))
}

async fn edit(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path((conversation, target)): Path<(ConversationId, Seq)>,
    key: IdempotencyKey,
    Json(request): Json<EditMessage>,
) -> Result<JsonBody<Appended>, Failure> {
    let EditMessage { nonce, text, format, mentions } = request;
    let act = Act::Edit(EditBody { target, text, format, mentions });
    mutate(&state, caller, conversation, key.nonce(nonce), act).await
}

async fn delete(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path((conversation, target)): Path<(ConversationId, Seq)>,
    key: IdempotencyKey,
) -> Result<JsonBody<Appended>, Failure> {
    mutate(&state, caller, conversation, key.nonce(None), Act::Delete { target }).await
}

async fn put_reaction(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path((conversation, target, emoji)): Path<(ConversationId, Seq, String)>,
    key: IdempotencyKey,
) -> Result<JsonBody<Appended>, Failure> {
    let act = Act::React(ReactionBody { target, emoji, on: true });
    mutate(&state, caller, conversation, key.nonce(None), act).await
}

async fn delete_reaction(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path((conversation, target, emoji)): Path<(ConversationId, Seq, String)>,
    key: IdempotencyKey,
) -> Result<JsonBody<Appended>, Failure> {
    let act = Act::React(ReactionBody { target, emoji, on: false });
    mutate(&state, caller, conversation, key.nonce(None), act).await
}

async fn pinned(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path(conversation): Path<ConversationId>,
    Query(paging): Query<Paging>,
) -> Result<JsonBody<Page<Message>>, Failure> {
    let limit = paging.limit()?;
    Ok(JsonBody(state.app.messages().pinned(caller, conversation, paging.into_cursor(), limit).await?))
}

async fn put_pin(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path((conversation, target)): Path<(ConversationId, Seq)>,
    key: IdempotencyKey,
) -> Result<JsonBody<Appended>, Failure> {
    mutate(&state, caller, conversation, key.nonce(None), Act::Pin(PinBody { target, on: true })).await
}

async fn delete_pin(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path((conversation, target)): Path<(ConversationId, Seq)>,
    key: IdempotencyKey,
) -> Result<JsonBody<Appended>, Failure> {
    mutate(&state, caller, conversation, key.nonce(None), Act::Pin(PinBody { target, on: false })).await
}

async fn events(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path(conversation): Path<ConversationId>,
    Query(query): Query<RangeQuery>,
) -> Result<JsonBody<EventPage>, Failure> {
    let limit = page_limit(query.limit)?;
    let range = event_range(query.after, query.before)?;
    Ok(JsonBody(state.app.messages().events(caller, conversation, range, limit).await?))
}

/// Which events `after` and `before` ask for: from the beginning where neither is there.
pub(crate) fn event_range(after: Option<Seq>, before: Option<Seq>) -> Result<EventRange, Refusal> {
    match (after, before) {
        (after, None) => Ok(EventRange::After(after.unwrap_or(0))),
        (None, Some(before)) => Ok(EventRange::Before(before)),
        (Some(_), Some(_)) => Err(Refusal::invalid("after and before exclude each other")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_one_place_is_named() {
        for (query, window) in [
            ("{}", Some(MessageWindow::Latest)),
            (r#"{"before":7}"#, Some(MessageWindow::Before(7))),
            (r#"{"after":0}"#, Some(MessageWindow::After(0))),
            (r#"{"around":7}"#, Some(MessageWindow::Around(7))),
            (r#"{"at":1763800000000}"#, Some(MessageWindow::At(1_763_800_000_000))),
            (r#"{"before":7,"after":1}"#, None),
            (r#"{"around":7,"at":1}"#, None),
        ] {
            let parsed: WindowQuery = serde_json::from_str(query).unwrap();
            assert_eq!(parsed.window().ok(), window, "{query}");
        }
        assert_eq!(event_range(None, None).ok(), Some(EventRange::After(0)));
        assert_eq!(event_range(None, Some(3)).ok(), Some(EventRange::Before(3)));
        assert!(event_range(Some(1), Some(3)).is_err());
    }
}
