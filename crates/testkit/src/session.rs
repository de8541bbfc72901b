//! A live session with its frames parsed.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use loquat_domain::fanout::{Registry, Session};
use loquat_domain::messages::{Act, Mutation};
use loquat_domain::{App, Caller, Refusal};
use loquat_proto::conversation::Receipts;
use loquat_proto::frame::{Answer, FrameId, Push};
use loquat_proto::message::Appended;
use loquat_proto::{CloseCode, ConversationId, ErrorBody, Nonce, Ready, ServerFrame};

/// The id under which a [`TestSession`] says `hello`.
const HELLO: FrameId = 1;

/// What a session was sent.
#[derive(Debug, Clone)]
pub enum Received {
    /// The answer to `hello`.
    Ready(Box<Ready>),
    /// Another answer.
    Answer(Answer),
    /// A push.
    Push(Box<Push>),
}

impl Received {
    /// Where an answer says that the event stands, or the error; `None` if this is no such answer.
    #[must_use]
    pub fn outcome(&self) -> Option<(FrameId, Result<Appended, ErrorBody>)> {
        let Self::Answer(Answer { re, result }) = self else { return None };
        match result {
            Ok(content) => Some((*re, Ok(serde_json::from_str(content.get()).ok()?))),
            Err(error) => Some((*re, Err(error.clone()))),
        }
    }
}

/// A session of the registry as a client would hold it. Closed when it is dropped.
pub struct TestSession {
    app: App,
    registry: Arc<Registry>,
    session: Arc<Session>,
    waiting: VecDeque<Received>,
    next_id: FrameId,
}

impl TestSession {
    /// Opens a session without saying `hello`: it is subscribed, and its live frames are held.
    ///
    /// # Errors
    /// The user or the node has too many.
    pub fn open(app: &App, caller: Caller) -> Result<Self, Refusal> {
        let registry = app.sessions().clone();
        let session = registry.open(caller)?;
        Ok(Self { app: app.clone(), registry, session, waiting: VecDeque::new(), next_id: HELLO + 1 })
    }

    /// Says `hello` with a sync token.
    ///
    /// # Errors
    /// Storage did not answer.
    pub async fn hello(&self, since: Option<&str>) -> Result<(), Refusal> {
        self.app.sync().ready(&self.session, HELLO, since).await
    }

    /// Opens a session and says `hello`.
    ///
    /// # Errors
    /// The user or the node has too many sockets, or storage did not answer.
    pub async fn connect(app: &App, caller: Caller, since: Option<&str>) -> Result<Self, Refusal> {
        let session = Self::open(app, caller)?;
        session.hello(since).await?;
        Ok(session)
    }

    /// The domain's side of it.
    #[must_use]
    pub const fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Does something to a conversation; the answer comes under the id returned.
    pub fn submit(&mut self, conversation: ConversationId, nonce: Option<Nonce>, act: Act) -> FrameId {
        let re = self.next_id();
        self.app.messages().submit(&self.session, Some(re), Mutation { conversation, nonce, act });
        re
    }

    /// Moves the own cursors, without an answer.
    pub fn acknowledge(&self, conversation: ConversationId, receipts: Receipts) {
        self.app.receipts().submit(&self.session, None, conversation, receipts);
    }

    /// Asks for a sync token, as the socket's timer does.
    pub fn tick(&self) {
        self.app.sync().tick(&self.session);
    }

    fn next_id(&mut self) -> FrameId {
        self.next_id += 1;
        self.next_id - 1
    }

    /// What was sent so far, without waiting.
    ///
    /// # Errors
    /// The session is closed and everything was taken.
    pub fn take(&mut self) -> Result<Vec<Received>, CloseCode> {
        let mut frames = Vec::new();
        let drained = {
            let mut context = Context::from_waker(Waker::noop());
            pin!(self.session.drain_into(&mut frames)).poll(&mut context)
        };
        self.waiting.extend(frames.iter().map(parse));
        match drained {
            Poll::Ready(Err(code)) if self.waiting.is_empty() => Err(code),
            _ => Ok(self.waiting.drain(..).collect()),
        }
    }

    /// The next frame, which is waited for.
    ///
    /// # Errors
    /// The session is closed and everything was taken.
    pub async fn next(&mut self) -> Result<Received, CloseCode> {
        loop {
            if let Some(received) = self.waiting.pop_front() {
                return Ok(received);
            }
            let mut frames = Vec::new();
            self.session.drain_into(&mut frames).await?;
            self.waiting.extend(frames.iter().map(parse));
        }
    }

    /// The answer under this id, which is waited for; what comes before it is left for later.
    ///
    /// # Errors
    /// The session is closed.
    pub async fn outcome(&mut self, re: FrameId) -> Result<Result<Appended, ErrorBody>, CloseCode> {
        let mut others = VecDeque::new();
        let outcome = loop {
            let received = self.next().await?;
            match received.outcome() {
                Some((id, outcome)) if id == re => break outcome,
                _ => others.push_back(received),
            }
        };
        others.append(&mut self.waiting);
        self.waiting = others;
        Ok(outcome)
    }
}

impl Drop for TestSession {
    fn drop(&mut self) {
        self.registry.close(&self.session);
    }
}

fn parse(frame: &Bytes) -> Received {
    let text = std::str::from_utf8(frame).expect("frames are text");
    match ServerFrame::parse(text).expect("the server sends what it specifies") {
        ServerFrame::Answer(Answer { re: HELLO, result: Ok(ready) }) => {
            let ready = serde_json::from_str(ready.get()).expect("the answer to hello is ready");
            Received::Ready(Box::new(ready))
        }
        ServerFrame::Answer(answer) => Received::Answer(answer),
        ServerFrame::Push(push) => Received::Push(push),
    }
}
