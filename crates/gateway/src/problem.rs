//! From a refusal to an HTTP answer: the one place where it is decided what a refusal looks like on REST.
//!
//! A handler or middleware that refuses returns a [`Failure`]. It travels outwards as an empty response that carries
//! it as an extension; [`render`], called by the outermost layer (which knows the request's id), makes the problem
//! document (RFC 9457) of it.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use loquat_domain::Refusal;
use loquat_proto::{ErrorBody, ErrorCode, Limits, Problem};

/// `RateLimit-Limit`: requests allowed at once.
pub(crate) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
/// `RateLimit-Remaining`: requests left at once.
pub(crate) const RATE_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
/// `RateLimit-Reset`: seconds until the limit is whole again.
pub(crate) const RATE_RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Which limit a route is measured by, for the `RateLimit-Limit` of its refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meter {
    /// Requests of a user, or of an address that has not signed in.
    Requests,
    /// Sends of a user.
    Sends,
    /// Sign-ups from an address.
    SignUps,
    /// Log-ins from an address.
    LogIns,
}

impl Meter {
    /// How many are allowed at once.
    fn allowance(self, limits: &Limits) -> u32 {
        match self {
            Self::Requests => limits.requests_burst,
            Self::Sends => limits.sends_burst,
            Self::SignUps => limits.signups_per_hour,
            Self::LogIns => limits.logins_per_minute,
        }
    }
}

/// A request that is refused.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    refusal: Refusal,
    /// Where HTTP has a more exact status than the code has.
    status: Option<StatusCode>,
    meter: Option<Meter>,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, status: None, meter: None }
    }
}

impl Failure {
    /// Malformed, or against a rule of the gateway.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Refusal::invalid(detail).into()
    }

    /// The method is not one of the route's (RFC 9110, section 15.5.6).
    pub(crate) fn method_not_allowed() -> Self {
        Self {
            refusal: Refusal::invalid("the method is not one of this path's"),
            status: Some(StatusCode::METHOD_NOT_ALLOWED),
            meter: None,
        }
    }

    /// A handler failed in a way that it should not. What it had done may stand; a retry with the same nonce is safe.
    pub(crate) const fn internal() -> Self {
        Self {
            refusal: Refusal::Unavailable { reason: "an internal error", retry_after_ms: 1_000 },
            status: None,
            meter: None,
        }
    }

    /// The request took too long.
    pub(crate) const fn timed_out() -> Self {
        Self {
            refusal: Refusal::Unavailable { reason: "the request took too long", retry_after_ms: 1_000 },
            status: None,
            meter: None,
        }
    }

    /// The same, measured by this limit unless it knows better.
    pub(crate) fn metered(mut self, meter: Meter) -> Self {
        self.meter.get_or_insert(meter);
        self
    }

    /// The wire's code.
    pub(crate) const fn code(&self) -> ErrorCode {
        self.refusal.code()
    }

    fn status(&self) -> StatusCode {
        self.status
            .or_else(|| StatusCode::from_u16(self.code().status()).ok())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The problem document of a failure. `headers` are those that inner layers set already (such as `Allow`).
pub(crate) fn render(failure: &Failure, headers: HeaderMap, request_id: &str, limits: &Limits) -> Response {
    let mut problem = Problem::from(ErrorBody::from(&failure.refusal));
    problem.status = failure.status().as_u16();
    problem.request_id = Some(request_id.to_owned());
    let body = serde_json::to_vec(&problem).expect("a problem has string keys and serialises infallibly");
    let mut response = (failure.status(), body).into_response();
    let target = response.headers_mut();
    *target = headers;
    target.remove(header::CONTENT_LENGTH);
    target.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    challenge(failure.code(), target);
    if let Some(retry_after_ms) = failure.refusal.retry_after_ms() {
        let seconds = retry_after_ms.div_ceil(1_000).max(1);
        target.insert(header::RETRY_AFTER, seconds.into());
        if failure.code() == ErrorCode::RateLimited {
            let allowance = failure.meter.unwrap_or(Meter::Requests).allowance(limits);
            set_rate_limit(target, RateLimit { limit: allowance, remaining: 0, reset_seconds: seconds });
        }
    }
    response
}

/// What the `RateLimit-*` headers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RateLimit {
    /// Requests allowed at once.
    pub(crate) limit: u32,
    /// Requests left at once.
    pub(crate) remaining: u32,
    /// Seconds until the limit is whole again.
    pub(crate) reset_seconds: u64,
}

