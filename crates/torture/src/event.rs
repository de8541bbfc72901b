//! Events of a log, as the service shows them to somebody.

use serde_json::Value;

use crate::failure::{Failure, Outcome};

/// The id of a user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct UserId(pub(crate) String);

/// The id of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConversationId(pub(crate) String);

impl std::fmt::Display for UserId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::fmt::Display for ConversationId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) seq: u64,
    pub(crate) ts: i64,
    pub(crate) sender: UserId,
    /// Shown to the sender only.
    pub(crate) nonce: Option<String>,
    pub(crate) kind: String,
    /// Null where erased.
    pub(crate) body: Value,
}

impl Event {
    /// Reads the shape of PROTOCOL.md.
    pub(crate) fn parse(value: &Value) -> Outcome<Self> {
        let read = || {
            Some(Self {
                seq: value["seq"].as_u64()?,
                ts: value["ts"].as_i64()?,
                sender: UserId(value["sender"].as_str()?.to_owned()),
                nonce: value["nonce"].as_str().map(str::to_owned),
                kind: value["kind"].as_str()?.to_owned(),
                body: value.get("body")?.clone(),
            })
        };
        read().ok_or_else(|| Failure::Unexpected(format!("no event: {value}")))
    }

    /// The message that an edit, deletion, reaction or pin is about.
    pub(crate) fn target(&self) -> Option<u64> {
        self.body["target"].as_u64()
    }

    /// For people: what it is, with the start of its body.
    pub(crate) fn brief(&self) -> String {
        let body: String = self.body.to_string().chars().take(80).collect();
        format!("[{} {} of {} at {}: {body}]", self.seq, self.kind, self.sender, self.ts)
    }

    /// Whether both say the same, whoever looks.
    pub(crate) fn same(&self, other: &Self) -> bool {
        let known = |event: &Self| (event.seq, event.ts, event.sender.clone(), event.kind.clone());
        known(self) == known(other) && self.body == other.body
    }
}
