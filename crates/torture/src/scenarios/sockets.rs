//! Peers that do not read, do not answer, or all come back at once.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::Tally;
use crate::api::{Address, Api};
use crate::arena::{Arena, Context, Equipment};
use crate::dice::Dice;
use crate::failure::{Failure, Outcome};
use crate::report::{Report, percentile};
use crate::server::Server;
use crate::socket::{self, Socket};
use crate::world::{Account, Room, sign_up};

/// A signed-in socket that is not read, with as little room in the kernel as it gives.
async fn deaf_socket(address: &Address, token: &str) -> Outcome<WebSocketStream<TcpStream>> {
    let tcp = TcpSocket::new_v4().map_err(Failure::io("making a socket"))?;
    tcp.set_recv_buffer_size(4096).map_err(Failure::io("shrinking a buffer"))?;
    let target = ([127, 0, 0, 1], address.port()).into();
    let stream = tcp.connect(target).await.map_err(Failure::io("connecting"))?;
    let mut socket = socket::upgrade(address, stream).await?;
    let hello = Message::text(socket::hello(token, None).to_string());
    socket.send(hello).await.map_err(Box::new)?;
    match socket.next().await {
        Some(Ok(_)) => Ok(socket),
        other => Err(Failure::Unexpected(format!("no answer to hello: {other:?}"))),
    }
}

/// Reads a socket to its end: the close code where one comes, and how it ended.
async fn read_to_end(mut socket: WebSocketStream<TcpStream>) -> Result<Option<u16>, &'static str> {
    let reading = async {
        let mut code = None;
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(close))) => code = close.map(|close| u16::from(close.code)),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return code,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), reading).await.map_err(|_| "still open")
}

/// A member who does not read is closed, and nobody else notices.
pub(super) async fn slow_consumer(context: Context) -> Outcome<Report> {
    let mut report = Report::new("slow_consumer");
    let mut arena = Arena::open(&context, "slow_consumer", Equipment::default()).await?;
    let room = arena.world.rooms[3].clone();
    let loud = arena.world.accounts[room.owner].clone();
    let deaf = arena.world.accounts[5].clone();
    // Twice each, in turn: what else the machine does counts the least in the best of two.
    let (mut before, mut with) = (Duration::MAX, Duration::MAX);
    for _ in 0..2 {
        before = before.min(under_flood(&mut arena, &room, &loud).await?);
        context.progress.inc(1);
        let socket = deaf_socket(&arena.address, &deaf.token).await?;
        let descriptors = arena.running()?.descriptors()?;
        with = with.min(under_flood(&mut arena, &room, &loud).await?);
        wait_until_fewer(&mut arena, descriptors).await?;
        check_closed(&mut report, socket).await;
        context.progress.inc(1);
    }
    // On two cores shared with the load, differences below this are noise.
    let noise = Duration::from_millis(15);
    let limit = (before + before / 10).max(before + noise);
    let detail = format!("p99 {} ms before, {} ms with", before.as_millis(), with.as_millis());
    report.check("others' p99 is unharmed", with <= limit, detail);
    let (_socket, ready) = Socket::connect(&arena.address, &deaf.token, None).await?;
    let resumed = ready["changed"].as_array().is_some_and(|changed| !changed.is_empty());
    report.check("it may come back", resumed, "");
    let mut tally = Tally::default();
    tally.verify(&mut arena).await?;
    tally.report(&mut report);
    Ok(report)
}

