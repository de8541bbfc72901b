//! Workload (i): what a durable send and a start cost as a store grows.

use std::{future::poll_fn, time::Duration};

use indicatif::ProgressBar;

use super::{Bench, Values, load_values, one_to_one};
use crate::{
    error::BenchError,
    generator::{
        group::{Board, Member, MemberParts},
        pair::Load,
        run::{Acks, Drivers, Measured, Plan, Run, measure},
        socket::Socket,
    },
    layout::Layout,
    machine,
    report::Metric,
    system::{Account, Extent, GrowingStore, ServerProcess},
};

/// Direct conversations in which messages are sent, one under way in each.
pub(super) const ACTIVE: usize = 100;
/// Messages under way in the one conversation whose members are counted.
const WINDOW: usize = 16;
/// Load before the window, at most.
const WARM_UP: Duration = Duration::from_secs(1);
/// The measured window, at most: messages of many windows must not be what makes the store large.
const MEASURED: Duration = Duration::from_secs(4);
/// Starts that the start time is the median of, at most.
const STARTS: usize = 5;

/// Messages in a few of all conversations, whatever else the store holds.
pub(super) async fn sends(
    bench: &Bench,
    store: &mut GrowingStore,
    extent: Extent,
    progress: &ProgressBar,
) -> Result<Values, BenchError> {
    store.grow(extent, progress)?;
    let (process, address) = store.serve(progress).await?;
    let run = Run::new(bench.settings.nonces, bench.settings.acks);
    let mut drivers = Drivers::new();
    for (index, conversation) in store.heads(address, ACTIVE).await?.iter().enumerate() {
        let [writer, reader] = store.directs()[index].members.map(|place| &store.accounts()[place]);
        let what = (conversation, index as u64, Load::Closed { window: 1 });
        let pair = one_to_one::connect_pair(&run, address, (writer, reader), what).await?;
        one_to_one::drive(&mut drivers, pair);
    }
    let measured = measure(&run, drivers, &plan(bench, &process, progress)).await?;
    store.count_messages(run.total());
    Ok(values(&measured, store))
}

/// Messages in one conversation of which only the writer and one reader are connected: that the others are there must
/// cost nothing. Nothing is acknowledged, since receipts are told in ways that depend on the number of members.
pub(super) async fn members(
    bench: &Bench,
    store: &mut GrowingStore,
    layout: Layout,
    progress: &ProgressBar,
) -> Result<Values, BenchError> {
    let (process, address) = store.serve(progress).await?;
    let conversation = store.gather(address, layout).await?;
    let connected = &store.accounts()[..2];
    let ids = connected.iter().map(Account::number).collect::<Result<Vec<_>, _>>()?;
    let run = Run::new(bench.settings.nonces, Acks::Off);
    let board = Board::new(conversation, &ids, (1, false));
    let mut drivers = Drivers::new();
    for (index, account) in connected.iter().enumerate() {
        let socket = Socket::connect(address, account).await?;
        let parts = MemberParts { board: board.clone(), socket, index, window: WINDOW, first_writer: 0 };
        let mut member = Member::new(&run, parts);
        drivers.spawn_local(async move {
            poll_fn(|context| member.poll(context)).await?;
            Ok(member.into_sockets())
        });
    }
    let measured = measure(&run, drivers, &plan(bench, &process, progress)).await?;
    store.count_messages(run.total());
    Ok(values(&measured, store))
}

fn plan<'a>(bench: &Bench, process: &ServerProcess, progress: &'a ProgressBar) -> Plan<'a> {
    let settings = &bench.settings;
    bench.plan_of(process, (settings.warm_up.min(WARM_UP), settings.window.min(MEASURED)), progress)
}

fn values(measured: &Measured, store: &GrowingStore) -> Values {
    let completed = measured.completed;
    let mut values =
        load_values(measured, (Metric::MessagesPerSecond, completed), (Metric::CpuPerMessage, completed));
    values.extend(extent_values(store));
    values
}

/// How large the store was in the end.
pub(super) fn extent_values(store: &GrowingStore) -> [(Metric, f64); 2] {
    let Extent { conversations, messages } = store.extent();
    [(Metric::StoreConversations, conversations as f64), (Metric::StoreMessages, messages as f64)]
}

/// Starts on the store as the load before left it when it was killed. The kernel has forgotten the files each time.
pub(super) async fn start(
    bench: &Bench,
    store: &mut GrowingStore,
    extent: Extent,
    progress: &ProgressBar,
) -> Result<Values, BenchError> {
    store.grow(extent, progress)?;
    let starts = bench.settings.starts.clamp(1, STARTS);
    progress.set_length(starts as u64);
    let mut times = Vec::with_capacity(starts);
    for _ in 0..starts {
        machine::forget_files(&store.data())?;
        let (mut process, address) = store.start()?;
        times.push(process.wait_until_ready(address).await?.as_secs_f64() * 1000.0);
        progress.inc(1);
    }
    times.sort_by(f64::total_cmp);
    let mut values = vec![(Metric::ReadyMs, times[starts / 2]), (Metric::SlowestReadyMs, times[starts - 1])];
    values.extend(extent_values(store));
    Ok(values)
}
