//! `/v1/me`: the own account and its devices.

use axum::Json as JsonBody;
use axum::extract::State;
use axum::http::Method;
use loquat_proto::account::{DeleteAccount, UpdateProfile};
use loquat_proto::{Device, DeviceId, OwnProfile, Page};

use crate::describe::{NoContent, on};
use crate::extract::{ClientAddress, Json, Path, SignedIn};
use crate::problem::{Failure, Meter};
use crate::route::{Access, Audience, Route};
use crate::state::GatewayState;

pub(crate) static ROUTES: &[Route] = &[
    Route::new(Method::GET, "/v1/me", Access::SignedIn(Audience::Everyone), |method| on(method, show)).about("Shows the own profile.", ""),
    Route::new(Method::PATCH, "/v1/me", Access::SignedIn(Audience::Everyone), |method| on(method, update)).about("Changes the own profile, settings or privacy.", "Absent fields stay as they are."),
    Route::new(Method::DELETE, "/v1/me", Access::SignedIn(Audience::Everyone), |method| on(method, delete)).about("Deletes the account.", "What the user said is erased, the name is free after 30 days, and others see \"deleted account\"."),
    Route::new(Method::GET, "/v1/me/devices", Access::SignedIn(Audience::Everyone), |method| {
        on(method, devices)
    }).about("Lists the devices that are signed in.", ""),
    Route::new(
        Method::DELETE,
        "/v1/me/devices/{device}",
        Access::SignedIn(Audience::DeviceOwner),
        |method| on(method, revoke_device),
    ).about("Signs a device out.", "Its sockets are closed within a second."),
];

async fn show(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
) -> Result<JsonBody<OwnProfile>, Failure> {
    Ok(JsonBody(state.app.accounts().me(caller).await?))
}

async fn update(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Json(change): Json<UpdateProfile>,
) -> Result<JsonBody<OwnProfile>, Failure> {
    Ok(JsonBody(state.app.accounts().update(caller, change).await?))
}

async fn delete(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    ClientAddress(address): ClientAddress,
    Json(request): Json<DeleteAccount>,
) -> Result<NoContent, Failure> {
    // The password can be guessed here as well as at log-in.
    state.app.limits().log_in(address).map_err(|refusal| Failure::from(refusal).metered(Meter::LogIns))?;
    state.app.accounts().delete(caller, request.password).await?;
    Ok(NoContent)
}

async fn devices(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
) -> Result<JsonBody<Page<Device>>, Failure> {
    let items = state.app.accounts().devices(caller).await?;
    Ok(JsonBody(Page { items, next_cursor: None }))
}

async fn revoke_device(
    State(state): State<GatewayState>,
    SignedIn(caller): SignedIn,
    Path(device): Path<DeviceId>,
) -> Result<NoContent, Failure> {
    state.app.accounts().revoke_device(caller, device).await?;
    Ok(NoContent)
}
