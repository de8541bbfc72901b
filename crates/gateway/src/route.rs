//! Routes as data: method, path, who may call, handler. The router is built from this table and from nothing else, so
//! that what the table says is enforced, and what walks the table (the authorisation tests) walks every route.
//!
//! To add a route: one entry in the `ROUTES` of its resource in [`crate::rest`], with [`Route::about`]: the OpenAPI document
//! is generated from this table, too. Its [`Access`] decides whether the guard asks for credentials before the handler runs; its [`Audience`] states whom the domain lets through, and the
//! authorisation matrix holds the domain to it.

use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodFilter;
use loquat_domain::Refusal;
use loquat_domain::limits::{Decision, Key};
use loquat_proto::Role;

use crate::describe::Endpoint;
use crate::extract::{ClientAddress, Peer, SignedIn, bearer_token};
use crate::forwarded::client_address;
use crate::problem::{Failure, Meter, RateLimit, set_rate_limit};
use crate::state::GatewayState;
use crate::{describe, longpoll, rest, site, socket};

/// How long a handler may take, where its route says nothing else.
const DEADLINE: Duration = Duration::from_secs(30);

/// What a route asks of a request before its handler runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing, not even moderation: for probes of the operator.
    Probe,
    /// No credentials, or such as the handler reads itself; limited by address.
    Public,
    /// A valid access token (`Authorization: Bearer`); limited by user.
    SignedIn(Audience),
}

/// Whom a signed-in call or frame is for. The domain enforces it; the authorisation matrix checks that it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Everyone, about what is their own or public.
    Everyone,
    /// Everyone but those whom the members removed from the conversation that it leads to.
    NotRemoved,
    /// Everyone, about another user who does not block them; whom they block are told `blocked`.
    Unblocked,
    /// The user whose device it names; to others it is not there.
    DeviceOwner,
    /// Members of the conversation with at least this role. To those who are no members it is not there; lesser
    /// members are forbidden.
    Members(Role),
    /// The author of the message. Other members are forbidden, to those who are no members it is not there.
    Author,
    /// The author of the message, and admins. As above for all others.
    AuthorOrAdmin,
}

/// One route.
#[derive(Debug, Clone)]
pub struct Route {
    method: Method,
    template: &'static str,
    access: Access,
    meter: Meter,
    deadline: Duration,
    /// What it does, in a sentence; and what else there is to say.
    words: (&'static str, &'static str),
    endpoint: fn(MethodFilter) -> Endpoint,
}

impl Route {
    /// A route. `endpoint` puts the handler under the method that it is given ([`crate::describe::on`]).
    pub(crate) const fn new(
        method: Method,
        template: &'static str,
        access: Access,
        endpoint: fn(MethodFilter) -> Endpoint,
    ) -> Self {
        let words = ("", "");
        Self { method, template, access, meter: Meter::Requests, deadline: DEADLINE, words, endpoint }
    }

    /// The same, saying what it does: a sentence in the third person, and whatever else a caller should know (Markdown,
    /// may be empty). Every route has it: it goes into the OpenAPI document.
    pub(crate) const fn about(mut self, summary: &'static str, description: &'static str) -> Self {
        self.words = (summary, description);
        self
    }

    /// The same, with refusals for rate measured by this limit.
    pub(crate) const fn metered(mut self, meter: Meter) -> Self {
        self.meter = meter;
        self
    }

