//! `loquat send`: messages from a script, each acknowledged before it counts.
//!
//! Lines are queued in the order of the input, up to a window of unacknowledged ones, and every one keeps its nonce:
//! over reconnects nothing is lost, doubled or reordered.

use std::collections::HashMap;
use std::io::Write as _;

use loquat_client::view::ViewChange;
use loquat_client::{Client, ClientEvent, Error, Subscription};
use loquat_proto::message::Appended;
use loquat_proto::{ConversationId, ErrorBody, Limits, MessageBody, Nonce};
use tokio::io::{BufReader, Stdin, stdin};
use tokio::time::{Instant, timeout_at};

use crate::cli::{Input, SendOptions};
use crate::input::{InputError, LineReader, read_whole};
use crate::session::{Session, SessionError};
use crate::text::sanitise;

/// Messages that may wait for their acknowledgement at a time.
const WINDOW: usize = 64;

/// Why not everything was sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// There is no session or no conversation.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The input is no message.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The server refused a message; those before it are sent.
    #[error("{}the server refused it: {reason}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
    Refused {
        /// The line of the input, from 1.
        line: Option<u64>,
        /// Why.
        reason: String,
    },
    /// Not everything was acknowledged in time. What waits stays in this device's queue.
    #[error(
        "not acknowledged in time: {waiting} wait in this device's queue and are sent, once, by the next command of \
         this profile"
    )]
    TimedOut {
        /// How many.
        waiting: usize,
    },
    /// Standard output is gone; what was queued is still sent by the next command of the profile.
    #[error("the output cannot be written: {0}")]
    Output(#[from] std::io::Error),
}

impl From<Error> for SendError {
    fn from(error: Error) -> Self {
        Self::Session(error.into())
    }
}

impl SendError {
    /// The exit code: 1 refused, 2 usage or input, 3 not acknowledged in time.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Session(error) => error.exit_code(),
            Self::Refused { .. } => 1,
            Self::Input(_) | Self::Output(_) => 2,
            Self::TimedOut { .. } => 3,
        }
    }
}

/// Sends, and waits until the server has everything durably.
///
/// # Errors
/// See [`SendError`] and [`SendError::exit_code`].
pub async fn send(options: SendOptions) -> Result<(), SendError> {
    let deadline = Instant::now() + options.timeout;
    let session = Session::begin(&options.connect, Some(deadline)).await?;
    let result = send_with(&session, &options, deadline).await;
    session.end().await;
    result
}

async fn send_with(session: &Session, options: &SendOptions, deadline: Instant) -> Result<(), SendError> {
    let conversation = session.find(&options.target, Some(deadline)).await?;
    let mut sender = Sender {
        client: &session.client,
        events: session.client.subscribe(),
        conversation,
        flights: HashMap::new(),
        options,
        refused: None,
    };
    match &options.input {
        Input::Text(text) if text.trim().is_empty() => return Err(InputError::Empty.into()),
        Input::Text(text) => sender.launch(text.clone(), None).await?,
        Input::Whole => {
            let limit = text_limit(&session.client).await;
            let text = read_whole(BufReader::new(stdin()), limit).await?;
            sender.launch(text, None).await?;
        }
        Input::Lines => {
            let limit = text_limit(&session.client).await;
            let mut lines = LineReader::new(BufReader::new(stdin()), limit);
            let input = sender.send_lines(&mut lines).await;
            // What was read before a wrong line is sent all the same.
            sender.land_all().await?;
            input?;
        }
    }
    sender.land_all().await
}

/// The server's limit for a text, or the usual one while it cannot be asked.
async fn text_limit(client: &Client) -> usize {
    client.server_info().await.map_or_else(|_| Limits::default().text_bytes, |info| info.limits.text_bytes)
}

/// What is on its way.
struct Sender<'a> {
    client: &'a Client,
    events: Subscription,
    conversation: ConversationId,
    /// The lines of the messages that are not acknowledged, by nonce.
    flights: HashMap<Nonce, Option<u64>>,
    options: &'a SendOptions,
    refused: Option<SendError>,
}

