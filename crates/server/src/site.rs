//! The web client in the binary (`build.rs`).

use loquat_gateway::SiteFile;

/// Its files; empty where it was not built.
pub(crate) const FILES: &[SiteFile] = include!(concat!(env!("OUT_DIR"), "/site.rs"));
