//! `/v1/conversations/{conversation}/receipts` and `…/typing`.

use axum::Json as JsonBody;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::routing::on;
use loquat_proto::conversation::{Cursor, Receipts, Typing};
use loquat_proto::{ConversationId, Role};

use crate::extract::{Json, Path, SignedIn};
use crate::problem::Failure;
use crate::route::{Access, Audience, Route};
use crate::state::GatewayState;

const ANY_MEMBER: Access = Access::SignedIn(Audience::Members(Role::Guest));
const WRITERS: Access = Access::SignedIn(Audience::Members(Role::Member));

pub(crate) static ROUTES: &[Route] = &[
    Route::new(Method::POST, "/v1/conversations/{conversation}/receipts", ANY_MEMBER, |method| {
        on(method, acknowledge)
    }),
    Route::new(Method::POST, "/v1/conversations/{conversation}/typing", WRITERS, |method| on(method, typing)),
];

async fn acknowledge(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path(conversation): Path<ConversationId>,
    Json(receipts): Json<Receipts>,
) -> Result<JsonBody<Cursor>, Failure> {
    Ok(JsonBody(state.app.receipts().acknowledge(caller, conversation, receipts).await?))
}

async fn typing(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path(conversation): Path<ConversationId>,
    Json(Typing { on }): Json<Typing>,
) -> Result<StatusCode, Failure> {
    state.app.receipts().typing_checked(caller, conversation, on).await?;
    Ok(StatusCode::NO_CONTENT)
}
