//! A disk that fails, fills up, or is slow.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Tally, check_ready};
use crate::api::{Api, Call};
use crate::arena::{Arena, Context, Equipment, broken_rules};
use crate::failure::Outcome;
use crate::ledger::Answer;
use crate::oracle::Rule;
use crate::report::{Report, percentile};
use crate::request::Verdict;
use crate::server::Server;
use crate::socket::{self, Socket};

/// How soon after a failed sync the process is gone.
const STOP_LIMIT: Duration = Duration::from_secs(2);
/// How much memory a slow disk may cost, in KiB.
const MEMORY_LIMIT_KIB: u64 = 64 * 1024;
/// How many sends are thrown at a slow disk without waiting.
const FLOOD: usize = 3_000;

fn on_simulated_disk() -> Equipment {
    Equipment { spill: Some(25), ..Equipment::default() }
}

/// A failed fsync: the process stops at once, nothing is acknowledged after it, and a restart recovers.
pub(super) async fn sync_error(context: Context) -> Outcome<Report> {
    let mut report = Report::new("sync_error");
    let mut tally = Tally::default();
    for error in ["EIO", "ENOSPC"] {
        let mut arena = Arena::open(&context, &format!("sync_error_{error}"), on_simulated_disk()).await?;
        let files = arena.launch.files.clone();
        let stopped = arena
            .load(async |server: &mut Option<Server>| {
                tokio::time::sleep(Duration::from_millis(500)).await;
                files.inject(&format!("sync_error={error}"))?;
                let injected = Instant::now();
                while files.faults_struck() == 0 && injected.elapsed() < STOP_LIMIT {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                let struck = Instant::now();
                let Some(server) = server else { return Ok(None) };
                let status = server.wait(STOP_LIMIT).await?;
                Ok(status.map(|status| (struck.elapsed(), status)))
            })
            .await?;
        report.check(format!("{error} struck"), files.faults_struck() > 0, "");
        let detail = stopped
            .map_or("it went on".into(), |(after, status)| format!("{} ms, {status}", after.as_millis()));
        let failed = stopped.is_some_and(|(_, status)| !status.success());
        report.check(format!("{error}: the process stops at once, in failure"), failed, detail);
        arena.kill().await?;
        files.inject("")?;
        // What a failed sync left in the page cache is not on the disk: the image shows what was acknowledged.
        files.lose_power()?;
        let verdict = files.integrity()?;
        report.check(format!("{error}: integrity_check is ok"), verdict == "ok", verdict);
        let ready_after = arena.start(None).await?;
        check_ready(&mut report, ready_after);
        arena.connect().await?;
        tally.verify(&mut arena).await?;
        context.progress.inc(1);
    }
    tally.report(&mut report);
    Ok(report)
}

/// A disk that says it has synced and has not: no service can keep its promise on it, and the oracle must see that
/// it did not. This is the proof that the other scenarios could fail.
pub(super) async fn lying_disk(context: Context) -> Outcome<Report> {
    let mut report = Report::new("lying_disk");
    let equipment = Equipment { spill: Some(0), ..Equipment::default() };
    let mut arena = Arena::open(&context, "lying_disk", equipment).await?;
    let files = arena.launch.files.clone();
    arena.load_for(Duration::from_millis(500)).await?;
    let honest = arena.verify().await?;
    report.check("no promise is broken while it syncs", honest.violations.is_empty(), "");
    context.progress.inc(1);
    files.inject("sync_lies=1")?;
    arena.load_for(Duration::from_millis(500)).await?;
    arena.kill().await?;
    files.inject("")?;
    files.lose_power()?;
    arena.start(None).await?;
    arena.connect().await?;
    let findings = arena.verify().await?;
    let rules = broken_rules(&findings.violations);
    let detail = format!("{} violations", findings.violations.len());
    report.check("the oracle sees what was lost", rules.contains(&Rule::Acknowledged), detail);
    context.progress.inc(1);
    Ok(report)
}

/// A full disk: rolled back, a retryable error, reads go on, and it recovers unaided.
pub(super) async fn disk_full(context: Context) -> Outcome<Report> {
    let mut report = Report::new("disk_full");
    let mut arena = Arena::open(&context, "disk_full", on_simulated_disk()).await?;
    let files = arena.launch.files.clone();
    arena.load_for(Duration::from_millis(500)).await?;
    arena.take_figures();
    context.progress.inc(1);

    files.inject("write_error=ENOSPC")?;
    arena.load_for(Duration::from_secs(2)).await?;
    let full = arena.take_figures();
    let detail = format!("{} of them", full.retryable);
    report.check("sends get a retryable error", full.retryable > 0 && files.faults_struck() > 0, detail);
    let probe = probe_full_disk(&arena).await?;
    report.check("the error is unavailable, with retry_after_ms", probe.0, probe.1);
    let (reads, detail) = reads(&arena).await?;
    report.check("reads go on", reads, detail);
    let running = arena.running()?.status()?.is_none();
    report.check("the service goes on", running, "");
    context.progress.inc(1);

    files.inject("")?;
    let cleared = Instant::now();
    arena.load_for(Duration::from_secs(1)).await?;
    let after = arena.take_figures();
    let detail = format!("{} acknowledged within {} ms", after.acknowledged, cleared.elapsed().as_millis());
    report.check("recovers unaided", after.acknowledged > 0, detail);
    context.progress.inc(1);

    let mut tally = Tally::default();
    tally.verify(&mut arena).await?;
    arena.kill().await?;
    files.lose_power()?;
    arena.start(None).await?;
    arena.connect().await?;
    tally.verify(&mut arena).await?;
    tally.report(&mut report);
    context.progress.inc(1);
    Ok(report)
}

/// One send on a full disk.
async fn probe_full_disk(arena: &Arena) -> Outcome<(bool, String)> {
    let room = &arena.world.rooms[0];
    let mut api = Api::with_token(arena.address.clone(), &arena.world.accounts[room.owner].token);
    let call = Call::post(format!("/v1/conversations/{}/messages", room.id));
    let reply = api.call(call.json(&json!({"nonce": "disk-full-probe", "text": "full"}))).await?;
    let verdict = Verdict::of_reply(&reply);
    let right = reply.status == 503 && verdict.code == "unavailable" && verdict.retry_after_ms.is_some();
    Ok((right, format!("{} {}", reply.status, reply.text)))
}

async fn reads(arena: &Arena) -> Outcome<(bool, String)> {
    let room = &arena.world.rooms[0];
    let mut api = Api::with_token(arena.address.clone(), &arena.world.accounts[room.owner].token);
    let paths = [
        format!("/v1/conversations/{}/events?after=0", room.id),
        format!("/v1/conversations/{}/messages", room.id),
        "/v1/conversations".to_owned(),
        "/v1/me".to_owned(),
    ];
    for path in paths {
        let reply = api.call(Call::get(path.clone())).await?;
        if !reply.is_success() {
            return Ok((false, format!("{path}: {} {}", reply.status, reply.text)));
        }
    }
    let token = &arena.world.accounts[room.owner].token;
    match Socket::connect(&arena.address, token, None).await {
        Ok(_) => Ok((true, String::new())),
        Err(why) => Ok((false, format!("hello: {why}"))),
    }
}

/// A disk that takes half a second to sync: queues are bounded and nothing fails for good.
pub(super) async fn slow_disk(context: Context) -> Outcome<Report> {
    let mut report = Report::new("slow_disk");
    let mut arena = Arena::open(&context, "slow_disk", on_simulated_disk()).await?;
    let files = arena.launch.files.clone();
    arena.load_for(Duration::from_millis(500)).await?;
    arena.take_figures();
    let before = arena.running()?.resident_kib()?;
    context.progress.inc(1);

    files.inject("sync_delay_ms=500")?;
    arena.load_for(Duration::from_secs(6)).await?;
    let slow = arena.take_figures();
    let detail =
        format!("{} acknowledged, p99 {} ms", slow.acknowledged, percentile(&slow.latencies, 99).as_millis());
    report.check("sends are acknowledged", slow.acknowledged > 0, detail);
    let (answered, done) = flood(&arena).await?;
    let detail = format!("{answered} answered, {done} acknowledged, of {FLOOD}");
    report.check("every send of a flood is acknowledged or asked to retry", answered == FLOOD, detail);
    let growth = arena.running()?.resident_kib()?.saturating_sub(before);
    report.check("queues are bounded", growth <= MEMORY_LIMIT_KIB, format!("{growth} KiB more"));
    context.progress.inc(1);

    files.inject("")?;
    let open =
        arena.workers.iter().filter(|worker| worker.socket.as_ref().is_some_and(|one| !one.is_closed()));
    let open = open.count();
    report.check(
        "no socket was closed",
        open == arena.workers.len(),
        format!("{open} of {}", arena.workers.len()),
    );
    let mut tally = Tally::default();
    tally.verify(&mut arena).await?;
    tally.report(&mut report);
    context.progress.inc(1);
    Ok(report)
}

/// Sends at once; how many were answered as they may be, and how many acknowledged.
async fn flood(arena: &Arena) -> Outcome<(usize, usize)> {
    let room = &arena.world.rooms[0];
    let token = &arena.world.accounts[room.owner].token;
    let (socket, _) = Socket::connect(&arena.address, token, None).await?;
    let mut waiting = Vec::new();
    for index in 0..FLOOD {
        let body = json!({"text": format!("flood {index}")});
        let frame =
            json!({"op": "send", "conversation": room.id.0, "nonce": format!("flood-{index}"), "body": body});
        waiting.push(socket.submit(frame).await?);
    }
    let (mut answered, mut done) = (0, 0);
    for receiver in waiting {
        let verdict = Verdict::of_frame(&socket::answer(receiver).await?);
        answered += usize::from(!matches!(verdict.answer, Answer::Refused(_)));
        done += usize::from(matches!(verdict.answer, Answer::Done(_)));
    }
    Ok((answered, done))
}
