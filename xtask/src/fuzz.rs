//! `cargo xtask fuzz`: the fuzz targets, each for a while. Built with libFuzzer and the sanitiser of the compiler, which
//! stable Rust has behind `RUSTC_BOOTSTRAP`; cargo-fuzz itself is not needed.

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::shell::{self, Workspace};

/// The targets, as `fuzz/Cargo.toml` has them.
const TARGETS: [&str; 5] = ["frames", "cursors", "tokens", "configuration", "text"];

/// What cargo-fuzz passes: coverage for the fuzzer to steer by, and no optimisation that hides an error.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1";

/// Builds all targets and runs each for so many seconds, or those that are named.
pub(crate) fn run(workspace: &Workspace, seconds: u64, only: &[String]) -> Result<()> {
    if let Some(unknown) = only.iter().find(|name| !TARGETS.contains(&name.as_str())) {
        bail!("there is no target {unknown:?}; there are {}", TARGETS.join(", "));
    }
    let target = workspace.target.join("fuzz");
    let triple = host(workspace)?;
    let mut build = workspace.cargo("build");
    build.args([
        "--release",
        "--manifest-path",
        "fuzz/Cargo.toml",
        "--bins",
        "--target",
        &triple,
        "--target-dir",
    ]);
    build.arg(&target).env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", FLAGS);
    shell::succeed(&mut build)?;
    let wanted = |name: &&str| only.is_empty() || only.iter().any(|wanted| wanted == name);
    for name in TARGETS.into_iter().filter(wanted) {
        let corpus = target.join("corpus").join(name);
        let artifacts = target.join("artifacts").join(name);
        fs::create_dir_all(&corpus)?;
        fs::create_dir_all(&artifacts)?;
        let mut run = workspace.command(target.join(&triple).join("release").join(name));
        run.arg(format!("-max_total_time={seconds}")).arg("-timeout=10").arg("-max_len=8192");
        run.arg(format!("-artifact_prefix={}/", artifacts.display())).arg(&corpus);
        shell::succeed(&mut run)
            .with_context(|| format!("{name} failed; the input is in {}", artifacts.display()))?;
    }
    Ok(())
}

/// The machine's own triple: with it, flags are for the targets and not for what runs during the build.
fn host(workspace: &Workspace) -> Result<String> {
    let words = shell::output(workspace.command("rustc").arg("-vV"))?;
    let line = words.lines().find_map(|line| line.strip_prefix("host: "));
    line.map(str::to_owned).context("rustc does not say what machine this is")
}
