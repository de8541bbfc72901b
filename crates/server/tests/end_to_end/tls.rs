//! Certificates from files: served, changed while it runs, and refused where they do not fit.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use loquat_gateway::rustls::crypto::ring;
use loquat_gateway::rustls::pki_types::{CertificateDer, ServerName};
use loquat_gateway::rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};
use rustix::process::Signal;

use crate::support::{Place, complaint, loquat};

/// Makes a certificate for `localhost` and writes it where the settings say.
fn write_certificate(place: &Place) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    fs::write(place.path("key.pem"), made.key_pair.serialize_pem()).expect("a key");
    fs::write(place.path("chain.pem"), made.cert.pem()).expect("a chain");
    made.cert.der().clone()
}

/// Asks for `/healthz` over TLS; whether the certificate served is this one, and the answer good.
fn is_served(address: SocketAddr, certificate: &CertificateDer<'static>) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("a root");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let mut connection = ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut tcp = TcpStream::connect(address).expect("it listens");
    let mut stream = Stream::new(&mut connection, &mut tcp);
    let request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let mut answer = String::new();
    stream.write_all(request).is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200 ")
        && answer.contains("strict-transport-security")
}

#[test]
fn certificates_change_without_a_restart() {
    let place = Place::new();
    let first = write_certificate(&place);
    let service = place.serve_with(|command| {
        command.env("LOQUAT_TLS__CERTIFICATE", place.path("chain.pem"));
        command.env("LOQUAT_TLS__KEY", place.path("key.pem"));
    });
    assert!(is_served(service.address(), &first));

    let second = write_certificate(&place);
    service.signal(Signal::HUP);
    service.await_log("the certificate was read anew; open connections keep theirs");
    assert!(is_served(service.address(), &second) && !is_served(service.address(), &first));

    // What cannot be read leaves the last that could.
    fs::write(place.path("key.pem"), "no key").expect("a file");
    service.signal(Signal::HUP);
    service.await_log("the last certificate is kept");
    assert!(is_served(service.address(), &second));

    // Without a signal, within seconds.
    let third = write_certificate(&place);
    let changed = Instant::now();
    while !is_served(service.address(), &third) {
        assert!(changed.elapsed() < Duration::from_secs(30), "the change was not noticed");
        std::thread::yield_now();
    }
    assert!(service.stop().success());
}

#[test]
fn doctor_looks_at_the_certificate() {
    let place = Place::new();
    let examine = |public_url: &str| {
        let mut command = loquat();
        command.args(["doctor", "--data", &place.data(), "--listen", "127.0.0.1:0"]);
        command.env("LOQUAT_TLS__CERTIFICATE", place.path("chain.pem"));
        command.env("LOQUAT_TLS__KEY", place.path("key.pem")).env("LOQUAT_PUBLIC_URL", public_url);
        String::from_utf8(command.output().expect("it ends").stdout).expect("a table")
    };
    drop(write_certificate(&place));
    let good = examine("https://localhost");
    assert!(good.contains("ok       certificate  good until "), "{good}");
    let other = examine("https://chat.example");
    assert!(other.contains("PROBLEM  certificate  it is not for chat.example"), "{other}");

    let mut parameters = rcgen::CertificateParams::new(["localhost".to_owned()]).expect("parameters");
    parameters.not_after = rcgen::date_time_ymd(2025, 1, 1);
    let pair =
        rcgen::KeyPair::from_pem(&fs::read_to_string(place.path("key.pem")).expect("a key")).expect("a key");
    let expired = parameters.self_signed(&pair).expect("a certificate");
    fs::write(place.path("chain.pem"), expired.pem()).expect("a chain");
    let past = examine("https://localhost");
    assert!(past.contains("PROBLEM  certificate  it expired at 202"), "{past}");
    drop(fs::remove_file(place.path("key.pem")));
    let absent = examine("https://localhost");
    assert!(absent.contains("PROBLEM  certificate  cannot read "), "{absent}");
}

#[test]
fn a_hang_up_without_certificates_is_no_end() {
    let place = Place::new();
    let service = place.serve();
    service.signal(Signal::HUP);
    service.await_log("there are no certificates to read anew");
    assert!(service.stop().success());
}

#[test]
fn what_would_be_in_the_clear_or_does_not_fit_is_refused() {
    let place = Place::new();
    drop(write_certificate(&place));
    let refused = |change: &[(&str, String)], reason: &str| {
        let mut command = loquat();
        command.args(["serve", "--data", &place.data()]);
        command.envs(change.iter().map(|(name, value)| (*name, value.as_str())));
        let output = command.output().expect("it ends");
        assert!(!output.status.success());
        assert!(complaint(&output).contains(reason), "{}", complaint(&output));
    };
    let listen = ("LOQUAT_LISTEN", "127.0.0.1:0".to_owned());
    refused(&[("LOQUAT_LISTEN", "0.0.0.0:0".to_owned())], "would talk in the clear");
    let chain = ("LOQUAT_TLS__CERTIFICATE", place.text("chain.pem"));
    refused(&[listen.clone(), chain.clone()], "set both or none");
    let key = ("LOQUAT_TLS__KEY", place.text("absent.pem"));
    refused(&[listen.clone(), chain.clone(), key], "setting `tls.key`");
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    fs::write(place.path("other.pem"), other.key_pair.serialize_pem()).expect("a key");
    let key = ("LOQUAT_TLS__KEY", place.text("other.pem"));
    refused(&[listen, chain, key], "does not serve the certificate");
}
