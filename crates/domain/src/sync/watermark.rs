//! How far everything was fanned out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use loquat_proto::UserId;

use super::FanoutGate;
use crate::Refusal;
use crate::lanes::Lanes;
use crate::ports::Conversations;

/// How often the watermark moves; sockets are told each 15 s.
const EVERY: Duration = Duration::from_secs(5);

/// A position up to which everything that stands in the store was queued to the sessions of this node.
pub struct Watermark {
    conversations: Arc<dyn Conversations>,
    lanes: Lanes,
    gate: FanoutGate,
    epoch: AtomicU64,
    pos: AtomicU64,
}

impl Watermark {
    /// A watermark at the beginning.
    #[must_use]
    pub fn new(conversations: Arc<dyn Conversations>, lanes: Lanes, gate: FanoutGate) -> Self {
        Self { conversations, lanes, gate, epoch: AtomicU64::new(0), pos: AtomicU64::new(0) }
    }

    /// The life of the store, and the position.
    #[must_use]
    pub fn get(&self) -> (u64, u64) {
        (self.epoch.load(Ordering::Acquire), self.pos.load(Ordering::Acquire))
    }

    /// Moves the watermark to where the store stands now.
    ///
    /// # Errors
    /// Storage did not answer; the watermark stays.
    pub async fn advance(&self) -> Result<(), Refusal> {
        // The position comes first: what is fanned out by the end of the barriers covers it.
        let Some(nobody) = UserId::new(1) else { return Ok(()) };
        let position = self.conversations.position(nobody).await?;
        self.gate.settle().await;
        self.lanes.barrier().await;
        self.epoch.store(position.epoch, Ordering::Release);
        self.pos.fetch_max(position.pos, Ordering::AcqRel);
        Ok(())
    }

    /// Moves it every few seconds, for as long as the task lives.
    pub async fn keep_advancing(self: Arc<Self>) {
        loop {
            if let Err(refusal) = self.advance().await {
                tracing::warn!(%refusal, "the sync watermark stands still");
            }
            tokio::time::sleep(EVERY).await;
        }
    }
}
