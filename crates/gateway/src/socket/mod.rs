//! The socket: `GET /v1/ws`, subprotocol `loquat.v1.json`.
//!
//! [`upgrade`] decides who may open one, [`session_loop`] is its one task: it greets, reads, writes and ends.
//! [`inbound`] takes the frames that come in, [`outbound`] writes what the session's queue holds, [`op`] lists the
//! frames as data, [`flood`] bounds what one socket may ask for.
//!
//! A frame's way in never waits for a frame's way out, nor the other way round: a mutation is handed to the domain,
//! which puts the answer into the session's queue when it is durable. To add a frame: an entry in [`FrameOp`], a
//! branch in [`inbound`], and an example for the authorisation matrix.

mod close;
mod flood;
mod inbound;
mod op;
mod outbound;
mod session_loop;
mod upgrade;

use axum::http::Method;

pub use op::{FrameOp, ops};

use crate::describe::on;
use crate::route::{Access, Route};

/// Where sockets are opened.
pub(crate) const SOCKET_PATH: &str = "/v1/ws";

pub(crate) static ROUTES: &[Route] =
    &[Route::new(Method::GET, SOCKET_PATH, Access::Public, |method| on(method, upgrade::upgrade)).about("Opens a socket (RFC 6455).", "With the subprotocol `loquat.v1.json`; the first frame is `hello`, within 10 seconds. The frames are described in `/v1/asyncapi.json`.")];
