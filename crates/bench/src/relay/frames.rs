//! The frames that the relay writes: field for field what Loquat writes, so that all systems carry the same bytes.

use axum::extract::ws::Utf8Bytes;

/// What is known of a message once it has its place in a conversation.
pub(super) struct Message<'a> {
    pub(super) conversation: u64,
    pub(super) seq: u64,
    /// Milliseconds since the Unix epoch.
    pub(super) ts: u64,
    pub(super) sender: u64,
    /// Text without characters that JSON escapes.
    pub(super) text: &'a str,
}

/// A frame under construction.
struct Frame(String);

impl Frame {
    fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    fn text(mut self, text: &str) -> Self {
        self.0.push_str(text);
        self
    }

    fn number(mut self, number: u64) -> Self {
        self.0.push_str(itoa::Buffer::new().format(number));
        self
    }

    fn finish(self) -> Utf8Bytes {
        self.0.into()
    }
}

/// `{"re":…,"ok":{conversation, seq, ts}}`.
pub(super) fn answer(re: u64, message: &Message<'_>) -> Utf8Bytes {
    Frame::with_capacity(96)
        .text("{\"re\":")
        .number(re)
        .text(",\"ok\":{\"conversation\":\"")
        .number(message.conversation)
        .text("\",\"seq\":")
        .number(message.seq)
        .text(",\"ts\":")
        .number(message.ts)
        .text("}}")
        .finish()
}

/// `{"op":"event","event":{…}}`.
pub(super) fn event(message: &Message<'_>) -> Utf8Bytes {
    Frame::with_capacity(260 + message.text.len())
        .text("{\"op\":\"event\",\"event\":{\"conversation\":\"")
        .number(message.conversation)
        .text("\",\"seq\":")
        .number(message.seq)
        .text(",\"ts\":")
        .number(message.ts)
        .text(",\"sender\":\"")
        .number(message.sender)
        .text("\",\"device\":\"")
        .number(message.sender)
        .text("\",\"kind\":\"message\",\"body\":{\"text\":\"")
        .text(message.text)
        .text("\",\"format\":\"plain\",\"reply_to\":null,\"mentions\":[],\"attachments\":[]}}}")
        .finish()
}

/// `{"op":"receipt",…}` with one item for each `(user, delivered)`.
pub(super) fn receipt(conversation: u64, items: &[(u64, u64)]) -> Utf8Bytes {
    let mut frame = Frame::with_capacity(64 + 56 * items.len())
        .text("{\"op\":\"receipt\",\"conversation\":\"")
        .number(conversation)
        .text("\",\"items\":[");
    for (index, (user, delivered)) in items.iter().enumerate() {
        frame = frame
            .text(if index == 0 { "{\"user\":\"" } else { ",{\"user\":\"" })
            .number(*user)
            .text("\",\"delivered\":")
            .number(*delivered)
            .text(",\"read\":0}");
    }
    frame.text("]}").finish()
}

/// The answer to `hello`: a `ready` of a user without history.
pub(super) fn ready(re: u64, user: u64) -> Utf8Bytes {
    Frame::with_capacity(192)
        .text("{\"re\":")
        .number(re)
        .text(",\"ok\":{\"user\":\"")
        .number(user)
        .text("\",\"device\":\"")
        .number(user)
        .text("\",\"session\":\"")
        .number(user)
        .text("\",\"heartbeat_ms\":15000,\"since\":\"0\",\"changed\":[],\"more\":false,\"account\":[],\"reset\":false}}")
        .finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::{ServerFrame, is_ready, receipt_items, server_frame};

    #[test]
    fn frames_are_json_that_the_generator_reads() {
        let message = Message { conversation: 71, seq: 42, ts: 5, sender: 12, text: "YWJj" };
        let event = event(&message);
        let answer = answer(9, &message);
        let receipt = receipt(71, &[(12, 42), (13, 41)]);
        let ready = ready(1, 12);
        for frame in [&event, &answer, &receipt, &ready] {
            serde_json::from_str::<serde_json::Value>(frame).unwrap();
        }
        assert_eq!(server_frame(answer.as_bytes()), Some(ServerFrame::Answer { re: 9, seq: Some(42) }));
        assert_eq!(
            server_frame(event.as_bytes()),
            Some(ServerFrame::Event { seq: 42, sender: 12, text: Some(b"YWJj") })
        );
        assert_eq!(receipt_items(receipt.as_bytes()).collect::<Vec<_>>(), [(12, 42), (13, 41)]);
        assert!(is_ready(ready.as_bytes()));
    }
}
