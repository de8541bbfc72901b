//! The certificate that clients see: whether it can be served, and how long it is good for.

use std::fs;
use std::path::{Path, PathBuf};

use loquat_domain::ports::Clock as _;
use loquat_gateway::rustls::pki_types::CertificateDer;
use loquat_gateway::rustls::pki_types::pem::PemObject as _;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::Check;
use crate::admin::moment;
use crate::serve::check_certificate;
use crate::settings::{Settings, TlsSettings};
use crate::system::SystemClock;

const NAME: &str = "certificate";

/// A certificate that lives long is warned of for so many days before its end.
const WARNING_DAYS: i64 = 21;

/// One that does not (authorities give out some of six days) for this part of its life. Whoever renews in time does so
/// when a third is left.
const WARNING_PART: i64 = 4;

const DAY_MS: i64 = 86_400_000;

/// Looks at the certificate, where the service encrypts by itself.
pub(super) fn certificate(settings: &Settings) -> Option<Check> {
    let TlsSettings { certificate, key, acme, .. } = &settings.tls;
    if !certificate.as_os_str().is_empty() {
        if let Err(error) = check_certificate(certificate, key) {
            return Some(Check::problem(
                NAME,
                format!("{error:#}"),
                "give `tls.certificate` the chain in PEM, the service's own certificate first, and `tls.key` its key",
            ));
        }
        let renewal = "renew it, and replace the files: a running service reads them anew";
        return Some(judge_file(certificate, settings, renewal));
    }
    if acme.domains.is_empty() {
        return None;
    }
    let folder = settings.data.join("acme");
    let renewal = "the service renews it when a third of its life is left, so something is in the way: look at its log \
                   for `no certificate yet`; the authority must reach port 443 of every domain";
    Some(match newest(&folder) {
        Some(file) => judge_file(&file, settings, renewal),
        None => Check::ok(NAME, "there is none yet; a running service orders it by ACME"),
    })
}

/// The last certificate that was ordered.
fn newest(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.flatten();
    let certificates =
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("cached_cert_"));
    certificates
        .max_by_key(|entry| entry.metadata().and_then(|found| found.modified()).ok())
        .map(|entry| entry.path())
}

fn judge_file(file: &Path, settings: &Settings, renewal: &str) -> Check {
    let Ok(der) = CertificateDer::from_pem_file(file) else {
        return Check::problem(NAME, format!("cannot read {}", file.display()), "let this user read it");
    };
    let Ok((_, certificate)) = X509Certificate::from_der(&der) else {
        return Check::problem(NAME, format!("{} is no certificate", file.display()), renewal);
    };
    let mut expected: Vec<&str> = settings.tls.acme.domains.iter().map(String::as_str).collect();
    expected.extend(host(&settings.public_url));
    judge(&certificate, &expected, SystemClock.now(), renewal)
}

/// What there is to say of a certificate at a time, in milliseconds since the Unix epoch.
fn judge(certificate: &X509Certificate<'_>, expected: &[&str], now: i64, renewal: &str) -> Check {
    let validity = certificate.validity();
    let milliseconds = |time: x509_parser::time::ASN1Time| time.timestamp().saturating_mul(1_000);
    let (from, to) = (milliseconds(validity.not_before), milliseconds(validity.not_after));
    if now > to {
        let found = format!("it expired at {}: clients refuse it", moment(to));
        return Check::problem(NAME, found, renewal);
    }
    if now < from {
        let found = format!("it is good from {} on only: clients refuse it", moment(from));
        return Check::problem(NAME, found, "wait, or set the clock right");
    }
    if let Some(missing) = expected.iter().find(|host| !is_for(certificate, host)) {
        let advice = "order one that names it; clients that come by this name refuse it";
        return Check::problem(NAME, format!("it is not for {missing}"), advice);
    }
    let left = to - now;
    let found = format!("good until {}, {} days", moment(to), left / DAY_MS);
    if left < (WARNING_DAYS * DAY_MS).min(to.saturating_sub(from) / WARNING_PART) {
        return Check::warning(NAME, found, renewal);
    }
    Check::ok(NAME, found)
}

