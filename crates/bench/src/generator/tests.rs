//! The whole generator against a server that is honest and against servers that are not: a fault of any
//! kind must fail the run.

use std::{
    cell::RefCell,
    future::poll_fn,
    rc::Rc,
    sync::{Arc, atomic::AtomicU64, atomic::Ordering},
    time::Duration,
};

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
use tokio::{
    net::TcpListener,
    runtime::{Builder, LocalOptions},
    sync::mpsc,
};

use super::{
    body::NonceKind,
    group::{Board, Member, MemberParts},
    pair::{Load, Pair, PairParts},
    run::{Acks, Drivers, Measured, Plan, Run, measure},
    socket::Socket,
};
use crate::{
    error::BenchError,
    layout::Layout,
    relay,
    scan::{ClientFrame, client_frame},
    system::{Account, Conversation},
};

/// What a server does to the fifth message of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    LosesDelivery,
    DoublesDelivery,
    AltersText,
    LosesAnswer,
    DoublesAnswer,
    SkipsSeq,
    SwapsDeliveries,
    ForgesReceipt,
    LosesReceipts,
    Refuses,
}

const FAULTY_SEQ: u64 = 5;

#[derive(Clone)]
struct Faulty {
    fault: Fault,
    seq: Arc<AtomicU64>,
    /// Writer and reader.
    peers: Arc<Mutex<[Option<mpsc::UnboundedSender<String>>; 2]>>,
}

impl Faulty {
    fn push(&self, peer: usize, frame: String) {
        if let Some(peer) = &self.peers.lock()[peer] {
            let _ = peer.send(frame);
        }
    }

