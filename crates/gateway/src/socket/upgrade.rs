//! From an HTTP request to a socket.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use loquat_domain::Refusal;
use loquat_proto::SUBPROTOCOL;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::session_loop;
use crate::describe::{Answer, Draft};
use crate::problem::Failure;
use crate::serve::ConnectionPermit;
use crate::state::GatewayState;

/// Read at a time and kept for each socket: with the default of 128 KiB, idle sockets would cost more than all else.
const READ_BUFFER_BYTES: usize = 2 * 1024;
/// Frames are gathered up to this size before they are written; a flush writes what there is.
const WRITE_BUFFER_BYTES: usize = 8 * 1024;
/// What may be gathered at most; larger messages go in fragments far below it.
const WRITE_BUFFER_MAX_BYTES: usize = 64 * 1024;

/// How the library reads and writes. A frame up to twice the limit is read, so that it can be refused by a typed
/// error; beyond that the stream is not read any further.
pub(super) fn socket_config(frame_bytes: usize) -> WebSocketConfig {
    let readable = frame_bytes.saturating_mul(2);
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(WRITE_BUFFER_MAX_BYTES)
        .max_message_size(Some(readable))
        .max_frame_size(Some(readable))
}

/// `GET /v1/ws`.
pub(super) async fn upgrade(
    State(state): State<GatewayState>,
    mut request: Request,
) -> Result<Switching, Failure> {
    state.origins.check(request.headers())?;
    if !offers_subprotocol(request.headers()) {
        return Err(Failure::invalid(format!(
            "offer the subprotocol {SUBPROTOCOL} (Sec-WebSocket-Protocol)"
        )));
    }
    let mut response = create_response_with_body(&request, Body::empty)
        .map_err(|error| Failure::invalid(format!("this is where sockets are opened: {error}")))?;
    response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    if state.stopping.is_cancelled() {
        return Err(Refusal::Unavailable { reason: "the node is stopping", retry_after_ms: 1_000 }.into());
    }
    let slot = Arc::clone(&state.socket_slots).try_acquire_owned().map_err(|_| {
        state.metrics.turned_away.inc();
        Refusal::Unavailable { reason: "the node has as many sockets as it may", retry_after_ms: 5_000 }
    })?;
    // Both end with the socket: its place among the sockets and among the connections.
    let places = (slot, request.extensions().get::<ConnectionPermit>().cloned());
    let config = socket_config(state.app.config().limits.frame_bytes);
    let upgrading = hyper::upgrade::on(&mut request);
    let tasks = state.tasks.clone();
    drop(tasks.spawn(async move {
        let _places = places;
        // The client may be gone before it has our answer.
        let Ok(upgraded) = upgrading.await else { return };
        let socket =
            WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
        session_loop::run(socket, state).await;
    }));
    Ok(Switching(response))
}

/// 101: what follows is the socket's.
pub(super) struct Switching(Response);

impl IntoResponse for Switching {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Answer for Switching {
    fn describe(draft: &mut Draft<'_>) {
        draft.empty_answer(StatusCode::SWITCHING_PROTOCOLS, "The socket is open.");
    }
}

fn offers_subprotocol(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|protocol| protocol.trim() == SUBPROTOCOL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subprotocol_may_be_one_of_several() {
        for (values, offered) in [
            (&["loquat.v1.json"][..], true),
            (&["other, loquat.v1.json"][..], true),
            (&["other", "loquat.v1.json"][..], true),
            (&["loquat.v2.json"][..], false),
            (&["loquat.v1.json.x"][..], false),
            (&[][..], false),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(value));
            }
            assert_eq!(offers_subprotocol(&headers), offered, "{values:?}");
        }
    }
}
