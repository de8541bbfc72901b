//! The web client in the binary (`build.rs`).

use loquat_gateway::SiteFile;

/// Its files; empty where it was not built. A static, because of a constant the compiler keeps a copy for each use.
pub(crate) static FILES: &[SiteFile] = include!(concat!(env!("OUT_DIR"), "/site.rs"));
