//! Power loss and disk faults under any process, without a kernel module, a block device or root.
//!
//! `libloquat_faultfs.so` is loaded with `LD_PRELOAD`. For every file below `LOQUAT_FAULTFS_ROOT` it keeps a
//! copy below `LOQUAT_FAULTFS_SHADOW`: the *durable image*, that is, what a disk would hold if the power
//! failed now. A write reaches the file at once, as it reaches the page cache, and the image when the
//! process calls `fsync` or `fdatasync`. Killing the process with -9 and putting the image in place of the
//! directory is a power loss. (Killing alone proves nothing about `fsync`: the page cache survives it.)
//!
//! # The model
//!
//! - **Data.** A sector (512 bytes) of the image holds either what the last sync made durable or any version
//!   written since: a disk may write back early, in any order, and tear a write between sectors. The choice
//!   is made when the write happens, with probability `LOQUAT_FAULTFS_SPILL` (percent, 25 unless told; 0
//!   drops all that was not synced), so that the image is whole at every instant and a kill needs no
//!   post-processing. A file may also grow in the image without its data (zeros).
//! - **Names.** A created or renamed file, and a removal, become durable when the directory is synced, or
//!   early by the same chance. Syncing a file makes its own creation durable, as ext4, XFS and Btrfs do.
//! - **A failed sync** (injected) forgets what was dirty, as Linux does: a second `fsync` that succeeds proves
//!   nothing. See Rebello et al., "Can Applications Recover from fsync Failures?" (USENIX ATC 2020).
//! - **Over restarts.** What differs between directory and image counts as not synced, so a process that
//!   finds, after kill -9, what its predecessor wrote and never synced does not own it either.
//! - **Real syncs are not made**: the image is what matters, and a run takes minutes, not hours.
//!
//! Not modelled: hard links, renamed directories, `O_DIRECT`, io_uring, `FILE*` streams, shared writable
//! memory maps. The last would make every proof void, so the process is aborted if it makes one; SQLite's
//! `-shm` files, which need no durability, are left alone. The shim aborts rather than guess.
//!
//! # Settings
//!
//! | variable | meaning |
//! | --- | --- |
//! | `LOQUAT_FAULTFS_ROOT` | the directory under test; without it the shim passes everything through |
//! | `LOQUAT_FAULTFS_SHADOW` | the durable image, outside the root; equal to the root at the start |
//! | `LOQUAT_FAULTFS_SEED` | seed of the choices (0 unless told) |
//! | `LOQUAT_FAULTFS_SPILL` | percent of unsynced changes that reach the image by themselves (25) |
//! | `LOQUAT_FAULTFS_CONTROL` | a file naming the faults to inject, read at every sync and write (`control.rs` lists them) |
//!
//! To intercept another call, add it to `hooks.rs`; what it means for the image belongs in `image.rs`.

mod control;
mod hooks;
mod image;
mod ranges;
mod shim;
mod sys;
