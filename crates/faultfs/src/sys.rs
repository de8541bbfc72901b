//! The system calls themselves, and the marks that keep the shim out of its own way.
//!
//! Everything here enters the kernel directly, never through a libc function that [`crate::hooks`] replaces.

#![expect(unsafe_code, reason = "an LD_PRELOAD shim stands in for libc and must make its system calls")]

use std::cell::Cell;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};

use libc::{c_char, c_int, c_long, c_void, mode_t, off_t, size_t, ssize_t};

/// The largest number of descriptors followed; Linux allows no more to a process unless told.
const DESCRIPTORS: usize = 1 << 20;

/// Which descriptors belong to a file under the root: one load decides for all the others (sockets, logs).
static FOLLOWED: [AtomicBool; DESCRIPTORS] = [const { AtomicBool::new(false) }; DESCRIPTORS];

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// While one lives, the calls of this thread go straight to the kernel: they are the shim's own.
pub(crate) struct Inside(());

impl Inside {
    /// Enters the shim; `None` when this thread is in it already.
    pub(crate) fn enter() -> Option<Self> {
        INSIDE.with(|inside| if inside.replace(true) { None } else { Some(Self(())) })
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.with(|inside| inside.set(false));
    }
}

/// Whether `descriptor` belongs to a file or directory under the root.
pub(crate) fn is_followed(descriptor: RawFd) -> bool {
    usize::try_from(descriptor)
        .ok()
        .and_then(|index| FOLLOWED.get(index))
        .is_some_and(|followed| followed.load(Ordering::Acquire))
}

/// Marks `descriptor`. False when its number is beyond what can be followed.
pub(crate) fn follow(descriptor: RawFd, on: bool) -> bool {
    let Some(followed) = usize::try_from(descriptor).ok().and_then(|index| FOLLOWED.get(index)) else {
        return false;
    };
    followed.store(on, Ordering::Release);
    true
}

/// The error number of this thread.
pub(crate) fn errno() -> i32 {
    // SAFETY: `__errno_location` always points at the thread's own errno.
    unsafe { *libc::__errno_location() }
}

/// Sets the error number of this thread.
pub(crate) fn set_errno(value: i32) {
    // SAFETY: as in `errno`.
    unsafe { *libc::__errno_location() = value };
}

/// Says why on standard error and ends the process: a shim that guesses would make every proof void.
pub(crate) fn die(why: &str) -> ! {
    let line = format!("loquat-faultfs: {why}\n");
    // SAFETY: the buffer is alive for the length given.
    unsafe { libc::syscall(libc::SYS_write, 2, line.as_ptr(), line.len()) };
    std::process::abort()
}

fn narrow(result: c_long) -> c_int {
    // Descriptors, 0 and -1 are all this is used for.
    result as c_int
}

/// `openat(2)`.
///
/// # Safety
/// `path` must be a C string.
pub(crate) unsafe fn openat(directory: RawFd, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    let flags = flags | libc::O_LARGEFILE;
    narrow(unsafe { libc::syscall(libc::SYS_openat, directory, path, flags, mode) })
}

/// `close(2)`.
pub(crate) fn close(descriptor: RawFd) -> c_int {
    // SAFETY: the caller gives up the descriptor.
    narrow(unsafe { libc::syscall(libc::SYS_close, descriptor) })
}

/// `dup(2)`.
pub(crate) fn dup(descriptor: RawFd) -> c_int {
    // SAFETY: no memory is involved.
    narrow(unsafe { libc::syscall(libc::SYS_dup, descriptor) })
}

/// `dup3(2)`.
pub(crate) fn dup3(descriptor: RawFd, target: RawFd, flags: c_int) -> c_int {
    // SAFETY: no memory is involved.
    narrow(unsafe { libc::syscall(libc::SYS_dup3, descriptor, target, flags) })
}

/// `fcntl(2)`.
///
/// # Safety
/// `argument` must be what `command` expects.
pub(crate) unsafe fn fcntl(descriptor: RawFd, command: c_int, argument: c_long) -> c_int {
    narrow(unsafe { libc::syscall(libc::SYS_fcntl, descriptor, command, argument) })
}

/// The position of a descriptor, -1 where it has none.
pub(crate) fn position(descriptor: RawFd) -> off_t {
    // SAFETY: no memory is involved.
    unsafe { libc::syscall(libc::SYS_lseek, descriptor, 0, libc::SEEK_CUR) }
}

