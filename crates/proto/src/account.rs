//! Accounts, devices and sign-in.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{DeviceId, Timestamp, UserId};

/// Person or program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum UserKind {
    /// A person.
    Person,
    /// A program.
    Bot,
}

/// A user as others see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Profile {
    /// Who.
    pub id: UserId,
    /// The unique name: 3 to 32 of `a-z 0-9 _ .`; empty once deleted.
    pub username: String,
    /// The name to show.
    pub display_name: String,
    /// A few words about the user.
    pub bio: String,
    /// The avatar, if there is one.
    pub avatar: Option<String>,
    /// Person or program.
    pub kind: UserKind,
    /// Whether the account was deleted; clients show "deleted account".
    pub deleted: bool,
}

/// Who may see that the user is, or was last, there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LastSeenAudience {
    /// Whoever is a contact or shares a conversation.
    #[default]
    Everyone,
    /// Contacts only.
    Contacts,
    /// Nobody.
    Nobody,
}

/// By what a user can be found in a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FindBy {
    /// The username (and the display name).
    Username,
    /// The whole e-mail address.
    Email,
    /// The whole phone number.
    Phone,
}

/// A user's privacy settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Privacy {
    /// Who sees presence and last seen.
    pub last_seen: LastSeenAudience,
    /// Whether others see how far the user has read.
    pub read_receipts: bool,
    /// By what the user can be found.
    pub find_by: Vec<FindBy>,
}

impl Default for Privacy {
    fn default() -> Self {
        Self {
            last_seen: LastSeenAudience::Everyone,
            read_receipts: true,
            find_by: vec![FindBy::Username, FindBy::Email, FindBy::Phone],
        }
    }
}

/// A change of privacy settings: absent fields stay as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PrivacyChange {
    /// Who sees presence and last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<LastSeenAudience>,
    /// Whether others see how far the user has read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_receipts: Option<bool>,
    /// By what the user can be found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub find_by: Option<Vec<FindBy>>,
}

impl From<Privacy> for PrivacyChange {
    /// The change that leads to these settings, whatever they were.
    fn from(Privacy { last_seen, read_receipts, find_by }: Privacy) -> Self {
        Self { last_seen: Some(last_seen), read_receipts: Some(read_receipts), find_by: Some(find_by) }
    }
}

impl Privacy {
    /// The settings after a change.
    #[must_use]
    pub fn changed(self, change: PrivacyChange) -> Self {
        Self {
            last_seen: change.last_seen.unwrap_or(self.last_seen),
            read_receipts: change.read_receipts.unwrap_or(self.read_receipts),
            find_by: change.find_by.unwrap_or(self.find_by),
        }
    }
}

/// A user as they see themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OwnProfile {
    /// What others see, too.
    #[serde(flatten)]
    pub profile: Profile,
    /// The e-mail address.
    pub email: Option<String>,
    /// The phone number (E.164).
    pub phone: Option<String>,
    /// Free JSON of the clients, an object up to 16 KiB.
    #[cfg_attr(feature = "schema", schemars(with = "serde_json::Map<String, serde_json::Value>"))]
    pub settings: serde_json::Value,
    /// Who sees what.
    pub privacy: Privacy,
}

/// A device: where the user is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Device {
    /// Which device.
    pub id: DeviceId,
    /// What the user calls it.
    pub name: String,
    /// What it runs on, in the client's words.
    pub platform: String,
    /// Since when it is signed in.
    pub created_at: Timestamp,
    /// When it was last connected.
    pub last_seen: Option<Timestamp>,
    /// Whether it is the caller's own.
    pub current: bool,
}

/// How a client names the device that it signs in from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceInfo {
    /// What the user calls it, up to 64 characters.
    #[cfg_attr(feature = "schema", schemars(length(max = 64)))]
    #[serde(default)]
    pub name: String,
    /// What it runs on, up to 64 characters.
    #[cfg_attr(feature = "schema", schemars(length(max = 64)))]
    #[serde(default)]
    pub platform: String,
}

/// A password or token on its way in or out: never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(inline))]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The answer to sign-up, log-in and refresh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Session {
    /// The own profile.
    pub user: OwnProfile,
    /// The device signed in.
    pub device: Device,
    /// A JWT (EdDSA, RFC 8037) with `sub`, `did`, `iat`, `exp`, `iss`, `aud`.
    pub access_token: Secret,
    /// Single use; absent where it was set as a cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Secret>,
    /// Seconds until the access token expires.
    pub expires_in: u64,
}

/// Body of `POST /v1/auth/signup`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SignUp {
    /// 3 to 32 of `a-z 0-9 _ .`, case-insensitive, unique.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^[A-Za-z0-9_.]{3,32}$")))]
    pub username: String,
    /// 8 to 256 characters.
    #[cfg_attr(feature = "schema", schemars(length(min = 8, max = 256)))]
    pub password: Secret,
    /// The name to show; the username if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// An e-mail address to sign in with.
    #[cfg_attr(feature = "schema", schemars(email, length(max = 254)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// A phone number (E.164) to sign in with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// The device that signs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceInfo>,
    /// Whether the refresh token is set as a cookie.
    #[serde(default)]
    pub cookie: bool,
}

/// Body of `POST /v1/auth/login`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogIn {
    /// Username, e-mail address or phone number.
    pub login: String,
    /// The password.
    pub password: Secret,
    /// The device that signs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceInfo>,
    /// Whether the refresh token is set as a cookie.
    #[serde(default)]
    pub cookie: bool,
}

/// Body of `POST /v1/auth/refresh`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refresh {
    /// The refresh token; absent where the cookie carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Secret>,
}

/// Body of `POST /v1/auth/password`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChangePassword {
    /// The password of now.
    pub current: Secret,
    /// The password from now on, 8 to 256 characters.
    #[cfg_attr(feature = "schema", schemars(length(min = 8, max = 256)))]
    pub new: Secret,
}

/// Body of `DELETE /v1/me`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeleteAccount {
    /// The password, once more.
    pub password: Secret,
}

/// Body of `PATCH /v1/me`: absent fields stay as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UpdateProfile {
    /// The name to show, 1 to 64 characters.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 64)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Up to 512 characters.
    #[cfg_attr(feature = "schema", schemars(length(max = 512)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bio: Option<String>,
    /// The avatar; `null` takes it away.
    #[serde(default, with = "crate::double_option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub avatar: Option<Option<String>>,
    /// Free JSON of the clients, an object up to 16 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Map<String, serde_json::Value>>"))]
    pub settings: Option<serde_json::Value>,
    /// Who sees what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<PrivacyChange>,
}

/// Answer to `POST /v1/connect`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Connect {
    /// Where to open the socket.
    pub url: String,
    /// Good for one `hello`.
    pub ticket: Secret,
    /// Seconds until the ticket expires.
    pub expires_in: u64,
    /// The node that serves it.
    pub node: String,
}
