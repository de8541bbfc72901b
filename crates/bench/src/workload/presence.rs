//! Workload (g): what it costs that people come and go, by how many watch them.

use std::{future::poll_fn, rc::Rc, time::Duration};

use futures_util::{StreamExt, TryStreamExt, stream};
use indicatif::ProgressBar;

use super::{Bench, Values, idle};
use crate::{
    error::BenchError,
    generator::{
        presence::{Board, Mode, Watcher, watch_frame},
        run::{Acks, Drivers, Run, finish, load},
        socket::Socket,
    },
    layout::Layout,
    report::Metric,
    system::{Account, Deployment, System},
};

/// Members of each group: everybody watches all others of the own group.
pub(super) const GROUP: usize = 51;
/// Users that change their state, one change under way each.
const CHANGERS: usize = 16;
/// Load before each window, at most.
const WARM_UP: Duration = Duration::from_secs(1);
/// Each measured window, at most.
const MEASURED: Duration = Duration::from_secs(4);

/// Connects everybody. All but the members of the last group watch one another; then pings, changes that nobody watches,
/// and changes that 50 watch are measured one after the other on the same sockets.
pub(super) async fn run(bench: &Bench, groups: usize, progress: &ProgressBar) -> Result<Values, BenchError> {
    let layout = Layout::Groups { count: groups, size: GROUP };
    idle::check_descriptors(layout.users())?;
    let deployment = bench.launcher.deploy(System::Loquat, layout).await?;
    let sockets = connect(&deployment, layout, progress).await?;
    let ids = deployment.accounts.iter().map(Account::number).collect::<Result<Vec<_>, _>>()?;
    let run = Run::new(bench.settings.nonces, Acks::Off);
    let board = Board::new(&ids);
    let mut drivers = Drivers::new();
    for (place, socket) in sockets.into_iter().enumerate() {
        let group = place / GROUP;
        let unwatched = group + 1 == groups;
        let changes =
            if unwatched { place % GROUP < CHANGERS } else { place % GROUP == 0 && group < CHANGERS };
        let watchers = changes.then_some(if unwatched { 0 } else { GROUP - 1 });
        let watched = layout.members(group).filter(|other| !unwatched && *other != place);
        let mut watcher = Watcher::new((&run, &board), socket, (place, watched), watchers);
        drivers.spawn_local(async move {
            poll_fn(|context| watcher.poll(context)).await?;
            Ok(watcher.into_sockets())
        });
    }
    let values = windows(bench, &deployment, (&run, &board), drivers, progress).await?;
    Ok(values)
}

async fn windows(
    bench: &Bench,
    deployment: &Deployment,
    (run, board): (&Rc<Run>, &Rc<Board>),
    mut drivers: Drivers,
    progress: &ProgressBar,
) -> Result<Values, BenchError> {
    let settings = &bench.settings;
    let lengths = (settings.warm_up.min(WARM_UP), settings.window.min(MEASURED));
    let plan = bench.plan_of(&deployment.process, lengths, progress);
    progress.set_position(0);
    progress.set_length(3 * (lengths.0 + lengths.1).as_millis() as u64);
    let mut values = Vec::new();
    for (mode, metric) in [
        (Mode::Pings, Metric::CpuPerPing),
        (Mode::Unwatched, Metric::CpuPerUnwatched),
        (Mode::Watched, Metric::CpuPerWatched),
    ] {
        board.set_mode(run, mode);
        load(run, &mut drivers, &plan, tokio::time::sleep(lengths.0)).await?;
        let told = board.told();
        let (measured, ()) = load(run, &mut drivers, &plan, tokio::time::sleep(lengths.1)).await?;
        let told = board.told() - told;
        if measured.completed == 0 {
            return Err(BenchError::Audit(format!("nothing was done in the window of {mode:?}")));
        }
        let cpu = measured.server_cpu.as_secs_f64() * 1e6;
        values.push((metric, cpu / measured.completed as f64));
        if mode == Mode::Watched {
            let seconds = measured.elapsed.as_secs_f64();
            values.extend([
                (Metric::CpuPerTold, cpu / told.max(1) as f64),
                (Metric::ToldPerSecond, told as f64 / seconds),
                (Metric::ServerLoad, measured.server_cpu.as_secs_f64() * 100.0 / seconds),
                (Metric::GeneratorLoad, measured.generator_cpu.as_secs_f64() * 100.0 / seconds),
            ]);
            for (quantile, metric) in [(0.5, Metric::ToldP50), (0.99, Metric::ToldP99)] {
                let latency = measured.answers_latency.quantile_us(quantile);
                values.extend(latency.map(|microseconds| (metric, microseconds / 1000.0)));
            }
        }
    }
    finish(run, drivers, &plan).await?;
    Ok(values)
}

/// Sockets of all users, in their order. Those of all groups but the last watch the rest of their group.
async fn connect(
    deployment: &Deployment,
    layout: Layout,
    progress: &ProgressBar,
) -> Result<Vec<Socket>, BenchError> {
    progress.set_length(2 * layout.users() as u64);
    progress.set_message("connecting");
    let sockets: Vec<Socket> = stream::iter(&deployment.accounts)
        .map(|account| Socket::connect(deployment.address, account))
        .buffered(idle::CONNECTING)
        .inspect_ok(|_| progress.inc(1))
        .try_collect()
        .await?;
    progress.set_message("watching");
    // Once all are there, so that nobody is told of those who come.
    stream::iter(sockets.into_iter().enumerate())
        .map(async |(place, mut socket)| {
            let group = place / GROUP;
            if group + 1 < layout.conversations() {
                let others = layout.members(group).filter(|other| *other != place);
                let (id, frame) = watch_frame(others.map(|other| deployment.accounts[other].id.as_str()));
                socket.ask(id, frame).await?;
            }
            progress.inc(1);
            Ok::<_, BenchError>(socket)
        })
        .buffered(idle::CONNECTING)
        .try_collect()
        .await
}
