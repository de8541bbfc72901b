//! `cargo xtask acme`: the release binary orders its certificate from a real ACME server on this machine, is checked by
//! tls-alpn-01, serves what it got, and serves it again after a restart without an order.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::shell::{self, Workspace};
use crate::smoke::{self, Service};
use crate::tools;

const AUTHORITY: &str = include_str!("authority.py");
const VISITOR: &str = include_str!("visitor.py");

/// The name to get a certificate for.
const NAME: &str = "chat.example";

/// Runs authority, service and visitor.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let python = tools::acme_server(workspace)?;
    let folder = workspace.target.join("acme");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    for (name, text) in [("authority.py", AUTHORITY), ("visitor.py", VISITOR)] {
        fs::write(folder.join(name), text)?;
    }
    let (directory, service) = (smoke::free_address()?, smoke::free_address()?);
    let mut authority = workspace.command(&python);
    authority.arg(folder.join("authority.py")).arg(&folder);
    authority.args([directory.port().to_string(), service.port().to_string()]);
    let authority = Authority::start(&mut authority)?;
    let serve = || {
        let mut command = workspace.command(workspace.release("loquat"));
        command.args(["serve", "--listen", &service.to_string(), "--data"]).arg(folder.join("data"));
        command.env("LOQUAT_METRICS__LISTEN", "");
        command
            .env("LOQUAT_TLS__ACME__DOMAINS", NAME)
            .env("LOQUAT_TLS__ACME__CONTACTS", "admin@chat.example");
        command
            .env("LOQUAT_TLS__ACME__DIRECTORY", format!("https://localhost:{}/directory", directory.port()));
        command.env("LOQUAT_TLS__ACME__CA", folder.join("root.pem"));
        Service::spawn(&mut command)
    };
    let visit = || {
        let mut command = workspace.command(&python);
        command.arg(folder.join("visitor.py")).arg(folder.join("root.pem"));
        shell::succeed(command.arg(service.port().to_string()).arg(NAME))
    };
    let mut first = serve()?;
    visit()?;
    ensure!(first.stop(workspace)?.success(), "the service did not end well");
    let issued = issued(&folder)?;
    ensure!(issued == 1, "the authority issued {issued} certificates, not 1");
    // The certificate is kept: without the authority it is still there.
    drop(authority);
    let mut second = serve()?;
    visit()?;
    ensure!(second.stop(workspace)?.success(), "the service did not end well");
    Ok(())
}

fn issued(folder: &Path) -> Result<usize> {
    Ok(fs::read_dir(folder.join("issued"))?.count())
}

/// The authority's process, which does not outlive the check.
struct Authority(Child);

impl Authority {
    fn start(command: &mut Command) -> Result<Self> {
        let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start the authority")?;
        let out = child.stdout.take().context("the authority has no standard output")?;
        let authority = Self(child);
        let mut lines = BufReader::new(out).lines();
        let serves = lines.by_ref().map_while(std::io::Result::ok).any(|line| line == "serving");
        ensure!(serves, "the authority ended before it served");
        std::thread::spawn(move || lines.for_each(drop));
        Ok(authority)
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        // Fails where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
