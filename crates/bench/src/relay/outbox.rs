//! The frames that wait for one socket.

use std::task::{Context, Waker};

use axum::extract::ws::Utf8Bytes;
use parking_lot::Mutex;

/// Frames that may wait for one socket; a peer this far behind is cut off instead of filling memory.
const CAPACITY: usize = 16 * 1024;

/// A bounded queue with one reader. Pushing wakes the reader; the reader takes everything at once.
#[derive(Default)]
pub(super) struct Outbox {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    frames: Vec<Utf8Bytes>,
    waker: Option<Waker>,
    overflowed: bool,
}

/// The reader fell more than [`CAPACITY`] frames behind.
pub(super) struct Overflowed;

impl Outbox {
    /// Queues a frame. Beyond the capacity the queue is marked as overflowed and its session ends.
    pub(super) fn push(&self, frame: Utf8Bytes) {
        let waker = {
            let mut state = self.state.lock();
            if state.frames.len() >= CAPACITY {
                state.overflowed = true;
            } else {
                state.frames.push(frame);
            }
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Moves all waiting frames to the end of `into` and asks to be woken at the next push.
    pub(super) fn poll_take(
        &self,
        context: &Context<'_>,
        into: &mut Vec<Utf8Bytes>,
    ) -> Result<(), Overflowed> {
        let mut state = self.state.lock();
        if state.overflowed {
            return Err(Overflowed);
        }
        into.append(&mut state.frames);
        if state.waker.is_none() {
            state.waker = Some(context.waker().clone());
        }
        Ok(())
    }
}
