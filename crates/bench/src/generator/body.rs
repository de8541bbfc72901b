//! What the generator sends: incompressible texts, nonces, and the frames around them.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{BufMut, BytesMut};
use clap::ValueEnum;
use fastrand::Rng;

/// Length of every text: that of a chat message of two or three sentences.
pub(crate) const TEXT_BYTES: usize = 200;

/// Random bytes that texts are cut from. A text is its own check: it is known from writer and number.
const POOL_BYTES: usize = 1 << 20;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const HEX: &[u8; 16] = b"0123456789abcdef";

/// How nonces are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NonceKind {
    /// 128 random bits, as clients without a clock send them: the harder case for a store's index.
    Random,
    /// UUIDv7 (RFC 9562): 48 bits of time first.
    V7,
}

/// Texts and frames for all writers of a run.
pub(crate) struct Bodies {
    pool: Vec<u8>,
    nonces: NonceKind,
    random: std::cell::RefCell<Rng>,
}

impl Bodies {
    /// Fills the pool. The seed makes texts repeatable; nonces differ in every run.
    pub(crate) fn new(nonces: NonceKind) -> Self {
        let mut random = Rng::with_seed(0x10_0a_70);
        let pool = (0..POOL_BYTES + TEXT_BYTES).map(|_| ALPHABET[random.usize(..ALPHABET.len())]).collect();
        Self { pool, nonces, random: std::cell::RefCell::new(Rng::new()) }
    }

    /// The text of a writer's message with this number, always [`TEXT_BYTES`] of base64.
    pub(crate) fn text(&self, writer: u64, number: u64) -> &[u8] {
        // Fibonacci hashing spreads neighbours over the pool; equal texts are as rare as in a random draw.
        let hash = (writer << 40 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let offset = (hash >> 32) as usize % POOL_BYTES;
        &self.pool[offset..offset + TEXT_BYTES]
    }

    /// A `send` frame.
    pub(crate) fn send_frame(&self, id: u64, conversation: &str, text: &[u8]) -> BytesMut {
        let mut frame = BytesMut::with_capacity(144 + conversation.len() + text.len());
        frame.put_slice(b"{\"op\":\"send\",\"id\":");
        put_number(&mut frame, id);
        frame.put_slice(b",\"conversation\":\"");
        frame.put_slice(conversation.as_bytes());
        frame.put_slice(b"\",\"nonce\":\"");
        self.put_nonce(&mut frame);
        frame.put_slice(b"\",\"body\":{\"text\":\"");
        frame.put_slice(text);
        frame.put_slice(b"\"}}");
        frame
    }

    fn put_nonce(&self, frame: &mut BytesMut) {
        let mut bits = self.random.borrow_mut().u128(..);
        let version: u128 = match self.nonces {
            NonceKind::Random => 4,
            NonceKind::V7 => {
                let ms =
                    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis());
                bits = (bits & (u128::MAX >> 48)) | (ms << 80);
                7
            }
        };
        bits = (bits & !(0xf << 76)) | (version << 76);
        bits = (bits & !(0b11 << 62)) | (0b10 << 62);
        let bytes = bits.to_be_bytes();
        for (index, byte) in bytes.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                frame.put_u8(b'-');
            }
            frame.put_u8(HEX[usize::from(byte >> 4)]);
            frame.put_u8(HEX[usize::from(byte & 15)]);
        }
    }
}

/// An `ack` frame that moves the delivered cursor.
pub(crate) fn ack_frame(conversation: &str, delivered: u64) -> BytesMut {
    let mut frame = BytesMut::with_capacity(72 + conversation.len());
    frame.put_slice(b"{\"op\":\"ack\",\"conversation\":\"");
    frame.put_slice(conversation.as_bytes());
    frame.put_slice(b"\",\"delivered\":");
    put_number(&mut frame, delivered);
    frame.put_u8(b'}');
    frame
}

fn put_number(frame: &mut BytesMut, number: u64) {
    frame.put_slice(itoa::Buffer::new().format(number).as_bytes());
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::scan::{ClientFrame, client_frame};

    #[test]
    fn frames_are_json_that_says_what_was_meant() {
        let bodies = Bodies::new(NonceKind::Random);
        let text = bodies.text(3, 9);
        let frame = bodies.send_frame(5, "71", text);
        let json: serde_json::Value = serde_json::from_slice(&frame).unwrap();
        assert_eq!(json["op"], "send");
        assert_eq!(json["body"]["text"].as_str().unwrap().as_bytes(), text);
        assert_eq!(client_frame(&frame), Some(ClientFrame::Send { id: 5, conversation: 71, text }));
        let frame = ack_frame("71", 42);
        serde_json::from_slice::<serde_json::Value>(&frame).unwrap();
        assert_eq!(client_frame(&frame), Some(ClientFrame::Ack { conversation: 71, delivered: 42 }));
    }

    #[test]
    fn nonces_are_distinct_valid_uuids() {
        for (kind, version) in [(NonceKind::Random, b'4'), (NonceKind::V7, b'7')] {
            let bodies = Bodies::new(kind);
            let nonces: HashSet<String> = (0..1000)
                .map(|id| {
                    let frame = bodies.send_frame(id, "1", b"x");
                    let json: serde_json::Value = serde_json::from_slice(&frame).unwrap();
                    json["nonce"].as_str().unwrap().to_owned()
                })
                .collect();
            assert_eq!(nonces.len(), 1000);
            for nonce in &nonces {
                assert_eq!(nonce.len(), 36, "{nonce}");
                assert_eq!(nonce.as_bytes()[14], version, "{nonce}");
                assert!(matches!(nonce.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{nonce}");
            }
        }
    }

    #[test]
    fn neighbouring_texts_differ() {
        let bodies = Bodies::new(NonceKind::Random);
        let texts: HashSet<&[u8]> = (0..10)
            .flat_map(|writer| (0..100).map(move |number| (writer, number)))
            .map(|(writer, number)| bodies.text(writer, number))
            .collect();
        assert!(texts.len() >= 990, "{} distinct texts of 1000", texts.len());
    }
}
