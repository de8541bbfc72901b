//! A bounded queue between the callers and the threads that own a connection.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// First in, first out; any number of threads on both ends. When it is full, the newcomer is refused.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    arrived: Condvar,
    capacity: usize,
}

struct State<T> {
    waiting: VecDeque<T>,
    closed: bool,
}

/// Why an entry was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// As many wait as may.
    Full,
    /// Nobody works here any more.
    Closed,
}

impl<T> Queue<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        let state = State { waiting: VecDeque::new(), closed: false };
        Self { state: Mutex::new(state), arrived: Condvar::new(), capacity }
    }

    // No code of a caller runs under the lock, so that a poisoned lock still guards a whole queue.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, entry: T) -> Result<(), Refused> {
        let mut state = self.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        if state.waiting.len() >= self.capacity {
            return Err(Refused::Full);
        }
        state.waiting.push_back(entry);
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// Waits for an entry; `None` once the queue is closed and empty.
    pub(crate) fn pop(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(entry) = state.waiting.pop_front() {
                return Some(entry);
            }
            if state.closed {
                return None;
            }
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Moves what waits to `taken`, in order, for as long as `more` wants the next one. Does not wait.
    pub(crate) fn take_while(&self, taken: &mut Vec<T>, mut more: impl FnMut(&T) -> bool) {
        let mut state = self.lock();
        while state.waiting.front().is_some_and(&mut more) {
            taken.extend(state.waiting.pop_front());
        }
    }

    /// Refuses newcomers from now on. What waits is still handed out.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Throws away what waits, and refuses newcomers from now on.
    pub(crate) fn abandon(&self) {
        let mut state = self.lock();
        state.closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        drop(waiting);
        self.arrived.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_refuses_and_a_closed_one_drains() {
        let queue = Queue::new(2);
        assert_eq!(queue.push(1), Ok(()));
        assert_eq!(queue.push(2), Ok(()));
        assert_eq!(queue.push(3), Err(Refused::Full));
        assert_eq!(queue.pop(), Some(1));
        assert_eq!(queue.push(4), Ok(()));
        queue.close();
        assert_eq!(queue.push(5), Err(Refused::Closed));
        let mut taken = Vec::new();
        queue.take_while(&mut taken, |entry| *entry < 4);
        assert_eq!(taken, [2]);
        assert_eq!(queue.pop(), Some(4));
        assert_eq!(queue.pop(), None);
    }

    #[test]
    fn a_waiting_thread_is_woken() {
        let queue = Queue::new(1);
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| queue.pop());
            queue.push(7).unwrap();
            assert_eq!(waiter.join().unwrap(), Some(7));
        });
    }
}
