//! `loquat restore`: a data folder from a backup. Where there is data already, nothing happens.

use anyhow::Result;

use crate::cli::RestoreArgs;
use crate::progress::PageBar;
use crate::system::SystemRandom;
use crate::{settings, storage};

/// Makes the store of a data folder from a backup, under a new epoch.
pub(crate) fn run(arguments: &RestoreArgs) -> Result<()> {
    let settings = settings::load(&arguments.place.sources())?.settings;
    storage::require_embedded(&settings, "restore it with PostgreSQL's own tools, see the operator guide")?;
    storage::make_folder(&settings.data)?;
    let mut bar = PageBar::new("restoring");
    let store = storage::store_path(&settings.data);
    loquat_store::restore(&arguments.source, &store, &SystemRandom, &mut |progress| bar.show(progress))?;
    bar.finish();
    Ok(())
}
