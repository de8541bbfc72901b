//! How bytes travel: TCP or TLS streams, REST calls and the socket over them.

pub(crate) mod rest;
pub(crate) mod socket;
mod stream;

pub(crate) use rest::RestTransport;
pub(crate) use stream::Origin;
