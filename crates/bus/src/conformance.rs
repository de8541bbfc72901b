//! What every bus promises, as functions that panic where it does not.
//!
//! An implementation provides a [`Subject`] and calls [`all`], or the functions one by one as tests of their own. The
//! port permits a bus to lose signals; these functions demand what an undisturbed bus on one machine must do.

use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use loquat_domain::ports::{Bus, Receiver, Signal, Topic};
use loquat_proto::{ConversationId, DeviceId, PresenceState, Timestamp, UserId};
use tokio::sync::mpsc;

/// How long a delivery may take before it counts as lost. Waiting ends with the delivery, so that only a failing test
/// takes this long.
const PATIENCE: Duration = Duration::from_secs(5);

/// Signals of one topic in the order test.
const ORDERED: u64 = 1_000;

/// How to make and drive the bus under test.
#[async_trait]
pub trait Subject: Sync {
    /// The bus.
    type Bus: Bus;

    /// A bus of a node of its own, to which nobody is bound yet.
    async fn start(&self) -> Self::Bus;

    /// Binds the receiver of that node.
    async fn bind(&self, bus: &Self::Bus, receiver: Weak<dyn Receiver>);

    /// Returns when every earlier call on the bus has taken effect, and what was published has been delivered.
    async fn settle(&self, bus: &Self::Bus);
}

/// Runs the whole suite.
///
/// # Panics
/// The bus breaks a promise of the port.
pub async fn all<S: Subject>(subject: &S) {
    every_kind_of_signal_arrives_unchanged(subject).await;
    signals_of_a_topic_arrive_in_order(subject).await;
    joins_are_counted(subject).await;
    a_topic_is_joined_again_after_it_was_left(subject).await;
    nothing_is_delivered_without_a_receiver(subject).await;
    a_receiver_that_is_gone_is_not_called(subject).await;
    check_answers_on_a_bound_bus(subject).await;
}

/// What is published to a topic somebody joined arrives whole, under its topic, once.
///
/// # Panics
/// It does not.
pub async fn every_kind_of_signal_arrives_unchanged<S: Subject>(subject: &S) {
    let mut node = Node::start(subject).await;
    let sent = [
        (user(1), Signal::Frame { frame: Bytes::from_static("{\"op\":\"tick\"}".as_bytes()), except: None }),
        (
            user(1),
            Signal::Frame {
                frame: Bytes::from_static("{\"text\":\"é\\u0000👍\"}".as_bytes()),
                except: Some(u64::MAX),
            },
        ),
        (user(2), Signal::Frame { frame: Bytes::from(vec![b'x'; 65_536]), except: Some(0) }),
        (user(2), Signal::Account { pos: u64::MAX, frame: Bytes::from_static(b"{}") }),
        (user(3), Signal::Revoke { devices: vec![device(7), device(8)] }),
        (user(3), Signal::Revoke { devices: Vec::new() }),
        (user(3), Signal::Follow { conversation: conversation(5) }),
        (user(3), Signal::Unfollow { conversation: conversation(5) }),
        (
            Topic::Conversation(conversation(5)),
            Signal::Shared {
                frame: Bytes::from_static(b"{\"op\":\"event\"}"),
                instead: vec![(user_id(1), Some(Bytes::from_static(b"{}"))), (user_id(2), None)],
                except: Some(7),
            },
        ),
        (Topic::Conversation(conversation(5)), Signal::Deleted),
        (presence(1), Signal::Presence { state: PresenceState::Away, last_seen: None }),
        (presence(1), Signal::Presence { state: PresenceState::Offline, last_seen: Some(MOMENT) }),
    ];
    for topic in [user(1), user(2), user(3), presence(1), Topic::Conversation(conversation(5))] {
        node.bus.join(topic);
    }
    subject.settle(&node.bus).await;
    for (topic, signal) in &sent {
        node.bus.publish(*topic, signal);
        assert_eq!(node.next().await, (*topic, signal.clone()));
    }
    subject.settle(&node.bus).await;
    assert_eq!(node.received_at_once(), None, "a signal arrived twice");
}

/// Signals that one caller publishes to one topic arrive in that order, whatever is published to others meanwhile.
///
/// # Panics
/// They do not.
pub async fn signals_of_a_topic_arrive_in_order<S: Subject>(subject: &S) {
    let mut node = Node::start(subject).await;
    let topics = [user(1), user(2), presence(1)];
    for topic in topics {
        node.bus.join(topic);
    }
    subject.settle(&node.bus).await;
    for number in 1..=ORDERED {
        for topic in topics {
            node.bus.publish(topic, &numbered(number));
        }
        // A bus may bound its buffers: a caller that never waits could fill any.
        if number % 100 == 0 {
            subject.settle(&node.bus).await;
        }
    }
    let mut last = [0; 3];
    for _ in 0..ORDERED * 3 {
        let (topic, signal) = node.next().await;
        let index = topics.iter().position(|known| *known == topic).expect("a topic that was published to");
        last[index] += 1;
        assert_eq!(signal, numbered(last[index]), "out of order in {topic:?}");
    }
}

