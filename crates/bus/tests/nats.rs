//! The bus over NATS keeps what the port promises, against a real server.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Weak;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use loquat_bus::conformance::{self, Subject};
use loquat_bus::{NatsBus, NatsError, NatsOptions};
use loquat_domain::ports::{Bus, Receiver, Signal, StoreError, Topic};
use loquat_proto::UserId;
use support::Server;
use tokio::sync::mpsc;

/// Two nodes: one publishes, the other one listens.
struct Pair {
    speaker: NatsBus,
    listener: NatsBus,
}

#[async_trait]
impl Bus for Pair {
    fn publish(&self, topic: Topic, signal: &Signal) {
        self.speaker.publish(topic, signal);
    }

    fn join(&self, topic: Topic) {
        self.listener.join(topic);
    }

    fn leave(&self, topic: Topic) {
        self.listener.leave(topic);
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.listener.check().await
    }
}

/// Between two nodes.
struct Apart<'s>(&'s Server);

#[async_trait]
impl Subject for Apart<'_> {
    type Bus = Pair;

    async fn start(&self) -> Pair {
        Pair { speaker: self.0.node().await, listener: self.0.node().await }
    }

    async fn bind(&self, bus: &Pair, receiver: Weak<dyn Receiver>) {
        bus.listener.bind(receiver).expect("a fresh bus has no receiver");
    }

    async fn settle(&self, bus: &Pair) {
        // What is listened to first, then what is said, then what has arrived.
        bus.listener.settle().await.expect("the server answers");
        bus.speaker.settle().await.expect("the server answers");
        bus.listener.settle().await.expect("the server answers");
    }
}

/// On one node.
struct Together<'s>(&'s Server);

#[async_trait]
impl Subject for Together<'_> {
    type Bus = NatsBus;

    async fn start(&self) -> NatsBus {
        self.0.node().await
    }

    async fn bind(&self, bus: &NatsBus, receiver: Weak<dyn Receiver>) {
        bus.bind(receiver).expect("a fresh bus has no receiver");
    }

    async fn settle(&self, bus: &NatsBus) {
        bus.settle().await.expect("the server answers");
    }
}

#[tokio::test]
async fn the_bus_conforms_between_nodes() {
    let server = Server::start();
    conformance::all(&Apart(&server)).await;
}

#[tokio::test]
async fn the_bus_conforms_on_one_node() {
    let server = Server::start();
    conformance::all(&Together(&server)).await;
}

struct Ear(mpsc::UnboundedSender<(Topic, Signal)>);

impl Receiver for Ear {
    fn receive(&self, topic: Topic, signal: &Signal) {
        let _ = self.0.send((topic, signal.clone()));
    }
}

fn topic() -> Topic {
    Topic::User(UserId::new(7).unwrap())
}

fn said(number: u64) -> Signal {
    Signal::Account { pos: number, frame: Bytes::from_static(b"{}") }
}

async fn next(heard: &mut mpsc::UnboundedReceiver<(Topic, Signal)>) -> Signal {
    tokio::time::timeout(Duration::from_secs(10), heard.recv()).await.expect("nothing was heard").unwrap().1
}

/// While NATS is away, a node hears itself, others hear nothing, what is lost is counted; when it is back, all goes on by
/// itself.
#[tokio::test]
async fn a_bus_that_is_away_comes_back() {
    let mut server = Server::start();
    let (speaker, listener) = (server.node().await, server.node().await);
    let (sender, mut heard) = mpsc::unbounded_channel();
    let ear: std::sync::Arc<dyn Receiver> = std::sync::Arc::new(Ear(sender));
    let (own_sender, mut own) = mpsc::unbounded_channel();
    let own_ear: std::sync::Arc<dyn Receiver> = std::sync::Arc::new(Ear(own_sender));
    listener.bind(std::sync::Arc::downgrade(&ear)).unwrap();
    speaker.bind(std::sync::Arc::downgrade(&own_ear)).unwrap();
    listener.join(topic());
    listener.settle().await.unwrap();
    speaker.publish(topic(), &said(1));
    assert_eq!((next(&mut heard).await, next(&mut own).await), (said(1), said(1)));
    server.stop();
    support::until(|| !speaker.is_connected() && !listener.is_connected()).await;
    speaker.publish(topic(), &said(2));
    assert_eq!(next(&mut own).await, said(2), "the own node hears");
    assert_eq!(speaker.dropped().disconnected, 1);
    assert!(matches!(speaker.check().await, Err(StoreError::Unavailable(_))));
    server.restart();
    support::until(|| speaker.is_connected() && listener.is_connected()).await;
    listener.settle().await.unwrap();
    speaker.publish(topic(), &said(3));
    assert_eq!(next(&mut heard).await, said(3), "what was lost is not heard late");
}

/// Two services that share a NATS do not hear one another.
#[tokio::test]
async fn services_of_other_stores_are_not_heard() {
    let server = Server::start();
    let speaker = server.node().await;
    let stranger = NatsBus::connect(&NatsOptions { epoch: 99, ..server.options() }).await.unwrap();
    let friend = server.node().await;
    let (sender, mut heard) = mpsc::unbounded_channel();
    let ear: std::sync::Arc<dyn Receiver> = std::sync::Arc::new(Ear(sender));
    for node in [&stranger, &friend] {
        node.bind(std::sync::Arc::downgrade(&ear)).unwrap();
        node.join(topic());
        node.settle().await.unwrap();
    }
    speaker.publish(topic(), &said(1));
    speaker.settle().await.unwrap();
    stranger.settle().await.unwrap();
    friend.settle().await.unwrap();
    assert_eq!(next(&mut heard).await, said(1));
    assert!(heard.try_recv().is_err(), "heard twice: by the stranger too");
}

/// What is too large for the server, or more than may wait, is dropped and counted, and nothing waits for it.
#[tokio::test]
async fn what_does_not_fit_is_dropped_and_counted() {
    let server = Server::start();
    let node = NatsBus::connect(&NatsOptions { outgoing_bytes: 1000, ..server.options() }).await.unwrap();
    let large = Signal::Account { pos: 1, frame: Bytes::from(vec![b'x'; 2 << 20]) };
    node.publish(topic(), &large);
    assert_eq!(node.dropped().too_large, 1);
    let medium = Signal::Account { pos: 1, frame: Bytes::from(vec![b'x'; 2000]) };
    node.publish(topic(), &medium);
    assert_eq!(node.dropped().outgoing, 1);
    node.publish(topic(), &said(1));
    node.settle().await.unwrap();
    assert_eq!(node.dropped().outgoing, 1);
}

/// Settings that cannot work are refused, in words without secrets; so is a server that is not there.
#[tokio::test]
async fn wrong_settings_are_refused() {
    for (url, prefix) in
        [("no url : at all", "loquat"), ("nats://127.0.0.1:1", "a.b"), ("nats://127.0.0.1:1", "")]
    {
        let options =
            NatsOptions { url: url.to_owned(), prefix: prefix.to_owned(), ..NatsOptions::default() };
        let refused = NatsBus::connect(&options).await.map(drop).unwrap_err();
        assert!(matches!(&refused, NatsError::Settings(_)), "{refused}");
    }
    let nowhere = NatsOptions { url: "nats://me:hunter2@127.0.0.1:1".to_owned(), ..NatsOptions::default() };
    let refused = NatsBus::connect(&nowhere).await.map(drop).unwrap_err();
    assert!(
        matches!(&refused, NatsError::Server(_)) && !refused.to_string().contains("hunter2"),
        "{refused}"
    );
}
