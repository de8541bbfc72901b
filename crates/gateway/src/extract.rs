//! From the parts of a request to typed values. Whatever cannot be read is refused as a problem, with `invalid` or
//! `too_large`.

use std::borrow::Cow;
use std::net::IpAddr;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use loquat_domain::{Caller, Refusal};
use loquat_proto::{Nonce, UserId};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use crate::problem::Failure;
use crate::state::GatewayState;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The most entries of one page.
const PAGE_MAX: usize = 200;
/// The entries of a page where the request does not say.
const PAGE_DEFAULT: usize = 50;

/// The address at the other end of the connection: a client's, or a proxy's. Put there by the accept loop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The client's address: the peer's, or what trusted proxies say. Put there by the route's guard.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

/// The authenticated caller. Put there by the guard of a route that asks for credentials.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignedIn(pub(crate) Caller);

impl<S: Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Failure> {
        parts.extensions.get::<Self>().copied().ok_or_else(|| Refusal::Unauthorized.into())
    }
}

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Failure> {
        parts.extensions.get::<Self>().copied().ok_or_else(Failure::internal)
    }
}

/// The token of `Authorization: Bearer …` (RFC 6750, section 2.1).
pub(crate) fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Parameters of the path.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<GatewayState> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &GatewayState) -> Result<Self, Failure> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            .map_err(|rejection| Failure::invalid(format!("the path: {}", rejection.body_text())))
    }
}

/// Parameters of the query.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<GatewayState> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _state: &GatewayState) -> Result<Self, Failure> {
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|rejection| Failure::invalid(format!("the query: {}", rejection.body_text())))
    }
}

/// A JSON body. It must say that it is one: a page of another site can make browsers send other types unasked.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<GatewayState> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &GatewayState) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let body = read_body(&parts.headers, body, state).await?;
        parse_json(&parts.headers, &body).map(Self)
    }
}

/// A JSON body that may be left out; the default then.
pub(crate) struct OptionalJson<T>(pub(crate) T);

impl<T: DeserializeOwned + Default> FromRequest<GatewayState> for OptionalJson<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &GatewayState) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let body = read_body(&parts.headers, body, state).await?;
        if body.is_empty() {
            return Ok(Self(T::default()));
        }
        parse_json(&parts.headers, &body).map(Self)
    }
}

async fn read_body(headers: &HeaderMap, body: Body, state: &GatewayState) -> Result<Bytes, Failure> {
    let limit = state.app.config().limits.frame_bytes;
    let too_large = || Failure::from(Refusal::TooLarge { what: "the body, in bytes,", limit });
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    to_bytes(body, limit).await.map_err(|error| {
        let over_limit =
            std::error::Error::source(&error).is_some_and(|source| source.to_string().contains("limit"));
        if over_limit { too_large() } else { Failure::invalid("the body could not be read") }
    })
}

fn parse_json<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Failure> {
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"));
    if !is_json {
        return Err(Failure::invalid("the body must be JSON, with Content-Type: application/json"));
    }
    // A derived decoder takes an array for an object, too; no body is an array.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Failure::invalid("the body must be a JSON object"));
    }
    serde_json::from_slice(body).map_err(|error| Failure::invalid(format!("the body: {error}")))
}

/// The `Idempotency-Key` header, which has the alphabet of nonces.
#[derive(Debug, Clone)]
pub(crate) struct IdempotencyKey(Option<Nonce>);

impl IdempotencyKey {
    /// The nonce of a mutation: the body's, or else the header's.
    pub(crate) fn nonce(self, body: Option<Nonce>) -> Option<Nonce> {
        body.or(self.0)
    }

    /// The key of a creation.
    pub(crate) fn key(self) -> Option<String> {
        self.0.map(|key| key.as_str().to_owned())
    }
}

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Failure> {
        let Some(value) = parts.headers.get(IDEMPOTENCY_KEY) else { return Ok(Self(None)) };
        let key = value.to_str().unwrap_or_default().parse();
        key.map(|key| Self(Some(key))).map_err(|error| Failure::invalid(format!("Idempotency-Key: {error}")))
    }
}

/// `?limit=&cursor=` of a list.
#[derive(Debug, Default, Deserialize, JsonSchema)]
pub(crate) struct Paging {
    /// How many: 1 to 200, 50 by default.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<usize>,
    /// `next_cursor` of the page before; from the beginning without one.
    #[serde(default, deserialize_with = "empty_as_none")]
    cursor: Option<String>,
}

impl Paging {
    /// How many entries: 1 to 200, 50 where the request does not say.
    pub(crate) fn limit(&self) -> Result<usize, Refusal> {
        page_limit(self.limit)
    }

