//! Certificates: from files, or from a certificate authority by ACME (RFC 8555); renewed without dropping a connection.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, ensure};
use futures_util::StreamExt as _;
use loquat_gateway::Tls;
use loquat_gateway::rustls::crypto::{CryptoProvider, ring};
use loquat_gateway::rustls::pki_types::pem::PemObject as _;
use loquat_gateway::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use loquat_gateway::rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_acme::AcmeConfig;
use rustls_acme::caches::DirCache;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::settings::{AcmeSettings, Settings, TlsSettings};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Makes ready what clients are encrypted with; `None` where they are not. From then on SIGHUP, or a change of the
/// files, reads them anew.
pub(super) fn prepare(settings: &Settings) -> Result<Option<Tls>> {
    let hangups = signal(SignalKind::hangup()).context("cannot listen for signals")?;
    match &settings.tls {
        TlsSettings { certificate, key, .. } if !certificate.as_os_str().is_empty() => {
            let files = Files { certificate: certificate.clone(), key: key.clone() };
            let config = files.read()?;
            let (sender, configs) = watch::channel(config);
            tokio::spawn(renew(files, sender, hangups));
            Ok(Some(Tls::new(configs)))
        }
        TlsSettings { acme, .. } if !acme.domains.is_empty() => {
            tokio::spawn(ignore(hangups, "certificates are renewed by themselves"));
            by_acme(acme, &settings.data.join("acme")).map(Some)
        }
        _ => {
            tokio::spawn(ignore(hangups, "there are no certificates to read anew"));
            Ok(None)
        }
    }
}

/// Whether these files are there, can be read, and belong together.
pub(crate) fn check(certificate: &Path, key: &Path) -> Result<()> {
    Files { certificate: certificate.to_owned(), key: key.to_owned() }.read().map(drop)
}

/// A hang-up of the terminal is no reason to end.
async fn ignore(mut hangups: Signal, reason: &'static str) {
    while hangups.recv().await.is_some() {
        info!(signal = "SIGHUP", "{reason}");
    }
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// What a file looks like from outside: when any of it changes, the file is read.
type Look = Option<(SystemTime, u64)>;

impl Files {
    fn read(&self) -> Result<Arc<ServerConfig>> {
        let Self { certificate, key } = self;
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect)
            .with_context(|| format!("cannot read {} (setting `tls.certificate`)", certificate.display()))?;
        ensure!(
            !chain.is_empty(),
            "{} (setting `tls.certificate`) holds no certificate",
            certificate.display()
        );
        let private = PrivateKeyDer::from_pem_file(key)
            .with_context(|| format!("cannot read {} (setting `tls.key`)", key.display()))?;
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .context("TLS cannot be set up")?;
        let mut config =
            builder.with_no_client_auth().with_single_cert(chain, private).with_context(|| {
                format!("the key {} does not serve the certificate {}", key.display(), certificate.display())
            })?;
        config.alpn_protocols = Tls::protocols(false);
        Ok(Arc::new(config))
    }

    fn look(&self) -> [Look; 2] {
        [&self.certificate, &self.key].map(|path| {
            let metadata = fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        })
    }
}

/// Reads the files whenever they are told to have changed, or have. What cannot be read leaves the last that could.
async fn renew(files: Files, sender: watch::Sender<Arc<ServerConfig>>, mut hangups: Signal) {
    let mut seen = files.look();
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            told = hangups.recv() => if told.is_none() { return },
            _ = looks.tick() => if files.look() == seen { continue },
            () = sender.closed() => return,
        }
        // Before the reading: what changes meanwhile is read again.
        seen = files.look();
        match files.read() {
            Ok(config) => {
                sender.send_replace(config);
                info!("the certificate was read anew; open connections keep theirs");
            }
            Err(error) => warn!(error = %format!("{error:#}"), "the last certificate is kept"),
        }
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Orders certificates when there is none, and again well before one expires. They are kept in `folder`.
fn by_acme(settings: &AcmeSettings, folder: &Path) -> Result<Tls> {
    private_folder(folder)?;
    let mut config = AcmeConfig::new_with_provider(&settings.domains, provider())
        .contact(settings.contacts.iter().map(|contact| format!("mailto:{contact}")))
        .directory(&settings.directory)
        .cache(DirCache::new(folder.to_owned()));
    if !settings.ca.as_os_str().is_empty() {
        config = config.client_tls_config(Arc::new(trusting(&settings.ca)?));
    }
    let mut events = config.state();
    let mut served = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .context("TLS cannot be set up")?
        .with_no_client_auth()
        .with_cert_resolver(events.resolver());
    served.alpn_protocols = Tls::protocols(true);
    let (sender, configs) = watch::channel(Arc::new(served));
    let directory = settings.directory.clone();
    tokio::spawn(async move {
        // Kept, so that connections find the configuration for as long as this runs.
        let _sender = sender;
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => info!(?event, directory, "certificate"),
                Err(error) => warn!(%error, directory, "no certificate yet; it is tried again"),
            }
        }
    });
    Ok(Tls::new(configs))
}

/// A client that trusts the authority of this file instead of the usual ones: for an authority of one's own.
fn trusting(ca: &Path) -> Result<ClientConfig> {
    let unreadable = || format!("cannot read {} (setting `tls.acme.ca`)", ca.display());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).with_context(unreadable)? {
        roots.add(certificate.with_context(unreadable)?).with_context(unreadable)?;
    }
    ensure!(!roots.is_empty(), "{} (setting `tls.acme.ca`) holds no certificate", ca.display());
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .context("TLS cannot be set up")?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Keys are in it.
fn private_folder(folder: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot create {}", folder.display()))
}
