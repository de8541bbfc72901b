//! The connection to the server over time: opening, waiting, opening again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use loquat_engine::Credential;
use loquat_proto::account::Connect;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::session::Sessions;
use crate::transport::rest::Call;
use crate::transport::socket::{FromSocket, Socket};
use crate::{Error, random};

/// The first bound of the wait before a new try; it doubles with each that fails.
const BASE: Duration = Duration::from_millis(500);
/// The last bound.
const CAP: Duration = Duration::from_secs(30);

type Opened = (Socket, Credential);

#[derive(Debug)]
enum State {
    /// No connection is wanted.
    Idle,
    /// The next try starts then.
    Waiting(Instant),
    Opening(JoinHandle<Result<Opened, Error>>),
    Open(Socket),
}

/// What happened to the connection.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    /// A socket is open; `hello` carries this.
    Opened(Credential),
    /// It could not be opened. The link is idle.
    Failed(Error),
    /// A text frame.
    Frame(String),
    /// The socket is gone. The link is idle.
    Closed { code: Option<u16>, reason: String },
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Link {
    sessions: Arc<Sessions>,
    state: State,
    /// Frames on their way out, as many as the engine lets be in flight.
    outgoing: VecDeque<String>,
    failures: u32,
}

impl Link {
    pub(crate) fn new(sessions: Arc<Sessions>) -> Self {
        Self { sessions, state: State::Idle, outgoing: VecDeque::new(), failures: 0 }
    }

    /// Opens the connection now.
    pub(crate) fn open(&mut self) {
        self.close();
        let sessions = Arc::clone(&self.sessions);
        self.state = State::Opening(tokio::spawn(async move { open(&sessions).await }));
    }

    /// Opens the connection after a wait: what the server asked for and a little more, or full jitter under a bound
    /// that doubles up to 30 s. Gives when, and how many tries have failed in a row.
    pub(crate) fn open_later(&mut self, asked: Option<Duration>) -> (Instant, u32) {
        self.close();
        self.failures = self.failures.saturating_add(1);
        let wait = match asked {
            Some(asked) => asked + jitter(asked / 4 + Duration::from_millis(50)),
            None => jitter(BASE.saturating_mul(1 << self.failures.saturating_sub(1).min(10)).min(CAP)),
        };
        let at = Instant::now() + wait;
        self.state = State::Waiting(at);
        (at, self.failures)
    }

    /// The connection serves: the next failure is the first again.
    pub(crate) fn serves(&mut self) {
        self.failures = 0;
    }

    /// Cuts a wait short.
    pub(crate) fn hurry(&mut self) -> bool {
        let waits = matches!(self.state, State::Waiting(_));
        if waits {
            self.open();
        }
        waits
    }

    /// Closes the connection; none is wanted until it is opened again.
    pub(crate) fn close(&mut self) {
        if let State::Opening(task) = &self.state {
            task.abort();
        }
        self.state = State::Idle;
        self.outgoing.clear();
    }

    /// Sends a frame, where there is a socket.
    pub(crate) fn send(&mut self, frame: String) {
        if matches!(self.state, State::Open(_)) {
            self.outgoing.push_back(frame);
        }
    }

    /// What happens next; for ever nothing while idle. With `read` false no frames are taken in. Safe to cancel.
    pub(crate) async fn next(&mut self, read: bool) -> LinkEvent {
        loop {
            match &mut self.state {
                State::Idle => std::future::pending::<()>().await,
                State::Waiting(at) => {
                    sleep_until(*at).await;
                    self.open();
                }
                State::Opening(task) => {
                    let result = task.await.unwrap_or_else(|error| Err(Error::Offline(error.to_string())));
                    self.state = State::Idle;
                    match result {
                        Ok((socket, credential)) => {
                            self.state = State::Open(socket);
                            return LinkEvent::Opened(credential);
                        }
                        Err(error) => return LinkEvent::Failed(error),
                    }
                }
                State::Open(socket) => {
                    let event = tokio::select! {
                        permit = socket.outgoing.reserve(), if !self.outgoing.is_empty() => {
                            // A socket that is gone says so with its last event.
                            if let (Ok(permit), Some(frame)) = (permit, self.outgoing.pop_front()) {
                                permit.send(frame);
                            }
                            None
                        }
                        event = socket.incoming.recv(), if read => Some(event),
                        // Nothing to write, and nothing may be read: whoever waits here is to cancel.
                        () = std::future::pending() => None,
                    };
                    match event {
                        None => {}
                        Some(Some(FromSocket::Frame(frame))) => return LinkEvent::Frame(frame),
                        Some(Some(FromSocket::Closed { code, reason })) => {
                            self.close();
                            return LinkEvent::Closed { code, reason };
                        }
                        Some(None) => {
                            self.close();
                            return LinkEvent::Closed { code: None, reason: "the socket ended".to_owned() };
                        }
                    }
                }
            }
        }
    }
}

/// Asks for a node and a ticket, and opens a socket there.
async fn open(sessions: &Sessions) -> Result<Opened, Error> {
    let call = Call {
        method: Method::POST,
        path: "/v1/connect".to_owned(),
        body: None,
        idempotency_key: None,
        token: None,
    };
    let connect: Connect = sessions.call(call).await?;
    let socket = Socket::open(&connect.url).await.map_err(Error::Offline)?;
    Ok((socket, Credential::Ticket(connect.ticket)))
}

/// A random duration up to this one.
fn jitter(bound: Duration) -> Duration {
    let bound = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX).max(1);
    Duration::from_millis(1 + random::bits() % bound)
}
