//! The text files of the repository that people write.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Folders that hold no source: build output and what package managers fetch.
const SKIPPED: [&str; 4] = ["target", "node_modules", "dist", "data"];

/// Hidden folders that hold source all the same.
const HIDDEN: [&str; 2] = [".ci", ".cargo"];

/// Kinds of file that are read, by extension.
const EXTENSIONS: [&str; 8] = ["rs", "toml", "sql", "ts", "svelte", "sh", "md", "proto"];

/// A file and its text.
pub(crate) struct SourceFile {
    /// Relative to the root.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl SourceFile {
    /// Whether the file has this extension.
    pub(crate) fn is(&self, extension: &str) -> bool {
        self.path.extension().is_some_and(|found| found == extension)
    }
}

/// Every source file below the root, in order of path.
pub(crate) fn read(root: &Path) -> Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let path = entry?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if path.is_dir() {
                if is_source_folder(&name) {
                    folders.push(path);
                }
            } else if is_source_file(&folder, &path) {
                // A file that goes between listing and reading is somebody's editor at work.
                let Ok(text) = fs::read_to_string(&path) else { continue };
                let path = path.strip_prefix(root).unwrap_or(&path).to_path_buf();
                files.push(SourceFile { path, text });
            }
        }
    }
    files.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(files)
}

fn is_source_folder(name: &str) -> bool {
    !SKIPPED.contains(&name) && (!name.starts_with('.') || HIDDEN.contains(&name))
}

fn is_source_file(folder: &Path, path: &Path) -> bool {
    let known = path.extension().is_some_and(|found| EXTENSIONS.iter().any(|extension| found == *extension));
    known || folder.file_name().is_some_and(|name| name == ".ci")
}
