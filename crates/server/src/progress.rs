//! Progress of long commands: a bar on standard error if people watch, nothing otherwise.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over so many of something. Hidden where standard error is no terminal.
pub(crate) fn bar(total: u64, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(total);
    let template = "{prefix} [{bar:32}] {pos}/{len} ({per_sec}, {eta} left)";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(what);
    bar
}
