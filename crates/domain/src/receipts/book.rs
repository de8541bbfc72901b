//! Cursors that wait to be saved.

use std::sync::Arc;
use std::time::Duration;

use loquat_proto::{ConversationId, DeviceId, Seq, UserId};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use tokio::sync::Notify;

use crate::Refusal;
use crate::failpoint;
use crate::ports::{Conversations, CursorMove};

/// How long a moved cursor may wait.
const SAVE_EVERY: Duration = Duration::from_millis(500);
/// Moves that may wait; beyond, they are saved at once.
const MANY: usize = 50_000;

type Moves = FxHashMap<ConversationId, SmallVec<[Moved; 2]>>;

#[derive(Debug, Clone, Copy)]
struct Moved {
    user: UserId,
    device: DeviceId,
    delivered: Seq,
    read: Seq,
}

/// Moved cursors between their arrival and their save. A crash takes back what was moved in the last half second;
/// clients repeat their cursors after `ready`.
pub struct CursorBook {
    conversations: Arc<dyn Conversations>,
    staged: Mutex<Staged>,
    /// One save at a time, so that [`CursorBook::settle`] can wait for it.
    saving: tokio::sync::Mutex<()>,
    full: Notify,
}

#[derive(Debug, Default)]
struct Staged {
    moves: Moves,
    count: usize,
    /// What is on its way to the store: still shown by [`CursorBook::overlay`].
    saving: Arc<Moves>,
}

impl CursorBook {
    /// An empty book over this directory.
    #[must_use]
    pub fn new(conversations: Arc<dyn Conversations>) -> Self {
        Self {
            conversations,
            staged: Mutex::default(),
            saving: tokio::sync::Mutex::new(()),
            full: Notify::new(),
        }
    }

    /// Notes a move, already checked against the conversation's state.
    pub(crate) fn stage(&self, moved: CursorMove) {
        let mut staged = self.staged.lock();
        let CursorMove { conversation, user, device, delivered, read } = moved;
        let moves = staged.moves.entry(conversation).or_default();
        match moves.iter_mut().find(|other| other.user == user && other.device == device) {
            Some(other) => {
                other.delivered = other.delivered.max(delivered);
                other.read = other.read.max(read);
            }
            None => {
                moves.push(Moved { user, device, delivered, read });
                staged.count += 1;
            }
        }
        if staged.count >= MANY {
            self.full.notify_one();
        }
    }

    /// Shows what waits for one conversation: user, delivered, read.
    pub(crate) fn overlay(&self, conversation: ConversationId, mut show: impl FnMut(UserId, Seq, Seq)) {
        let staged = self.staged.lock();
        let waiting = staged.moves.get(&conversation).into_iter().flatten();
        for moved in waiting.chain(staged.saving.get(&conversation).into_iter().flatten()) {
            show(moved.user, moved.delivered, moved.read);
        }
    }

    /// Saves all that waits: reads from the store that follow see it.
    ///
    /// # Errors
    /// The store refused; the moves wait on.
    pub async fn settle(&self) -> Result<(), Refusal> {
        let _one_at_a_time = self.saving.lock().await;
        let Some(moves) = self.begin() else { return Ok(()) };
        failpoint::pass("before_cursor_flush");
        let outcome = self.conversations.save_cursors(flatten(&moves)).await;
        let kept = std::mem::take(&mut self.staged.lock().saving);
        if let Err(error) = outcome {
            drop(moves);
            flatten(&kept).into_iter().for_each(|moved| self.stage(moved));
            return Err(error.into());
        }
        Ok(())
    }

    /// Saves all that waits, so that reads that follow see it. Where the store cannot write it can still be read: the
    /// cursors shown are then as old as the last save.
    pub(crate) async fn settle_for_reads(&self) {
        if let Err(refusal) = self.settle().await {
            tracing::debug!(%refusal, "reads go on with the cursors saved before");
        }
    }

    /// Saves every half second, until the handle is dropped.
    pub async fn keep_saving(self: Arc<Self>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(SAVE_EVERY) => {}
                () = self.full.notified() => {}
            }
            if let Err(refusal) = self.settle().await {
                tracing::warn!(%refusal, "cursors wait to be saved");
            }
        }
    }

    fn begin(&self) -> Option<Arc<Moves>> {
        let mut staged = self.staged.lock();
        if staged.count == 0 {
            return None;
        }
        staged.count = 0;
        staged.saving = Arc::new(std::mem::take(&mut staged.moves));
        Some(staged.saving.clone())
    }
}

fn flatten(moves: &Moves) -> Vec<CursorMove> {
    let one = |conversation: ConversationId, moved: &Moved| {
        let Moved { user, device, delivered, read } = *moved;
        CursorMove { conversation, user, device, delivered, read }
    };
    moves
        .iter()
        .flat_map(|(conversation, moved)| moved.iter().map(move |moved| one(*conversation, moved)))
        .collect()
}
