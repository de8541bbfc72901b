//! Keeps sync tokens behind what is announced outside the lanes.

use std::sync::Arc;

use tokio::sync::{OwnedRwLockReadGuard, RwLock};

/// Held between a commit and its announcement.
pub type FanoutPass = OwnedRwLockReadGuard<()>;

/// Whoever commits a change and then announces it holds a pass in between. [`FanoutGate::settle`] waits for those
/// who hold one, so that a position read before it covers nothing unannounced.
#[derive(Debug, Clone, Default)]
pub struct FanoutGate {
    lock: Arc<RwLock<()>>,
}

impl FanoutGate {
    /// Takes a pass; it is given back when it is dropped.
    pub async fn enter(&self) -> FanoutPass {
        self.lock.clone().read_owned().await
    }

    /// Waits until every pass given so far is back.
    pub async fn settle(&self) {
        drop(self.lock.write().await);
    }
}
