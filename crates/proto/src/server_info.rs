//! What a server says about itself: `GET /v1/server`.

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

/// The limits in force, the settings under `limits.`. For a rate (`…_per_…`), 0 switches it off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of a message's text.
    pub text_bytes: usize,
    /// Bytes of one socket frame or JSON body.
    pub frame_bytes: usize,
    /// Characters of a title.
    pub title_chars: usize,
    /// Members of a group.
    pub group_members: usize,
    /// Members of a channel; 0 is no limit.
    pub channel_members: usize,
    /// Invitations of a conversation that work at a time.
    pub invites: usize,
    /// Sends a user may make each second, in the long run.
    pub sends_per_second: u32,
    /// Sends a user may make at once.
    pub sends_burst: u32,
    /// Requests a user (or an address, when not signed in) may make each second, in the long run.
    pub requests_per_second: u32,
    /// Requests a user (or an address) may make at once.
    pub requests_burst: u32,
    /// Sign-ups from one address in an hour.
    pub signups_per_hour: u32,
    /// Log-ins tried from one address in a minute.
    pub logins_per_minute: u32,
    /// Devices of a user.
    pub devices_per_user: usize,
    /// Sockets of a user at a time.
    pub sockets_per_user: usize,
    /// Users one socket may watch.
    pub watched_users: usize,
    /// Sockets of a node.
    pub connections: usize,
    /// Contacts of a user.
    pub contacts: usize,
    /// Requests for contact that a user may have asked and that wait for an answer.
    pub contact_requests: usize,
    /// Requests for contact that may wait for one user's answer.
    pub contact_requests_received: usize,
    /// Requests for contact that a user may make in an hour.
    pub contact_requests_per_hour: u32,
    /// Users whom a user may have blocked.
    pub blocks: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text_bytes: 16_384,
            frame_bytes: 65_536,
            title_chars: 128,
            group_members: 100,
            channel_members: 0,
            invites: 100,
            sends_per_second: 20,
            sends_burst: 60,
            requests_per_second: 50,
            requests_burst: 200,
            signups_per_hour: 5,
            logins_per_minute: 10,
            devices_per_user: 20,
            sockets_per_user: 10,
            watched_users: 500,
            connections: 15_000,
            contacts: 5_000,
            contact_requests: 100,
            contact_requests_received: 1_000,
            contact_requests_per_hour: 60,
            blocks: 5_000,
        }
    }
}

/// Answer to `GET /v1/server`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServerInfo {
    /// What the operator calls it.
    pub name: String,
    /// The version of the software.
    pub version: String,
    /// The limits in force. Those that this version does not know are left out.
    #[serde(deserialize_with = "known_limits")]
    pub limits: Limits,
    /// What it can do beyond the base protocol.
    pub features: Vec<String>,
}

/// As a setting, an unknown limit is a mistake; in the answer of a server, it is one of a later version.
fn known_limits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Limits, D::Error> {
    let mut limits = Map::deserialize(deserializer)?;
    let known = serde_json::to_value(Limits::default()).map_err(de::Error::custom)?;
    limits.retain(|name, _| known.get(name).is_some());
    serde_json::from_value(Value::Object(limits)).map_err(de::Error::custom)
}
