//! A session's outbound queue: many push, one drains.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Waker};

use bytes::Bytes;
use loquat_proto::CloseCode;
use parking_lot::Mutex;

/// How much a session may leave unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboundLimits {
    /// Bytes of frames in the queue.
    pub bytes: usize,
    /// Frames in the queue.
    pub frames: usize,
}

impl Default for OutboundLimits {
    fn default() -> Self {
        Self { bytes: 1 << 20, frames: 8192 }
    }
}

/// A bounded queue of encoded frames with one consumer. When it is full the session is closed as a slow consumer and
/// the queue is emptied: the client resumes with its sync token, others are not held up.
///
/// Live frames that arrive before [`Outbound::release`] are held behind the first answer, so that a client that
/// subscribes and then reads its state misses nothing in between and sees things in order.
#[derive(Debug)]
pub struct Outbound {
    limits: OutboundLimits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    frames: VecDeque<Bytes>,
    /// Live frames that wait for the release; `None` once released.
    held: Option<VecDeque<Bytes>>,
    bytes: usize,
    closed: Option<CloseCode>,
    consumer: Option<Waker>,
}

/// Queues that grew beyond this give their memory back when they are drained.
const KEPT_CAPACITY: usize = 16;

impl Outbound {
    /// An empty queue that holds live frames until it is released.
    #[must_use]
    pub fn new(limits: OutboundLimits) -> Self {
        Self { limits, state: Mutex::new(State { held: Some(VecDeque::new()), ..State::default() }) }
    }

    /// Queues an answer; it does not wait for the release.
    pub fn push(&self, frame: Bytes) {
        self.enqueue(frame, |state| &mut state.frames);
    }

    /// Queues a live frame; before the release it is held.
    pub fn deliver(&self, frame: Bytes) {
        self.enqueue(frame, |state| state.held.as_mut().unwrap_or(&mut state.frames));
    }

    /// Queues the first answer, if there is one, then all that was held.
    pub fn release(&self, first: Option<Bytes>) {
        if let Some(first) = first {
            self.push(first);
        }
        let mut state = self.state.lock();
        if let Some(mut held) = state.held.take() {
            state.frames.append(&mut held);
        }
        Self::wake(state);
    }

    /// Closes the queue: what stands in it is still drained. The first reason stays.
    pub fn close(&self, code: CloseCode) {
        let mut state = self.state.lock();
        state.closed.get_or_insert(code);
        Self::wake(state);
    }

    /// Whether the queue is closed, and why.
    pub fn closed(&self) -> Option<CloseCode> {
        self.state.lock().closed
    }

    /// Waits for frames and moves all of them to the end of `frames`. Cancel-safe.
    ///
    /// # Errors
    /// The queue was closed and everything in it was drained.
    pub async fn drain_into(&self, frames: &mut Vec<Bytes>) -> Result<(), CloseCode> {
        poll_fn(|context| {
            let mut state = self.state.lock();
            if !state.frames.is_empty() {
                state.bytes = 0;
                frames.extend(state.frames.drain(..));
                if state.frames.capacity() > KEPT_CAPACITY {
                    state.frames.shrink_to(0);
                }
                return Poll::Ready(Ok(()));
            }
            if let Some(code) = state.closed {
                return Poll::Ready(Err(code));
            }
            match &mut state.consumer {
                Some(waker) => waker.clone_from(context.waker()),
                none => *none = Some(context.waker().clone()),
            }
            Poll::Pending
        })
        .await
    }

    fn enqueue(&self, frame: Bytes, queue: impl FnOnce(&mut State) -> &mut VecDeque<Bytes>) {
        let mut state = self.state.lock();
        if state.closed.is_some() {
            return;
        }
        state.bytes += frame.len();
        let target = queue(&mut state);
        target.push_back(frame);
        if target.len() > self.limits.frames || state.bytes > self.limits.bytes {
            state.closed = Some(CloseCode::SlowConsumer);
            state.frames = VecDeque::new();
            state.held = None;
        }
        Self::wake(state);
    }

    fn wake(mut state: parking_lot::MutexGuard<'_, State>) {
        let consumer = state.consumer.take();
        drop(state);
        if let Some(waker) = consumer {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(bytes: usize, frames: usize) -> Outbound {
        Outbound::new(OutboundLimits { bytes, frames })
    }

    async fn drained(outbound: &Outbound) -> Result<Vec<Bytes>, CloseCode> {
        let mut frames = Vec::new();
        outbound.drain_into(&mut frames).await.map(|()| frames)
    }

    #[tokio::test]
    async fn live_frames_wait_behind_the_first_answer() {
        let outbound = queue(1000, 10);
        outbound.deliver(Bytes::from_static(b"live 1"));
        outbound.release(Some(Bytes::from_static(b"ready")));
        outbound.deliver(Bytes::from_static(b"live 2"));
        assert_eq!(drained(&outbound).await.unwrap(), ["ready", "live 1", "live 2"]);
    }

    #[tokio::test]
    async fn a_full_queue_closes_the_session_and_frees_its_memory() {
        for outbound in [queue(8, 10), queue(1000, 1)] {
            outbound.release(Some(Bytes::from_static(b"12345")));
            outbound.deliver(Bytes::from_static(b"67890"));
            assert_eq!(drained(&outbound).await, Err(CloseCode::SlowConsumer));
            assert_eq!(outbound.state.lock().frames.capacity(), 0);
        }
    }

    #[tokio::test]
    async fn what_was_queued_before_a_close_is_still_drained() {
        let outbound = queue(1000, 10);
        outbound.release(Some(Bytes::from_static(b"drain")));
        outbound.close(CloseCode::Drain);
        outbound.deliver(Bytes::from_static(b"late"));
        assert_eq!(drained(&outbound).await.unwrap(), ["drain"]);
        assert_eq!(drained(&outbound).await, Err(CloseCode::Drain));
    }

    #[tokio::test]
    async fn a_waiting_consumer_wakes() {
        let outbound = std::sync::Arc::new(queue(1000, 10));
        let waiting = tokio::spawn({
            let outbound = outbound.clone();
            async move { drained(&outbound).await }
        });
        tokio::task::yield_now().await;
        outbound.push(Bytes::from_static(b"frame"));
        assert_eq!(waiting.await.unwrap().unwrap(), ["frame"]);
    }
}
