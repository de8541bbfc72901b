//! What all sockets of a run share, and the clockwork around it: warm-up, measured window, drain, audit.

use std::{
    cell::{Cell, RefCell},
    ops::Range,
    rc::Rc,
    task::{Context, Waker},
    time::{Duration, Instant},
};

use clap::ValueEnum;
use indicatif::ProgressBar;
use tokio::task::{JoinError, JoinSet};

use super::{
    body::{Bodies, NonceKind},
    histogram::Histogram,
    socket::Socket,
};
use crate::{error::BenchError, machine};

/// How often the clockwork looks at the run.
const TICK: Duration = Duration::from_millis(100);

/// How a reader acknowledges what it receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Acks {
    /// One `ack` frame for each event: the most work for a server.
    Each,
    /// One `ack` frame for all events that came in one read, as a client that coalesces does.
    Batch,
    /// None: no receipts flow.
    Off,
}

impl Acks {
    /// The cursors to send after a read that took a reader from `before` to `head`.
    pub(crate) fn cursors(self, before: u64, head: u64) -> Range<u64> {
        match self {
            Self::Each => before + 1..head + 1,
            Self::Batch => head.max(before + 1)..head + 1,
            Self::Off => 0..0,
        }
    }
}

/// State shared by the sockets of one run; everything runs on one thread.
pub(crate) struct Run {
    started: Instant,
    sending: Cell<bool>,
    completed: Cell<u64>,
    deliveries: Cell<u64>,
    wakers: RefCell<Vec<Option<Waker>>>,
    answers_latency: RefCell<Histogram>,
    delivery_latency: RefCell<Histogram>,
    /// Texts and frames.
    pub(crate) bodies: Bodies,
    /// How readers acknowledge.
    pub(crate) acks: Acks,
}

/// A driver's place in the list of those to wake.
#[derive(Clone, Copy)]
pub(crate) struct WakerSlot(usize);

impl Run {
    /// A run that has begun to send.
    pub(crate) fn new(nonces: NonceKind, acks: Acks) -> Rc<Self> {
        Rc::new(Self {
            started: Instant::now(),
            sending: Cell::new(true),
            completed: Cell::new(0),
            deliveries: Cell::new(0),
            wakers: RefCell::default(),
            answers_latency: RefCell::default(),
            delivery_latency: RefCell::default(),
            bodies: Bodies::new(nonces),
            acks,
        })
    }

    /// Nanoseconds since the run began.
    pub(crate) fn now(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }

    /// Whether new messages are to be sent.
    pub(crate) fn sending(&self) -> bool {
        self.sending.get()
    }

    /// Counts a message that was answered, delivered, and receipted where receipts are on.
    pub(crate) fn complete(&self) {
        self.completed.set(self.completed.get() + 1);
    }

    /// Messages that completed since the run began.
    pub(crate) fn total(&self) -> u64 {
        self.completed.get()
    }

    /// Counts an answer and its latency in nanoseconds.
    pub(crate) fn answered(&self, latency: u64) {
        self.answers_latency.borrow_mut().record(latency);
    }

    /// Counts a delivery and, where the reader knows it, its latency in nanoseconds.
    pub(crate) fn delivered(&self, latency: Option<u64>) {
        self.deliveries.set(self.deliveries.get() + 1);
        if let Some(latency) = latency {
            self.delivery_latency.borrow_mut().record(latency);
        }
    }

    /// Reserves a place among those to wake.
    pub(crate) fn waker_slot(&self) -> WakerSlot {
        let mut wakers = self.wakers.borrow_mut();
        wakers.push(None);
        WakerSlot(wakers.len() - 1)
    }

    /// Keeps the driver's waker; call it in each poll.
    pub(crate) fn keep_waker(&self, slot: WakerSlot, context: &Context<'_>) {
        let kept = &mut self.wakers.borrow_mut()[slot.0];
        if !kept.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            *kept = Some(context.waker().clone());
        }
    }

    /// Has a driver polled again.
    pub(crate) fn wake(&self, slot: WakerSlot) {
        if let Some(waker) = &self.wakers.borrow()[slot.0] {
            waker.wake_by_ref();
        }
    }

    /// Has every driver polled again.
    pub(crate) fn wake_all(&self) {
        for waker in self.wakers.borrow().iter().flatten() {
            waker.wake_by_ref();
        }
    }
}

/// Durations and subjects of a measurement.
pub(crate) struct Plan<'a> {
    /// Load before anything is counted.
    pub(crate) warm_up: Duration,
    /// The measured window.
    pub(crate) window: Duration,
    /// How long messages may take to complete after the last send.
    pub(crate) drain_limit: Duration,
    /// Process whose CPU time is read.
    pub(crate) server_pid: u32,
    /// Shows how far the run is.
    pub(crate) progress: &'a ProgressBar,
}

/// What happened in the measured window.
pub(crate) struct Measured {
    /// Length of the window.
    pub(crate) elapsed: Duration,
    /// Messages that completed in it.
    pub(crate) completed: u64,
    /// Deliveries in it.
    pub(crate) deliveries: u64,
    /// CPU time of the server in it.
    pub(crate) server_cpu: Duration,
    /// CPU time of the generator in it.
    pub(crate) generator_cpu: Duration,
    /// From (intended) send to answer.
    pub(crate) answers_latency: Histogram,
    /// From (intended) send to delivery.
    pub(crate) delivery_latency: Histogram,
}

