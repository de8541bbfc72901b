//! `POST /v1/connect`: where to open the socket, and the ticket for it.

use axum::Json as JsonBody;
use axum::extract::State;
use axum::http::{HeaderMap, Method, header};
use loquat_domain::accounts::TICKET_SECONDS;
use loquat_proto::account::Connect;

use crate::describe::on;
use crate::extract::SignedIn;
use crate::problem::Failure;
use crate::route::{Access, Audience, Route};
use crate::socket::SOCKET_PATH;
use crate::state::GatewayState;

pub(crate) static ROUTES: &[Route] =
    &[Route::new(Method::POST, "/v1/connect", Access::SignedIn(Audience::Everyone), |method| {
        on(method, connect)
    })
    .about(
        "Says where to open a socket, with a ticket for it.",
        "The ticket is good for one `hello` within 30 seconds.",
    )];

async fn connect(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    headers: HeaderMap,
) -> Result<JsonBody<Connect>, Failure> {
    let config = state.app.config();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let url = socket_url(config.public_url.as_deref(), host, state.origins.are_secure())
        .ok_or_else(|| Failure::invalid("the request names no host"))?;
    let ticket = state.app.auth().issue_ticket(caller);
    Ok(JsonBody(Connect { url, ticket, expires_in: TICKET_SECONDS, node: config.node.clone() }))
}

/// The socket's address: under the public URL, or else where the request came to.
fn socket_url(public_url: Option<&str>, host: Option<&str>, secure: bool) -> Option<String> {
    if let Some(public_url) = public_url {
        let rest = public_url.strip_prefix("http").unwrap_or(public_url).trim_end_matches('/');
        return Some(format!("ws{rest}{SOCKET_PATH}"));
    }
    let scheme = if secure { "wss" } else { "ws" };
    host.map(|host| format!("{scheme}://{host}{SOCKET_PATH}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_where_the_service_is_reached() {
        for (public_url, host, secure, url) in [
            (None, Some("127.0.0.1:8080"), false, Some("ws://127.0.0.1:8080/v1/ws")),
            (None, Some("chat.example"), true, Some("wss://chat.example/v1/ws")),
            (Some("https://chat.example"), Some("inner"), true, Some("wss://chat.example/v1/ws")),
            (Some("http://chat.example/"), None, false, Some("ws://chat.example/v1/ws")),
            (None, None, false, None),
        ] {
            assert_eq!(socket_url(public_url, host, secure).as_deref(), url);
        }
    }
}