/// Waits until the service has given up a descriptor: its byte limit may be passed long before its ten seconds.
async fn wait_until_fewer(arena: &mut Arena, descriptors: usize) -> Outcome<()> {
    let waiting = Instant::now();
    while arena.running()?.descriptors()? >= descriptors && waiting.elapsed() < Duration::from_secs(12) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// The close frame stands behind what was not read, so a server that gives up writing cannot deliver it.
async fn check_closed(report: &mut Report, socket: WebSocketStream<TcpStream>) {
    let ended = read_to_end(socket).await;
    report.check("the slow consumer is closed", matches!(ended, Ok(Some(4003) | None)), format!("{ended:?}"));
}

/// The p99 of everybody's sends while one member writes 12 MB into a group in six seconds.
async fn under_flood(arena: &mut Arena, room: &Room, loud: &Account) -> Outcome<Duration> {
    let (socket, _) = Socket::connect(&arena.address, &loud.token, None).await?;
    let mut dice = arena.dice.fork("flood");
    arena.take_figures();
    arena
        .load(async |_: &mut Option<Server>| {
            let started = Instant::now();
            for index in 0..1_200_u32 {
                let nonce = format!("flood-{}", dice.hex(16));
                let body = json!({"text": dice.hex(10_000)});
                let frame = json!({"op": "send", "conversation": room.id.0, "nonce": nonce, "body": body});
                drop(socket.submit(frame).await?);
                let due = started + Duration::from_millis(5) * index;
                tokio::time::sleep_until(due.into()).await;
            }
            Ok(())
        })
        .await?;
    Ok(percentile(&arena.take_figures().latencies, 99))
}

/// Peers that stay connected and never answer a ping.
pub(super) async fn half_open(context: Context) -> Outcome<Report> {
    const PEERS: usize = 7;
    let mut report = Report::new("half_open");
    let mut arena = Arena::open(&context, "half_open", Equipment::default()).await?;
    let before = arena.running()?.descriptors()?;
    let memory = arena.running()?.resident_kib()?;
    let mut peers = Vec::new();
    for account in arena.world.accounts.iter().take(PEERS) {
        for _ in 0..PEERS {
            peers.push(deaf_socket(&arena.address, &account.token).await?);
        }
    }
    let count = peers.len();
    let started = Instant::now();
    let mut noticed = None;
    while noticed.is_none() && started.elapsed() < Duration::from_secs(50) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        context.progress.set_position(started.elapsed().as_secs());
        if arena.running()?.descriptors()? <= before {
            noticed = Some(started.elapsed());
        }
    }
    let detail = noticed.map_or("still open".into(), |after| format!("{count} after {} s", after.as_secs()));
    let in_time = noticed.is_some_and(|after| after <= Duration::from_secs(45));
    report.check("noticed within 45 s, descriptors freed", in_time, detail);
    let mut codes = Vec::new();
    for peer in peers {
        codes.push(read_to_end(peer).await);
    }
    let right = codes.iter().all(|code| matches!(code, Ok(Some(4004) | None)));
    report.check("closed with 4004", right, format!("{:?}", codes.first()));
    let open =
        arena.workers.iter().filter(|worker| worker.socket.as_ref().is_some_and(|one| !one.is_closed()));
    let open = open.count();
    report.check("those who answer stay", open == arena.workers.len(), format!("{open}"));
    let growth = arena.running()?.resident_kib()?.saturating_sub(memory);
    report.check("memory freed", growth <= memory / 20, format!("{growth} KiB more than {memory}"));
    arena.load_for(Duration::from_millis(500)).await?;
    let mut tally = Tally::default();
    tally.verify(&mut arena).await?;
    tally.report(&mut report);
    Ok(report)
}

/// Everybody comes back at once to a service that has just been killed.
pub(super) async fn reconnect_storm(context: Context) -> Outcome<Report> {
    const PEOPLE: usize = 25;
    const SOCKETS_EACH: usize = 8;
    let mut report = Report::new("reconnect_storm");
    let mut arena = Arena::open(&context, "reconnect_storm", Equipment::default()).await?;
    let mut nobody = Api::new(arena.address.clone());
    let mut crowd = Vec::new();
    for _ in 0..PEOPLE {
        crowd.push(sign_up(&mut nobody, &mut arena.dice).await?);
    }
    context.progress.inc(1);
    arena.kill().await?;
    arena.start(None).await?;
    arena.connect().await?;
    arena.take_figures();
    let mut storm = JoinSet::new();
    for account in &crowd {
        for _ in 0..SOCKETS_EACH {
            let (address, token) = (arena.address.clone(), account.token.clone());
            storm.spawn(come_back(address, token, arena.dice.fork("storm")));
        }
    }
    let started = Instant::now();
    let back = arena
        .load(async |_: &mut Option<Server>| {
            let mut sockets = Vec::new();
            while let Some(socket) = storm.join_next().await {
                sockets.push(socket.map_err(Failure::unexpected)??);
            }
            let took = started.elapsed();
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok((sockets.len(), took))
        })
        .await?;
    context.progress.inc(1);
    let all = PEOPLE * SOCKETS_EACH;
    report.check(
        "everybody is back",
        back.0 == all,
        format!("{} of {all} in {} ms", back.0, back.1.as_millis()),
    );
    let p99 = percentile(&arena.take_figures().latencies, 99);
    let detail = format!("p99 {} ms", p99.as_millis());
    report.check(
        "live users' p99 is below 1 s",
        p99 < Duration::from_secs(1) && p99 > Duration::ZERO,
        detail,
    );
    let mut tally = Tally::default();
    tally.verify(&mut arena).await?;
    tally.report(&mut report);
    context.progress.inc(1);
    Ok(report)
}

/// Connects, again and again where refused, after a jittered and growing delay.
async fn come_back(address: Address, token: String, mut dice: Dice) -> Outcome<Socket> {
    let mut delay = 50;
    loop {
        match Socket::connect(&address, &token, None).await {
            Ok((socket, _)) => return Ok(socket),
            Err(why) if delay > 4_000 => return Err(why),
            Err(_) => tokio::time::sleep(Duration::from_millis(dice.between(delay / 2, delay))).await,
        }
        delay *= 2;
    }
}
