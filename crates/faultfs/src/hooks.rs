//! The libc functions the shim stands in for. Each makes the system call and tells [`crate::shim`] of it.
//!
//! `open` and `fcntl` are variadic in C. Stable Rust cannot define such functions, and need not here: on
//! Linux for x86-64 and AArch64 the optional third argument comes in the same register either way.

#![expect(
    unsafe_code,
    reason = "an LD_PRELOAD shim stands in for libc, whose functions are unsafe and unmangled"
)]
#![allow(
    clippy::missing_safety_doc,
    reason = "each function has the contract of the libc function it replaces"
)]

use std::ffi::CStr;
use std::os::fd::RawFd;

use libc::{c_char, c_int, c_long, c_uint, c_void, iovec, mode_t, off_t, size_t, ssize_t};

use crate::{shim, sys};

/// Fails the call with `errno`.
fn fail(errno: i32) -> c_int {
    sys::set_errno(errno);
    -1
}

unsafe fn open_at(directory: RawFd, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    let descriptor = unsafe { sys::openat(directory, path, flags, mode) };
    if descriptor >= 0 {
        shim::with(|shim| shim.opened(descriptor, flags & libc::O_TRUNC != 0));
    }
    descriptor
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    unsafe { open_at(libc::AT_FDCWD, path, flags, mode) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    unsafe { open_at(libc::AT_FDCWD, path, flags, mode) }
}

/// What a fortified C program calls when it gives no mode.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn __open_2(path: *const c_char, flags: c_int) -> c_int {
    unsafe { open_at(libc::AT_FDCWD, path, flags, 0) }
}

