//! The service, if it runs, and the addresses that it listens on.

use std::io;
use std::net::{SocketAddr, TcpListener};

use anyhow::Result;
use loquat_domain::admin::AdminCall;

use super::Check;
use crate::admin::{Connection, moment};
use crate::settings::Loaded;

/// Whether the service runs, answers, and is this program.
pub(super) fn service(running: Result<Option<Connection>>) -> Check {
    const NAME: &str = "service";
    let mut connection = match running {
        Ok(Some(connection)) => connection,
        Ok(None) => return Check::ok(NAME, "does not run on this data folder"),
        Err(error) => {
            return Check::problem(NAME, format!("{error:#}"), "run this as the service's user or as root");
        }
    };
    let greeting = connection.greeting().clone();
    if let Err(error) = connection.call(&AdminCall::Statistics) {
        return Check::problem(
            NAME,
            format!("process {} runs but does not answer: {error:#}", greeting.pid),
            "look at its log; restart it if it does not recover",
        );
    }
    let found = format!(
        "version {} runs as process {} since {}, serves on {}",
        greeting.version,
        greeting.pid,
        moment(greeting.started_at),
        greeting.listen
    );
    if greeting.version != env!("CARGO_PKG_VERSION") {
        let advice = format!("this program is {}: restart the service to run it", env!("CARGO_PKG_VERSION"));
        return Check::warning(NAME, found, advice);
    }
    Check::ok(NAME, found)
}

/// Whether the addresses are free, where no service has them.
pub(super) fn addresses(loaded: &Loaded, running: bool) -> Vec<Check> {
    if running {
        return Vec::new();
    }
    let settings = &loaded.settings;
    let mut checks = vec![listen("port", "listen", settings.listen, true)];
    if let Some(address) = settings.metrics.listen.0 {
        let chosen = loaded.is_set("metrics.listen");
        checks.push(listen("metrics port", "metrics.listen", address, chosen));
    }
    checks
}

fn listen(name: &'static str, setting: &str, address: SocketAddr, needed: bool) -> Check {
    let error = match TcpListener::bind(address) {
        Ok(_) => return Check::ok(name, format!("{address} is free")),
        Err(error) => error,
    };
    let found = format!("cannot listen on {address}: {error}");
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("end what listens there (ss -ltnp shows it), or set another `{setting}`")
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need CAP_NET_BIND_SERVICE: AmbientCapabilities= of the systemd unit, or a proxy"
                .to_owned()
        }
        io::ErrorKind::AddrNotAvailable => format!("set `{setting}` to an address of this machine"),
        _ => format!("set another `{setting}`"),
    };
    if needed { Check::problem(name, found, advice) } else { Check::warning(name, found, advice) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn an_address_is_free_or_taken_or_not_ours() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        assert_eq!(listen("port", "listen", address, true).verdict, Verdict::Problem);
        assert_eq!(listen("port", "listen", address, false).verdict, Verdict::Warning);
        drop(taken);
        assert_eq!(listen("port", "listen", address, true).verdict, Verdict::Ok);
        let foreign = "192.0.2.1:9".parse().unwrap();
        assert_eq!(listen("port", "listen", foreign, true).verdict, Verdict::Problem);
    }
}
