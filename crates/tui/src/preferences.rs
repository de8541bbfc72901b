//! What the user chose in the client itself: kept beside the device store, for this device.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::theme::ThemeChoice;

/// The file's name.
const FILE: &str = "terminal.json";

/// The choices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Preferences {
    /// Colours.
    pub theme: ThemeChoice,
    /// Whether the mouse is the client's. While it is, most terminals select text with Shift held.
    pub mouse: bool,
}

impl Default for Preferences {
    fn default() -> Self {
        Self { theme: ThemeChoice::Auto, mouse: true }
    }
}

impl Preferences {
    /// What is kept in this directory; the defaults where there is nothing, or nothing that can be read.
    #[must_use]
    pub fn load(directory: &Path) -> Self {
        let text = fs::read_to_string(directory.join(FILE)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Keeps them, whole or not at all.
    ///
    /// # Errors
    /// The directory or the file cannot be written.
    pub fn save(self, directory: &Path) -> io::Result<()> {
        fs::create_dir_all(directory)?;
        let fresh = directory.join(format!("{FILE}.new"));
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&fresh)?;
        file.write_all(serde_json::to_string(&self)?.as_bytes())?;
        drop(file);
        fs::rename(fresh, directory.join(FILE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_and_what_is_broken_does_no_harm() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("profile");
        assert_eq!(Preferences::load(&path), Preferences::default());
        let chosen = Preferences { theme: ThemeChoice::Light, mouse: false };
        chosen.save(&path).unwrap();
        assert_eq!(Preferences::load(&path), chosen);
        fs::write(path.join(FILE), "{broken").unwrap();
        assert_eq!(Preferences::load(&path), Preferences::default());
    }
}
