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
/// Moves saved in one write.
const PIECE: usize = 1_000;
/// Moves that may wait; beyond, they are saved at once.
const MANY: usize = 50_000;

type Moves = FxHashMap<ConversationId, OneConversation>;

#[derive(Debug, Clone, Copy)]
struct Moved {
    user: UserId,
    device: DeviceId,
    delivered: Seq,
    read: Seq,
}

/// So many moves are looked through; of more, each is found by an index.
const FEW: usize = 16;

/// The moves of one conversation: nearly always a few, in a channel thousands.
#[derive(Debug, Default)]
struct OneConversation {
    moves: SmallVec<[Moved; 2]>,
    /// Where the moves of a user's device stand, once there are more than [`FEW`].
    places: FxHashMap<(UserId, DeviceId), usize>,
}

impl OneConversation {
    /// The move of this device, and whether it is new.
    fn of(&mut self, user: UserId, device: DeviceId) -> (&mut Moved, bool) {
        let known = if self.moves.len() > FEW {
            self.places.get(&(user, device)).copied()
        } else {
            self.moves.iter().position(|other| other.user == user && other.device == device)
        };
        let place = known.unwrap_or(self.moves.len());
        if known.is_none() {
            self.moves.push(Moved { user, device, delivered: 0, read: 0 });
            match self.moves.len() - 1 {
                FEW => {
                    let places = self.moves.iter().enumerate();
                    self.places = places.map(|(place, moved)| ((moved.user, moved.device), place)).collect();
                }
                place if place > FEW => drop(self.places.insert((user, device), place)),
                _ => {}
            }
        }
        (&mut self.moves[place], known.is_none())
    }
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
        let (moved, is_new) = staged.moves.entry(conversation).or_default().of(user, device);
        moved.delivered = moved.delivered.max(delivered);
        moved.read = moved.read.max(read);
        staged.count += usize::from(is_new);
        if staged.count >= MANY {
            self.full.notify_one();
        }
    }

    /// Shows what waits for one conversation: user, delivered, read.
    pub(crate) fn overlay(&self, conversation: ConversationId, mut show: impl FnMut(UserId, Seq, Seq)) {
        let staged = self.staged.lock();
        let places = [staged.moves.get(&conversation), staged.saving.get(&conversation)];
        for moved in places.into_iter().flatten().flat_map(|one| &one.moves) {
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
        let mut outcome = Ok(());
        // In pieces: those who wait for a write of theirs come in between.
        for piece in flatten(&moves).chunks(PIECE) {
            outcome = self.conversations.save_cursors(piece.to_vec()).await;
            if outcome.is_err() {
                break;
            }
        }
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
        .flat_map(|(conversation, many)| many.moves.iter().map(move |moved| one(*conversation, moved)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> (UserId, DeviceId) {
        (UserId::new(1 + number / 2).unwrap(), DeviceId::new(1 + number).unwrap())
    }

    #[test]
    fn a_move_is_found_again_among_few_and_many() {
        for count in [1, 2, FEW as u64, FEW as u64 + 1, FEW as u64 + 2, 500] {
            let mut one = OneConversation::default();
            for round in 1..=2 {
                for number in 0..count {
                    let (user, device) = key(number);
                    let (moved, is_new) = one.of(user, device);
                    assert_eq!(
                        (moved.user, moved.device, is_new),
                        (user, device, round == 1),
                        "{count} {number}"
                    );
                    moved.delivered += number;
                }
            }
            assert_eq!(one.moves.len() as u64, count);
            for (number, moved) in one.moves.iter().enumerate() {
                assert_eq!(moved.delivered, 2 * number as u64);
            }
        }
    }
}
