//! `/v1/auth` and the keys that verify access tokens.

use axum::Json as JsonBody;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use loquat_domain::Refusal;
use loquat_domain::accounts::SignedIn as SignedInSession;
use loquat_proto::Session;
use loquat_proto::account::{ChangePassword, LogIn, Refresh, SignUp};
use serde_json::Value;

use crate::cookie;
use crate::describe::{Answer, Cached, Draft, NoContent, on};
use crate::extract::{ClientAddress, IdempotencyKey, Json, OptionalJson, SignedIn};
use crate::problem::{Failure, Meter};
use crate::route::{Access, Audience, Route};
use crate::state::GatewayState;

pub(crate) static ROUTES: &[Route] = &[
    Route::new(Method::POST, "/v1/auth/signup", Access::Public, |method| on(method, sign_up)).about("Creates an account and signs in.", "With `cookie: true` the refresh token is set as a cookie and left out of the body; such calls need the header `X-Loquat: 1`. A repeated `Idempotency-Key` answers with the same account for 24 hours.")
        .metered(Meter::SignUps),
    Route::new(Method::POST, "/v1/auth/login", Access::Public, |method| on(method, log_in)).about("Signs in on a new device.", "`login` is the username, the e-mail address or the phone number. A wrong user and a wrong password are answered alike. With `cookie: true` as for signing up.")
        .metered(Meter::LogIns),
    Route::new(Method::POST, "/v1/auth/refresh", Access::Public, |method| on(method, refresh)).about("Gives the next access token for a refresh token.", "A refresh token is good once; its second use signs the device out, except that the same token with the same `Idempotency-Key` within 60 seconds has the same successor. Without a token in the body the cookie is read; such calls need the header `X-Loquat: 1`."),
    Route::new(Method::POST, "/v1/auth/logout", Access::SignedIn(Audience::Everyone), |method| {
        on(method, log_out)
    }).about("Signs this device out.", "Its tokens end at once, and its sockets within a second."),
    Route::new(Method::POST, "/v1/auth/password", Access::SignedIn(Audience::Everyone), |method| {
        on(method, change_password)
    }).about("Changes the password and signs all other devices out.", ""),
    Route::new(Method::GET, "/.well-known/jwks.json", Access::Public, |method| on(method, jwks)).about("Lists the keys that verify access tokens.", "A JWK set (RFC 7517) of Ed25519 keys (RFC 8037)."),
];

async fn sign_up(
    State(state): State<GatewayState>,
    ClientAddress(address): ClientAddress,
    key: IdempotencyKey,
    headers: HeaderMap,
    Json(request): Json<SignUp>,
) -> Result<Opened<201>, Failure> {
    let with_cookie = request.cookie;
    if with_cookie {
        state.origins.check_cookie_call(&headers)?;
    }
    state.app.limits().sign_up(address)?;
    let signed_in = state.app.auth().sign_up(request, key.key()).await?;
    open(&state, signed_in, with_cookie)
}

async fn log_in(
    State(state): State<GatewayState>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    Json(request): Json<LogIn>,
) -> Result<Opened<200>, Failure> {
    let with_cookie = request.cookie;
    if with_cookie {
        state.origins.check_cookie_call(&headers)?;
    }
    state.app.limits().log_in(address)?;
    let signed_in = state.app.auth().log_in(request).await?;
    open(&state, signed_in, with_cookie)
}

async fn refresh(
    State(state): State<GatewayState>,
    key: IdempotencyKey,
    headers: HeaderMap,
    OptionalJson(request): OptionalJson<Refresh>,
) -> Result<Opened<200>, Failure> {
    let with_cookie = request.refresh_token.is_none();
    let token = match request.refresh_token {
        Some(token) => token,
        None => {
            let token = cookie::read(&headers, state.origins.are_secure()).ok_or(Refusal::Unauthorized)?;
            state.origins.check_cookie_call(&headers)?;
            token
        }
    };
    let signed_in = state.app.auth().refresh(&token, key.key()).await?;
    open(&state, signed_in, with_cookie)
}

async fn log_out(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    headers: HeaderMap,
) -> Result<LoggedOut, Failure> {
    state.app.auth().log_out(caller).await?;
    let secure = state.origins.are_secure();
    let clear = cookie::read(&headers, secure).is_some();
    Ok(LoggedOut { cookie: clear.then(|| cookie::clear(secure)) })
}

async fn change_password(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    ClientAddress(address): ClientAddress,
    Json(request): Json<ChangePassword>,
) -> Result<NoContent, Failure> {
    // The current password can be guessed here as well as at log-in.
    state.app.limits().log_in(address).map_err(|refusal| Failure::from(refusal).metered(Meter::LogIns))?;
    state.app.auth().change_password(caller, request).await?;
    Ok(NoContent)
}

async fn jwks(State(state): State<GatewayState>) -> Cached<Value> {
    Cached { answer: state.app.auth().jwks(), seconds: 300 }
}

/// A session that begins or goes on, with the refresh token in the body or as a cookie.
struct Opened<const STATUS: u16> {
    session: Session,
    cookie: Option<HeaderValue>,
}

fn open<const STATUS: u16>(
    state: &GatewayState,
    signed_in: SignedInSession,
    with_cookie: bool,
) -> Result<Opened<STATUS>, Failure> {
    let SignedInSession { mut session, refresh_max_age_seconds } = signed_in;
    if !with_cookie {
        return Ok(Opened { session, cookie: None });
    }
    let token = session.refresh_token.take().ok_or_else(Failure::internal)?;
    let cookie = cookie::set(&token, refresh_max_age_seconds, state.origins.are_secure())
        .ok_or_else(Failure::internal)?;
    Ok(Opened { session, cookie: Some(cookie) })
}

fn set_cookie(response: &mut Response, cookie: Option<HeaderValue>) {
    if let Some(cookie) = cookie {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
}

impl<const STATUS: u16> IntoResponse for Opened<STATUS> {
    fn into_response(self) -> Response {
        let mut response = JsonBody(self.session).into_response();
        *response.status_mut() = StatusCode::from_u16(STATUS).expect("200 and 201 are statuses");
        set_cookie(&mut response, self.cookie);
        response
    }
}

impl<const STATUS: u16> Answer for Opened<STATUS> {
    fn describe(draft: &mut Draft<'_>) {
        let status = StatusCode::from_u16(STATUS).expect("200 and 201 are statuses");
        draft.answer::<Session>(status, "The session.");
        draft.answer_header(status, "Set-Cookie", "The refresh token, where a cookie was asked for.");
    }
}

/// 204, and the cookie is taken away where there was one.
struct LoggedOut {
    cookie: Option<HeaderValue>,
}

impl IntoResponse for LoggedOut {
    fn into_response(self) -> Response {
        let mut response = NoContent.into_response();
        set_cookie(&mut response, self.cookie);
        response
    }
}

impl Answer for LoggedOut {
    fn describe(draft: &mut Draft<'_>) {
        NoContent::describe(draft);
    }
}
