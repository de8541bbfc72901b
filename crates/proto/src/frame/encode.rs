//! Writing frames from parts that are JSON already, without going through a tree: the hot path of fan-out.

use std::fmt::Write as _;

use bytes::Bytes;
use serde::Serialize;

use super::FrameId;
use crate::{ConversationId, DeviceId, ErrorBody, EventKind, Nonce, Seq, Timestamp, UserId};

/// What an event frame says besides its body.
#[derive(Debug, Clone, Copy)]
pub struct EventHead<'a> {
    /// The conversation whose log this is.
    pub conversation: ConversationId,
    /// Position in the log.
    pub seq: Seq,
    /// When it was appended.
    pub ts: Timestamp,
    /// Who caused it.
    pub sender: UserId,
    /// From which device.
    pub device: Option<DeviceId>,
    /// The sender's nonce, for the sender's own devices only.
    pub nonce: Option<&'a Nonce>,
    /// What it is about.
    pub kind: EventKind,
}

/// The push of an event: `{"op":"event","event":{…}}`. `body` is JSON text, `None` for an erased event.
#[must_use]
pub fn event_frame(head: &EventHead<'_>, body: Option<&str>) -> Bytes {
    let body = body.unwrap_or("null");
    let mut out = String::with_capacity(192 + body.len());
    let mut number = itoa::Buffer::new();
    out.push_str("{\"op\":\"event\",\"event\":{\"conversation\":\"");
    out.push_str(number.format(head.conversation.get()));
    out.push_str("\",\"seq\":");
    out.push_str(number.format(head.seq));
    out.push_str(",\"ts\":");
    out.push_str(number.format(head.ts));
    out.push_str(",\"sender\":\"");
    out.push_str(number.format(head.sender.get()));
    match head.device {
        Some(device) => {
            out.push_str("\",\"device\":\"");
            out.push_str(number.format(device.get()));
            out.push('"');
        }
        None => out.push_str("\",\"device\":null"),
    }
    if let Some(nonce) = head.nonce {
        out.push_str(",\"nonce\":\"");
        out.push_str(nonce.as_str());
        out.push('"');
    }
    out.push_str(",\"kind\":\"");
    out.push_str(head.kind.as_str());
    out.push_str("\",\"body\":");
    out.push_str(body);
    out.push_str("}}");
    out.into()
}

/// The answer to what appended: `{"re":7,"ok":{"conversation":"71","seq":42,"ts":…}}`.
#[must_use]
pub fn answer_appended(re: FrameId, conversation: ConversationId, seq: Seq, ts: Timestamp) -> Bytes {
    let mut out = String::with_capacity(96);
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "{{\"re\":{re},\"ok\":{{\"conversation\":\"{conversation}\",\"seq\":{seq},\"ts\":{ts}}}}}"
    );
    out.into()
}

/// The answer with any content: `{"re":7,"ok":…}`.
#[must_use]
pub fn answer<T: Serialize>(re: FrameId, ok: &T) -> Bytes {
    #[derive(Serialize)]
    struct Frame<'a, T> {
        re: FrameId,
        ok: &'a T,
    }
    encode(&Frame { re, ok })
}

/// The answer to what failed: `{"re":7,"error":{…}}`; without an id, the push `{"op":"error","error":{…}}`.
#[must_use]
pub fn answer_error(re: Option<FrameId>, error: &ErrorBody) -> Bytes {
    #[derive(Serialize)]
    struct Frame<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        re: Option<FrameId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        op: Option<&'static str>,
        error: &'a ErrorBody,
    }
    let op = if re.is_none() { Some("error") } else { None };
    encode(&Frame { re, op, error })
}

/// A push frame as bytes.
#[must_use]
pub fn push(frame: &super::Push) -> Bytes {
    encode(frame)
}

fn encode<T: Serialize>(frame: &T) -> Bytes {
    serde_json::to_vec(frame).expect("frames have string keys and serialise infallibly").into()
}