    fn send(&self, id: u64, text: &[u8]) {
        let mut seq = self.seq.fetch_add(1, Ordering::Relaxed) + 1;
        let fault = if seq == FAULTY_SEQ { self.fault } else { Fault::None };
        if self.fault == Fault::SkipsSeq && seq >= FAULTY_SEQ {
            seq += 1;
        }
        let answer = format!(r#"{{"re":{id},"ok":{{"conversation":"1","seq":{seq},"ts":1}}}}"#);
        let mut text = String::from_utf8(text.to_vec()).unwrap();
        if fault == Fault::AltersText {
            text.replace_range(7..8, if &text[7..8] == "A" { "B" } else { "A" });
        }
        let event = |seq: u64, text: &str| {
            format!(
                r#"{{"op":"event","event":{{"conversation":"1","seq":{seq},"sender":"1","kind":"message","body":{{"text":"{text}"}}}}}}"#
            )
        };
        match fault {
            Fault::LosesAnswer => {}
            Fault::Refuses => self.push(0, format!(r#"{{"re":{id},"error":{{"code":"unavailable"}}}}"#)),
            _ => self.push(0, answer.clone()),
        }
        if fault == Fault::DoublesAnswer {
            self.push(0, answer);
        }
        match fault {
            Fault::LosesDelivery => {}
            Fault::SwapsDeliveries => self.push(1, event(seq + 1, &text)),
            _ => self.push(1, event(seq, &text)),
        }
        if fault == Fault::DoublesDelivery {
            self.push(1, event(seq, &text));
        }
    }

    fn acknowledge(&self, delivered: u64) {
        let delivered = match self.fault {
            Fault::LosesReceipts if delivered >= FAULTY_SEQ => return,
            Fault::ForgesReceipt if delivered == FAULTY_SEQ => delivered + 1000,
            _ => delivered,
        };
        let receipt = format!(
            r#"{{"op":"receipt","conversation":"1","items":[{{"user":"2","delivered":{delivered},"read":0}}]}}"#
        );
        self.push(0, receipt);
    }

    async fn serve(self, mut socket: WebSocket) {
        let (sender, mut waiting) = mpsc::unbounded_channel();
        loop {
            tokio::select! {
                Some(frame) = waiting.recv() => {
                    let frame: String = frame;
                    if socket.send(Message::Text(frame.into())).await.is_err() {
                        return;
                    }
                }
                message = socket.next() => {
                    let Some(Ok(message)) = message else { return };
                    let Message::Text(frame) = message else { continue };
                    match client_frame(frame.as_bytes()) {
                        Some(ClientFrame::Hello { id, token }) => {
                            let peer = usize::from(token != b"user-0");
                            self.peers.lock()[peer] = Some(sender.clone());
                            self.push(peer, format!(r#"{{"re":{id},"ok":{{}}}}"#));
                        }
                        Some(ClientFrame::Send { id, text, .. }) => self.send(id, text),
                        Some(ClientFrame::Ack { delivered, .. }) => self.acknowledge(delivered),
                        None => return,
                    }
                }
            }
        }
    }
}

fn account(user: usize) -> Account {
    Account { id: (user + 1).to_string(), token: format!("user-{user}") }
}

fn conversation(number: usize) -> Conversation {
    Conversation { id: (number + 1).to_string(), head: 0 }
}

fn block_on<T>(test: impl Future<Output = T>) -> T {
    Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap().block_on(test)
}

async fn finish(run: &Run, drivers: Drivers, drain_limit: Duration) -> Result<Measured, BenchError> {
    let plan = Plan {
        warm_up: Duration::from_millis(20),
        window: Duration::from_millis(150),
        drain_limit,
        server_pid: std::process::id(),
        progress: &ProgressBar::hidden(),
    };
    measure(run, drivers, &plan).await
}

async fn one_pair(address: std::net::SocketAddr, acks: Acks) -> Result<Measured, BenchError> {
    let run = Run::new(NonceKind::Random, acks);
    let parts = PairParts {
        writer: Socket::connect(address, &account(0)).await?,
        reader: Socket::connect(address, &account(1)).await?,
        reader_id: 2,
        writer_number: 0,
        conversation: conversation(0),
        load: Load::Closed { window: 4 },
    };
    let mut pair = Pair::new(&run, parts);
    let mut drivers = Drivers::new();
    drivers.spawn_local(async move {
        poll_fn(|context| pair.poll(context)).await?;
        Ok(pair.into_sockets())
    });
    finish(&run, drivers, Duration::from_millis(1500)).await
}

#[test]
fn a_faulty_server_fails_the_audit_and_an_honest_one_passes() {
    let faults = [
        Fault::None,
        Fault::LosesDelivery,
        Fault::DoublesDelivery,
        Fault::AltersText,
        Fault::LosesAnswer,
        Fault::DoublesAnswer,
        Fault::SkipsSeq,
        Fault::SwapsDeliveries,
        Fault::ForgesReceipt,
        Fault::LosesReceipts,
        Fault::Refuses,
    ];
    for fault in faults {
        let outcome = block_on(async {
            let server = Faulty { fault, seq: Arc::default(), peers: Arc::default() };
            let router = Router::new()
                .route(
                    "/v1/ws",
                    get(async |State(server): State<Faulty>, upgrade: WebSocketUpgrade| {
                        upgrade.protocols(["loquat.v1.json"]).on_upgrade(|socket| server.serve(socket))
                    }),
                )
                .with_state(server);
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            tokio::spawn(async move { axum::serve(listener, router).await });
            one_pair(address, Acks::Each).await
        });
        match (fault, outcome) {
            (Fault::None, outcome) => assert!(outcome.unwrap().completed > 0),
            (Fault::Refuses, Err(BenchError::Protocol(_))) | (_, Err(BenchError::Audit(_))) => {}
            (fault, Err(error)) => panic!("{fault:?} was found, but as {error}"),
            (fault, Ok(_)) => panic!("{fault:?} was not found"),
        }
    }
}

#[test]
fn the_relay_passes_the_audit_between_two() {
    for acks in [Acks::Each, Acks::Batch, Acks::Off] {
        let measured = block_on(async {
            let address = relay::serve_in_background(Layout::Pairs(1)).await;
            one_pair(address, acks).await.unwrap()
        });
        assert!(measured.completed > 0, "{acks:?}");
        assert!(measured.answers_latency.quantile_us(0.5).is_some(), "{acks:?}");
    }
}

#[test]
fn the_relay_passes_the_audit_in_groups() {
    const MEMBERS: usize = 6;
    const WRITERS: usize = 2;
    for acks in [Acks::Each, Acks::Off] {
        let measured = block_on(async {
            let layout = Layout::Groups { count: 2, size: MEMBERS };
            let address = relay::serve_in_background(layout).await;
            let run = Run::new(NonceKind::V7, acks);
            let mut drivers = Drivers::new();
            let mut members = Vec::new();
            for group in 0..layout.conversations() {
                let ids: Vec<u64> = layout.members(group).map(|user| user as u64 + 1).collect();
                let board: Rc<RefCell<Board>> =
                    Board::new(conversation(group), &ids, (WRITERS, acks != Acks::Off));
                for (index, user) in layout.members(group).enumerate() {
                    let socket = Socket::connect(address, &account(user)).await.unwrap();
                    let first_writer = (group * WRITERS) as u64;
                    let parts = MemberParts { board: board.clone(), socket, index, window: 2, first_writer };
                    members.push(Member::new(&run, parts));
                }
            }
            // Only now, with everybody there: the relay keeps nothing for those who come late.
            for mut member in members {
                drivers.spawn_local(async move {
                    poll_fn(|context| member.poll(context)).await?;
                    Ok(member.into_sockets())
                });
            }
            finish(&run, drivers, Duration::from_secs(10)).await.unwrap()
        });
        assert!(measured.completed > 0, "{acks:?}");
        assert!(measured.deliveries >= measured.completed * (MEMBERS as u64 - 2), "{acks:?}");
    }
}
