//! Many clients that drop at once, miss messages, and reconnect at once, on a thread of their own.
//!
//! The thread gives way to the one that starts it, so that what others experience meanwhile is measured there and not
//! delayed by the work of thousands of reconnecting clients on the same core.

use std::{
    net::SocketAddr,
    rc::Rc,
    task::Poll,
    thread,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use tokio::{
    runtime::{Builder, LocalOptions},
    sync::mpsc,
    task::{JoinError, JoinSet},
};

use super::{
    body::{Bodies, NonceKind, ack_frame},
    histogram::Histogram,
    socket::Socket,
};
use crate::{
    error::BenchError,
    machine,
    scan::{self, ServerFrame},
    system::{Account, Conversation},
};

/// Handshakes under way at once, before the storm.
const CONNECTING: usize = 64;
/// Messages under way for each writer.
const WINDOW: usize = 32;
/// Frame ids of requests start here; `hello` had 1.
const FIRST_ID: u64 = 2;

/// A client that drops and reconnects.
pub(crate) struct Client {
    pub(crate) account: Account,
    /// Where it misses messages.
    pub(crate) conversation: Conversation,
    /// Who writes them, as a place in [`StormParts::writers`].
    pub(crate) writer: usize,
}

/// What a storm is made from.
pub(crate) struct StormParts {
    pub(crate) address: SocketAddr,
    pub(crate) clients: Vec<Client>,
    pub(crate) writers: Vec<Account>,
    /// Messages that each client misses.
    pub(crate) missed: u64,
    pub(crate) nonces: NonceKind,
}

/// What the thread can be asked for, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// All clients connect, one after the other.
    Connect,
    /// All connections end at once.
    Drop,
    /// The messages are written.
    Miss,
    /// All clients reconnect at once, fetch what they missed and acknowledge it.
    Reconnect,
}

/// How a step went.
pub(crate) struct Outcome {
    /// How long it took until the last client had done its part.
    pub(crate) elapsed: Duration,
    /// How long each client took, where they all do the same.
    pub(crate) each: Histogram,
}

/// A handle to the thread; dropping it ends all connections.
pub(crate) struct Storm {
    steps: mpsc::Sender<Step>,
    outcomes: mpsc::Receiver<Result<Outcome, BenchError>>,
}

impl Storm {
    /// Starts the thread.
    pub(crate) fn start(parts: StormParts) -> Result<Self, BenchError> {
        let (steps, asked) = mpsc::channel(1);
        let (told, outcomes) = mpsc::channel(1);
        thread::Builder::new().name("storm".to_owned()).spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
            match runtime {
                Ok(runtime) => runtime.block_on(serve(parts, asked, told)),
                Err(error) => drop(told.blocking_send(Err(error.into()))),
            }
        })?;
        Ok(Self { steps, outcomes })
    }

    /// Takes a step and waits until it is done.
    pub(crate) async fn step(&mut self, step: Step) -> Result<Outcome, BenchError> {
        let gone = || BenchError::Server("the thread of the storm ended".to_owned());
        self.steps.send(step).await.map_err(|_| gone())?;
        self.outcomes.recv().await.ok_or_else(gone)?
    }
}

async fn serve(
    parts: StormParts,
    mut steps: mpsc::Receiver<Step>,
    outcomes: mpsc::Sender<Result<Outcome, BenchError>>,
) {
    let mut clients = Clients::new(parts);
    while let Some(step) = steps.recv().await {
        let outcome = clients.take(step).await;
        if outcomes.send(outcome).await.is_err() {
            return;
        }
    }
}

/// All clients, on their thread.
struct Clients {
    parts: Rc<StormParts>,
    bodies: Rc<Bodies>,
    /// The sync token of each, once connected.
    since: Vec<String>,
    /// Tasks that keep connections open; they end only when one fails.
    open: JoinSet<BenchError>,
}

impl Clients {
    fn new(parts: StormParts) -> Self {
        let bodies = Rc::new(Bodies::new(parts.nonces));
        Self { parts: Rc::new(parts), bodies, since: Vec::new(), open: JoinSet::new() }
    }

    async fn take(&mut self, step: Step) -> Result<Outcome, BenchError> {
        let start = Instant::now();
        let mut each = Histogram::default();
        match step {
            Step::Connect => self.connect().await?,
            Step::Drop => {
                if let Some(ended) = self.open.try_join_next() {
                    return Err(ended.unwrap_or_else(panicked));
                }
                self.open.shutdown().await;
            }
            Step::Miss => self.miss().await?,
            Step::Reconnect => {
                machine::give_way()?;
                self.reconnect(&mut each).await?;
            }
        }
        Ok(Outcome { elapsed: start.elapsed(), each })
    }

    async fn connect(&mut self) -> Result<(), BenchError> {
        let parts = Rc::clone(&self.parts);
        let mut connected = stream::iter(&parts.clients)
            .map(|client| Socket::resume(parts.address, &client.account, None))
            .buffered(CONNECTING);
        while let Some(socket) = connected.next().await {
            let (mut socket, ready) = socket?;
            self.since.push(serde_json::from_slice::<Answer<Ready>>(&ready)?.ok.since);
            self.open.spawn_local(async move { socket.stay().await });
        }
        Ok(())
    }

