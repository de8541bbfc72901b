//! Checks that an archive is whole and as it was made.

use std::collections::BTreeMap;
use std::io::{self, Read};

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::archive::hex;
use super::{FORMAT, File, MANIFEST, Manifest, VERSION};

/// Bytes of a manifest that are read: a line for each MiB, so enough for hundreds of GiB.
const MANIFEST_BYTES: u64 = 64 << 20;
/// Bytes read at a time.
const BUFFER: usize = 64 << 10;

/// What is wrong with an archive.
#[derive(Debug, Error)]
pub enum NotAnExport {
    /// It cannot be read, or is no archive.
    #[error("it cannot be read as an archive: {0}")]
    Unreadable(#[from] io::Error),
    /// It has no manifest: it was cut off, or is something else.
    #[error("it ends without {MANIFEST}: it was cut off, or is no export")]
    NoManifest,
    /// The manifest says something that is not understood.
    #[error("{MANIFEST} is not understood: {0}")]
    Manifest(String),
    /// It is of another version.
    #[error("it is of version {0} of the format, this program knows {VERSION}")]
    Version(u32),
    /// An entry comes after the manifest, twice, or is no plain file.
    #[error("{0} has no place in an export")]
    Unexpected(String),
    /// The manifest names an entry that is not there.
    #[error("{0} is missing")]
    Missing(String),
    /// An entry is not as it was made.
    #[error("{0} was changed")]
    Changed(String),
}

/// An archive that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Records by folder or file.
    pub records: BTreeMap<String, u64>,
}

/// Reads an archive to its end and checks every entry against the manifest. Memory is bounded but for the list of
/// entries.
///
/// Whoever changes an archive can make a manifest that fits: this finds damage and careless changes, and proves nothing
/// to others about who made it.
///
/// # Errors
/// What is wrong first.
pub fn verify(archive: impl Read) -> Result<Verified, NotAnExport> {
    let mut archive = tar::Archive::new(archive);
    let (mut found, mut manifest): (BTreeMap<String, File>, Option<Manifest>) = (BTreeMap::new(), None);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let is_plain = entry.header().entry_type() == tar::EntryType::Regular;
        if manifest.is_some() || !is_plain || found.contains_key(&path) {
            return Err(NotAnExport::Unexpected(path));
        }
        if path == MANIFEST {
            manifest = Some(read_manifest(&mut entry)?);
        } else {
            let file = measure(path.clone(), &mut entry)?;
            found.insert(path, file);
        }
    }
    let manifest = manifest.ok_or(NotAnExport::NoManifest)?;
    compare(&manifest, found)?;
    let mut records: BTreeMap<String, u64> = BTreeMap::new();
    for file in manifest.files.iter().filter(|file| file.records > 0) {
        let name = file.path.split_once('/').map_or(file.path.as_str(), |(folder, _)| folder);
        *records.entry(name.to_owned()).or_default() += file.records;
    }
    Ok(Verified { manifest, records })
}

fn read_manifest(entry: &mut impl Read) -> Result<Manifest, NotAnExport> {
    let mut text = Vec::new();
    entry.take(MANIFEST_BYTES).read_to_end(&mut text)?;
    let manifest: Manifest =
        serde_json::from_slice(&text).map_err(|error| NotAnExport::Manifest(error.to_string()))?;
    if manifest.format != FORMAT {
        return Err(NotAnExport::Manifest(format!("its format is {:?}", manifest.format)));
    }
    if manifest.version != VERSION {
        return Err(NotAnExport::Version(manifest.version));
    }
    Ok(manifest)
}

fn measure(path: String, entry: &mut impl Read) -> Result<File, NotAnExport> {
    let (mut digest, mut buffer) = (Sha256::new(), vec![0; BUFFER]);
    let (mut bytes, mut lines) = (0_u64, 0_u64);
    loop {
        let read = entry.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        digest.update(&buffer[..read]);
        bytes += read as u64;
        lines += buffer[..read].iter().filter(|byte| **byte == b'\n').count() as u64;
    }
    let records = if path.ends_with(".txt") { 0 } else { lines };
    Ok(File { path, bytes, records, sha256: hex(&digest.finalize()) })
}

fn compare(manifest: &Manifest, mut found: BTreeMap<String, File>) -> Result<(), NotAnExport> {
    for listed in &manifest.files {
        match found.remove(&listed.path) {
            None => return Err(NotAnExport::Missing(listed.path.clone())),
            Some(file) if file != *listed => return Err(NotAnExport::Changed(file.path)),
            Some(_) => {}
        }
    }
    match found.into_keys().next() {
        Some(stranger) => Err(NotAnExport::Unexpected(stranger)),
        None => Ok(()),
    }
}
