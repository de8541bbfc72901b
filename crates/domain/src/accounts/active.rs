//! Which devices are signed in, as far as this node knows.

use loquat_proto::{DeviceId, Timestamp, UserId};
use parking_lot::Mutex;

use crate::Caller;
use crate::bounded::Generations;

/// Devices remembered at most; beyond that, those not heard of the longest are asked for again.
const CAPACITY: usize = 65_536;

/// For how long storage is not asked again. A revocation on this node is known at once; one on another node, whose
/// signal on the bus was lost, after this time.
const TRUST_MS: i64 = 5_000;

#[derive(Clone, Copy)]
struct Known {
    user: UserId,
    asked_at: Timestamp,
}

struct State {
    devices: Generations<DeviceId, Known>,
    /// Counts what was forgotten: an answer that storage gave before a revocation must not be learnt after it.
    forgotten: u64,
}

/// Remembers for some seconds which devices storage called active. What it did not is asked for each time: such
/// requests are rare, and limited by address.
pub(super) struct ActiveDevices {
    state: Mutex<State>,
}

/// What is known of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recollection {
    /// Storage called the device active a moment ago; this says whether it is the caller's.
    Known(bool),
    /// Storage is to be asked; the answer goes to [`ActiveDevices::learn`] with this question.
    Unknown(Question),
}

/// The state of knowledge in which storage is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Question {
    forgotten: u64,
}

impl ActiveDevices {
    pub(super) fn new() -> Self {
        Self { state: Mutex::new(State { devices: Generations::new(CAPACITY), forgotten: 0 }) }
    }

    pub(super) fn recall(&self, caller: Caller, now: Timestamp) -> Recollection {
        let mut state = self.state.lock();
        let known = state.devices.get(&caller.device).copied();
        match known.filter(|known| (0..TRUST_MS).contains(&now.saturating_sub(known.asked_at))) {
            Some(known) => Recollection::Known(known.user == caller.user),
            None => Recollection::Unknown(Question { forgotten: state.forgotten }),
        }
    }

    /// Remembers that storage called the device active, unless one was forgotten since the question.
    pub(super) fn learn(&self, caller: Caller, question: Question, now: Timestamp) {
        let mut state = self.state.lock();
        if state.forgotten == question.forgotten {
            state.devices.insert(caller.device, Known { user: caller.user, asked_at: now });
        }
    }

    pub(super) fn forget(&self, device: DeviceId) {
        let mut state = self.state.lock();
        state.forgotten += 1;
        state.devices.remove(&device);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = 1_763_800_000_000;

    fn caller(user: u64, device: u64) -> Caller {
        Caller { user: UserId::new(user).unwrap(), device: DeviceId::new(device).unwrap() }
    }

    fn learnt(devices: &ActiveDevices) -> Caller {
        let caller = caller(1, 2);
        let Recollection::Unknown(question) = devices.recall(caller, NOW) else {
            panic!("nothing was learnt yet")
        };
        devices.learn(caller, question, NOW);
        caller
    }

    #[test]
    fn an_answer_is_trusted_for_a_while() {
        let devices = ActiveDevices::new();
        let caller = learnt(&devices);
        assert_eq!(devices.recall(caller, NOW), Recollection::Known(true));
        assert_eq!(devices.recall(caller, NOW + TRUST_MS - 1), Recollection::Known(true));
        for when in [NOW + TRUST_MS, NOW - 1] {
            assert!(matches!(devices.recall(caller, when), Recollection::Unknown(_)), "{when}");
        }
    }

    #[test]
    fn a_device_counts_for_its_user_only() {
        let devices = ActiveDevices::new();
        learnt(&devices);
        assert_eq!(devices.recall(caller(3, 2), NOW), Recollection::Known(false));
    }

    #[test]
    fn what_is_forgotten_is_asked_again() {
        let devices = ActiveDevices::new();
        let caller = learnt(&devices);
        devices.forget(caller.device);
        assert!(matches!(devices.recall(caller, NOW), Recollection::Unknown(_)));
    }

    #[test]
    fn an_answer_older_than_a_revocation_is_not_learnt() {
        let devices = ActiveDevices::new();
        let caller = caller(1, 2);
        let Recollection::Unknown(question) = devices.recall(caller, NOW) else {
            panic!("nothing was learnt yet")
        };
        devices.forget(caller.device);
        devices.learn(caller, question, NOW);
        assert!(matches!(devices.recall(caller, NOW), Recollection::Unknown(_)));
    }
}