/// A topic stays joined until each join was taken back.
///
/// # Panics
/// It does not.
pub async fn joins_are_counted<S: Subject>(subject: &S) {
    let mut node = Node::start(subject).await;
    for _ in 0..3 {
        node.bus.join(user(1));
    }
    node.bus.join(user(2));
    for number in 1..=3 {
        subject.settle(&node.bus).await;
        node.bus.publish(user(1), &numbered(number));
        assert_eq!(node.next().await, (user(1), numbered(number)), "{number} of 3 joins stand");
        node.bus.leave(user(1));
    }
    subject.settle(&node.bus).await;
    node.bus.publish(user(2), &numbered(4));
    assert_eq!(node.next().await, (user(2), numbered(4)), "another topic was left with it");
}

/// A topic that was left wholly can be joined again.
///
/// # Panics
/// It cannot.
pub async fn a_topic_is_joined_again_after_it_was_left<S: Subject>(subject: &S) {
    let mut node = Node::start(subject).await;
    for number in 1..=3 {
        node.bus.join(presence(1));
        subject.settle(&node.bus).await;
        node.bus.publish(presence(1), &numbered(number));
        assert_eq!(node.next().await, (presence(1), numbered(number)));
        node.bus.leave(presence(1));
        subject.settle(&node.bus).await;
    }
}

/// What is published before a receiver is bound is dropped: it does not arrive later.
///
/// # Panics
/// It arrives.
pub async fn nothing_is_delivered_without_a_receiver<S: Subject>(subject: &S) {
    let bus = subject.start().await;
    bus.join(user(1));
    bus.publish(user(1), &numbered(1));
    subject.settle(&bus).await;
    let mut node = Node::bound(subject, bus).await;
    subject.settle(&node.bus).await;
    node.bus.publish(user(1), &numbered(2));
    assert_eq!(node.next().await, (user(1), numbered(2)));
}

/// A bus does not keep its receiver alive, and outlives it.
///
/// # Panics
/// It does, or does not.
pub async fn a_receiver_that_is_gone_is_not_called<S: Subject>(subject: &S) {
    let Node { bus, receiver, mut received } = Node::start(subject).await;
    bus.join(user(1));
    subject.settle(&bus).await;
    drop(receiver);
    bus.publish(user(1), &numbered(1));
    subject.settle(&bus).await;
    let next = tokio::time::timeout(PATIENCE, received.recv()).await;
    assert_eq!(next, Ok(None), "the bus keeps its receiver alive");
}

/// A bus that is bound and undisturbed says so.
///
/// # Panics
/// It does not.
pub async fn check_answers_on_a_bound_bus<S: Subject>(subject: &S) {
    let node = Node::start(subject).await;
    assert_eq!(node.bus.check().await, Ok(()));
}

const MOMENT: Timestamp = 1_763_800_000_000;

/// A bus with a receiver that writes down what it gets.
struct Node<B> {
    bus: B,
    receiver: Arc<Recorder>,
    received: mpsc::UnboundedReceiver<(Topic, Signal)>,
}

impl<B: Bus> Node<B> {
    async fn start<S: Subject<Bus = B>>(subject: &S) -> Self {
        Self::bound(subject, subject.start().await).await
    }

    async fn bound<S: Subject<Bus = B>>(subject: &S, bus: B) -> Self {
        let (sender, received) = mpsc::unbounded_channel();
        let receiver = Arc::new(Recorder { sender });
        let as_receiver: Arc<dyn Receiver> = receiver.clone();
        subject.bind(&bus, Arc::downgrade(&as_receiver)).await;
        Self { bus, receiver, received }
    }

    async fn next(&mut self) -> (Topic, Signal) {
        let next = tokio::time::timeout(PATIENCE, self.received.recv()).await;
        next.expect("a signal was lost").expect("the node holds the sender")
    }

    fn received_at_once(&mut self) -> Option<(Topic, Signal)> {
        self.received.try_recv().ok()
    }
}

struct Recorder {
    sender: mpsc::UnboundedSender<(Topic, Signal)>,
}

impl Receiver for Recorder {
    fn receive(&self, topic: Topic, signal: &Signal) {
        // Nobody listens any more once a test is over.
        let _ = self.sender.send((topic, signal.clone()));
    }
}

fn user(number: u64) -> Topic {
    Topic::User(user_id(number))
}

fn user_id(number: u64) -> UserId {
    UserId::new(number).expect("a small number is an id")
}

fn conversation(number: u64) -> ConversationId {
    ConversationId::new(number).expect("a small number is an id")
}

fn presence(number: u64) -> Topic {
    Topic::Presence(UserId::new(number).expect("a small number is an id"))
}

fn device(number: u64) -> DeviceId {
    DeviceId::new(number).expect("a small number is an id")
}

fn numbered(number: u64) -> Signal {
    Signal::Account { pos: number, frame: Bytes::from(format!("{{\"n\":{number}}}")) }
}