/// Whether it names this host (RFC 6125: the alternative names alone, a wildcard for one whole label).
fn is_for(certificate: &X509Certificate<'_>, host: &str) -> bool {
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return false };
    names.value.general_names.iter().any(|name| match name {
        GeneralName::DNSName(pattern) => fits(pattern, host),
        GeneralName::IPAddress(bytes) => host.parse().is_ok_and(|address: std::net::IpAddr| match address {
            std::net::IpAddr::V4(address) => address.octets() == *bytes,
            std::net::IpAddr::V6(address) => address.octets() == *bytes,
        }),
        _ => false,
    })
}

fn fits(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent)),
        None => pattern.eq_ignore_ascii_case(host),
    }
}

/// The host of a URL.
fn host(url: &str) -> Option<&str> {
    let authority = url.strip_prefix("https://")?.split(['/', '?', '#']).next()?;
    match authority.strip_prefix('[') {
        Some(literal) => literal.split_once(']').map(|(host, _)| host),
        None => authority.split(':').next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    fn made(from: (i32, u8, u8), to: (i32, u8, u8), names: &[&str]) -> Vec<u8> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut parameters = rcgen::CertificateParams::new(names).unwrap();
        parameters.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
        parameters.not_after = rcgen::date_time_ymd(to.0, to.1, to.2);
        parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    /// Midnight of a day of January 2026 in UTC.
    fn january(day: i64) -> i64 {
        1_767_225_600_000 + (day - 1) * DAY_MS
    }

    #[test]
    fn a_certificate_that_ends_soon_is_warned_of_in_time() {
        for (from, to, today, verdict) in [
            // A year: three weeks before its end.
            ((2025, 1, 31), (2026, 1, 31), 9, Verdict::Ok),
            ((2025, 1, 31), (2026, 1, 31), 11, Verdict::Warning),
            // Six days: a day and a half.
            ((2026, 1, 25), (2026, 1, 31), 29, Verdict::Ok),
            ((2026, 1, 25), (2026, 1, 31), 30, Verdict::Warning),
            ((2026, 1, 1), (2026, 1, 10), 11, Verdict::Problem),
            ((2026, 1, 20), (2026, 6, 1), 19, Verdict::Problem),
        ] {
            let der = made(from, to, &["chat.example"]);
            let (_, certificate) = X509Certificate::from_der(&der).unwrap();
            let check = judge(&certificate, &["chat.example"], january(today), "renew it");
            assert_eq!(check.verdict, verdict, "{from:?} to {to:?} on {today}: {check:?}");
        }
    }

    #[test]
    fn a_certificate_for_another_name_is_a_problem() {
        let der = made(
            (2026, 1, 1),
            (2027, 1, 1),
            &["chat.example", "*.loquat.example", "192.0.2.1", "2001:db8::1"],
        );
        let (_, certificate) = X509Certificate::from_der(&der).unwrap();
        for (host, good) in [
            ("chat.example", true),
            ("CHAT.example", true),
            ("a.loquat.example", true),
            ("192.0.2.1", true),
            ("2001:db8::1", true),
            ("loquat.example", false),
            ("a.b.loquat.example", false),
            ("192.0.2.2", false),
            ("other.example", false),
        ] {
            let check = judge(&certificate, &[host], january(2), "renew it");
            assert_eq!(check.verdict == Verdict::Ok, good, "{host}: {check:?}");
        }
    }

    #[test]
    fn the_public_url_names_a_host() {
        for (url, expected) in [
            ("https://chat.example", Some("chat.example")),
            ("https://chat.example:8443/x", Some("chat.example")),
            ("https://[2001:db8::1]:8443", Some("2001:db8::1")),
            ("http://chat.example", None),
            ("", None),
        ] {
            assert_eq!(host(url), expected, "{url}");
        }
    }
}
