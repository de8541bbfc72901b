//! `loquat admin export` and `loquat admin verify-export`: everything of a user, as one archive.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use indicatif::ProgressBar;
use loquat_domain::export::{ExportDeps, Exports, verify};
use loquat_proto::UserId;

use crate::cli::PlaceArgs;
use crate::record::on_record;
use crate::storage::Store;
use crate::system::SystemClock;
use crate::{progress, settings, storage};

/// Flags of `loquat admin export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Username or id
    user: String,
    /// The file to make; it must not exist [default: loquat-export-USERNAME.tar]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Flags of `loquat admin verify-export`.
#[derive(Debug, Args)]
pub(crate) struct VerifyExportArgs {
    /// The archive
    file: PathBuf,
}

/// Writes everything of a user to a file. Works beside a running service.
pub(crate) fn export(arguments: &ExportArgs) -> Result<()> {
    let settings = settings::load(&arguments.place.sources())?.settings;
    let store = storage::observe(&settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let exports = Exports::new(ExportDeps {
        storage: store.ports(),
        book: None,
        clock: Arc::new(SystemClock),
        server_name: settings.server_name.clone(),
    });
    let found = runtime.block_on(find(&store, &arguments.user));
    let outcome = found.and_then(|found| {
        let Some(user) = found else { bail!("there is no account {:?}", arguments.user) };
        on_record(&settings, ("export_user", user.to_string()), || {
            runtime.block_on(write(arguments, user, &exports))
        })
    });
    store.close();
    outcome
}

async fn write(arguments: &ExportArgs, user: UserId, exports: &Exports) -> Result<()> {
    let mut export =
        exports.start_of(user).await.with_context(|| format!("cannot export {:?}", arguments.user))?;
    let path = arguments.output.clone().unwrap_or_else(|| PathBuf::from(export.file_name()));
    let mut file = Partial::create(&path)?;
    let bar = progress::counter(0, "events");
    while let Some(piece) = export.next().await {
        let piece = piece?;
        file.write_all(&piece.bytes).with_context(|| format!("cannot write {}", path.display()))?;
        bar.set_length(piece.progress.total);
        bar.set_position(piece.progress.done);
    }
    bar.finish_and_clear();
    file.keep().with_context(|| format!("cannot write {}", path.display()))?;
    writeln!(io::stdout().lock(), "{}", path.display())?;
    Ok(())
}

async fn find(store: &Store, name: &str) -> Result<Option<UserId>> {
    let accounts = store.ports().accounts;
    if let Some(found) = accounts.credentials(&name.to_lowercase()).await? {
        return Ok(Some(found.user));
    }
    let Ok(id) = name.parse::<UserId>() else { return Ok(None) };
    Ok(accounts.user(id).await?.filter(|record| !record.own.profile.deleted).map(|_| id))
}

/// A new file for its owner alone, which goes unless it is kept: half an archive would be taken for one.
struct Partial {
    file: Option<File>,
    path: PathBuf,
}

impl Partial {
    fn create(path: &Path) -> Result<Self> {
        let file = File::options().write(true).create_new(true).mode(0o600).open(path);
        let file = file.with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self { file: Some(file), path: path.to_owned() })
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(bytes))
    }

    fn keep(mut self) -> io::Result<()> {
        self.file.take().map_or(Ok(()), |file| file.sync_all())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if self.file.is_some() {
            // It is of no use; if it cannot be taken away, it still does not verify.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Checks that an archive is whole and as it was made.
pub(crate) fn verify_export(arguments: &VerifyExportArgs) -> Result<()> {
    let path = arguments.file.display();
    let file = File::open(&arguments.file).with_context(|| format!("cannot open {path}"))?;
    let bar = progress::bytes(file.metadata()?.len(), "verifying");
    let verified = verify(Watched { inner: io::BufReader::new(file), bar: bar.clone() });
    bar.finish_and_clear();
    let verified = verified.with_context(|| format!("{path} is not whole"))?;
    let mut out = io::stdout().lock();
    let user = &verified.manifest.user;
    writeln!(out, "{path} is whole: {} (id {}) of {}", user.username, user.id, verified.manifest.server)?;
    for (name, records) in &verified.records {
        writeln!(out, "{records:>10} {name}")?;
    }
    Ok(())
}

/// A reader that a bar follows.
struct Watched<R> {
    inner: R,
    bar: ProgressBar,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bar.inc(read as u64);
        Ok(read)
    }
}
