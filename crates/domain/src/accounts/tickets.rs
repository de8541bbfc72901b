//! Tickets: good for opening one socket on this node, soon.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use loquat_proto::Timestamp;
use loquat_proto::account::Secret;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::Caller;
use crate::bounded::Generations;
use crate::ports::Random;

/// Tickets held at most; beyond that, those issued the longest ago are forgotten, and their holders ask again.
const CAPACITY: usize = 65_536;

/// What every ticket begins with, so that scanners for leaked secrets recognise them.
const PREFIX: &str = "lqt_";

struct Issued {
    caller: Caller,
    expires_at: Timestamp,
}

/// The tickets of this node. They are kept by hash: a comparison that takes longer the more of it is right would
/// tell about the hash only.
pub(super) struct Tickets {
    issued: Mutex<Generations<[u8; 32], Issued>>,
    lifetime_ms: i64,
}

impl Tickets {
    pub(super) fn new(lifetime_ms: i64) -> Self {
        Self { issued: Mutex::new(Generations::new(CAPACITY)), lifetime_ms }
    }

    pub(super) fn issue(&self, caller: Caller, random: &dyn Random, now: Timestamp) -> Secret {
        let mut secret = [0; 32];
        random.fill(&mut secret);
        let ticket = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
        let expires_at = now.saturating_add(self.lifetime_ms);
        self.issued.lock().insert(Sha256::digest(&ticket).into(), Issued { caller, expires_at });
        Secret(ticket)
    }

    /// Uses a ticket up. `None` if it is unknown, used or expired.
    pub(super) fn redeem(&self, ticket: &str, now: Timestamp) -> Option<Caller> {
        let issued = self.issued.lock().remove(&Sha256::digest(ticket).into())?;
        // A clock that went back by more than a lifetime makes no ticket last longer.
        let in_time =
            now < issued.expires_at && now >= issued.expires_at.saturating_sub(2 * self.lifetime_ms);
        in_time.then_some(issued.caller)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use loquat_proto::{DeviceId, UserId};

    use super::*;

    #[derive(Default)]
    struct Counter(AtomicU64);

    impl Random for Counter {
        fn fill(&self, buffer: &mut [u8]) {
            let count = self.0.fetch_add(1, Ordering::Relaxed).to_le_bytes();
            for (target, byte) in buffer.iter_mut().zip(count.iter().cycle()) {
                *target = *byte;
            }
        }
    }

    const NOW: Timestamp = 1_763_800_000_000;

    fn caller() -> Caller {
        Caller { user: UserId::new(1).unwrap(), device: DeviceId::new(2).unwrap() }
    }

    #[test]
    fn a_ticket_is_good_once_and_for_its_time() {
        let tickets = Tickets::new(30_000);
        let random = Counter::default();
        let ticket = tickets.issue(caller(), &random, NOW);
        assert_eq!(tickets.redeem("lqt_unknown", NOW), None);
        assert_eq!(tickets.redeem(&ticket.0, NOW + 29_999), Some(caller()));
        assert_eq!(tickets.redeem(&ticket.0, NOW + 29_999), None, "used up");
        for (name, when) in [("late", NOW + 30_000), ("clock went back", NOW - 3_600_000)] {
            let ticket = tickets.issue(caller(), &random, NOW);
            assert_eq!(tickets.redeem(&ticket.0, when), None, "{name}");
        }
    }

    #[test]
    fn tickets_are_bounded_and_the_newest_are_kept() {
        let tickets = Tickets::new(30_000);
        let random = Counter::default();
        let all: Vec<Secret> = (0..CAPACITY * 2).map(|_| tickets.issue(caller(), &random, NOW)).collect();
        assert!(tickets.issued.lock().len() <= CAPACITY);
        assert_eq!(tickets.redeem(&all[0].0, NOW), None);
        assert_eq!(tickets.redeem(&all[all.len() - 1].0, NOW), Some(caller()));
    }
}
