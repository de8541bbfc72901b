//! Progress of long commands: a bar on standard error where people watch, nothing otherwise.

use indicatif::{ProgressBar, ProgressStyle};
use loquat_store::Progress;

/// Bytes of a page of the store.
const PAGE_BYTES: u64 = 4_096;

/// How bytes are counted.
const BYTES: &str = "{prefix} [{bar:32}] {bytes} of {total_bytes} ({eta} left)";

/// A bar over so many things.
pub(crate) fn counter(total: u64, what: &'static str) -> ProgressBar {
    bar(total, what, "{prefix} [{bar:32}] {pos} of {len} ({per_sec}, {eta} left)")
}

/// A bar over so many bytes.
pub(crate) fn bytes(total: u64, what: &'static str) -> ProgressBar {
    bar(total, what, BYTES)
}

/// A bar over the pages of a store, which is there once their number is known.
pub(crate) struct PageBar {
    what: &'static str,
    bar: Option<ProgressBar>,
}

impl PageBar {
    /// Nothing yet.
    pub(crate) const fn new(what: &'static str) -> Self {
        Self { what, bar: None }
    }

    /// Shows how far it is.
    pub(crate) fn show(&mut self, progress: Progress) {
        let bar = self.bar.get_or_insert_with(|| bar(progress.total * PAGE_BYTES, self.what, BYTES));
        bar.set_position(progress.copied * PAGE_BYTES);
    }

    /// Takes the bar away.
    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
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
