//! `cargo xtask api`: writes the documents of the interface as the code has them.

use anyhow::Result;

use crate::shell::{self, Workspace};

/// Runs the test that compares the documents, telling it to write them.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut command = workspace.cargo("test");
    command.args(["--package", "loquat-gateway", "--test", "api", "--", "as_committed"]);
    command.env("LOQUAT_UPDATE_API", "1");
    shell::succeed(&mut command)
}
