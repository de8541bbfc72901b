//! `loquat backup`: the data of a running or stopped service, as one file.

use anyhow::Result;

use crate::cli::BackupArgs;
use crate::progress::PageBar;
use crate::{settings, storage};

/// Copies the store of the data folder to a file that does not exist yet.
pub(crate) fn run(arguments: &BackupArgs) -> Result<()> {
    let settings = settings::load(&arguments.place.sources())?.settings;
    storage::require_embedded(&settings, "back it up with PostgreSQL's own tools, see the operator guide")?;
    let mut bar = PageBar::new("backing up");
    let store = storage::store_path(&settings.data);
    loquat_store::backup(&store, &arguments.destination, &mut |progress| bar.show(progress))?;
    bar.finish();
    Ok(())
}
