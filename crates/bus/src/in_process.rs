//! The bus of a single node.

use std::sync::{Arc, OnceLock, Weak};

use async_trait::async_trait;
use loquat_domain::ports::{Bus, Receiver, Signal, StoreError, Topic};
use thiserror::Error;

/// A receiver is bound to this bus already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a receiver is bound to this bus already")]
pub struct AlreadyBound;

/// A bus that calls its one receiver in the caller's thread: zero hops, nothing buffered, hence nothing to bound.
///
/// The receiver knows who listens to what, so that [`Bus::join`] and [`Bus::leave`] have nothing to keep: a signal
/// for a topic without listeners ends in the receiver's lookup.
#[derive(Default)]
pub struct InProcessBus {
    /// Weak, because the receiver (the session registry) owns the bus in turn.
    receiver: OnceLock<Weak<dyn Receiver>>,
}

impl InProcessBus {
    /// A bus that drops every signal until a receiver is bound.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets who receives, once.
    ///
    /// # Errors
    /// A receiver was bound before; it stays.
    pub fn bind(&self, receiver: Weak<dyn Receiver>) -> Result<(), AlreadyBound> {
        self.receiver.set(receiver).map_err(|_| AlreadyBound)
    }

    fn receiver(&self) -> Option<Arc<dyn Receiver>> {
        self.receiver.get().and_then(Weak::upgrade)
    }
}

#[async_trait]
impl Bus for InProcessBus {
    fn publish(&self, topic: Topic, signal: &Signal) {
        if let Some(receiver) = self.receiver() {
            receiver.receive(topic, signal);
        }
    }

    fn join(&self, _topic: Topic) {}

    fn leave(&self, _topic: Topic) {}

    async fn check(&self) -> Result<(), StoreError> {
        match self.receiver() {
            Some(_) => Ok(()),
            None => Err(StoreError::Unavailable("nobody receives from the bus".to_owned())),
        }
    }
}
