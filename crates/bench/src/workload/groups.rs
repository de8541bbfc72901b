//! Workloads (b) and (b2): groups in which a few members write and everybody reads, and a channel in which the owner
//! writes.

use std::future::poll_fn;

use indicatif::ProgressBar;

use super::{Bench, Values, load_values};
use crate::{
    error::BenchError,
    generator::{
        group::{Board, Member, MemberParts},
        run::{Acks, Drivers, Run, measure},
        socket::Socket,
    },
    layout::Layout,
    report::Metric,
    system::{Account, System},
};

/// The groups of a run, or its channel.
pub(super) struct Shape {
    pub(super) layout: Layout,
    /// Writers in each.
    pub(super) writers: usize,
    /// Whether readers acknowledge.
    pub(super) acks: bool,
    /// Whether writers are told of it.
    pub(super) receipts: bool,
}

/// Each writer keeps its window of messages under way; a slot frees when the message was answered and
/// delivered to every other member. Receipts of groups are gathered to one a second, so slots do not wait
/// for them; that they all arrive is audited at the end.
pub(super) async fn run(
    bench: &Bench,
    system: System,
    shape: &Shape,
    progress: &ProgressBar,
) -> Result<Values, BenchError> {
    let settings = &bench.settings;
    let Shape { layout, writers, acks, receipts } = *shape;
    let deployment = bench.launcher.deploy(system, layout).await?;
    let run = Run::new(settings.nonces, if acks { settings.acks } else { Acks::Off });
    let told = receipts && run.acks != Acks::Off;
    let mut members = Vec::with_capacity(layout.users());
    for (group, conversation) in deployment.conversations.iter().enumerate() {
        let accounts = &deployment.accounts[layout.members(group)];
        let ids = accounts.iter().map(Account::number).collect::<Result<Vec<_>, _>>()?;
        let board = Board::new(conversation.clone(), &ids, (writers, told));
        for (index, account) in accounts.iter().enumerate() {
            let parts = MemberParts {
                board: board.clone(),
                socket: Socket::connect(deployment.address, account).await?,
                index,
                window: settings.group_window,
                first_writer: (group * writers) as u64,
            };
            members.push(Member::new(&run, parts));
        }
    }
    let mut drivers = Drivers::new();
    for mut member in members {
        drivers.spawn_local(async move {
            poll_fn(|context| member.poll(context)).await?;
            Ok(member.into_sockets())
        });
    }
    let measured = measure(&run, drivers, &bench.plan(&deployment, progress)).await?;
    let deliveries = measured.deliveries;
    let mut values = load_values(
        &measured,
        (Metric::DeliveriesPerSecond, deliveries),
        (Metric::CpuPerDelivery, deliveries),
    );
    values.push((Metric::MessagesPerSecond, measured.completed as f64 / measured.elapsed.as_secs_f64()));
    Ok(values)
}
