//! `cargo xtask wasm`: the client engine compiled for the browser, so that nothing native creeps into it.
//!
//! The standard library for wasm32 comes from rustup. Where rustup cannot fetch it, Debian's packages for
//! building browsers serve: a Rust of its own, the library's sources and a linker.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::shell::{self, Workspace};
use crate::tools;

const TARGET: &str = "wasm32-unknown-unknown";

/// The crates that must compile for the browser.
const PACKAGES: [&str; 2] = ["loquat-proto", "loquat-engine"];

/// rustup may wait for a network that is not there.
const RUSTUP_LIMIT: Duration = Duration::from_secs(180);

/// Debian's Rust for browsers; it lives in /usr/bin beside a rustup in the home folder.
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-19"];

/// Whose Rust compiles.
#[derive(Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Toolchain {
    /// rustup's where it has the target or can fetch it, else Debian's
    #[default]
    Auto,
    /// rustup's, which must have the target or fetch it
    Rustup,
    /// Debian's, with the standard library built from source
    Debian,
}

/// Compiles the crates of [`PACKAGES`] for [`TARGET`].
pub(crate) fn run(workspace: &Workspace, toolchain: Toolchain) -> Result<()> {
    let mut build = cargo(workspace, toolchain)?;
    for package in PACKAGES {
        build.args(["--package", package]);
    }
    println!("$ {}", shell::show(&build));
    shell::succeed(&mut build)
}

/// The engine of the web client, compiled small. Returns where it is.
pub(crate) fn web_engine(workspace: &Workspace) -> Result<PathBuf> {
    let mut build = cargo(workspace, Toolchain::Auto)?;
    build.args(["--profile", "web", "--package", "loquat-web-engine"]);
    println!("$ {}", shell::show(&build));
    shell::succeed(&mut build)?;
    Ok(workspace.target.join("wasm").join(TARGET).join("web/loquat_web_engine.wasm"))
}

fn cargo(workspace: &Workspace, toolchain: Toolchain) -> Result<Command> {
    let mut build = match toolchain {
        Toolchain::Rustup => {
            rustup_target(workspace)?;
            workspace.cargo("build")
        }
        Toolchain::Debian => debian_cargo(workspace)?,
        Toolchain::Auto => match rustup_target(workspace) {
            Ok(()) => workspace.cargo("build"),
            Err(error) => {
                println!("rustup has no {TARGET} ({error:#}); using Debian's packages");
                debian_cargo(workspace)?
            }
        },
    };
    build.args(["--lib", "--target", TARGET, "--target-dir"]).arg(workspace.target.join("wasm"));
    Ok(build)
}

/// Has the standard library for the target, or lets rustup fetch it.
fn rustup_target(workspace: &Workspace) -> Result<()> {
    let mut query = workspace.command("rustc");
    let folder = shell::output(query.args(["--print", "target-libdir", "--target", TARGET]))?;
    if Path::new(folder.trim()).is_dir() {
        return Ok(());
    }
    let mut command = workspace.command("rustup");
    let child = command.args(["target", "add", TARGET]).stdin(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = child.context("no rustup")?;
    let deadline = Instant::now() + RUSTUP_LIMIT;
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status,
            None if Instant::now() < deadline => thread::sleep(Duration::from_millis(200)),
            None => {
                child.kill()?;
                break child.wait()?;
            }
        }
    };
    anyhow::ensure!(status.success(), "`rustup target add` failed: {status}");
    Ok(())
}

/// Debian's cargo, told to build the standard library and to link with Debian's linker. The rustup that runs
/// this program leaves variables behind that would lead Debian's cargo back to it.
fn debian_cargo(workspace: &Workspace) -> Result<Command> {
    tools::apt_install(workspace, &DEBIAN_PACKAGES)?;
    let mut build = Command::new("/usr/bin/cargo");
    build.current_dir(&workspace.root).env("PATH", "/usr/bin:/bin").env("RUSTC_BOOTSTRAP", "1");
    for variable in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "LD_LIBRARY_PATH", "RUSTC_WRAPPER"] {
        build.env_remove(variable);
    }
    build.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld-19");
    build.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", "-Clinker-flavor=wasm-ld");
    build.args(["build", "-Zbuild-std=std,panic_abort"]);
    if shell::is_ci() {
        build.arg("--locked");
    }
    Ok(build)
}
