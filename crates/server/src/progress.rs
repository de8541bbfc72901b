//! Progress of long commands: a bar on standard error where people watch, nothing otherwise.

use indicatif::{ProgressBar, ProgressStyle};
use loquat_store::Progress;

/// Bytes of a page of the store.
const PAGE_BYTES: u64 = 4_096;

/// A bar over so many things.
pub(crate) fn counter(total: u64, what: &'static str) -> ProgressBar {
    bar(total, what, "{prefix} [{bar:32}] {pos} of {len} ({per_sec}, {eta} left)")
}

/// A bar over the pages of a store.
pub(crate) struct PageBar {
    bar: ProgressBar,
}

impl PageBar {
    /// An empty bar.
    pub(crate) fn new(what: &'static str) -> Self {
        Self {
            bar: bar(0, what, "{prefix} [{bar:32}] {bytes} of {total_bytes} ({bytes_per_sec}, {eta} left)"),
        }
    }

    /// Shows how far it is. The total may grow while a service writes.
    pub(crate) fn show(&mut self, progress: Progress) {
        self.bar.set_length(progress.total * PAGE_BYTES);
        self.bar.set_position(progress.copied * PAGE_BYTES);
    }

    /// Takes the bar away.
    pub(crate) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

/// `indicatif` draws on standard error, and only on a terminal.
fn bar(total: u64, what: &'static str, template: &str) -> ProgressBar {
    let bar = ProgressBar::new(total);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(what);
    bar
}
