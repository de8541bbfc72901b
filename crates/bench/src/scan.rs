//! Reads the few fields that a load test needs out of JSON frames by searching for bytes.
//!
//! A real client parses its frames. This one must be so cheap that it is never what is measured, so it
//! relies on two facts about the traffic it makes itself: texts are base64 and ids are decimal, so no
//! value can contain a quote or look like a key. Field order does not matter, with one exception that
//! [`server_frame`] documents. It must not be used on text from people.

use std::sync::LazyLock;

use memchr::memmem::Finder;

/// One precompiled searcher for each key, shared by all sockets.
struct Keys {
    op: Finder<'static>,
    re: Finder<'static>,
    id: Finder<'static>,
    error: Finder<'static>,
    conversation: Finder<'static>,
    seq: Finder<'static>,
    text: Finder<'static>,
    sender: Finder<'static>,
    user: Finder<'static>,
    state: Finder<'static>,
    delivered: Finder<'static>,
    nonce: Finder<'static>,
    token: Finder<'static>,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
    op: Finder::new("\"op\":"),
    re: Finder::new("\"re\":"),
    id: Finder::new("\"id\":"),
    error: Finder::new("\"error\":"),
    conversation: Finder::new("\"conversation\":"),
    seq: Finder::new("\"seq\":"),
    text: Finder::new("\"text\":"),
    sender: Finder::new("\"sender\":"),
    user: Finder::new("\"user\":"),
    state: Finder::new("\"state\":"),
    delivered: Finder::new("\"delivered\":"),
    nonce: Finder::new("\"nonce\":"),
    token: Finder::new("\"token\":"),
});

