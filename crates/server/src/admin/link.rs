//! The way from a command to the data: through the socket of the service that runs, else through the store itself.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use loquat_domain::App;
use loquat_domain::admin::{Actor, AdminAnswer, AdminCall};
use tokio::runtime::{Builder, Runtime};

use super::actor;
use super::path::Reachable;
use super::socket::SOCKET;
use super::wire::{Greeting, Response};
use crate::settings::Settings;
use crate::storage::Store;
use crate::{serve, storage};

/// How long a service may take to greet: it does so at once, unless it has too many operators.
const GREETING_LIMIT: Duration = Duration::from_secs(10);

/// Where calls go.
pub(crate) enum Link {
    /// To the service that runs.
    Service(Connection),
    /// To the store; one in the data folder is served by nobody meanwhile.
    Store(Box<Opened>),
}

/// A connection to a running service.
pub(crate) struct Connection {
    stream: BufReader<UnixStream>,
    greeting: Greeting,
}

/// A store that this process opened, with the domain over it.
pub(crate) struct Opened {
    runtime: Runtime,
    app: App,
    store: Store,
    actor: Actor,
}

/// The running service of a data folder; `None` if none runs.
pub(crate) fn running(data: &Path) -> Result<Option<Connection>> {
    let path = data.join(SOCKET);
    let stream = match Reachable::new(&path).and_then(|way| UnixStream::connect(way.path())) {
        Ok(stream) => stream,
        // A socket that nobody listens on was left by a process that died.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => return Err(error).with_context(|| format!("cannot reach {}", path.display())),
    };
    stream.set_read_timeout(Some(GREETING_LIMIT))?;
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).context("the service does not greet")?;
    if line.is_empty() {
        bail!("the service answers its own user and root only");
    }
    let greeting = serde_json::from_str(&line)
        .context("the service greets in an unknown way: is it of another version?")?;
    stream.get_ref().set_read_timeout(None)?;
    Ok(Some(Connection { stream, greeting }))
}

impl Link {
    /// Finds the way.
    pub(crate) fn find(settings: &Settings) -> Result<Self> {
        match running(&settings.data)? {
            Some(connection) => Ok(Self::Service(connection)),
            None => Ok(Self::Store(Box::new(Opened::new(settings)?))),
        }
    }

    /// Makes a call and waits for its answer.
    pub(crate) fn call(&mut self, call: AdminCall) -> Result<AdminAnswer> {
        match self {
            Self::Service(connection) => connection.call(&call),
            Self::Store(opened) => opened.call(call),
        }
    }

    /// Ends it; what a store has left to write is written.
    pub(crate) fn close(self) {
        if let Self::Store(opened) = self {
            opened.close();
        }
    }
}

impl Connection {
    /// Who answers.
    pub(crate) fn greeting(&self) -> &Greeting {
        &self.greeting
    }

    /// Makes a call and waits for its answer.
    pub(crate) fn call(&mut self, call: &AdminCall) -> Result<AdminAnswer> {
        let mut line = serde_json::to_vec(call)?;
        line.push(b'\n');
        self.stream.get_ref().write_all(&line).context("the service does not listen any more")?;
        let mut answer = String::new();
        self.stream.read_line(&mut answer).context("the service does not answer")?;
        if answer.is_empty() {
            bail!(
                "the service went away before it answered; whether it did it stands in `loquat admin audit`"
            );
        }
        match serde_json::from_str(&answer)
            .context("the answer is not understood: is the service of another version?")?
        {
            Response::Ok(answer) => Ok(answer),
            Response::Error(error) => Err(anyhow!("{}", error.detail)),
        }
    }
}

impl Opened {
    fn new(settings: &Settings) -> Result<Self> {
        let path = storage::store_path(&settings.data);
        if storage::is_embedded(settings) && !path.exists() {
            bail!(
                "there is no data in {} (setting `data`): `loquat serve` makes it",
                settings.data.display()
            );
        }
        let store = storage::open(settings).context("no service answers, and the data cannot be opened")?;
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let (app, _) = runtime.block_on(serve::start_domain(settings, &store))?;
        Ok(Self { runtime, app, store, actor: actor::of_this_process() })
    }

    fn call(&self, call: AdminCall) -> Result<AdminAnswer> {
        self.runtime
            .block_on(self.app.admin().perform(&self.actor, call))
            .map_err(|refusal| anyhow!("{refusal}"))
    }

    fn close(self) {
        // What could not be saved is cursors of nobody: no client was connected.
        let _ = self.runtime.block_on(self.app.stop());
        self.store.close();
    }
}
