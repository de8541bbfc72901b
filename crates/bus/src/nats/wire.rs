//! Signals as bytes between nodes.
//!
//! One byte of version, one of kind, then the fields in the order of the type: numbers as eight bytes, little endian; what may be
//! missing after a byte that is 1 or 0; lists and frames after their length as four bytes. A node that meets a version
//! or kind that it does not know drops the signal: a hint that is lost costs latency, and while a cluster is
//! upgraded both versions are there.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use loquat_domain::ports::Signal;
use loquat_proto::{ConversationId, DeviceId, PresenceState, UserId};

const VERSION: u8 = 1;

const FRAME: u8 = 1;
const ACCOUNT: u8 = 2;
const REVOKE: u8 = 3;
const AUDIENCE: u8 = 4;
const FOLLOW: u8 = 5;
const UNFOLLOW: u8 = 6;
const SHARED: u8 = 7;
const DELETED: u8 = 8;
const PRESENCE: u8 = 9;

/// A signal for the wire.
pub(super) fn encode(signal: &Signal) -> Bytes {
    let mut out = BytesMut::with_capacity(64 + length(signal));
    out.put_u8(VERSION);
    match signal {
        Signal::Frame { frame, except } => {
            out.put_u8(FRAME);
            put_optional(&mut out, *except);
            put_bytes(&mut out, frame);
        }
        Signal::Account { pos, frame } => {
            out.put_u8(ACCOUNT);
            out.put_u64_le(*pos);
            put_bytes(&mut out, frame);
        }
        Signal::Revoke { devices } => {
            out.put_u8(REVOKE);
            put_length(&mut out, devices.len());
            devices.iter().for_each(|device| out.put_u64_le(device.get()));
        }
        Signal::Audience { watcher } => {
            out.put_u8(AUDIENCE);
            put_optional(&mut out, watcher.map(UserId::get));
        }
        Signal::Follow { conversation } => {
            out.put_u8(FOLLOW);
            out.put_u64_le(conversation.get());
        }
        Signal::Unfollow { conversation } => {
            out.put_u8(UNFOLLOW);
            out.put_u64_le(conversation.get());
        }
        Signal::Shared { frame, instead, except } => {
            out.put_u8(SHARED);
            put_optional(&mut out, *except);
            put_length(&mut out, instead.len());
            for (user, other) in instead {
                out.put_u64_le(user.get());
                out.put_u8(other.is_some().into());
                if let Some(other) = other {
                    put_bytes(&mut out, other);
                }
            }
            put_bytes(&mut out, frame);
        }
        Signal::Deleted => out.put_u8(DELETED),
        Signal::Presence { state, last_seen } => {
            out.put_u8(PRESENCE);
            out.put_u8(match state {
                PresenceState::Online => 1,
                PresenceState::Away => 2,
                PresenceState::Offline => 3,
            });
            // The bits of a time, which may lie before the epoch.
            put_optional(&mut out, last_seen.map(|ts| u64::from_le_bytes(ts.to_le_bytes())));
        }
    }
    out.freeze()
}

/// A signal from the wire; `None` for what this version does not know.
pub(super) fn decode(mut from: Bytes) -> Option<Signal> {
    if byte(&mut from)? != VERSION {
        return None;
    }
    let signal = match byte(&mut from)? {
        FRAME => {
            let except = optional(&mut from)?;
            Signal::Frame { frame: frame(&mut from)?, except }
        }
        ACCOUNT => Signal::Account { pos: number(&mut from)?, frame: frame(&mut from)? },
        REVOKE => {
            let count = count(&mut from, 8)?;
            let devices: Option<Vec<DeviceId>> =
                (0..count).map(|_| DeviceId::new(number(&mut from)?)).collect();
            Signal::Revoke { devices: devices? }
        }
        AUDIENCE => Signal::Audience {
            watcher: match optional(&mut from)? {
                None => None,
                Some(watcher) => Some(UserId::new(watcher)?),
            },
        },
        FOLLOW => Signal::Follow { conversation: conversation(&mut from)? },
        UNFOLLOW => Signal::Unfollow { conversation: conversation(&mut from)? },
        SHARED => {
            let except = optional(&mut from)?;
            let count = count(&mut from, 9)?;
            let instead: Option<Vec<(UserId, Option<Bytes>)>> = (0..count)
                .map(|_| {
                    let user = UserId::new(number(&mut from)?)?;
                    let other = if byte(&mut from)? == 1 { Some(frame(&mut from)?) } else { None };
                    Some((user, other))
                })
                .collect();
            Signal::Shared { instead: instead?, frame: frame(&mut from)?, except }
        }
        DELETED => Signal::Deleted,
        PRESENCE => {
            let state = match byte(&mut from)? {
                1 => PresenceState::Online,
                2 => PresenceState::Away,
                3 => PresenceState::Offline,
                _ => return None,
            };
            let last_seen = optional(&mut from)?.map(|bits| i64::from_le_bytes(bits.to_le_bytes()));
            Signal::Presence { state, last_seen }
        }
        _ => return None,
    };
    from.is_empty().then_some(signal)
}

