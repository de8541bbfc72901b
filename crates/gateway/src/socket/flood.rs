//! What one socket may ask for before it is closed.
//!
//! Single frames over a rate are refused and the socket stays: that is the domain's rate limit, shared by all of a
//! user's sockets. A socket that goes on and on regardless is closed (4008), so that refusing it costs nothing more.

use std::time::Duration;

use loquat_proto::Limits;
use tokio::time::Instant;

/// Refusals and sends are counted over this long.
const WINDOW: Duration = Duration::from_secs(10);
/// Refused frames in one window that close the socket.
const REFUSALS: u32 = 200;
/// Sends in one window that close the socket, in multiples of what the rate of sends allows in it.
const SENDS_EXCESS: u64 = 10;

/// The frames of one socket in the current window.
#[derive(Debug)]
pub(super) struct Flood {
    window_start: Instant,
    refusals: u32,
    sends: u64,
    sends_allowed: u64,
}

impl Flood {
    /// Counts against these limits; a rate of sends that is switched off is not counted.
    pub(super) fn new(limits: &Limits) -> Self {
        let allowed = u64::from(limits.sends_per_second) * WINDOW.as_secs() + u64::from(limits.sends_burst);
        let sends_allowed = if limits.sends_per_second == 0 { u64::MAX } else { allowed * SENDS_EXCESS };
        Self { window_start: Instant::now(), refusals: 0, sends: 0, sends_allowed }
    }

    /// Counts a refused frame. Whether that was too many.
    pub(super) fn refusal(&mut self) -> bool {
        self.refusals += 1;
        self.refusals >= REFUSALS && self.is_over()
    }

    /// Counts a frame that appends. Whether that was too many.
    pub(super) fn send(&mut self) -> bool {
        self.sends += 1;
        self.sends >= self.sends_allowed && self.is_over()
    }

    /// Looks at the clock only once a count is reached: it is not asked for each frame.
    fn is_over(&mut self) -> bool {
        let now = Instant::now();
        if now.duration_since(self.window_start) <= WINDOW {
            return true;
        }
        (self.window_start, self.refusals, self.sends) = (now, 0, 0);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn refusals_close_the_socket_only_when_they_come_fast() {
        let mut flood = Flood::new(&Limits::default());
        assert!((1..REFUSALS).all(|_| !flood.refusal()));
        tokio::time::advance(WINDOW + Duration::from_millis(1)).await;
        assert!(!flood.refusal(), "spread over more than a window");
        assert!((1..REFUSALS).all(|_| !flood.refusal()));
        assert!(flood.refusal());
    }

    #[tokio::test(start_paused = true)]
    async fn sends_are_bounded_far_above_the_rate_unless_it_is_off() {
        let mut flood = Flood::new(&Limits::default());
        let closed_after = (1..).find(|_| flood.send()).unwrap();
        assert_eq!(closed_after, (20 * 10 + 60) * 10);
        let mut unlimited = Flood::new(&Limits { sends_per_second: 0, ..Limits::default() });
        assert!((0..100_000).all(|_| !unlimited.send()));
    }
}
