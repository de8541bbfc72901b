//! Everything of the own account, into a file.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use loquat_client::Client;

use crate::app::Message;
use crate::words::describe;

/// How many archives of one name there may be in a folder.
const NAMES: usize = 100;

/// Saves the archive in the folder in which the client was started.
pub(super) async fn save(client: &Client) -> Message {
    Message::Exported(write(client).await.map(|path| path.display().to_string()))
}

async fn write(client: &Client) -> Result<PathBuf, String> {
    let own = client.me().ok_or("You are signed out")?;
    let in_words = |error: &io::Error| format!("The archive cannot be written: {error}");
    let mut archive = client.export().await.map_err(|error| describe(&error))?;
    let folder = std::env::current_dir().map_err(|error| in_words(&error))?;
    let (path, mut file) = create(&folder, &own.profile.username).map_err(|error| in_words(&error))?;
    let filled = async {
        while let Some(piece) = archive.next().await.map_err(|error| describe(&error))? {
            file.write_all(&piece).map_err(|error| in_words(&error))?;
        }
        file.sync_all().map_err(|error| in_words(&error))
    };
    let result = filled.await;
    if result.is_err() {
        // Half an archive is none.
        let _ = fs::remove_file(&path);
    }
    result.map(|()| path)
}

/// A new file for its owner alone; nothing is overwritten.
fn create(folder: &Path, username: &str) -> io::Result<(PathBuf, File)> {
    for number in 1..=NAMES {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let path = folder.join(format!("loquat-export-{username}{suffix}.tar"));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(ErrorKind::AlreadyExists, format!("{} has a hundred of them", folder.display())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn an_archive_is_its_owners_and_overwrites_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["loquat-export-mira.tar", "loquat-export-mira-2.tar"] {
            let (path, file) = create(folder.path(), "mira").unwrap();
            assert_eq!(path, folder.path().join(name));
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
