//! `cargo xtask bench` and `cargo xtask torture`: programs of the workspace that drive the release binary.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::shell::{self, Workspace};
use crate::tools;

/// The packages that `torture` needs built.
pub(crate) const TORTURE_PACKAGES: [&str; 3] = ["loquat-server", "loquat-torture", "loquat-faultfs"];

/// Builds the service and the load generator, and becomes the load generator.
pub(crate) fn bench(workspace: &Workspace, arguments: &[String]) -> Result<bool> {
    tools::c_compiler(workspace)?;
    workspace.build_release(&["loquat-server", "loquat-bench"])?;
    let mut command = workspace.command(workspace.release("loquat-bench"));
    let error =
        command.arg("--loquat").arg(workspace.release("loquat")).args(bench_arguments(arguments)).exec();
    Err(error).context("cannot start the built loquat-bench")
}

/// `a b --quick` is `--only a,b --quick`: workloads come first, as people type them.
fn bench_arguments(arguments: &[String]) -> Vec<String> {
    let workloads = arguments.iter().take_while(|argument| !argument.starts_with('-')).count();
    let (workloads, rest) = arguments.split_at(workloads);
    let only = (!workloads.is_empty()).then(|| ["--only".to_owned(), workloads.join(",")]);
    only.into_iter().flatten().chain(rest.iter().cloned()).collect()
}

/// Builds the service, its tormentor and the file-system shim, and runs the tormentor to its end.
pub(crate) fn torture(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    tools::c_compiler(workspace)?;
    workspace.build_release(&TORTURE_PACKAGES)?;
    shell::succeed(&mut torture_command(workspace, arguments))
}

/// The tormentor on the binaries that are already built.
pub(crate) fn torture_command(workspace: &Workspace, arguments: &[String]) -> Command {
    let mut command = workspace.command(workspace.release("loquat-torture"));
    command
        .arg("--loquat")
        .arg(workspace.release("loquat"))
        .arg("--shim")
        .arg(workspace.release("libloquat_faultfs.so"))
        .args(arguments);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workloads_come_first() {
        let cases: [(&[&str], &[&str]); 4] = [
            (&[], &[]),
            (&["a", "b"], &["--only", "a,b"]),
            (&["a", "--pairs", "10"], &["--only", "a", "--pairs", "10"]),
            (&["--quick", "--seconds", "2"], &["--quick", "--seconds", "2"]),
        ];
        for (typed, passed) in cases {
            let typed: Vec<String> = typed.iter().map(|&argument| argument.to_owned()).collect();
            assert_eq!(bench_arguments(&typed), passed);
        }
    }
}