impl Sender<'_> {
    async fn launch(&mut self, text: String, line: Option<u64>) -> Result<(), SendError> {
        loop {
            match self.client.send(self.conversation, MessageBody::text(text.clone())).await {
                Ok(nonce) => {
                    self.flights.insert(nonce, line);
                    return Ok(());
                }
                // Full of what an earlier command left behind: an acknowledgement makes room.
                Err(Error::OutboxFull) => self.land_one().await?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn send_lines(&mut self, lines: &mut LineReader<BufReader<Stdin>>) -> Result<(), SendError> {
        loop {
            if self.refused.is_some() {
                return Ok(());
            }
            if self.flights.len() >= WINDOW {
                self.land_one().await?;
                continue;
            }
            tokio::select! {
                line = lines.next() => match line? {
                    Some(text) => {
                        let number = lines.line();
                        self.launch(text, Some(number)).await?;
                    }
                    None => return Ok(()),
                },
                event = self.events.next() => self.event(event).await?,
            }
        }
    }

    /// Waits for everything that is on its way; each acknowledgement starts the time anew.
    async fn land_all(&mut self) -> Result<(), SendError> {
        while !self.flights.is_empty() {
            self.land_one().await?;
        }
        self.refused.take().map_or(Ok(()), Err)
    }

    /// Waits for one acknowledgement or refusal.
    async fn land_one(&mut self) -> Result<(), SendError> {
        let deadline = Instant::now() + self.options.timeout;
        let before = self.flights.len();
        loop {
            let event = timeout_at(deadline, self.events.next()).await;
            let Ok(event) = event else {
                return Err(SendError::TimedOut { waiting: self.flights.len() });
            };
            let settles = matches!(
                event,
                Some(ClientEvent::View(ViewChange::Acknowledged { .. } | ViewChange::Refused { .. }))
            );
            self.event(event).await?;
            if settles || self.flights.len() < before {
                return Ok(());
            }
        }
    }

    async fn event(&mut self, event: Option<ClientEvent>) -> Result<(), SendError> {
        match event {
            None => Err(Error::Closed.into()),
            Some(ClientEvent::SignedOut) => Err(Error::SessionEnded.into()),
            Some(ClientEvent::View(ViewChange::Acknowledged { conversation, nonce, seq, ts })) => {
                if self.flights.remove(&nonce).is_some() {
                    self.print(Appended { conversation, seq, ts })?;
                }
                Ok(())
            }
            Some(ClientEvent::View(ViewChange::Refused { nonce, error, .. })) => {
                self.refusal(nonce, error).await
            }
            Some(ClientEvent::Lagged) => self.take_stock().await,
            Some(_) => Ok(()),
        }
    }

    async fn refusal(&mut self, nonce: Nonce, error: ErrorBody) -> Result<(), SendError> {
        let Some(line) = self.flights.remove(&nonce) else { return Ok(()) };
        // The caller learns of it by the exit code, and decides; the queue is not the place to keep it.
        self.client.discard(nonce).await?;
        let reason = if error.detail.trim().is_empty() { error.code.title() } else { &error.detail };
        let reason = sanitise::line(reason);
        self.refused.get_or_insert(SendError::Refused { line, reason });
        Ok(())
    }

    /// Events were missed: what the queue no longer holds has been acknowledged (its `seq` is not known then).
    async fn take_stock(&mut self) -> Result<(), SendError> {
        let queued = self.client.outbox().await?;
        self.flights.retain(|nonce, _| queued.iter().any(|entry| entry.nonce == *nonce));
        Ok(())
    }

    fn print(&self, appended: Appended) -> Result<(), SendError> {
        if !self.options.json {
            return Ok(());
        }
        let mut out = std::io::stdout().lock();
        serde_json::to_writer(&mut out, &appended).map_err(std::io::Error::from)?;
        out.write_all(b"\n")?;
        Ok(out.flush()?)
    }
}
