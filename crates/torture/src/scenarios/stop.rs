//! Asking twice, and stopping gracefully.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::{Tally, check_ready};
use crate::api::{Api, Call};
use crate::arena::{Arena, Context, Equipment};
use crate::failure::Outcome;
use crate::report::Report;
use crate::server::Server;
use crate::socket::{self, Socket};

/// How long a graceful stop may take.
const DRAIN_LIMIT: Duration = Duration::from_secs(35);

/// The same send many times over, in flight together on one socket, on another and by REST: one event.
pub(super) async fn replay(context: Context) -> Outcome<Report> {
    let mut report = Report::new("replay");
    let mut arena = Arena::open(&context, "replay", Equipment::default()).await?;
    let room = arena.world.rooms[3].clone();
    let token = arena.world.accounts[room.owner].token.clone();
    let (first, _) = Socket::connect(&arena.address, &token, None).await?;
    let (second, _) = Socket::connect(&arena.address, &token, None).await?;
    let mut api = Api::with_token(arena.address.clone(), &token);
    let mut split = Vec::new();
    let rounds = 50;
    for round in 0..rounds {
        let nonce = format!("again-{round}-{}", arena.dice.hex(8));
        let frame = json!({"op": "send", "conversation": room.id.0, "nonce": nonce, "body": {"text": nonce}});
        let mut waiting = Vec::new();
        for socket in [&first, &second, &first, &second] {
            waiting.push(socket.submit(frame.clone()).await?);
        }
        let call = Call::post(format!("/v1/conversations/{}/messages", room.id));
        let reply = api.call(call.json(&json!({"nonce": nonce, "text": nonce}))).await?.success()?;
        let mut places = BTreeSet::from([reply["seq"].as_u64()]);
        for receiver in waiting {
            places.insert(socket::answer(receiver).await?["ok"]["seq"].as_u64());
        }
        if places.len() != 1 || places.contains(&None) {
            split.push(format!("{nonce}: {places:?}"));
        }
        context.progress.inc(1);
    }
    let detail = split.first().cloned().unwrap_or_default();
    report.check(format!("five ways at once, one seq, {rounds} times"), split.is_empty(), detail);
    drop((first, second));
    arena.load_for(Duration::from_secs(1)).await?;
    let mut tally = Tally::default();
    // Twice: the second time everything replayed has been replayed before.
    tally.verify(&mut arena).await?;
    tally.verify(&mut arena).await?;
    tally.report(&mut report);
    Ok(report)
}

/// SIGTERM under load: a drain frame, everything in flight answered, close 4009, exit code 0.
pub(super) async fn drain(context: Context) -> Outcome<Report> {
    let mut report = Report::new("drain");
    let mut arena = Arena::open(&context, "drain", Equipment::default()).await?;
    let status = arena
        .load(async |server: &mut Option<Server>| {
            tokio::time::sleep(Duration::from_millis(700)).await;
            let Some(server) = server else { return Ok(None) };
            server.terminate().await?;
            server.wait(DRAIN_LIMIT).await
        })
        .await?;
    let detail = status.map_or("it went on".into(), |status| status.to_string());
    report.check("the process ends with code 0", status.is_some_and(|status| status.success()), detail);
    let (mut drained, mut closed) = (0, Vec::new());
    for worker in &mut arena.workers {
        if let Some(socket) = &worker.socket {
            closed.push(socket.closed(Duration::from_secs(2)).await?);
        }
        worker.absorb()?;
        drained += usize::from(worker.drained.is_some());
    }
    let everybody = arena.workers.len();
    report.check("every socket got a drain frame", drained == everybody, format!("{drained} of {everybody}"));
    let right = closed.len() == everybody && closed.iter().all(|code| *code == Some(4009));
    report.check("every socket was closed with 4009", right, format!("{closed:?}"));
    arena.kill().await?;
    context.progress.inc(1);
    let ready_after = arena.start(None).await?;
    check_ready(&mut report, ready_after);
    arena.connect().await?;
    let mut tally = Tally::default();
    tally.verify(&mut arena).await?;
    tally.report(&mut report);
    context.progress.inc(1);
    Ok(report)
}
