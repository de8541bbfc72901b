//! Presence: who is there now.

use serde::{Deserialize, Serialize};

use crate::{Timestamp, UserId};

/// How present a user is, over all devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PresenceState {
    /// No device is connected, or the watcher may not know.
    Offline,
    /// Connected, but idle.
    Away,
    /// Connected and active.
    Online,
}

/// One user's presence, as one watcher may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Presence {
    /// Whose presence.
    pub user: UserId,
    /// How present.
    pub state: PresenceState,
    /// When the user was last connected; `None` where unknown or hidden.
    pub last_seen: Option<Timestamp>,
}

/// Body of `POST /v1/presence/heartbeat` and of the `status` frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Heartbeat {
    /// The state to show until the heartbeat expires.
    pub state: PresenceState,
}

/// Answer to a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HeartbeatAnswer {
    /// The state expires after this many milliseconds unless another heartbeat comes.
    pub expires_in_ms: u64,
}