fn length(signal: &Signal) -> usize {
    match signal {
        Signal::Frame { frame, .. } | Signal::Account { frame, .. } => frame.len(),
        Signal::Shared { frame, instead, .. } => {
            let others: usize =
                instead.iter().map(|(_, other)| 16 + other.as_ref().map_or(0, Bytes::len)).sum();
            frame.len() + others
        }
        Signal::Revoke { devices } => devices.len() * 8,
        _ => 0,
    }
}

fn put_optional(out: &mut BytesMut, value: Option<u64>) {
    out.put_u8(value.is_some().into());
    if let Some(value) = value {
        out.put_u64_le(value);
    }
}

fn put_length(out: &mut BytesMut, length: usize) {
    // Nothing that long is ever published: the server's limit is far below.
    out.put_u32_le(u32::try_from(length).unwrap_or(u32::MAX));
}

fn put_bytes(out: &mut BytesMut, bytes: &Bytes) {
    put_length(out, bytes.len());
    out.put_slice(bytes);
}

fn byte(from: &mut Bytes) -> Option<u8> {
    from.has_remaining().then(|| from.get_u8())
}

fn number(from: &mut Bytes) -> Option<u64> {
    (from.remaining() >= 8).then(|| from.get_u64_le())
}

fn optional(from: &mut Bytes) -> Option<Option<u64>> {
    match byte(from)? {
        0 => Some(None),
        1 => number(from).map(Some),
        _ => None,
    }
}

/// How many entries of at least this size follow: no more than there are bytes for.
fn count(from: &mut Bytes, size: usize) -> Option<usize> {
    let count = usize::try_from((from.remaining() >= 4).then(|| from.get_u32_le())?).ok()?;
    (count.checked_mul(size)? <= from.remaining()).then_some(count)
}

/// Bytes, shared with the message that they came in.
fn frame(from: &mut Bytes) -> Option<Bytes> {
    let length = count(from, 1)?;
    Some(from.split_to(length))
}

fn conversation(from: &mut Bytes) -> Option<ConversationId> {
    ConversationId::new(number(from)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(number: u64) -> UserId {
        UserId::new(number).unwrap()
    }

    fn signals() -> Vec<Signal> {
        let frame = Bytes::from_static(b"{\"op\":\"event\"}");
        let conversation = ConversationId::new(9).unwrap();
        vec![
            Signal::Frame { frame: frame.clone(), except: None },
            Signal::Frame { frame: Bytes::new(), except: Some(u64::MAX) },
            Signal::Account { pos: 7, frame: frame.clone() },
            Signal::Revoke { devices: vec![DeviceId::new(1).unwrap(), DeviceId::new(2).unwrap()] },
            Signal::Audience { watcher: None },
            Signal::Audience { watcher: Some(user(3)) },
            Signal::Follow { conversation },
            Signal::Unfollow { conversation },
            Signal::Shared {
                frame: frame.clone(),
                instead: vec![(user(1), None), (user(2), Some(frame))],
                except: Some(0),
            },
            Signal::Deleted,
            Signal::Presence { state: PresenceState::Away, last_seen: None },
            Signal::Presence { state: PresenceState::Online, last_seen: Some(-5) },
        ]
    }

    #[test]
    fn every_signal_comes_back() {
        for signal in signals() {
            assert_eq!(decode(encode(&signal)), Some(signal));
        }
    }

    #[test]
    fn what_is_cut_or_lengthened_or_of_another_version_is_no_signal() {
        for signal in signals() {
            let whole = encode(&signal);
            for end in 0..whole.len() {
                assert_eq!(decode(whole.slice(..end)), None, "{signal:?} cut at {end}");
            }
            let mut longer = BytesMut::from(&whole[..]);
            longer.put_u8(0);
            assert_eq!(decode(longer.freeze()), None);
            let mut newer = BytesMut::from(&whole[..]);
            newer[0] = VERSION + 1;
            assert_eq!(decode(newer.freeze()), None);
        }
        // A length that promises more than there is takes no memory.
        assert_eq!(decode(Bytes::from_static(&[VERSION, REVOKE, 255, 255, 255, 255])), None);
    }
}
