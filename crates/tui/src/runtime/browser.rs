//! Handing a web address to the system.

use std::ffi::OsString;
use std::process::Stdio;

use crate::text::links;

/// Opens an address with the program of `BROWSER`, else with the system's.
///
/// # Errors
/// In words for the user: the address is none that may be opened, or no program takes it.
pub(super) async fn open(url: &str) -> Result<(), String> {
    if links::parse(url).is_none() {
        return Err("That is no web address".to_owned());
    }
    let named = std::env::var_os("BROWSER").filter(|value| !value.is_empty());
    let system = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    for program in named.into_iter().chain([OsString::from(system)]) {
        // No shell reads it, and it begins with its scheme: it cannot be taken for an option.
        let started = tokio::process::Command::new(&program)
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match started {
            Ok(mut child) => {
                // Collected when it ends, however long that takes.
                tokio::spawn(async move { child.wait().await });
                return Ok(());
            }
            Err(error) => tracing::debug!(?program, %error, "no browser"),
        }
    }
    Err("No program here opens web addresses: c copies it instead".to_owned())
}