/// What a fortified C program calls when it gives no mode.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn __open64_2(path: *const c_char, flags: c_int) -> c_int {
    unsafe { open_at(libc::AT_FDCWD, path, flags, 0) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn openat(
    directory: c_int,
    path: *const c_char,
    flags: c_int,
    mode: mode_t,
) -> c_int {
    unsafe { open_at(directory, path, flags, mode) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn openat64(
    directory: c_int,
    path: *const c_char,
    flags: c_int,
    mode: mode_t,
) -> c_int {
    unsafe { open_at(directory, path, flags, mode) }
}

const CREAT_FLAGS: c_int = libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC;

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn creat(path: *const c_char, mode: mode_t) -> c_int {
    unsafe { open_at(libc::AT_FDCWD, path, CREAT_FLAGS, mode) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn creat64(path: *const c_char, mode: mode_t) -> c_int {
    unsafe { open_at(libc::AT_FDCWD, path, CREAT_FLAGS, mode) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn close(descriptor: c_int) -> c_int {
    // Before the call: afterwards another thread may already have the number for another file.
    if sys::is_followed(descriptor) {
        shim::with(|shim| {
            shim.closing(descriptor);
            Ok(())
        });
    }
    sys::close(descriptor)
}

fn duplicated(original: RawFd, copy: RawFd) -> c_int {
    if copy >= 0 && original != copy && (sys::is_followed(original) || sys::is_followed(copy)) {
        shim::with(|shim| shim.duplicated(original, copy));
    }
    copy
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dup(descriptor: c_int) -> c_int {
    duplicated(descriptor, sys::dup(descriptor))
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dup2(descriptor: c_int, target: c_int) -> c_int {
    if descriptor == target {
        // Where `dup3` would refuse, `dup2` only checks that the descriptor is open.
        let flags = unsafe { sys::fcntl(descriptor, libc::F_GETFD, 0) };
        return if flags < 0 { flags } else { target };
    }
    duplicated(descriptor, sys::dup3(descriptor, target, 0))
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn dup3(descriptor: c_int, target: c_int, flags: c_int) -> c_int {
    duplicated(descriptor, sys::dup3(descriptor, target, flags))
}

unsafe fn control(descriptor: RawFd, command: c_int, argument: c_long) -> c_int {
    let result = unsafe { sys::fcntl(descriptor, command, argument) };
    if matches!(command, libc::F_DUPFD | libc::F_DUPFD_CLOEXEC) {
        duplicated(descriptor, result);
    }
    result
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn fcntl(descriptor: c_int, command: c_int, argument: c_long) -> c_int {
    unsafe { control(descriptor, command, argument) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn fcntl64(descriptor: c_int, command: c_int, argument: c_long) -> c_int {
    unsafe { control(descriptor, command, argument) }
}

/// Makes a write with the faults that are due, and tells the shim what was written where.
fn written(descriptor: RawFd, offset: Option<off_t>, write: impl FnOnce() -> ssize_t) -> ssize_t {
    if !sys::is_followed(descriptor) {
        return write();
    }
    if let Some(Some(errno)) = shim::with(shim::Shim::write_error) {
        return fail(errno) as ssize_t;
    }
    let count = write();
    let length = u64::try_from(count).unwrap_or(0);
    if length > 0 {
        shim::with(|shim| {
            let start = match offset {
                Some(offset) => u64::try_from(offset).unwrap_or(0),
                None => u64::try_from(sys::position(descriptor)).unwrap_or(0).saturating_sub(length),
            };
            shim.wrote(descriptor, start, length)
        });
    }
    count
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn write(descriptor: c_int, buffer: *const c_void, count: size_t) -> ssize_t {
    written(descriptor, None, || unsafe { sys::write(descriptor, buffer, count, None) })
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pwrite(
    descriptor: c_int,
    buffer: *const c_void,
    count: size_t,
    offset: off_t,
) -> ssize_t {
    written(descriptor, Some(offset), || unsafe { sys::write(descriptor, buffer, count, Some(offset)) })
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pwrite64(
    descriptor: c_int,
    buffer: *const c_void,
    count: size_t,
    offset: off_t,
) -> ssize_t {
    unsafe { pwrite(descriptor, buffer, count, offset) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn writev(descriptor: c_int, vectors: *const iovec, count: c_int) -> ssize_t {
    written(descriptor, None, || unsafe { sys::writev(descriptor, vectors, count, None, 0) })
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pwritev2(
    descriptor: c_int,
    vectors: *const iovec,
    count: c_int,
    offset: off_t,
    flags: c_int,
) -> ssize_t {
    // An offset of -1 means the position of the descriptor.
    let known = (offset != -1).then_some(offset);
    written(descriptor, known, || unsafe { sys::writev(descriptor, vectors, count, Some(offset), flags) })
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pwritev64v2(
    descriptor: c_int,
    vectors: *const iovec,
    count: c_int,
    offset: off_t,
    flags: c_int,
) -> ssize_t {
    unsafe { pwritev2(descriptor, vectors, count, offset, flags) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pwritev(
    descriptor: c_int,
    vectors: *const iovec,
    count: c_int,
    offset: off_t,
) -> ssize_t {
    unsafe { pwritev2(descriptor, vectors, count, offset, 0) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pwritev64(
    descriptor: c_int,
    vectors: *const iovec,
    count: c_int,
    offset: off_t,
) -> ssize_t {
    unsafe { pwritev2(descriptor, vectors, count, offset, 0) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn ftruncate(descriptor: c_int, length: off_t) -> c_int {
    let result = sys::ftruncate(descriptor, length);
    if result == 0 && sys::is_followed(descriptor) {
        shim::with(|shim| shim.truncated(descriptor, u64::try_from(length).unwrap_or(0)));
    }
    result
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn ftruncate64(descriptor: c_int, length: off_t) -> c_int {
    unsafe { ftruncate(descriptor, length) }
}

unsafe fn truncate_path(path: *const c_char, length: off_t) -> c_int {
    let descriptor = unsafe { open(path, libc::O_WRONLY | libc::O_CLOEXEC, 0) };
    if descriptor < 0 {
        return descriptor;
    }
    let result = unsafe { ftruncate(descriptor, length) };
    let errno = sys::errno();
    unsafe { close(descriptor) };
    sys::set_errno(errno);
    result
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn truncate(path: *const c_char, length: off_t) -> c_int {
    unsafe { truncate_path(path, length) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn truncate64(path: *const c_char, length: off_t) -> c_int {
    unsafe { truncate_path(path, length) }
}

/// Reserving space counts as a write: it is where a full disk shows.
fn allocate(descriptor: RawFd, mode: c_int, offset: off_t, length: off_t) -> c_int {
    let mut result = 0;
    written(descriptor, Some(offset), || {
        result = sys::fallocate(descriptor, mode, offset, length);
        if result == 0 { length as ssize_t } else { -1 }
    })
    .min(0) as c_int
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn fallocate(
    descriptor: c_int,
    mode: c_int,
    offset: off_t,
    length: off_t,
) -> c_int {
    allocate(descriptor, mode, offset, length)
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn fallocate64(
    descriptor: c_int,
    mode: c_int,
    offset: off_t,
    length: off_t,
) -> c_int {
    allocate(descriptor, mode, offset, length)
}

/// Returns the error number and leaves errno alone, as POSIX has it.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn posix_fallocate(descriptor: c_int, offset: off_t, length: off_t) -> c_int {
    let before = sys::errno();
    let result = allocate(descriptor, 0, offset, length);
    let errno = sys::errno();
    sys::set_errno(before);
    if result == 0 { 0 } else { errno }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn posix_fallocate64(descriptor: c_int, offset: off_t, length: off_t) -> c_int {
    unsafe { posix_fallocate(descriptor, offset, length) }
}

/// For files under the root the image is what counts, and no real sync is made.
fn synced(descriptor: RawFd, data_only: bool) -> c_int {
    if !sys::is_followed(descriptor) {
        return sys::sync(descriptor, data_only);
    }
    match shim::with(|shim| shim.sync(descriptor)) {
        Some(Some(errno)) => fail(errno),
        Some(None) => 0,
        None => sys::sync(descriptor, data_only),
    }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn fsync(descriptor: c_int) -> c_int {
    synced(descriptor, false)
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn fdatasync(descriptor: c_int) -> c_int {
    synced(descriptor, true)
}

unsafe fn rename_at(from: (RawFd, *const c_char), to: (RawFd, *const c_char), flags: c_uint) -> c_int {
    let result = unsafe { sys::renameat(from, to, flags) };
    if result == 0 {
        // SAFETY: the kernel has just read both as C strings.
        let (from_path, to_path) = unsafe { (CStr::from_ptr(from.1), CStr::from_ptr(to.1)) };
        shim::with(|shim| shim.renamed((from.0, from_path), (to.0, to_path)));
    }
    result
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    unsafe { rename_at((libc::AT_FDCWD, from), (libc::AT_FDCWD, to), 0) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn renameat(
    from_directory: c_int,
    from: *const c_char,
    to_directory: c_int,
    to: *const c_char,
) -> c_int {
    unsafe { rename_at((from_directory, from), (to_directory, to), 0) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn renameat2(
    from_directory: c_int,
    from: *const c_char,
    to_directory: c_int,
    to: *const c_char,
    flags: c_uint,
) -> c_int {
    unsafe { rename_at((from_directory, from), (to_directory, to), flags) }
}

unsafe fn unlink_at(directory: RawFd, path: *const c_char, flags: c_int) -> c_int {
    let result = unsafe { sys::unlinkat(directory, path, flags) };
    if result == 0 && flags & libc::AT_REMOVEDIR == 0 {
        // SAFETY: the kernel has just read it as a C string.
        let path = unsafe { CStr::from_ptr(path) };
        shim::with(|shim| shim.unlinked(directory, path));
    }
    result
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    unsafe { unlink_at(libc::AT_FDCWD, path, 0) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn unlinkat(directory: c_int, path: *const c_char, flags: c_int) -> c_int {
    unsafe { unlink_at(directory, path, flags) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn mmap(
    address: *mut c_void,
    length: size_t,
    protection: c_int,
    flags: c_int,
    descriptor: c_int,
    offset: off_t,
) -> *mut c_void {
    let shared_writable = flags & libc::MAP_SHARED != 0 && protection & libc::PROT_WRITE != 0;
    if shared_writable && flags & libc::MAP_ANONYMOUS == 0 && sys::is_followed(descriptor) {
        sys::die("a file under the root was mapped shared and writable: its writes cannot be seen");
    }
    unsafe { sys::mmap(address, length, (protection, flags), descriptor, offset) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn mmap64(
    address: *mut c_void,
    length: size_t,
    protection: c_int,
    flags: c_int,
    descriptor: c_int,
    offset: off_t,
) -> *mut c_void {
    unsafe { mmap(address, length, protection, flags, descriptor, offset) }
}

/// Refused for files under the root: callers fall back on reading and writing.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn copy_file_range(
    from: c_int,
    from_offset: *mut libc::off64_t,
    to: c_int,
    to_offset: *mut libc::off64_t,
    length: size_t,
    flags: c_uint,
) -> ssize_t {
    if sys::is_followed(to) {
        return fail(libc::ENOSYS) as ssize_t;
    }
    unsafe { sys::copy_file_range((from, from_offset), (to, to_offset), length, flags) }
}

/// Refused for files under the root, as `copy_file_range`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn sendfile(
    to: c_int,
    from: c_int,
    offset: *mut off_t,
    count: size_t,
) -> ssize_t {
    if sys::is_followed(to) {
        return fail(libc::ENOSYS) as ssize_t;
    }
    unsafe { sys::sendfile(to, from, offset, count) }
}

#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn sendfile64(
    to: c_int,
    from: c_int,
    offset: *mut off_t,
    count: size_t,
) -> ssize_t {
    unsafe { sendfile(to, from, offset, count) }
}
