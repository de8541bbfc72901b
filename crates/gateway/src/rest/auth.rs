//! `/v1/auth` and the keys that verify access tokens.

use axum::Json as JsonBody;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::on;
use loquat_domain::Refusal;
use loquat_domain::accounts::SignedIn as SignedInSession;
use loquat_proto::account::{ChangePassword, LogIn, Refresh, SignUp};

use crate::cookie;
use crate::extract::{ClientAddress, IdempotencyKey, Json, OptionalJson, SignedIn};
use crate::problem::{Failure, Meter};
use crate::route::{Access, Audience, Route};
use crate::state::GatewayState;

pub(crate) static ROUTES: &[Route] = &[
    Route::new(Method::POST, "/v1/auth/signup", Access::Public, |method| on(method, sign_up))
        .metered(Meter::SignUps),
    Route::new(Method::POST, "/v1/auth/login", Access::Public, |method| on(method, log_in))
        .metered(Meter::LogIns),
    Route::new(Method::POST, "/v1/auth/refresh", Access::Public, |method| on(method, refresh)),
    Route::new(Method::POST, "/v1/auth/logout", Access::SignedIn(Audience::Everyone), |method| {
        on(method, log_out)
    }),
    Route::new(Method::POST, "/v1/auth/password", Access::SignedIn(Audience::Everyone), |method| {
        on(method, change_password)
    }),
    Route::new(Method::GET, "/.well-known/jwks.json", Access::Public, |method| on(method, jwks)),
];

async fn sign_up(
    State(state): State<GatewayState>,
    ClientAddress(address): ClientAddress,
    key: IdempotencyKey,
    headers: HeaderMap,
    Json(request): Json<SignUp>,
) -> Result<Response, Failure> {
    let with_cookie = request.cookie;
    if with_cookie {
        state.origins.check_cookie_call(&headers)?;
    }
    state.app.limits().sign_up(address)?;
    let signed_in = state.app.auth().sign_up(request, key.key()).await?;
    answer(&state, StatusCode::CREATED, signed_in, with_cookie)
}

async fn log_in(
    State(state): State<GatewayState>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    Json(request): Json<LogIn>,
) -> Result<Response, Failure> {
    let with_cookie = request.cookie;
    if with_cookie {
        state.origins.check_cookie_call(&headers)?;
    }
    state.app.limits().log_in(address)?;
    let signed_in = state.app.auth().log_in(request).await?;
    answer(&state, StatusCode::OK, signed_in, with_cookie)
}

async fn refresh(
    State(state): State<GatewayState>,
    key: IdempotencyKey,
    headers: HeaderMap,
    OptionalJson(request): OptionalJson<Refresh>,
) -> Result<Response, Failure> {
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
    answer(&state, StatusCode::OK, signed_in, with_cookie)
}

async fn log_out(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    state.app.auth().log_out(caller).await?;
    let secure = state.origins.are_secure();
    if cookie::read(&headers, secure).is_some() {
        return Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie::clear(secure))]).into_response());
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn change_password(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    ClientAddress(address): ClientAddress,
    Json(request): Json<ChangePassword>,
) -> Result<StatusCode, Failure> {
    // The current password can be guessed here as well as at log-in.
    state.app.limits().log_in(address).map_err(|refusal| Failure::from(refusal).metered(Meter::LogIns))?;
    state.app.auth().change_password(caller, request).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn jwks(State(state): State<GatewayState>) -> Response {
    ([(header::CACHE_CONTROL, "public, max-age=300")], JsonBody(state.app.auth().jwks())).into_response()
}

fn answer(
    state: &GatewayState,
    status: StatusCode,
    signed_in: SignedInSession,
    with_cookie: bool,
) -> Result<Response, Failure> {
    let SignedInSession { mut session, refresh_max_age_seconds } = signed_in;
    if !with_cookie {
        return Ok((status, JsonBody(session)).into_response());
    }
    let token = session.refresh_token.take().ok_or_else(Failure::internal)?;
    let set = cookie::set(&token, refresh_max_age_seconds, state.origins.are_secure())
        .ok_or_else(Failure::internal)?;
    Ok((status, [(header::SET_COOKIE, set)], JsonBody(session)).into_response())
}
