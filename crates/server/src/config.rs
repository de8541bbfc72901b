//! `loquat config`: the settings in force.

use std::io::{self, Write as _};

use anyhow::{Result, bail};

use crate::cli::ConfigArgs;
use crate::settings::{self, show};

/// Prints the settings that `loquat serve` would run with.
pub(crate) fn run(arguments: &ConfigArgs) -> Result<()> {
    let loaded = settings::load(&arguments.serve.sources())?;
    let selection = show::Selection { keys: &arguments.keys, chosen: arguments.chosen };
    if let Some(unknown) = selection.unknown() {
        bail!("there is no setting or group `{unknown}`");
    }
    let mut out = io::stdout().lock();
    if arguments.json {
        show::json(&mut out, &loaded, &selection)?;
    } else {
        show::toml(&mut out, &loaded, &selection)?;
    }
    Ok(out.flush()?)
}