struct Reading {
    at: Instant,
    completed: u64,
    deliveries: u64,
    server_cpu: Duration,
    generator_cpu: Duration,
}

fn read(run: &Run, plan: &Plan<'_>) -> Result<Reading, BenchError> {
    Ok(Reading {
        at: Instant::now(),
        completed: run.completed.get(),
        deliveries: run.deliveries.get(),
        server_cpu: machine::process_cpu_time(plan.server_pid)?,
        generator_cpu: machine::own_cpu_time()?,
    })
}

/// Tasks that drive the sockets of a run. Each ends with the verdict of its audit and hands its sockets
/// back: closing one while others still work would change what the server has to do.
pub(crate) type Drivers = JoinSet<Result<Vec<Socket>, BenchError>>;

/// Runs the clockwork over drivers that are already spawned, and returns the window once every audit passed.
pub(crate) async fn measure(
    run: &Run,
    mut drivers: Drivers,
    plan: &Plan<'_>,
) -> Result<Measured, BenchError> {
    plan.progress.set_length((plan.warm_up + plan.window).as_millis() as u64);
    load(run, &mut drivers, plan, tokio::time::sleep(plan.warm_up)).await?;
    let (measured, ()) = load(run, &mut drivers, plan, tokio::time::sleep(plan.window)).await?;
    finish(run, drivers, plan).await?;
    if measured.completed == 0 {
        return Err(BenchError::Audit("no message completed in the measured window".to_owned()));
    }
    Ok(measured)
}

/// Ends the load and waits until every driver has all that it was sent and its audit passed.
pub(crate) async fn finish(run: &Run, drivers: Drivers, plan: &Plan<'_>) -> Result<(), BenchError> {
    run.sending.set(false);
    drain(run, drivers, plan.drain_limit).await
}

/// Lets the load run until `until` is there, and says what happened meanwhile. Any driver that ends in it has failed.
pub(crate) async fn load<T>(
    run: &Run,
    drivers: &mut Drivers,
    plan: &Plan<'_>,
    until: impl Future<Output = T>,
) -> Result<(Measured, T), BenchError> {
    run.answers_latency.borrow_mut().clear();
    run.delivery_latency.borrow_mut().clear();
    let start = read(run, plan)?;
    let output = watch(run, drivers, plan, until).await?;
    let end = read(run, plan)?;
    let measured = Measured {
        elapsed: end.at - start.at,
        completed: end.completed - start.completed,
        deliveries: end.deliveries - start.deliveries,
        server_cpu: end.server_cpu.saturating_sub(start.server_cpu),
        generator_cpu: end.generator_cpu.saturating_sub(start.generator_cpu),
        answers_latency: run.answers_latency.borrow().clone(),
        delivery_latency: run.delivery_latency.borrow().clone(),
    };
    Ok((measured, output))
}

async fn watch<T>(
    run: &Run,
    drivers: &mut Drivers,
    plan: &Plan<'_>,
    until: impl Future<Output = T>,
) -> Result<T, BenchError> {
    let mut until = std::pin::pin!(until);
    let mut last = run.completed.get();
    loop {
        tokio::select! {
            output = &mut until => return Ok(output),
            () = tokio::time::sleep(TICK) => {}
            Some(ended) = drivers.join_next() => {
                verdict(Some(ended))?;
                return Err(BenchError::Audit("a driver ended in the middle of the run".to_owned()));
            }
        }
        let completed = run.completed.get();
        plan.progress.inc(TICK.as_millis() as u64);
        plan.progress.set_message(format!("{:.0}/s", (completed - last) as f64 / TICK.as_secs_f64()));
        last = completed;
    }
}

/// Waits until every driver has all that it was sent and its audit passed.
async fn drain(run: &Run, mut drivers: Drivers, limit: Duration) -> Result<(), BenchError> {
    let deadline = Instant::now() + limit;
    let mut finished = Vec::new();
    while !drivers.is_empty() {
        run.wake_all();
        tokio::select! {
            () = tokio::time::sleep(TICK / 5) => {}
            ended = drivers.join_next() => finished.append(&mut verdict(ended)?),
        }
        while let Some(ended) = drivers.try_join_next() {
            finished.append(&mut verdict(Some(ended))?);
        }
        if Instant::now() > deadline && !drivers.is_empty() {
            let left = drivers.len();
            return Err(BenchError::Audit(format!(
                "{left} sockets still lack an answer, a delivery or a receipt {limit:?} after the last send"
            )));
        }
    }
    Ok(())
}

fn verdict(
    ended: Option<Result<Result<Vec<Socket>, BenchError>, JoinError>>,
) -> Result<Vec<Socket>, BenchError> {
    match ended {
        None => Ok(Vec::new()),
        Some(Ok(verdict)) => verdict,
        Some(Err(panicked)) => Err(BenchError::Audit(panicked.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_cover_what_was_read() {
        let cases: [(Acks, u64, u64, &[u64]); 5] = [
            (Acks::Each, 3, 6, &[4, 5, 6]),
            (Acks::Each, 3, 3, &[]),
            (Acks::Batch, 3, 6, &[6]),
            (Acks::Batch, 3, 3, &[]),
            (Acks::Off, 3, 6, &[]),
        ];
        for (acks, before, head, expected) in cases {
            assert_eq!(acks.cursors(before, head).collect::<Vec<_>>(), expected, "{acks:?} {before} {head}");
        }
    }
}
