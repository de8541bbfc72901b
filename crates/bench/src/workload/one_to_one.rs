//! Workload (a): durable one-to-one messages, as fast as a window allows or at a fixed rate.

use std::{cell::RefCell, collections::VecDeque, future::poll_fn, net::SocketAddr, rc::Rc};

use indicatif::ProgressBar;

use super::{Bench, Values, load_values};
use crate::{
    error::BenchError,
    generator::{
        pair::{Load, Pair, PairParts},
        run::{Drivers, Run, WakerSlot, measure},
        socket::Socket,
    },
    layout::Layout,
    report::Metric,
    system::{Account, Conversation, Deployment, System},
};

/// Seconds of an open loop's messages that may wait unsent before the run is given up.
const BACKLOG_LIMIT_SECONDS: usize = 5;

/// Times at which a pair is to send.
pub(super) type Schedule = Rc<RefCell<VecDeque<u64>>>;

/// `(pairs, window)`: each pair keeps `window` messages under way; a slot frees when its message was
/// answered, delivered, and its receipt came back.
pub(super) async fn closed(
    bench: &Bench,
    system: System,
    (pairs, window): (usize, usize),
    progress: &ProgressBar,
) -> Result<Values, BenchError> {
    let deployment = bench.launcher.deploy(system, Layout::Pairs(pairs)).await?;
    let run = Run::new(bench.settings.nonces, bench.settings.acks);
    let mut drivers = Drivers::new();
    for pair in connect(&run, &deployment, |_| Load::Closed { window }).await? {
        drive(&mut drivers, pair);
    }
    finish(bench, &run, drivers, (&deployment, progress)).await
}

/// `(pairs, per_second)`: messages at a fixed total rate, whatever is under way. Latency counts from the
/// time at which a message should have been sent, so that a stall is charged to all that it delays.
pub(super) async fn open(
    bench: &Bench,
    system: System,
    (pairs, per_second): (usize, u32),
    progress: &ProgressBar,
) -> Result<Values, BenchError> {
    let deployment = bench.launcher.deploy(system, Layout::Pairs(pairs)).await?;
    let run = Run::new(bench.settings.nonces, bench.settings.acks);
    let schedules: Vec<Schedule> = (0..pairs).map(|_| Schedule::default()).collect();
    let connected = connect(&run, &deployment, |index| Load::Open(Rc::clone(&schedules[index]))).await?;
    let targets: Vec<(Schedule, WakerSlot)> =
        schedules.iter().cloned().zip(connected.iter().map(Pair::waker_slot)).collect();
    let mut drivers = Drivers::new();
    for pair in connected {
        drive(&mut drivers, pair);
    }
    drivers.spawn_local(pace(Rc::clone(&run), targets, per_second));
    finish(bench, &run, drivers, (&deployment, progress)).await
}

async fn connect(
    run: &Rc<Run>,
    deployment: &Deployment,
    load: impl Fn(usize) -> Load,
) -> Result<Vec<Pair>, BenchError> {
    let mut pairs = Vec::with_capacity(deployment.conversations.len());
    for (index, conversation) in deployment.conversations.iter().enumerate() {
        let members = (&deployment.accounts[2 * index], &deployment.accounts[2 * index + 1]);
        let what = (conversation, index as u64, load(index));
        pairs.push(connect_pair(run, deployment.address, members, what).await?);
    }
    Ok(pairs)
}

/// Connects the writer and the reader of a direct conversation; the number makes the writer's texts.
pub(super) async fn connect_pair(
    run: &Rc<Run>,
    address: SocketAddr,
    (writer, reader): (&Account, &Account),
    (conversation, number, load): (&Conversation, u64, Load),
) -> Result<Pair, BenchError> {
    let parts = PairParts {
        writer: Socket::connect(address, writer).await?,
        reader: Socket::connect(address, reader).await?,
        reader_id: reader.number()?,
        writer_number: number,
        conversation: conversation.clone(),
        load,
    };
    Ok(Pair::new(run, parts))
}

/// Lets a pair work.
pub(super) fn drive(drivers: &mut Drivers, mut pair: Pair) {
    drivers.spawn_local(async move {
        poll_fn(|context| pair.poll(context)).await?;
        Ok(pair.into_sockets())
    });
}

/// Puts each message into the schedule of the next pair when it is due. It never sleeps: timers of the
/// runtime are coarse to a millisecond, and a core that dozes off answers late.
async fn pace(
    run: Rc<Run>,
    targets: Vec<(Schedule, WakerSlot)>,
    per_second: u32,
) -> Result<Vec<Socket>, BenchError> {
    let start = run.now();
    let due_at = |number: u64| start + number * 1_000_000_000 / u64::from(per_second);
    let backlog_limit = per_second as usize * BACKLOG_LIMIT_SECONDS;
    let mut number = 0u64;
    while run.sending() {
        while due_at(number) <= run.now() {
            let (schedule, slot) = &targets[number as usize % targets.len()];
            schedule.borrow_mut().push_back(due_at(number));
            run.wake(*slot);
            number += 1;
            if schedule.borrow().len() * targets.len() > backlog_limit.max(targets.len() * 2) {
                return Err(BenchError::Audit(format!("{per_second} messages a second cannot be sustained")));
            }
        }
        tokio::task::yield_now().await;
    }
    Ok(Vec::new())
}

async fn finish(
    bench: &Bench,
    run: &Run,
    drivers: Drivers,
    (deployment, progress): (&Deployment, &ProgressBar),
) -> Result<Values, BenchError> {
    let measured = measure(run, drivers, &bench.plan(deployment, progress)).await?;
    let completed = measured.completed;
    Ok(load_values(&measured, (Metric::MessagesPerSecond, completed), (Metric::CpuPerMessage, completed)))
}