    /// Where the page begins.
    pub(crate) fn into_cursor(self) -> Option<String> {
        self.cursor
    }
}

/// The size of a page: 1 to 200, 50 if absent.
pub(crate) fn page_limit(limit: Option<usize>) -> Result<usize, Refusal> {
    match limit.unwrap_or(PAGE_DEFAULT) {
        limit @ 1..=PAGE_MAX => Ok(limit),
        _ => Err(Refusal::invalid(format!("limit is 1 to {PAGE_MAX}"))),
    }
}

/// `?since=` says the same as no `since`.
pub(crate) fn empty_as_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

/// A user in a path: an id, or `me`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UserSegment {
    /// The caller.
    Me,
    /// This user.
    User(UserId),
}

impl UserSegment {
    /// Who is meant, when `caller` asks.
    pub(crate) const fn resolve(self, caller: Caller) -> UserId {
        match self {
            Self::Me => caller.user,
            Self::User(user) => user,
        }
    }
}

impl JsonSchema for UserSegment {
    fn schema_name() -> Cow<'static, str> {
        "UserOrMe".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let id = generator.subschema_for::<UserId>();
        json_schema!({"description": "A user's id, or `me`.", "anyOf": [{"const": "me"}, id]})
    }
}

impl<'de> Deserialize<'de> for UserSegment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "me" {
            return Ok(Self::Me);
        }
        text.parse().map(Self::User).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use loquat_proto::DeviceId;

    use super::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_bearer_token_is_found_whatever_the_case_of_its_scheme() {
        for (value, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer abc", Some("abc")),
            ("BEARER  abc ", Some("abc")),
            ("Bearer ", None),
            ("Bearer", None),
            ("Basic abc", None),
            ("abc", None),
        ] {
            assert_eq!(bearer_token(&headers(&[(header::AUTHORIZATION, value)])), token, "{value:?}");
        }
        assert_eq!(bearer_token(&HeaderMap::new()), None);
    }

    #[test]
    fn a_page_has_1_to_200_entries() {
        for (limit, expected) in
            [(None, Some(50)), (Some(1), Some(1)), (Some(200), Some(200)), (Some(0), None), (Some(201), None)]
        {
            assert_eq!(page_limit(limit).ok(), expected);
        }
    }

    #[test]
    fn me_in_a_path_is_the_caller() {
        let caller = Caller { user: UserId::new(12).unwrap(), device: DeviceId::new(900).unwrap() };
        for (segment, user) in [("\"me\"", Some(12)), ("\"7\"", Some(7)), ("\"Me\"", None), ("\"0\"", None)] {
            let parsed = serde_json::from_str::<UserSegment>(segment).ok();
            assert_eq!(parsed.map(|segment| segment.resolve(caller).get()), user, "{segment}");
        }
    }

    #[tokio::test]
    async fn an_idempotency_key_is_a_nonce() {
        for (value, key) in [
            (Some("0191f0c2-7d2a"), Ok(Some("0191f0c2-7d2a".to_owned()))),
            (None, Ok(None)),
            (Some("a b"), Err(())),
            (Some(""), Err(())),
        ] {
            let mut request = Request::builder();
            if let Some(value) = value {
                request = request.header(IDEMPOTENCY_KEY, value);
            }
            let (mut parts, ()) = request.body(()).unwrap().into_parts();
            let extracted = IdempotencyKey::from_request_parts(&mut parts, &()).await;
            assert_eq!(extracted.map(IdempotencyKey::key).map_err(|_| ()), key, "{value:?}");
        }
    }

    #[test]
    fn a_body_must_say_that_it_is_json() {
        for (content_type, accepted) in [
            ("application/json", true),
            ("application/json; charset=utf-8", true),
            ("Application/JSON", true),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
            ("application/jsonp", false),
        ] {
            let headers = headers(&[(header::CONTENT_TYPE, content_type)]);
            assert_eq!(parse_json::<Paging>(&headers, b"{}").is_ok(), accepted, "{content_type}");
        }
        assert!(parse_json::<Paging>(&HeaderMap::new(), b"{}").is_err());
    }

    #[test]
    fn a_body_is_an_object_and_nothing_that_could_pass_for_one() {
        let headers = headers(&[(header::CONTENT_TYPE, "application/json")]);
        for (body, accepted) in [
            ("{}", true),
            (" \r\n\t{} ", true),
            ("[null, null]", false),
            ("[]", false),
            ("null", false),
            ("", false),
        ] {
            assert_eq!(parse_json::<Paging>(&headers, body.as_bytes()).is_ok(), accepted, "{body:?}");
        }
    }
}
