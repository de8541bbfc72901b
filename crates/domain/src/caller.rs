//! Who asks.

use loquat_proto::{DeviceId, UserId};

/// An authenticated caller: made only by [`crate::accounts::Auth`], from a valid token of an active device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Caller {
    /// The user.
    pub user: UserId,
    /// The device that the token was issued to.
    pub device: DeviceId,
}
