//! REST: one file for each resource, each with its routes and handlers. A handler is short: extract, one call of the
//! domain, convert. Rules and permissions are the domain's.

pub(crate) mod auth;
pub(crate) mod connect;
pub(crate) mod contacts;
pub(crate) mod conversations;
pub(crate) mod export;
pub(crate) mod invites;
pub(crate) mod me;
pub(crate) mod members;
pub(crate) mod messages;
pub(crate) mod presence;
pub(crate) mod receipts;
pub(crate) mod server;
pub(crate) mod users;

use axum::Json as JsonBody;
use loquat_domain::Caller;
use loquat_domain::messages::{Act, Mutation};
use loquat_proto::message::Appended;
use loquat_proto::{ConversationId, Nonce};

use crate::problem::Failure;
use crate::state::GatewayState;

/// Performs a mutation and answers where it stands.
async fn mutate(
    state: &GatewayState,
    caller: Caller,
    conversation: ConversationId,
    nonce: Option<Nonce>,
    act: Act,
) -> Result<JsonBody<Appended>, Failure> {
    let mutation = Mutation { conversation, nonce, act };
    Ok(JsonBody(state.app.messages().perform(caller, mutation).await?))
}
