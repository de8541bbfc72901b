//! Refresh tokens: opaque secrets of 256 bits, each good for one use.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use loquat_proto::account::Secret;
use loquat_proto::{DeviceId, UserId};
use sha2::{Digest, Sha256};

use crate::Refusal;
use crate::ports::Random;

/// What every refresh token begins with, so that scanners for leaked secrets recognise them.
const PREFIX: &str = "lqr_";

/// Longer texts are no tokens of ours.
const TOKEN_BYTES: usize = 128;

/// Bytes of an XChaCha20-Poly1305 nonce.
const NONCE_BYTES: usize = 24;

/// A new refresh token.
pub(super) fn generate(random: &dyn Random) -> Secret {
    let mut secret = [0; 32];
    random.fill(&mut secret);
    from_bytes(&secret)
}

fn from_bytes(secret: &[u8; 32]) -> Secret {
    Secret(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret)))
}

/// The form of a token that is stored. `None` if it is no token of ours. A fast hash is enough: there is nothing to
/// guess in 256 random bits.
pub(super) fn hash(token: &Secret) -> Option<[u8; 32]> {
    let plausible = token.0.len() <= TOKEN_BYTES && token.0.starts_with(PREFIX);
    plausible.then(|| Sha256::digest(token.0.as_bytes()).into())
}

/// Seals a token's successor so that only who presents the token again can open it (XChaCha20-Poly1305). What is
/// stored thus gives nobody a session.
pub(super) fn seal(presented: &Secret, successor: &Secret, random: &dyn Random) -> Result<Vec<u8>, Refusal> {
    let mut nonce = [0; NONCE_BYTES];
    random.fill(&mut nonce);
    let sealed = cipher(presented)?
        .encrypt(&XNonce::from(nonce), successor.0.as_bytes())
        .map_err(|_| Refusal::busy("sealing"))?;
    Ok([&nonce[..], &sealed].concat())
}

/// Opens what [`seal`] made with the same token; `None` if it was not.
pub(super) fn unseal(presented: &Secret, sealed: &[u8]) -> Option<Secret> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    let opened = cipher(presented).ok()?.decrypt(&XNonce::from(*nonce), sealed).ok()?;
    String::from_utf8(opened).ok().map(Secret)
}

/// The cipher under a key derived from a token (HKDF, RFC 5869): neither the token nor its stored hash.
fn cipher(token: &Secret) -> Result<XChaCha20Poly1305, Refusal> {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(None, token.0.as_bytes())
        .expand(b"loquat refresh successor", &mut key)
        .map_err(|_| Refusal::busy("sealing"))?;
    Ok(XChaCha20Poly1305::new(&key.into()))
}

/// The first device of an account and its first refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FirstDevice {
    pub(super) id: DeviceId,
    pub(super) refresh: Secret,
}

impl FirstDevice {
    /// By chance.
    pub(super) fn random(random: &dyn Random) -> Option<Self> {
        Some(Self { id: DeviceId::new(random.id())?, refresh: generate(random) })
    }

    /// The first device of a sign-up with an `Idempotency-Key`: derived from the service's own secret, the user and
    /// the key (HKDF, RFC 5869), so that a repeated sign-up finds its device and token again without either being
    /// stored. `attempt` counts candidates whose ids were taken.
    pub(super) fn derived(root: &[u8; 32], user: UserId, key: &str, attempt: u8) -> Option<Self> {
        let mut derived = [0; 40];
        let user = user.get().to_be_bytes();
        Hkdf::<Sha256>::new(None, root)
            .expand_multi_info(&[b"loquat first device", &user, &[attempt], key.as_bytes()], &mut derived)
            .ok()?;
        let (id, secret) = derived.split_first_chunk::<8>()?;
        let id = u64::from_be_bytes(*id) & (loquat_proto::id::ID_BOUND - 1);
        Some(Self { id: DeviceId::new(id)?, refresh: from_bytes(secret.try_into().ok()?) })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    #[derive(Default)]
    struct Counter(AtomicU8);

    impl Random for Counter {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill_with(|| self.0.fetch_add(1, Ordering::Relaxed));
        }
    }

    #[test]
    fn a_successor_opens_with_its_predecessor_only() {
        let random = Counter::default();
        let (presented, successor, other) = (generate(&random), generate(&random), generate(&random));
        let sealed = seal(&presented, &successor, &random).unwrap();
        assert_eq!(unseal(&presented, &sealed), Some(successor.clone()));
        assert_eq!(unseal(&other, &sealed), None);
        assert_eq!(unseal(&presented, &sealed[..sealed.len() - 1]), None);
        assert_eq!(unseal(&presented, &[]), None);
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert_eq!(unseal(&presented, &changed), None, "position {position}");
        }
        assert!(
            !sealed.windows(8).any(|window| successor.0.as_bytes().windows(8).any(|part| part == window))
        );
        assert_ne!(sealed, seal(&presented, &successor, &random).unwrap(), "a fresh nonce each time");
    }

    #[test]
    fn only_tokens_of_ours_are_looked_up() {
        let token = generate(&Counter::default());
        assert!(hash(&token).is_some());
        for foreign in [String::new(), "x".repeat(40), format!("{PREFIX}{}", "x".repeat(1_000))] {
            assert_eq!(hash(&Secret(foreign)), None);
        }
    }

    #[test]
    fn derived_devices_depend_on_every_part() {
        let user = |id| UserId::new(id).unwrap();
        let base = FirstDevice::derived(&[7; 32], user(12), "key", 0).unwrap();
        assert_eq!(FirstDevice::derived(&[7; 32], user(12), "key", 0).unwrap(), base);
        for other in [
            FirstDevice::derived(&[8; 32], user(12), "key", 0),
            FirstDevice::derived(&[7; 32], user(13), "key", 0),
            FirstDevice::derived(&[7; 32], user(12), "kez", 0),
            FirstDevice::derived(&[7; 32], user(12), "key", 1),
        ] {
            let other = other.unwrap();
            assert_ne!(other.id, base.id);
            assert_ne!(other.refresh, base.refresh);
        }
    }
}