    async fn miss(&self) -> Result<(), BenchError> {
        let mut tasks = JoinSet::new();
        for writer in 0..self.parts.writers.len() {
            tasks.spawn_local(write(Rc::clone(&self.parts), Rc::clone(&self.bodies), writer));
        }
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap_or_else(|error| Err(panicked(error)))?;
        }
        Ok(())
    }

    async fn reconnect(&mut self, each: &mut Histogram) -> Result<(), BenchError> {
        let start = Instant::now();
        let mut tasks = JoinSet::new();
        for (number, since) in self.since.iter().enumerate() {
            let (parts, bodies, since) = (Rc::clone(&self.parts), Rc::clone(&self.bodies), since.clone());
            tasks.spawn_local(async move {
                let socket = sync(&parts, &bodies, (number, &since)).await?;
                Ok::<_, BenchError>((socket, start.elapsed()))
            });
        }
        while let Some(ended) = tasks.join_next().await {
            let (mut socket, elapsed) = ended.unwrap_or_else(|error| Err(panicked(error)))?;
            each.record(elapsed.as_nanos() as u64);
            self.open.spawn_local(async move { socket.stay().await });
        }
        Ok(())
    }
}

fn panicked(error: JoinError) -> BenchError {
    BenchError::Audit(error.to_string())
}

#[derive(Deserialize)]
struct Answer<T> {
    ok: T,
}

/// What is needed of the answer to `hello`.
#[derive(Deserialize)]
struct Ready {
    since: String,
    changed: Vec<Changed>,
    reset: bool,
}

#[derive(Deserialize)]
struct Changed {
    id: String,
    head: u64,
}

/// What is needed of the answer to `fetch`.
#[derive(Deserialize)]
struct Fetched {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    seq: u64,
    body: Body,
}

#[derive(Deserialize)]
struct Body {
    text: String,
}

/// What a client does that was away: it connects with its token, asks for what moved, and fetches what it lacks.
async fn sync(
    parts: &StormParts,
    bodies: &Bodies,
    (number, since): (usize, &str),
) -> Result<Socket, BenchError> {
    let client = &parts.clients[number];
    let Conversation { id, head } = &client.conversation;
    let (mut socket, ready) = Socket::resume(parts.address, &client.account, Some(since)).await?;
    let ready = serde_json::from_slice::<Answer<Ready>>(&ready)?.ok;
    let lacking = |what: &str| BenchError::Audit(format!("client {number} {what} in its conversation {id}"));
    if ready.reset {
        return Err(lacking("may not go on with its token"));
    }
    let changed = ready.changed.iter().find(|changed| changed.id == *id);
    let due = changed.ok_or_else(|| lacking("is not told of a change"))?.head;
    if due != head + parts.missed {
        return Err(lacking("is told of another head than was written"));
    }
    let mut have = *head;
    for request in FIRST_ID.. {
        if have == due {
            break;
        }
        let page = socket.ask(request, fetch_frame(request, id, have)).await?;
        let items = serde_json::from_slice::<Answer<Fetched>>(&page)?.ok.items;
        if items.is_empty() {
            return Err(lacking("gets nothing that it misses"));
        }
        for item in items {
            let expected = bodies.text(number as u64, have - head);
            if item.seq != have + 1 || item.body.text.as_bytes() != expected {
                return Err(lacking("gets another message than was written"));
            }
            have += 1;
        }
    }
    socket.queue(ack_frame(id, have))?;
    std::future::poll_fn(|context| Poll::Ready(socket.flush(context))).await?;
    Ok(socket)
}

fn fetch_frame(id: u64, conversation: &str, after: u64) -> BytesMut {
    let frame =
        format!(r#"{{"op":"fetch","id":{id},"conversation":"{conversation}","after":{after},"limit":50}}"#);
    BytesMut::from(frame.as_str())
}

/// Writes what the clients of this writer miss: one message to each, then the next one to each.
async fn write(parts: Rc<StormParts>, bodies: Rc<Bodies>, writer: usize) -> Result<(), BenchError> {
    let mine: Vec<usize> =
        (0..parts.clients.len()).filter(|number| parts.clients[*number].writer == writer).collect();
    let total = mine.len() * parts.missed as usize;
    let place = |message: usize| (mine[message % mine.len()], (message / mine.len()) as u64);
    let mut socket = Socket::connect(parts.address, &parts.writers[writer]).await?;
    let mut answered = vec![false; total];
    let (mut sent, mut done) = (0, 0);
    std::future::poll_fn(|context| {
        while let Poll::Ready(frame) = socket.poll_frame(context) {
            let frame = frame?;
            match scan::server_frame(&frame) {
                Some(ServerFrame::Answer { re, seq: Some(seq) }) => {
                    let message = re.wrapping_sub(FIRST_ID) as usize;
                    let (client, number) = place(message);
                    let due = parts.clients[client].conversation.head + 1 + number;
                    if message >= sent || seq != due || std::mem::replace(&mut answered[message], true) {
                        return Poll::Ready(Err(BenchError::Audit(format!(
                            "frame {re} was answered with {seq} where {due} was due, or twice"
                        ))));
                    }
                    done += 1;
                }
                Some(ServerFrame::Refusal { frame, .. }) => {
                    let refusal = String::from_utf8_lossy(frame).into_owned();
                    return Poll::Ready(Err(BenchError::Protocol(refusal)));
                }
                _ => {}
            }
        }
        while sent < total && sent - done < WINDOW {
            let (client, number) = place(sent);
            let conversation = &parts.clients[client].conversation.id;
            let text = bodies.text(client as u64, number);
            socket.queue(bodies.send_frame(sent as u64 + FIRST_ID, conversation, text))?;
            sent += 1;
        }
        socket.flush(context)?;
        if done == total { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
}

#[cfg(test)]
mod tests;
