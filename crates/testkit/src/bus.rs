//! A bus that a test listens in on.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use loquat_bus::InProcessBus;
use loquat_domain::ports::{Bus, Receiver, Signal, StoreError, Topic};

/// Hears everything that is published.
pub type Tap = Box<dyn Fn(Topic, &Signal) + Send + Sync>;

/// The in-process bus, with an ear in it.
#[derive(Default)]
pub(crate) struct TappedBus {
    bus: InProcessBus,
    tap: OnceLock<Tap>,
}

impl TappedBus {
    /// Sets who receives, and who listens in; once.
    pub(crate) fn bind(&self, receiver: &Arc<dyn Receiver>, tap: Option<Tap>) {
        self.bus.bind(Arc::downgrade(receiver)).expect("a new bus has no receiver");
        if let Some(tap) = tap {
            // A new bus has no tap either.
            let _ = self.tap.set(tap);
        }
    }
}

#[async_trait]
impl Bus for TappedBus {
    fn publish(&self, topic: Topic, signal: &Signal) {
        if let Some(tap) = self.tap.get() {
            tap(topic, signal);
        }
        self.bus.publish(topic, signal);
    }

    fn join(&self, topic: Topic) {
        self.bus.join(topic);
    }

    fn leave(&self, topic: Topic) {
        self.bus.leave(topic);
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.bus.check().await
    }
}
