//! Accounts and authentication: sign-up, log-in, tokens, devices, profiles.
//!
//! [`Auth`] proves who asks and signs devices in and out; [`Profiles`] reads and changes what users are; both are
//! cheap handles to share. [`Idempotency`] makes a repeated creation answer like the first one.
//!
//! What a request must prove: an access token is a JWT (EdDSA, RFC 8037) that is valid for minutes, bound to a device
//! that is still signed in ([`Auth::verify`]). A refresh token is an opaque secret of 256 bits, used once; the store
//! knows its SHA-256 only. A ticket is good for opening one socket on this node. Passwords are hashed by Argon2id
//! (RFC 9106), never faster for unknown users than for known ones.
//!
//! What a signed-out device held is worthless at once on the node that signed it out, and elsewhere when the signal
//! arrives on the bus, at the latest some seconds after.
//!
//! To add another way to sign in (a passkey, an identity provider): prove who it is in a module of its own, then go
//! the way that [`Auth::log_in`] goes from there. To add a field of a profile: its rule belongs to `rules`.
//!
//! This module knows no HTTP: cookies and headers belong to the gateway, and limits by address
//! ([`crate::limits::RateLimits`]) are asked there, before anything is hashed here.

mod active;
mod auth;
mod config;
mod idempotency;
mod keys;
mod password;
mod profiles;
mod refresh;
mod rules;
mod sign_in;
mod tickets;

pub(crate) use auth::removed_devices;
pub use auth::{Auth, AuthDeps, AuthError, HashingStats, PasswordHash, SignedIn, TICKET_SECONDS};
pub use config::{Argon2Config, AuthConfig};
pub use idempotency::{Attempt, Begun, Idempotency, request_hash};
pub use profiles::{Memberships, Profiles, ProfilesDeps, SEARCH_LIMIT};
