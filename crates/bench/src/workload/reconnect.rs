//! Workload (d): everybody's connection breaks at once, and everybody comes back at once.

use std::{cell::RefCell, rc::Rc, time::Duration};

use indicatif::ProgressBar;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::{
    Bench, Values, idle,
    one_to_one::{self, Schedule},
};
use crate::{
    error::BenchError,
    generator::{
        pair::Load,
        run::{Drivers, Measured, Run, WakerSlot, finish, load},
        socket::Socket,
        storm::{Client, Step, Storm, StormParts},
    },
    layout::Layout,
    report::Metric,
    system::{Deployment, System},
};

/// Messages that each client misses.
const MISSED: u64 = 10;
/// Users who write what is missed: one direct conversation with each client.
const WRITERS: usize = 100;
/// Pairs that stay connected and go on talking, and their messages a second together.
const BYSTANDERS: usize = 50;
const BYSTANDERS_PER_SECOND: u32 = 500;
/// How long a server has for connections that broke before messages are written.
const AFTERMATH: Duration = Duration::from_secs(1);
/// Messages of bystanders that may wait unsent for one of them.
const BACKLOG_LIMIT: usize = 100;

/// Sockets of as many users drop, miss ten messages each, and come back with their sync tokens.
pub(super) async fn run(bench: &Bench, sockets: usize, progress: &ProgressBar) -> Result<Values, BenchError> {
    let users = sockets + WRITERS + 2 * BYSTANDERS;
    idle::check_descriptors(users)?;
    progress.enable_steady_tick(Duration::from_millis(200));
    progress.set_message("preparing");
    let deployment = bench.launcher.deploy(System::Loquat, Layout::Users(users)).await?;
    let mut storm = Storm::start(parts(bench, &deployment, sockets).await?)?;
    progress.set_message("connecting");
    storm.step(Step::Connect).await?;
    progress.disable_steady_tick();
    let run = Run::new(bench.settings.nonces, bench.settings.acks);
    let mut drivers = bystanders(&run, &deployment, sockets + WRITERS).await?;

    let settings = &bench.settings;
    let plan = bench.plan_of(&deployment.process, (settings.warm_up, settings.window), progress);
    progress.set_length((settings.warm_up + settings.window).as_millis() as u64);
    load(&run, &mut drivers, &plan, sleep(settings.warm_up)).await?;
    let (calm, ()) = load(&run, &mut drivers, &plan, sleep(settings.window)).await?;
    let dropping = async {
        let dropped = storm.step(Step::Drop).await;
        sleep(AFTERMATH).await;
        dropped
    };
    let (broken, dropped) = load(&run, &mut drivers, &plan, dropping).await?;
    dropped?;
    load(&run, &mut drivers, &plan, storm.step(Step::Miss)).await?.1?;
    let (stormy, synced) = load(&run, &mut drivers, &plan, storm.step(Step::Reconnect)).await?;
    let synced = synced?;
    finish(&run, drivers, &plan).await?;

    let p99 = |measured: &Measured| {
        let quantile = measured.answers_latency.quantile_us(0.99);
        quantile
            .map(|microseconds| microseconds / 1000.0)
            .ok_or_else(|| BenchError::Audit("no message of a bystander was answered".to_owned()))
    };
    let (calm, worst) = (p99(&calm)?, p99(&broken)?.max(p99(&stormy)?));
    let seconds = stormy.elapsed.as_secs_f64();
    let mut values = vec![(Metric::SyncedSeconds, synced.elapsed.as_secs_f64())];
    for (quantile, metric) in [(0.5, Metric::SyncedP50), (0.99, Metric::SyncedP99)] {
        let each = synced.each.quantile_us(quantile);
        values.extend(each.map(|microseconds| (metric, microseconds / 1e6)));
    }
    values.extend([
        (Metric::CpuPerReconnect, stormy.server_cpu.as_secs_f64() * 1e6 / sockets as f64),
        (Metric::ServerLoad, 100.0 * stormy.server_cpu.as_secs_f64() / seconds),
        (Metric::GeneratorLoad, 100.0 * stormy.generator_cpu.as_secs_f64() / seconds),
        (Metric::CalmAckP99, calm),
        (Metric::BystanderAckP99, worst),
        (Metric::TimesCalm, worst / calm),
    ]);
    Ok(values)
}

/// A direct conversation for each client with one of the writers.
async fn parts(bench: &Bench, deployment: &Deployment, sockets: usize) -> Result<StormParts, BenchError> {
    let pairs: Vec<(usize, usize)> =
        (0..sockets).map(|client| (sockets + client % WRITERS, client)).collect();
    let conversations = deployment.create_directs(&pairs).await?;
    let clients = conversations.into_iter().enumerate().map(|(client, conversation)| Client {
        account: deployment.accounts[client].clone(),
        conversation,
        writer: client % WRITERS,
    });
    Ok(StormParts {
        address: deployment.address,
        clients: clients.collect(),
        writers: deployment.accounts[sockets..sockets + WRITERS].to_vec(),
        missed: MISSED,
        nonces: bench.settings.nonces,
    })
}

/// Pairs of the accounts from this place on, who send at a fixed rate.
async fn bystanders(run: &Rc<Run>, deployment: &Deployment, first: usize) -> Result<Drivers, BenchError> {
    let pairs: Vec<(usize, usize)> =
        (0..BYSTANDERS).map(|pair| (first + 2 * pair, first + 2 * pair + 1)).collect();
    let conversations = deployment.create_directs(&pairs).await?;
    let mut drivers = Drivers::new();
    let mut targets = Vec::with_capacity(BYSTANDERS);
    for (number, ((writer, reader), conversation)) in pairs.into_iter().zip(&conversations).enumerate() {
        let members = (&deployment.accounts[writer], &deployment.accounts[reader]);
        let schedule: Schedule = Rc::new(RefCell::default());
        let what = (conversation, number as u64, Load::Open(Rc::clone(&schedule)));
        let pair = one_to_one::connect_pair(run, deployment.address, members, what).await?;
        targets.push((schedule, pair.waker_slot()));
        one_to_one::drive(&mut drivers, pair);
    }
    drivers.spawn_local(pace(Rc::clone(run), targets));
    Ok(drivers)
}

/// Sends at a fixed rate, whatever is under way. It sleeps in between, since another thread needs the core; latency
/// counts from the moment it woke, so that a late wake-up is not charged to the server.
async fn pace(run: Rc<Run>, targets: Vec<(Schedule, WakerSlot)>) -> Result<Vec<Socket>, BenchError> {
    let mut ticks = interval(Duration::from_secs(1) / BYSTANDERS_PER_SECOND);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for (schedule, slot) in targets.iter().cycle() {
        ticks.tick().await;
        if !run.sending() {
            break;
        }
        let mut schedule = schedule.borrow_mut();
        schedule.push_back(run.now());
        run.wake(*slot);
        if schedule.len() > BACKLOG_LIMIT {
            return Err(BenchError::Audit("bystanders could not send".to_owned()));
        }
    }
    Ok(Vec::new())
}
