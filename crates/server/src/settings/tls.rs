//! How clients' connections are encrypted.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Settings;
use super::check::Clash;

/// Let's Encrypt.
const DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Where the certificate comes from, and whether there may be none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TlsSettings {
    /// The chain in PEM, the service's own certificate first; empty for none.
    pub(crate) certificate: PathBuf,
    /// Its private key in PEM.
    pub(crate) key: PathBuf,
    /// Whether clients may come in the clear from other machines.
    pub(crate) allow_plain: bool,
    pub(crate) acme: AcmeSettings,
}

/// Certificates of an authority by ACME (RFC 8555, RFC 8737).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AcmeSettings {
    /// The names to have a certificate for; empty for no ACME.
    pub(crate) domains: Vec<String>,
    /// E-mail addresses that the authority may write to.
    pub(crate) contacts: Vec<String>,
    /// Where the authority is.
    pub(crate) directory: String,
    /// Whom to trust when talking to it, in PEM; empty for the roots of Mozilla.
    pub(crate) ca: PathBuf,
}

impl Default for AcmeSettings {
    fn default() -> Self {
        Self {
            domains: Vec::new(),
            contacts: Vec::new(),
            directory: DIRECTORY.to_owned(),
            ca: PathBuf::new(),
        }
    }
}

impl TlsSettings {
    /// Whether connections are encrypted here.
    pub(crate) fn is_on(&self) -> bool {
        !self.certificate.as_os_str().is_empty() || !self.acme.domains.is_empty()
    }
}

/// Checks the group against itself and against where clients come in.
pub(super) fn together(settings: &Settings) -> Option<Clash> {
    let TlsSettings { certificate, key, allow_plain, acme } = &settings.tls;
    let clash = |sides: [(&'static str, &str); 2]| {
        Some(Clash { sides: sides.map(|(setting, reason)| (setting, reason.to_owned())) })
    };
    if certificate.as_os_str().is_empty() != key.as_os_str().is_empty() {
        return clash([
            ("tls.certificate", "goes together with `tls.key`: set both or none"),
            ("tls.key", "goes together with `tls.certificate`: set both or none"),
        ]);
    }
    if !certificate.as_os_str().is_empty() && !acme.domains.is_empty() {
        return clash([
            ("tls.acme.domains", "cannot be set together with `tls.certificate`: choose one"),
            ("tls.certificate", "cannot be set together with `tls.acme.domains`: choose one"),
        ]);
    }
    if is_exposed(settings.listen) && !settings.tls.is_on() && !allow_plain {
        let reason = "clients of other machines would talk in the clear: set `tls.certificate` and `tls.key`, or \
                      `tls.acme.domains`; or `tls.allow_plain`, where a proxy on a trusted network encrypts";
        return clash([("listen", reason), ("tls.allow_plain", reason)]);
    }
    None
}

fn is_exposed(listen: SocketAddr) -> bool {
    !listen.ip().to_canonical().is_loopback()
}

/// A domain as certificates name it.
pub(super) fn domain(text: &str) -> Result<(), String> {
    let label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(plain)
    };
    if text.len() <= 253 && text.split('.').all(label) {
        return Ok(());
    }
    Err(format!("expected a domain in small ASCII letters such as chat.example, not {text:?}"))
}

/// An e-mail address, as far as a mistake can be seen.
pub(super) fn contact(text: &str) -> Result<(), String> {
    let parts = text.split_once('@');
    if parts.is_some_and(|(name, host)| !name.is_empty() && host.contains('.') && !text.contains([' ', ':']))
    {
        return Ok(());
    }
    Err(format!("expected an e-mail address without `mailto:`, not {text:?}"))
}

/// Where an authority is.
pub(super) fn directory(text: &str) -> Result<(), String> {
    if text.starts_with("https://") && text.len() > 8 {
        return Ok(());
    }
    Err(format!("expected an https:// address, not {text:?}"))
}
