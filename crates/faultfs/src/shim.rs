//! The shim as a whole: which descriptors belong to the directory under test, and what a call means for them.

use std::collections::HashMap;
use std::ffi::{CStr, OsStr};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crate::control::Control;
use crate::image::{FileKey, Image, is_excluded};
use crate::sys;

static SHIM: OnceLock<Option<Shim>> = OnceLock::new();

#[derive(Debug, Clone)]
enum Descriptor {
    File(FileKey),
    /// Its path below the root.
    Directory(PathBuf),
}

#[derive(Debug)]
struct State {
    image: Image,
    descriptors: HashMap<RawFd, Descriptor>,
}

/// The shim of this process, where it is switched on.
#[derive(Debug)]
pub(crate) struct Shim {
    root: PathBuf,
    control_path: Option<PathBuf>,
    control: Mutex<Control>,
    state: Mutex<State>,
}

/// Does `work` with the shim; `None` where it is switched off or this thread is inside it already. The error
/// number is left as it was, and a failure ends the process.
pub(crate) fn with<T>(work: impl FnOnce(&Shim) -> io::Result<T>) -> Option<T> {
    let errno = sys::errno();
    let inside = sys::Inside::enter()?;
    let shim = SHIM.get_or_init(|| match Shim::from_environment() {
        Ok(shim) => shim,
        Err(why) => sys::die(&why.to_string()),
    });
    let done = match shim.as_ref().map(work) {
        Some(Err(why)) => sys::die(&why.to_string()),
        Some(Ok(done)) => Some(done),
        None => None,
    };
    drop(inside);
    sys::set_errno(errno);
    done
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn number(name: &str, default: u64) -> io::Result<u64> {
    match std::env::var(name) {
        Ok(text) => text.parse().map_err(|_| io::Error::other(format!("{name} is not a number: {text}"))),
        Err(_) => Ok(default),
    }
}

impl Shim {
    fn from_environment() -> io::Result<Option<Self>> {
        let Some(root) = std::env::var_os("LOQUAT_FAULTFS_ROOT") else { return Ok(None) };
        let Some(shadow) = std::env::var_os("LOQUAT_FAULTFS_SHADOW") else {
            return Err(io::Error::other("LOQUAT_FAULTFS_SHADOW is not set"));
        };
        fs::create_dir_all(&root)?;
        fs::create_dir_all(&shadow)?;
        let (root, shadow) = (fs::canonicalize(root)?, fs::canonicalize(shadow)?);
        if shadow.starts_with(&root) || root.starts_with(&shadow) {
            return Err(io::Error::other("the shadow and the root lie within one another"));
        }
        let spill = u8::try_from(number("LOQUAT_FAULTFS_SPILL", 25)?.min(100)).unwrap_or(100);
        let image = Image::new(root.clone(), shadow, number("LOQUAT_FAULTFS_SEED", 0)?, spill);
        Ok(Some(Self {
            root,
            control_path: std::env::var_os("LOQUAT_FAULTFS_CONTROL").map(PathBuf::from),
            control: Mutex::new(Control::default()),
            state: Mutex::new(State { image, descriptors: HashMap::new() }),
        }))
    }

    fn below_root(&self, path: &Path) -> Option<PathBuf> {
        path.strip_prefix(&self.root).ok().map(Path::to_owned)
    }

    /// A descriptor was opened; `truncating` where the call cut the file to nothing.
    pub(crate) fn opened(&self, descriptor: RawFd, truncating: bool) -> io::Result<()> {
        let reachable = PathBuf::from(format!("/proc/self/fd/{descriptor}"));
        let Some(path) = fs::read_link(&reachable).ok().and_then(|path| self.below_root(&path)) else {
            return Ok(());
        };
        let metadata = fs::metadata(&reachable)?;
        let nameless = path.as_os_str().as_encoded_bytes().ends_with(b" (deleted)");
        if is_excluded(&path) || nameless || !(metadata.is_file() || metadata.is_dir()) {
            return Ok(());
        }
        let mut state = lock(&self.state);
        let entry = if metadata.is_dir() {
            Descriptor::Directory(path)
        } else {
            let key = state.image.adopt(&reachable, &path)?;
            if truncating {
                state.image.truncated(key, 0)?;
            }
            Descriptor::File(key)
        };
        follow(&mut state, descriptor, entry)
    }

    /// A descriptor is about to be closed.
    pub(crate) fn closing(&self, descriptor: RawFd) {
        sys::follow(descriptor, false);
        lock(&self.state).descriptors.remove(&descriptor);
    }

    /// `copy` now stands for what `original` stands for, whatever it stood for before.
    pub(crate) fn duplicated(&self, original: RawFd, copy: RawFd) -> io::Result<()> {
        let mut state = lock(&self.state);
        match state.descriptors.get(&original).cloned() {
            Some(entry) => follow(&mut state, copy, entry),
            None => {
                sys::follow(copy, false);
                state.descriptors.remove(&copy);
                Ok(())
            }
        }
    }

    /// `written` bytes were written at `start`.
    pub(crate) fn wrote(&self, descriptor: RawFd, start: u64, written: u64) -> io::Result<()> {
        let mut state = lock(&self.state);
        match state.descriptors.get(&descriptor) {
            Some(&Descriptor::File(key)) => state.image.wrote(key, start, start + written),
            _ => Ok(()),
        }
    }

    /// The file was cut or extended.
    pub(crate) fn truncated(&self, descriptor: RawFd, length: u64) -> io::Result<()> {
        let mut state = lock(&self.state);
        match state.descriptors.get(&descriptor) {
            Some(&Descriptor::File(key)) => state.image.truncated(key, length),
            _ => Ok(()),
        }
    }

    /// A sync: makes the file or directory durable, or says with which error it fails.
    pub(crate) fn sync(&self, descriptor: RawFd) -> io::Result<Option<i32>> {
        let (error, delay, lies) = {
            let mut control = self.refreshed_control()?;
            (control.strike_sync(), control.sync_delay_ms(), control.sync_lies())
        };
        if delay > 0 {
            std::thread::sleep(Duration::from_millis(delay));
        }
        if lies {
            return Ok(None);
        }
        let mut state = lock(&self.state);
        let Some(entry) = state.descriptors.get(&descriptor).cloned() else { return Ok(error) };
        match (&entry, error) {
            (Descriptor::File(key), None) => state.image.synced(*key)?,
            (Descriptor::File(key), Some(_)) => state.image.sync_failed(*key)?,
            (Descriptor::Directory(path), None) => state.image.directory_synced(path)?,
            (Descriptor::Directory(_), Some(_)) => {}
        }
        drop(state);
        self.note("sync", error)?;
        Ok(error)
    }

    /// With which error a write to come fails.
    pub(crate) fn write_error(&self) -> io::Result<Option<i32>> {
        let error = self.refreshed_control()?.strike_write();
        self.note("write", error)?;
        Ok(error)
    }

    fn refreshed_control(&self) -> io::Result<MutexGuard<'_, Control>> {
        let mut control = lock(&self.control);
        if let Some(path) = &self.control_path {
            let text = match fs::read_to_string(path) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
                Err(error) => return Err(error),
            };
            control.refresh(&text).map_err(|why| io::Error::other(why.to_string()))?;
        }
        Ok(control)
    }

    fn note(&self, what: &str, error: Option<i32>) -> io::Result<()> {
        let (Some(error), Some(path)) = (error, &self.control_path) else { return Ok(()) };
        let mut fired = path.clone().into_os_string();
        fired.push(".fired");
        writeln!(OpenOptions::new().append(true).create(true).open(fired)?, "{what} {error}")
    }

    /// A name was removed.
    pub(crate) fn unlinked(&self, directory: RawFd, path: &CStr) -> io::Result<()> {
        match self.resolve(directory, path) {
            Some(path) if !is_excluded(&path) => lock(&self.state).image.unlinked(&path),
            _ => Ok(()),
        }
    }

    /// A file changed its name.
    pub(crate) fn renamed(&self, from: (RawFd, &CStr), to: (RawFd, &CStr)) -> io::Result<()> {
        match (self.resolve(from.0, from.1), self.resolve(to.0, to.1)) {
            (Some(from), Some(to)) => lock(&self.state).image.renamed(&from, &to),
            (None, None) => Ok(()),
            _ => Err(io::Error::other("a file was renamed into or out of the root, which is not modelled")),
        }
    }

    /// The name below the root that a call means.
    fn resolve(&self, directory: RawFd, path: &CStr) -> Option<PathBuf> {
        let path = Path::new(OsStr::from_bytes(path.to_bytes()));
        let base = if directory == libc::AT_FDCWD {
            std::env::current_dir().ok()?
        } else {
            fs::read_link(format!("/proc/self/fd/{directory}")).ok()?
        };
        let full = base.join(path);
        let parent = fs::canonicalize(full.parent()?).ok()?;
        self.below_root(&parent.join(full.file_name()?))
    }
}

fn follow(state: &mut State, descriptor: RawFd, entry: Descriptor) -> io::Result<()> {
    if !sys::follow(descriptor, true) {
        return Err(io::Error::other("a descriptor number beyond what can be followed"));
    }
    state.descriptors.insert(descriptor, entry);
    Ok(())
}
