//! What an archive says of itself.

use loquat_proto::{Timestamp, UserId};
use serde::{Deserialize, Serialize};

/// What [`Manifest::format`] says.
pub const FORMAT: &str = "loquat-export";
/// The version of the format that is written and understood.
pub const VERSION: u32 = 1;
/// The name of the manifest, the last entry of an archive.
pub const MANIFEST: &str = "manifest.json";

/// The last entry: an archive that was cut off has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`]; readers refuse what they do not know.
    pub version: u32,
    /// What the operator calls the server.
    pub server: String,
    /// When the export was begun; each page of it is as of when it was read.
    pub created_at: Timestamp,
    /// Whose data it is.
    pub user: Owner,
    /// Every other entry, in their order.
    pub files: Vec<File>,
}

/// Whose data an archive holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The user.
    pub id: UserId,
    /// Their name at that time.
    pub username: String,
}

/// An entry of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its name.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Lines, each a JSON document; 0 for a text.
    pub records: u64,
    /// SHA-256, in lower-case hexadecimal.
    pub sha256: String,
}
