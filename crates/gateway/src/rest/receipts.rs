//! `/v1/conversations/{conversation}/receipts` and `…/typing`.

use axum::Json as JsonBody;
use axum::extract::State;
use axum::http::Method;
use loquat_proto::conversation::{Cursor, Receipts, Typing};
use loquat_proto::{ConversationId, Role};

use crate::describe::{NoContent, on};
use crate::extract::{Json, Path, SignedIn};
use crate::problem::Failure;
use crate::route::{Access, Audience, Route};
use crate::state::GatewayState;

const ANY_MEMBER: Access = Access::SignedIn(Audience::Members(Role::Guest));
const WRITERS: Access = Access::SignedIn(Audience::Members(Role::Member));

pub(crate) static ROUTES: &[Route] = &[
    Route::new(Method::POST, "/v1/conversations/{conversation}/receipts", ANY_MEMBER, |method| {
        on(method, acknowledge)
    })
    .about(
        "Moves the caller's cursors forward.",
        "`read` implies `delivered`; never back, never past `head`.",
    ),
    Route::new(Method::POST, "/v1/conversations/{conversation}/typing", WRITERS, |method| on(method, typing))
        .about(
            "Says that the caller is writing, or stopped.",
            "Others are told for 6 seconds unless it is said again.",
        ),
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
) -> Result<NoContent, Failure> {
    state.app.receipts().typing_checked(caller, conversation, on).await?;
    Ok(NoContent)
}
