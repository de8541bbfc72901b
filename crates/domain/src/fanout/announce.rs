//! Telling a user's sessions what was written to the account log.

use std::sync::Arc;

use loquat_proto::frame::{self, Push};

use crate::ports::{AccountEntry, Bus, Signal, Topic};

/// Publishes account events after they were committed.
#[derive(Clone)]
pub struct Announcer {
    bus: Arc<dyn Bus>,
}

impl Announcer {
    /// An announcer over this bus.
    #[must_use]
    pub fn new(bus: Arc<dyn Bus>) -> Self {
        Self { bus }
    }

    /// Publishes each entry to its owner's sessions, in order.
    pub fn announce(&self, entries: impl IntoIterator<Item = AccountEntry>) {
        for AccountEntry { user, event } in entries {
            let pos = event.pos;
            let frame = frame::push(&Push::Account { event });
            self.bus.publish(Topic::User(user), &Signal::Account { pos, frame });
        }
    }

    /// Tells every node to close the sessions of these devices.
    pub fn revoke(&self, user: loquat_proto::UserId, devices: Vec<loquat_proto::DeviceId>) {
        if !devices.is_empty() {
            self.bus.publish(Topic::User(user), &Signal::Revoke { devices });
        }
    }
}
