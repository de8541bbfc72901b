//! Tar (POSIX.1-1988, ustar), entry by entry.

use std::fmt::Write as _;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::File;
use crate::Refusal;

/// A part is closed when it is this long; one record may make it longer.
pub(super) const PART_BYTES: usize = 1 << 20;
/// Entries are padded to this.
const BLOCK: usize = 512;
/// Bytes of a name that the header has room for.
const NAME_BYTES: usize = 100;

/// JSON lines that become parts of the archive.
pub(super) struct Records {
    folder: &'static str,
    number: u32,
    lines: Vec<u8>,
    records: u64,
}

impl Records {
    /// Parts `folder/000001.jsonl` and so on.
    pub(super) const fn new(folder: &'static str) -> Self {
        Self { folder, number: 0, lines: Vec::new(), records: 0 }
    }

    /// Adds a line.
    pub(super) fn push(&mut self, record: &impl Serialize) -> Result<(), Refusal> {
        serde_json::to_writer(&mut self.lines, record).map_err(|_| unwritable())?;
        self.lines.push(b'\n');
        self.records += 1;
        Ok(())
    }

    /// Whether it is time to [`Self::take`] a part.
    pub(super) const fn is_full(&self) -> bool {
        self.lines.len() >= PART_BYTES
    }

    /// The lines since the last part, as an entry; `None` if there are none.
    pub(super) fn take(&mut self, mtime: u64) -> Result<Option<(File, Vec<u8>)>, Refusal> {
        if self.records == 0 {
            return Ok(None);
        }
        self.number += 1;
        let path = format!("{}/{:06}.jsonl", self.folder, self.number);
        let (lines, records) = (std::mem::take(&mut self.lines), std::mem::take(&mut self.records));
        entry(path, &lines, records, mtime).map(Some)
    }
}

/// An entry with its header and padding, and what the manifest says of it.
pub(super) fn entry(
    path: String,
    content: &[u8],
    records: u64,
    mtime: u64,
) -> Result<(File, Vec<u8>), Refusal> {
    if path.len() > NAME_BYTES {
        return Err(unwritable());
    }
    let mut header = tar::Header::new_ustar();
    header.set_path(&path).map_err(|_| unwritable())?;
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(content.len() as u64);
    header.set_mode(0o600);
    header.set_mtime(mtime);
    header.set_cksum();
    let padding = content.len().next_multiple_of(BLOCK) - content.len();
    let mut bytes = Vec::with_capacity(BLOCK + content.len() + padding);
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len() + padding, 0);
    let file = File { path, bytes: content.len() as u64, records, sha256: hex(&Sha256::digest(content)) };
    Ok((file, bytes))
}

/// The end of an archive.
pub(super) fn end() -> Vec<u8> {
    vec![0; 2 * BLOCK]
}

pub(super) fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::with_capacity(digest.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unwritable() -> Refusal {
    Refusal::Unavailable { reason: "a record cannot be written", retry_after_ms: 10_000 }
}