/// A frame from the server, as far as the generator cares.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ServerFrame<'a> {
    /// `{"re":…,"ok":{…}}`; `seq` is absent in answers to anything but a mutation.
    Answer { re: u64, seq: Option<u64> },
    /// `{"re":…,"error":{…}}`.
    Refusal { re: u64, frame: &'a [u8] },
    /// `{"op":"event",…}`; `text` is absent where the event is not a message.
    Event { seq: u64, sender: u64, text: Option<&'a [u8]> },
    /// `{"op":"receipt",…}`; read the items with [`receipt_items`].
    Receipt { frame: &'a [u8] },
    /// `{"op":"presence",…}`.
    Presence { user: u64, state: &'a [u8] },
    /// Anything else a server may push: `tick`, `typing`, `account`, `drain`.
    Other,
}

/// Classifies a frame from the server. `None` where a frame of a known kind lacks a field it must have.
///
/// Answers to `hello` are long and nested; the caller reads the first frame of a socket with
/// [`is_ready`] instead. For all others the first `"op":` or `"re":` of the frame is its own.
pub(crate) fn server_frame(frame: &[u8]) -> Option<ServerFrame<'_>> {
    if frame.starts_with(b"{\"re\":") {
        return answer(frame);
    }
    let Some(op) = text_field(&KEYS.op, frame) else { return answer(frame) };
    match op {
        b"event" => Some(ServerFrame::Event {
            seq: number_field(&KEYS.seq, frame)?,
            sender: number_field(&KEYS.sender, frame)?,
            text: text_field(&KEYS.text, frame),
        }),
        b"receipt" => Some(ServerFrame::Receipt { frame }),
        b"presence" => Some(ServerFrame::Presence {
            user: number_field(&KEYS.user, frame)?,
            state: text_field(&KEYS.state, frame)?,
        }),
        _ => Some(ServerFrame::Other),
    }
}

fn answer(frame: &[u8]) -> Option<ServerFrame<'_>> {
    let re = number_field(&KEYS.re, frame)?;
    // The seq is looked for first: a successful answer to a send then costs one search, not two.
    match number_field(&KEYS.seq, frame) {
        Some(seq) => Some(ServerFrame::Answer { re, seq: Some(seq) }),
        None if KEYS.error.find(frame).is_some() => Some(ServerFrame::Refusal { re, frame }),
        None => Some(ServerFrame::Answer { re, seq: None }),
    }
}

/// Whether this first frame of a socket is the successful answer to `hello`.
pub(crate) fn is_ready(frame: &[u8]) -> bool {
    let head = &frame[..frame.len().min(64)];
    memchr::memmem::find(head, b"\"ok\":").is_some()
}

/// The `(user, delivered)` pairs of a receipt frame.
pub(crate) fn receipt_items(frame: &[u8]) -> impl Iterator<Item = (u64, u64)> {
    let mut rest = frame;
    std::iter::from_fn(move || {
        let start = KEYS.user.find(rest)?;
        let item = &rest[start..];
        let end = memchr::memchr(b'}', item).unwrap_or(item.len());
        let (item, tail) = item.split_at(end);
        rest = tail;
        Some((number_field(&KEYS.user, item)?, number_field(&KEYS.delivered, item)?))
    })
}

/// A frame from a client, as far as the relay cares.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ClientFrame<'a> {
    Hello { id: u64, token: &'a [u8] },
    Send { id: u64, conversation: u64, text: &'a [u8] },
    Ack { conversation: u64, delivered: u64 },
}

/// Reads a frame from a client. `None` where it is none of the three that the relay speaks.
pub(crate) fn client_frame(frame: &[u8]) -> Option<ClientFrame<'_>> {
    match text_field(&KEYS.op, frame)? {
        b"send" => {
            // A send without a nonce is invalid in the protocol; the relay checks that it is there.
            KEYS.nonce.find(frame)?;
            Some(ClientFrame::Send {
                id: number_field(&KEYS.id, frame)?,
                conversation: number_field(&KEYS.conversation, frame)?,
                text: text_field(&KEYS.text, frame)?,
            })
        }
        b"ack" => Some(ClientFrame::Ack {
            conversation: number_field(&KEYS.conversation, frame)?,
            delivered: number_field(&KEYS.delivered, frame)?,
        }),
        b"hello" => Some(ClientFrame::Hello {
            id: number_field(&KEYS.id, frame)?,
            token: text_field(&KEYS.token, frame)?,
        }),
        _ => None,
    }
}

/// The string value that follows a key, without its quotes.
fn text_field<'a>(key: &Finder<'_>, frame: &'a [u8]) -> Option<&'a [u8]> {
    let value = frame.get(key.find(frame)? + key.needle().len()..)?.strip_prefix(b"\"")?;
    value.get(..memchr::memchr(b'"', value)?)
}

/// The number that follows a key, written bare or (as ids are) as a decimal string.
fn number_field(key: &Finder<'_>, frame: &[u8]) -> Option<u64> {
    let value = frame.get(key.find(frame)? + key.needle().len()..)?;
    number(value.strip_prefix(b"\"").unwrap_or(value))
}

/// The decimal number at the start of these bytes; `None` without a digit or past `u64::MAX`.
pub(crate) fn number(bytes: &[u8]) -> Option<u64> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return None;
    }
    bytes[..digits]
        .iter()
        .try_fold(0u64, |value, byte| value.checked_mul(10)?.checked_add(u64::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_frames_are_read_in_any_field_order() {
        let cases: [(&str, ServerFrame<'_>); 8] = [
            (
                r#"{"re":7,"ok":{"conversation":"71","seq":42,"ts":1763800000000}}"#,
                ServerFrame::Answer { re: 7, seq: Some(42) },
            ),
            (
                r#"{"ok":{"ts":1,"seq":42,"conversation":"71"},"re":7}"#,
                ServerFrame::Answer { re: 7, seq: Some(42) },
            ),
            (r#"{"re":7,"ok":{}}"#, ServerFrame::Answer { re: 7, seq: None }),
            (
                r#"{"re":7,"error":{"code":"rate_limited","detail":"slow"}}"#,
                ServerFrame::Refusal {
                    re: 7,
                    frame: br#"{"re":7,"error":{"code":"rate_limited","detail":"slow"}}"#,
                },
            ),
            (
                r#"{"op":"event","event":{"conversation":"71","seq":42,"ts":1,"sender":"12","device":"9","kind":"message","body":{"text":"aGk+/w==","format":"plain"}}}"#,
                ServerFrame::Event { seq: 42, sender: 12, text: Some(b"aGk+/w==") },
            ),
            (
                r#"{"event":{"kind":"member","body":{"user":"13"},"sender":"12","seq":2},"op":"event"}"#,
                ServerFrame::Event { seq: 2, sender: 12, text: None },
            ),
            (
                r#"{"op":"presence","user":"12","state":"away","last_seen":1763800000000}"#,
                ServerFrame::Presence { user: 12, state: b"away" },
            ),
            (r#"{"op":"tick","since":"x"}"#, ServerFrame::Other),
        ];
        for (frame, expected) in cases {
            assert_eq!(server_frame(frame.as_bytes()), Some(expected), "{frame}");
        }
    }

    #[test]
    fn a_frame_that_lacks_a_field_is_not_guessed() {
        for frame in
            ["", "{}", r#"{"op":"event","event":{"sender":"1"}}"#, r#"{"re":}"#, r#"{"re":"x"}"#, "\u{1}"]
        {
            assert_eq!(server_frame(frame.as_bytes()), None, "{frame}");
        }
    }

    #[test]
    fn every_receipt_item_is_read() {
        let frame = br#"{"op":"receipt","conversation":"71","items":[{"user":"12","delivered":42,"read":41},{"read":0,"user":"13","delivered":7}]}"#;
        assert_eq!(server_frame(frame), Some(ServerFrame::Receipt { frame }));
        assert_eq!(receipt_items(frame).collect::<Vec<_>>(), [(12, 42), (13, 7)]);
    }

    #[test]
    fn client_frames_are_read() {
        let cases = [
            (
                r#"{"op":"send","id":2,"conversation":"71","nonce":"n","body":{"text":"YQ=="}}"#,
                Some(ClientFrame::Send { id: 2, conversation: 71, text: b"YQ==" }),
            ),
            (r#"{"op":"send","id":2,"conversation":"71","body":{"text":"YQ=="}}"#, None),
            (
                r#"{"op":"ack","conversation":"71","delivered":9}"#,
                Some(ClientFrame::Ack { conversation: 71, delivered: 9 }),
            ),
            (
                r#"{"op":"hello","id":1,"token":"user-3","client":{"name":"bench","version":"1"}}"#,
                Some(ClientFrame::Hello { id: 1, token: b"user-3" }),
            ),
            (r#"{"op":"typing","conversation":"71","on":true}"#, None),
        ];
        for (frame, expected) in cases {
            assert_eq!(client_frame(frame.as_bytes()), expected, "{frame}");
        }
    }

    #[test]
    fn readiness_needs_a_successful_answer() {
        assert!(is_ready(br#"{"re":1,"ok":{"user":"12"}}"#));
        assert!(is_ready(br#"{"ok":{"user":"12"},"re":1}"#));
        assert!(!is_ready(br#"{"re":1,"error":{"code":"unauthorized"}}"#));
        assert!(!is_ready(br#"{"op":"tick"}"#));
    }

    #[test]
    fn numbers_stop_at_the_first_other_byte_and_never_wrap() {
        assert_eq!(number(b"42,"), Some(42));
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(number(b"18446744073709551616"), None);
        assert_eq!(number(b"x"), None);
    }
}