/// Sets the `RateLimit-*` headers.
pub(crate) fn set_rate_limit(headers: &mut HeaderMap, state: RateLimit) {
    headers.insert(RATE_LIMIT, state.limit.into());
    headers.insert(RATE_REMAINING, state.remaining.into());
    headers.insert(RATE_RESET, state.reset_seconds.into());
}

/// `WWW-Authenticate` on 401 (RFC 6750, section 3).
fn challenge(code: ErrorCode, headers: &mut HeaderMap) {
    let challenge = match code {
        ErrorCode::Unauthorized => "Bearer realm=\"loquat\"",
        ErrorCode::TokenExpired => "Bearer realm=\"loquat\", error=\"invalid_token\"",
        _ => return,
    };
    headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    async fn rendered(failure: Failure) -> (HeaderMap, Problem) {
        let response = render(&failure, HeaderMap::new(), "request-7", &Limits::default());
        let (parts, body) = response.into_parts();
        let problem: Problem = serde_json::from_slice(&to_bytes(body, 4_096).await.unwrap()).unwrap();
        assert_eq!(problem.status, parts.status.as_u16());
        assert_eq!(parts.headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(problem.request_id.as_deref(), Some("request-7"));
        (parts.headers, problem)
    }

    #[tokio::test]
    async fn every_refusal_has_its_code_and_status() {
        for (refusal, code, status) in [
            (Refusal::Unauthorized, ErrorCode::Unauthorized, 401),
            (Refusal::TokenExpired, ErrorCode::TokenExpired, 401),
            (Refusal::Forbidden("no"), ErrorCode::Forbidden, 403),
            (Refusal::NotFound, ErrorCode::NotFound, 404),
            (Refusal::NotMember, ErrorCode::NotMember, 409),
            (Refusal::invalid("no"), ErrorCode::Invalid, 400),
            (Refusal::TooLarge { what: "a title", limit: 1 }, ErrorCode::TooLarge, 413),
            (Refusal::Conflict("no"), ErrorCode::Conflict, 409),
            (Refusal::GroupFull { limit: 1 }, ErrorCode::GroupFull, 409),
            (Refusal::Blocked, ErrorCode::Blocked, 403),
            (Refusal::Gone, ErrorCode::Gone, 410),
            (Refusal::RateLimited { retry_after_ms: 1 }, ErrorCode::RateLimited, 429),
            (Refusal::busy("it"), ErrorCode::Unavailable, 503),
        ] {
            let (headers, problem) = rendered(refusal.into()).await;
            assert_eq!((problem.code, problem.status), (code, status));
            assert_eq!(problem.kind, format!("urn:loquat:error:{code}"));
            assert_eq!(headers.contains_key(header::WWW_AUTHENTICATE), status == 401);
            assert_eq!(headers.contains_key(header::RETRY_AFTER), code.is_retryable());
        }
    }

    #[tokio::test]
    async fn a_rate_limit_says_which_and_for_how_long() {
        for (meter, limit) in
            [(Meter::Requests, "200"), (Meter::Sends, "60"), (Meter::SignUps, "5"), (Meter::LogIns, "10")]
        {
            let failure = Failure::from(Refusal::RateLimited { retry_after_ms: 1_500 }).metered(meter);
            let (headers, problem) = rendered(failure).await;
            assert_eq!(problem.retry_after_ms, Some(1_500));
            assert_eq!(headers[header::RETRY_AFTER], "2");
            assert_eq!(headers[RATE_LIMIT], limit);
            assert_eq!(headers[RATE_REMAINING], "0");
            assert_eq!(headers[RATE_RESET], "2");
        }
    }

    #[tokio::test]
    async fn the_meter_that_refused_first_stands() {
        let failure = Failure::from(Refusal::RateLimited { retry_after_ms: 1 })
            .metered(Meter::Requests)
            .metered(Meter::LogIns);
        let (headers, _) = rendered(failure).await;
        assert_eq!(headers[RATE_LIMIT], "200");
    }

    #[tokio::test]
    async fn a_wrong_method_is_405_with_what_the_router_allows() {
        let mut allowed = HeaderMap::new();
        allowed.insert(header::ALLOW, HeaderValue::from_static("GET"));
        let response = render(&Failure::method_not_allowed(), allowed, "r", &Limits::default());
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[header::ALLOW], "GET");
    }
}