/// `write(2)`, or `pwrite(2)` where an offset is given.
///
/// # Safety
/// `buffer` must be readable for `count` bytes.
pub(crate) unsafe fn write(
    descriptor: RawFd,
    buffer: *const c_void,
    count: size_t,
    offset: Option<off_t>,
) -> ssize_t {
    let written = match offset {
        None => unsafe { libc::syscall(libc::SYS_write, descriptor, buffer, count) },
        Some(offset) => unsafe { libc::syscall(libc::SYS_pwrite64, descriptor, buffer, count, offset) },
    };
    written as ssize_t
}

/// `writev(2)`, or `pwritev2(2)` where an offset is given.
///
/// # Safety
/// `vectors` must point at `count` readable vectors.
pub(crate) unsafe fn writev(
    descriptor: RawFd,
    vectors: *const libc::iovec,
    count: c_int,
    offset: Option<off_t>,
    flags: c_int,
) -> ssize_t {
    let written = match offset {
        None => unsafe { libc::syscall(libc::SYS_writev, descriptor, vectors, count) },
        Some(offset) => unsafe {
            libc::syscall(libc::SYS_pwritev2, descriptor, vectors, count, offset, 0, flags)
        },
    };
    written as ssize_t
}

/// `ftruncate(2)`.
pub(crate) fn ftruncate(descriptor: RawFd, length: off_t) -> c_int {
    // SAFETY: no memory is involved.
    narrow(unsafe { libc::syscall(libc::SYS_ftruncate, descriptor, length) })
}

/// `fallocate(2)`.
pub(crate) fn fallocate(descriptor: RawFd, mode: c_int, offset: off_t, length: off_t) -> c_int {
    // SAFETY: no memory is involved.
    narrow(unsafe { libc::syscall(libc::SYS_fallocate, descriptor, mode, offset, length) })
}

/// `fsync(2)`, or `fdatasync(2)`.
pub(crate) fn sync(descriptor: RawFd, data_only: bool) -> c_int {
    let number = if data_only { libc::SYS_fdatasync } else { libc::SYS_fsync };
    // SAFETY: no memory is involved.
    narrow(unsafe { libc::syscall(number, descriptor) })
}

/// `renameat2(2)`.
///
/// # Safety
/// Both paths must be C strings.
pub(crate) unsafe fn renameat(
    from: (RawFd, *const c_char),
    to: (RawFd, *const c_char),
    flags: libc::c_uint,
) -> c_int {
    narrow(unsafe { libc::syscall(libc::SYS_renameat2, from.0, from.1, to.0, to.1, flags) })
}

/// `unlinkat(2)`.
///
/// # Safety
/// `path` must be a C string.
pub(crate) unsafe fn unlinkat(directory: RawFd, path: *const c_char, flags: c_int) -> c_int {
    narrow(unsafe { libc::syscall(libc::SYS_unlinkat, directory, path, flags) })
}

/// `mmap(2)`.
///
/// # Safety
/// As `mmap` itself.
pub(crate) unsafe fn mmap(
    address: *mut c_void,
    length: size_t,
    (protection, flags): (c_int, c_int),
    descriptor: RawFd,
    offset: off_t,
) -> *mut c_void {
    let mapped =
        unsafe { libc::syscall(libc::SYS_mmap, address, length, protection, flags, descriptor, offset) };
    mapped as *mut c_void
}

/// `copy_file_range(2)`.
///
/// # Safety
/// The offsets must be null or point at offsets.
pub(crate) unsafe fn copy_file_range(
    (from, from_offset): (RawFd, *mut libc::off64_t),
    (to, to_offset): (RawFd, *mut libc::off64_t),
    length: size_t,
    flags: libc::c_uint,
) -> ssize_t {
    let copied =
        unsafe { libc::syscall(libc::SYS_copy_file_range, from, from_offset, to, to_offset, length, flags) };
    copied as ssize_t
}

/// `sendfile(2)`.
///
/// # Safety
/// `offset` must be null or point at an offset.
pub(crate) unsafe fn sendfile(to: RawFd, from: RawFd, offset: *mut off_t, count: size_t) -> ssize_t {
    let sent = unsafe { libc::syscall(libc::SYS_sendfile, to, from, offset, count) };
    sent as ssize_t
}
