use std::{future::poll_fn, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{
        State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    routing::get,
};
use futures_util::StreamExt;
use indicatif::ProgressBar;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::{
    net::TcpListener,
    runtime::{Builder, LocalOptions},
    sync::mpsc,
};

use super::*;
use crate::{
    generator::{
        body::NonceKind,
        run::{Acks, Drivers, Plan, finish, load},
    },
    system::Account,
};

/// What a server does to the third change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    TellsNobody,
    TellsTwice,
    TellsAnotherState,
    AnswersTwice,
}

const FAULTY_CHANGE: u64 = 3;
const WATCHERS: usize = 2;

#[derive(Clone)]
struct Server {
    fault: Fault,
    changes: Arc<Mutex<u64>>,
    watchers: Arc<Mutex<Vec<mpsc::UnboundedSender<String>>>>,
}

impl Server {
    fn tell(&self, state: &str) -> bool {
        let mut changes = self.changes.lock();
        *changes += 1;
        let faulty = *changes == FAULTY_CHANGE;
        let state = if faulty && self.fault == Fault::TellsAnotherState { "offline" } else { state };
        let times = match self.fault {
            Fault::TellsNobody if faulty => 0,
            Fault::TellsTwice if faulty => 2,
            _ => 1,
        };
        for watcher in self.watchers.lock().iter() {
            for _ in 0..times {
                let push = format!(r#"{{"op":"presence","user":"1","state":"{state}","last_seen":1}}"#);
                let _ = watcher.send(push);
            }
        }
        faulty
    }

    async fn serve(self, mut socket: WebSocket) {
        let (sender, mut pushes) = mpsc::unbounded_channel::<String>();
        let mut faulty = false;
        loop {
            let answer = tokio::select! {
                Some(push) = pushes.recv() => Some(push),
                message = socket.next() => {
                    let Some(Ok(Message::Text(frame))) = message else { return };
                    let frame: Value = serde_json::from_str(&frame).unwrap();
                    match frame["op"].as_str().unwrap() {
                        "status" => {
                            faulty = self.tell(frame["state"].as_str().unwrap());
                            None
                        }
                        "watch" => {
                            self.watchers.lock().push(sender.clone());
                            Some(format!(r#"{{"re":{},"ok":{{"items":[]}}}}"#, frame["id"]))
                        }
                        _ => Some(format!(r#"{{"re":{},"ok":{{}}}}"#, frame["id"])),
                    }
                }
            };
            let twice = self.fault == Fault::AnswersTwice && answer.is_some() && std::mem::take(&mut faulty);
            for answer in std::iter::repeat_n(answer, if twice { 2 } else { 1 }).flatten() {
                if socket.send(Message::Text(answer.into())).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn run(fault: Fault) -> Result<u64, BenchError> {
    let server = Server { fault, changes: Arc::default(), watchers: Arc::default() };
    let upgrade = async |State(server): State<Server>, upgrade: WebSocketUpgrade| {
        upgrade.protocols(["loquat.v1.json"]).on_upgrade(|socket| server.serve(socket))
    };
    let router = Router::new().route("/v1/ws", get(upgrade)).with_state(server);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    let run = Run::new(NonceKind::Random, Acks::Off);
    let board = Board::new(&[1, 2, 3]);
    board.set_mode(&run, Mode::Watched);
    let mut drivers = Drivers::new();
    for place in (0..=WATCHERS).rev() {
        let account = Account { id: (place + 1).to_string(), token: format!("user-{place}") };
        let mut socket = Socket::connect(address, &account).await?;
        if place > 0 {
            let (id, frame) = watch_frame(["1"].into_iter());
            socket.ask(id, frame).await?;
        }
        let (watched, watchers) = (0..usize::from(place > 0), (place == 0).then_some(WATCHERS));
        let mut watcher = Watcher::new((&run, &board), socket, (place, watched), watchers);
        drivers.spawn_local(async move {
            poll_fn(|context| watcher.poll(context)).await?;
            Ok(watcher.into_sockets())
        });
    }
    let plan = Plan {
        warm_up: Duration::ZERO,
        window: Duration::from_millis(150),
        drain_limit: Duration::from_millis(500),
        server_pid: std::process::id(),
        progress: &ProgressBar::hidden(),
    };
    let (measured, ()) = load(&run, &mut drivers, &plan, tokio::time::sleep(plan.window)).await?;
    finish(&run, drivers, &plan).await?;
    assert_eq!(board.told(), run.total() * WATCHERS as u64);
    Ok(measured.completed)
}

#[test]
fn every_watcher_must_be_told_of_every_change_once() {
    for fault in
        [Fault::None, Fault::TellsNobody, Fault::TellsTwice, Fault::TellsAnotherState, Fault::AnswersTwice]
    {
        let runtime =
            Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
        match (fault, runtime.block_on(run(fault))) {
            (Fault::None, outcome) => assert!(outcome.unwrap() > FAULTY_CHANGE),
            (_, Err(BenchError::Audit(_))) => {}
            (fault, outcome) => panic!("{fault:?}: {outcome:?}"),
        }
    }
}
