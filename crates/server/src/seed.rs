//! `loquat admin seed`: many accounts at once, for load tests.

use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use loquat_bus::InProcessBus;
use loquat_domain::accounts::{Auth, AuthDeps, PasswordHash};
use loquat_domain::fanout::Announcer;
use loquat_domain::ports::Random as _;
use loquat_proto::account::{Secret, SignUp};
use loquat_proto::{DeviceId, Session, UserId};
use serde::Serialize;

use crate::cli::SeedArgs;
use crate::settings::{self, LogSettings, Settings};
use crate::storage::Store;
use crate::system::{SystemClock, SystemRandom};
use crate::{logging, progress, storage};

/// Sign-ups under way at a time: what is made durable together.
const CONCURRENT: usize = 1_024;

/// Bytes of the password that all accounts share.
const PASSWORD_BYTES: usize = 12;

/// One line of output.
#[derive(Serialize)]
struct Seeded {
    id: UserId,
    username: String,
    device: DeviceId,
    access_token: Secret,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<Secret>,
}

impl From<Session> for Seeded {
    fn from(session: Session) -> Self {
        Self {
            id: session.user.profile.id,
            username: session.user.profile.username,
            device: session.device.id,
            access_token: session.access_token,
            refresh_token: session.refresh_token,
        }
    }
}

/// Makes the accounts in a data folder that no service uses meanwhile.
pub(crate) fn run(arguments: &SeedArgs) -> Result<()> {
    let settings = settings::load(&arguments.place.sources())?.settings;
    // Warnings alone: standard error has the bar and the password.
    logging::start(&LogSettings { level: "warn".to_owned(), ..settings.log })?;
    let store = storage::open(&settings).context("`admin seed` needs the data folder for itself")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let made = runtime.block_on(seed(arguments, &settings, &store));
    store.close();
    made
}

async fn seed(arguments: &SeedArgs, settings: &Settings, store: &Store) -> Result<()> {
    let auth = Auth::new(auth_deps(arguments, settings, store)).await?;
    let password = Secret(password());
    let hash = auth.hash_password(&password).await?;
    let bar = progress::counter(u64::from(arguments.users), "accounts");
    let mut out = BufWriter::new(io::stdout().lock());
    let mut accounts = stream::iter(1..=arguments.users)
        .map(|number| sign_up(&auth, &hash, format!("{}{number}", arguments.prefix)))
        .buffered(CONCURRENT);
    while let Some(account) = accounts.try_next().await? {
        serde_json::to_writer(&mut out, &account)?;
        out.write_all(b"\n")?;
        bar.inc(1);
    }
    out.flush()?;
    bar.finish_and_clear();
    let (users, prefix) = (arguments.users, &arguments.prefix);
    writeln!(
        io::stderr(),
        "{users} accounts, {prefix}1 to {prefix}{users}; password of each: {}",
        password.0
    )?;
    Ok(())
}

fn auth_deps(arguments: &SeedArgs, settings: &Settings, store: &Store) -> AuthDeps {
    let mut config = settings.auth.clone();
    config.access_token_seconds = arguments.token_seconds;
    let storage = store.ports();
    AuthDeps {
        accounts: storage.accounts,
        devices: storage.devices,
        // Nobody is connected to be told of new devices.
        announcer: Announcer::new(Arc::new(InProcessBus::new())),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        config,
        limits: settings.limits.clone(),
    }
}

async fn sign_up(auth: &Auth, hash: &PasswordHash, username: String) -> Result<Seeded> {
    let request = SignUp {
        username: username.clone(),
        password: Secret(String::new()),
        display_name: None,
        email: None,
        phone: None,
        device: None,
        cookie: false,
    };
    let signed_in = auth.sign_up_with_hash(request, hash).await;
    Ok(signed_in.with_context(|| format!("cannot make the account {username}"))?.session.into())
}

/// A password that nobody guesses, in hexadecimal.
fn password() -> String {
    let mut bytes = [0; PASSWORD_BYTES];
    SystemRandom.fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
