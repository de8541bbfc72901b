//! The in-process bus keeps what the port promises.

use std::sync::Weak;

use async_trait::async_trait;
use loquat_bus::conformance::{self, Subject};
use loquat_bus::{AlreadyBound, InProcessBus};
use loquat_domain::ports::{Bus as _, Receiver, Signal, StoreError, Topic};

struct InProcess;

#[async_trait]
impl Subject for InProcess {
    type Bus = InProcessBus;

    async fn start(&self) -> InProcessBus {
        InProcessBus::new()
    }

    async fn bind(&self, bus: &InProcessBus, receiver: Weak<dyn Receiver>) {
        bus.bind(receiver).expect("a fresh bus has no receiver");
    }

    /// Everything takes effect before its call returns.
    async fn settle(&self, _bus: &InProcessBus) {}
}

#[tokio::test]
async fn the_in_process_bus_conforms() {
    conformance::all(&InProcess).await;
}

struct Deaf;

impl Receiver for Deaf {
    fn receive(&self, _topic: Topic, _signal: &Signal) {}
}

#[tokio::test]
async fn a_bus_has_one_receiver_for_ever() {
    let bus = InProcessBus::new();
    assert!(matches!(bus.check().await, Err(StoreError::Unavailable(_))), "nobody is bound");
    assert_eq!(bus.bind(Weak::<Deaf>::new()), Ok(()));
    assert_eq!(bus.bind(Weak::<Deaf>::new()), Err(AlreadyBound));
    assert!(matches!(bus.check().await, Err(StoreError::Unavailable(_))), "the receiver is gone");
}
