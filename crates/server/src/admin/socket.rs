//! The admin socket of a running service: a Unix socket in the data folder, for the service's own user and root.
//!
//! The kernel says who asks (`SO_PEERCRED`); the permissions of socket and folder keep others from asking at all. At
//! most [`CONNECTIONS`] are served at a time; more wait to be accepted. A request's line arrives within
//! [`REQUEST_LIMIT`], an idle connection is closed after [`IDLE_LIMIT`].

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use loquat_domain::Refusal;
use loquat_domain::admin::{Actor, AdminService};
use loquat_proto::ErrorBody;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::actor;
use super::path::Reachable;
use super::wire::{Greeting, REQUEST_BYTES, Request, Response};

/// Operators' commands at a time.
const CONNECTIONS: usize = 16;

/// Within this long a request's line is complete and an answer's line is read.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// How long a connection may stay without a request.
const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// How long the listener pauses when it cannot accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The socket's name in the data folder.
pub(crate) const SOCKET: &str = "admin.sock";

/// A socket that serves. Dropping it closes and removes it.
pub(crate) struct AdminSocket {
    path: PathBuf,
    serving: JoinHandle<()>,
}

/// Serves operators from now on. Whoever serves the store holds its lock: a socket that is there already was left by a
/// process that died.
pub(crate) fn serve(data: &Path, admin: AdminService, greeting: Greeting) -> Result<AdminSocket> {
    let path = data.join(SOCKET);
    let listener = bind(&path).with_context(|| format!("cannot listen on {}", path.display()))?;
    let serving = tokio::spawn(accept(listener, admin, Arc::new(greeting)));
    Ok(AdminSocket { path, serving })
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(Reachable::new(path)?.path())?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        self.serving.abort();
        // A socket that stays behind is removed by the next start.
        let _ = fs::remove_file(&self.path);
    }
}

async fn accept(listener: UnixListener, admin: AdminService, greeting: Arc<Greeting>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    // The semaphore is never closed.
    while let Ok(place) = places.clone().acquire_owned().await {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(%error, "cannot accept an operator");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (admin, greeting) = (admin.clone(), greeting.clone());
        drop(tokio::spawn(async move {
            if let Err(error) = converse(stream, &admin, &greeting).await {
                debug!(%error, "an operator's connection ended early");
            }
            drop(place);
        }));
    }
}

async fn converse(stream: UnixStream, admin: &AdminService, greeting: &Greeting) -> io::Result<()> {
    let Some(actor) = actor::of_peer(&stream)? else {
        warn!("somebody who is neither root nor this service's user asked for administration");
        return Ok(());
    };
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    say(&mut writer, greeting).await?;
    loop {
        // Waits for the first byte of a request longer than for its rest.
        let waited = timeout(IDLE_LIMIT, reader.fill_buf()).await;
        if !waited.is_ok_and(|read| read.is_ok_and(|bytes| !bytes.is_empty())) {
            return Ok(());
        }
        let mut line = Vec::new();
        let mut limited = (&mut reader).take(REQUEST_BYTES);
        timeout(REQUEST_LIMIT, limited.read_until(b'\n', &mut line)).await??;
        if line.last() != Some(&b'\n') {
            // Where the next request begins is not known any more.
            return say(&mut writer, &refused(&Refusal::invalid("a request is one line of at most 64 KiB")))
                .await;
        }
        let response = answer(admin, &actor, &line).await;
        say(&mut writer, &response).await?;
    }
}

async fn answer(admin: &AdminService, actor: &Actor, line: &[u8]) -> Response {
    let call: Request = match serde_json::from_slice(line) {
        Ok(call) => call,
        Err(error) => return refused(&Refusal::invalid(format!("the request is not understood: {error}"))),
    };
    // In a task of its own: an act that has begun ends, whether or not its operator waits.
    let (admin, actor) = (admin.clone(), actor.clone());
    let performing = tokio::spawn(async move { admin.perform(&actor, call).await });
    match performing.await {
        Ok(Ok(answer)) => Response::Ok(answer),
        Ok(Err(refusal)) => refused(&refusal),
        Err(_) => refused(&Refusal::Unavailable { reason: "an internal error", retry_after_ms: 1_000 }),
    }
}

fn refused(refusal: &Refusal) -> Response {
    Response::Error(ErrorBody::from(refusal))
}

async fn say(writer: &mut (impl tokio::io::AsyncWrite + Unpin), line: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    timeout(REQUEST_LIMIT, writer.write_all(&text)).await?
}
