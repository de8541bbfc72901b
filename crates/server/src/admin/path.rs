//! Paths of Unix sockets, of which the kernel takes at most 107 bytes.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

/// Bytes of `sun_path` without its final zero (`unix(7)`).
const LONGEST: usize = 107;

/// A way to a socket that is short enough: the path itself, or one through an open descriptor of its folder.
pub(super) struct Reachable {
    path: PathBuf,
    /// Open for as long as the path is used.
    _folder: Option<File>,
}

impl Reachable {
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(Self { path: path.to_owned(), _folder: None });
        };
        if path.as_os_str().len() <= LONGEST {
            return Ok(Self { path: path.to_owned(), _folder: None });
        }
        let folder = File::open(folder)?;
        let path = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
        Ok(Self { path, _folder: Some(folder) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    #[test]
    fn a_socket_in_a_deep_folder_is_reached() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("d".repeat(120));
        std::fs::create_dir(&deep).unwrap();
        for path in [folder.path().join("short.sock"), deep.join("admin.sock")] {
            let listener = UnixListener::bind(Reachable::new(&path).unwrap().path()).unwrap();
            assert!(path.exists());
            UnixStream::connect(Reachable::new(&path).unwrap().path()).unwrap();
            listener.accept().unwrap();
        }
    }
}
