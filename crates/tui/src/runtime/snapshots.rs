//! Which snapshots of the SDK are out of date, and reading them again.

use std::time::Instant;

use loquat_client::ConnectionState;
use loquat_client::view::ViewChange;
use loquat_proto::{AccountEventKind, ConversationId};

use super::effects::After;
use super::{Runtime, now};
use crate::app::{Connection, Message};

/// What is to be read again before the next frame.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stale {
    pub(super) conversations: bool,
    pub(super) timeline: bool,
    pub(super) connection: bool,
    pub(super) profiles: bool,
    pub(super) profile: bool,
}

impl Stale {
    /// Everything: something was missed, or nothing was read yet.
    pub(super) const fn all() -> Self {
        Self { conversations: true, timeline: true, connection: true, profiles: true, profile: true }
    }

    pub(super) const fn any(self) -> bool {
        self.conversations || self.timeline || self.connection || self.profiles || self.profile
    }

    /// Notes a change; one that carries its own news is passed on as a message.
    pub(super) fn note(&mut self, change: ViewChange, open: Option<ConversationId>) -> Option<Message> {
        match change {
            ViewChange::Conversations | ViewChange::Outbox | ViewChange::Typing(_) => {
                self.conversations = true;
            }
            ViewChange::Timeline(id) => self.timeline |= open == Some(id),
            ViewChange::Sync(_) => self.connection = true,
            ViewChange::Profiles => {
                self.profiles = true;
                self.conversations = true;
                self.timeline = true;
            }
            ViewChange::Presence(presence) => return Some(Message::Presence(presence)),
            ViewChange::ConversationLeft(id) => {
                self.conversations = true;
                return Some(Message::Left(id));
            }
            ViewChange::Refused { error, nonce, .. } => return Some(Message::Refused { nonce, error }),
            ViewChange::Account(event) => {
                if event.kind == AccountEventKind::Profile
                    && let Ok(own) = serde_json::from_value(event.body.clone())
                {
                    return Some(Message::OwnProfile(Box::new(own)));
                }
                self.profile |= event.kind == AccountEventKind::Settings;
                return Some(Message::Account(event.kind));
            }
            ViewChange::LogAdvanced { .. }
            | ViewChange::MessageArrived(_)
            | ViewChange::Acknowledged { .. }
            | ViewChange::Unauthorized => {}
        }
        None
    }
}

impl Runtime {
    /// Reads what is stale.
    pub(super) async fn refresh(&mut self) -> std::io::Result<After> {
        let stale = std::mem::take(&mut self.stale);
        let mut messages = Vec::new();
        if stale.connection {
            messages.push(Message::Connection(connection(self.client.connection())));
        }
        if stale.profiles {
            messages.push(Message::ProfilesChanged);
        }
        if let Some(own) = self.client.me().filter(|_| stale.profile) {
            messages.push(Message::OwnProfile(Box::new(own)));
        }
        if stale.conversations {
            match self.client.conversations().await {
                Ok(rows) => messages.push(Message::Conversations(rows)),
                Err(error) => tracing::warn!(%error, "the conversation list cannot be read"),
            }
        }
        let open = self.app.open.as_ref().map(|open| open.id);
        if let Some(id) = open.filter(|_| stale.timeline || stale.conversations) {
            match self.client.conversation(id).await {
                Ok(Some(whole)) => messages.push(Message::Whole(Box::new(whole))),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "the conversation cannot be read"),
            }
        }
        if let Some(id) = open.filter(|_| stale.timeline) {
            match self.client.timeline(id).await {
                Ok(Some(timeline)) => messages.push(Message::Timeline(timeline)),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "the timeline cannot be read"),
            }
        }
        for message in messages {
            if self.take(message).await? == After::Quit {
                return Ok(After::Quit);
            }
        }
        Ok(After::GoOn)
    }
}

fn connection(state: ConnectionState) -> Connection {
    match state {
        ConnectionState::Offline => Connection::Offline,
        ConnectionState::Connecting => Connection::Connecting,
        ConnectionState::Online { catching_up } => Connection::Online { catching_up },
        ConnectionState::Reconnecting { at, .. } => {
            let wait = at.saturating_duration_since(Instant::now()).as_millis();
            Connection::Reconnecting { at: now() + i64::try_from(wait).unwrap_or(0) }
        }
    }
}