    /// The same, with this long for the handler.
    pub(crate) const fn within(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// What it does in a sentence, and what else there is to say.
    pub(crate) const fn words(&self) -> (&'static str, &'static str) {
        self.words
    }

    /// The handler under a method, with its description.
    pub(crate) fn endpoint(&self, method: MethodFilter) -> Endpoint {
        (self.endpoint)(method)
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// The path, with parameters in braces.
    #[must_use]
    pub const fn template(&self) -> &'static str {
        self.template
    }

    /// What it asks of a request.
    #[must_use]
    pub const fn access(&self) -> Access {
        self.access
    }
}

/// Every route of the service.
pub fn routes() -> impl Iterator<Item = &'static Route> {
    [
        rest::auth::ROUTES,
        rest::me::ROUTES,
        rest::export::ROUTES,
        rest::users::ROUTES,
        rest::contacts::ROUTES,
        rest::conversations::ROUTES,
        rest::members::ROUTES,
        rest::invites::ROUTES,
        rest::messages::ROUTES,
        rest::receipts::ROUTES,
        rest::presence::ROUTES,
        rest::connect::ROUTES,
        rest::server::ROUTES,
        longpoll::ROUTES,
        socket::ROUTES,
        describe::ROUTES,
    ]
    .into_iter()
    .flatten()
}

/// The router of all routes, each behind its guard. Anything else is a file of the web client or a problem: 404, or
/// 405 with `Allow`.
pub(crate) fn build(state: &GatewayState) -> Router<GatewayState> {
    let router = routes().fold(Router::new(), |router, route| {
        let method = MethodFilter::try_from(route.method.clone())
            .expect("routes use the standard methods of HTTP only");
        let guard = middleware::from_fn_with_state((state.clone(), route), guard);
        router.route(route.template, route.endpoint(method).router.route_layer(guard))
    });
    router.fallback(site::serve).method_not_allowed_fallback(|| async { Failure::method_not_allowed() })
}

/// What stands before every handler: who asks, whether they may ask now, and for how long.
async fn guard(
    State((state, route)): State<(GatewayState, &'static Route)>,
    mut request: Request,
    next: Next,
) -> Response {
    let decision = match admit(&state, route, &mut request).await {
        Ok(decision) => decision,
        Err(failure) => return failure.into_response(),
    };
    let mut response = match tokio::time::timeout(route.deadline, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Failure::timed_out().into_response(),
    };
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        response.extensions_mut().insert(failure.metered(route.meter));
    }
    if let Some(Decision { limit, remaining, reset_seconds }) = decision.filter(|decision| decision.limit > 0)
    {
        set_rate_limit(response.headers_mut(), RateLimit { limit, remaining, reset_seconds });
    }
    response
}

async fn admit(
    state: &GatewayState,
    route: &Route,
    request: &mut Request,
) -> Result<Option<Decision>, Failure> {
    let peer = request.extensions().get::<Peer>().copied().ok_or_else(Failure::internal)?;
    let header = state.config.forwarded_header;
    let address = client_address(peer.0, request.headers(), header, |hop| state.config.trusts(hop));
    request.extensions_mut().insert(ClientAddress(address));
    let limits = state.app.limits();
    let count = |key| {
        limits.request(key).map(Some).map_err(|refusal| Failure::from(refusal).metered(Meter::Requests))
    };
    match route.access {
        Access::Probe => Ok(None),
        Access::Public => count(Key::Address(address)),
        Access::SignedIn(_) => {
            let verified = match bearer_token(request.headers()) {
                Some(token) => state.app.auth().verify(token).await,
                None => Err(Refusal::Unauthorized),
            };
            match verified {
                Ok(caller) => {
                    request.extensions_mut().insert(SignedIn(caller));
                    count(Key::User(caller.user))
                }
                Err(refusal) => {
                    // Guessing is limited by address.
                    count(Key::Address(address))?;
                    Err(refusal.into())
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_routes_are_the_same() {
        let mut seen = HashSet::new();
        for route in routes() {
            assert!(
                seen.insert((route.method.clone(), route.template)),
                "{} {}",
                route.method,
                route.template
            );
        }
    }

    #[test]
    fn conversations_are_for_their_members() {
        for route in routes().filter(|route| route.template.starts_with("/v1/conversations/{conversation}")) {
            let Access::SignedIn(audience) = route.access else {
                panic!("{} {} asks for no credentials", route.method, route.template)
            };
            assert!(
                matches!(audience, Audience::Members(_) | Audience::Author | Audience::AuthorOrAdmin),
                "{} {} is for {audience:?}",
                route.method,
                route.template
            );
        }
    }
}
