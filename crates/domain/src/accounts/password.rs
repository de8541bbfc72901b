//! Password hashes: Argon2id (RFC 9106), a few at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use loquat_proto::account::Secret;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{AuthConfig, AuthError, HashingStats, PasswordHash};
use crate::Refusal;
use crate::ports::Random;

/// Bytes of a salt, as RFC 9106 recommends.
const SALT_BYTES: usize = 16;

/// Longer passwords cannot be anybody's: 256 characters of UTF-8.
const PASSWORD_BYTES: usize = 1_024;

/// Hashes and checks passwords away from the async threads. At most `hash_concurrency` hashes run at the same time,
/// each with its own memory; at most `hash_queue` wait; more are refused at once.
#[derive(Clone)]
pub(super) struct PasswordHasher {
    inner: Arc<Inner>,
}

struct Inner {
    argon2: Argon2<'static>,
    /// A hash of nothing, with the parameters of now: checking against it costs what a real check costs.
    decoy: String,
    random: Arc<dyn Random>,
    admission: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    capacity: usize,
    computed: AtomicU64,
    refused: AtomicU64,
}

impl PasswordHasher {
    pub(super) fn new(config: &AuthConfig, random: Arc<dyn Random>) -> Result<Self, AuthError> {
        let cost = config.argon2;
        let params = Params::new(cost.memory_kib, cost.iterations, cost.parallelism, None)
            .map_err(|error| AuthError::Config { key: "argon2", reason: error.to_string() })?;
        if config.hash_concurrency == 0 {
            return Err(AuthError::Config {
                key: "hash_concurrency",
                reason: "must be at least 1".to_owned(),
            });
        }
        let capacity = config.hash_concurrency.saturating_add(config.hash_queue);
        if capacity > Semaphore::MAX_PERMITS {
            return Err(AuthError::Config { key: "hash_queue", reason: "is too large".to_owned() });
        }
        let mut decoy = [0; SALT_BYTES + Params::DEFAULT_OUTPUT_LEN];
        random.fill(&mut decoy);
        let (salt, output) = decoy.split_at(SALT_BYTES);
        let decoy = format!(
            "$argon2id$v=19$m={},t={},p={}${}${}",
            cost.memory_kib,
            cost.iterations,
            cost.parallelism,
            STANDARD_NO_PAD.encode(salt),
            STANDARD_NO_PAD.encode(output)
        );
        let inner = Inner {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            decoy,
            random,
            admission: Arc::new(Semaphore::new(capacity)),
            turns: Arc::new(Semaphore::new(config.hash_concurrency)),
            capacity,
            computed: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The hash of a password, with a fresh salt.
    pub(super) async fn hash(&self, password: &Secret) -> Result<PasswordHash, Refusal> {
        let password = password.0.clone();
        let hashed = self
            .run(move |inner| {
                let mut salt = [0; SALT_BYTES];
                inner.random.fill(&mut salt);
                inner.argon2.hash_password_with_salt(password.as_bytes(), &salt)
            })
            .await?;
        match hashed {
            Ok(hash) => Ok(PasswordHash(hash.to_string())),
            Err(error) => {
                tracing::error!(%error, "cannot hash a password");
                Err(Refusal::busy("password hashing"))
            }
        }
    }

    /// Whether the password has this hash. Without a hash (an unknown user) the answer is no, after the same work.
    pub(super) async fn verify(&self, password: &Secret, hash: Option<String>) -> Result<bool, Refusal> {
        let fits = password.0.len() <= PASSWORD_BYTES;
        let known = hash.is_some() && fits;
        let password = if fits { password.0.clone() } else { String::new() };
        let hash = hash.filter(|_| fits).unwrap_or_else(|| self.inner.decoy.clone());
        let matches = self
            .run(move |inner| match phc::PasswordHash::new(&hash) {
                Ok(hash) => inner.argon2.verify_password(password.as_bytes(), &hash).is_ok(),
                Err(error) => {
                    tracing::error!(%error, "a stored password hash cannot be read");
                    false
                }
            })
            .await?;
        Ok(matches && known)
    }

    /// What was done, and what is under way.
    pub(super) fn stats(&self) -> HashingStats {
        HashingStats {
            computed: self.inner.computed.load(Ordering::Relaxed),
            refused: self.inner.refused.load(Ordering::Relaxed),
            in_flight: self.inner.capacity.saturating_sub(self.inner.admission.available_permits()),
        }
    }

    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Inner) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let admitted = Arc::clone(&self.inner.admission).try_acquire_owned().map_err(|_| {
            self.inner.refused.fetch_add(1, Ordering::Relaxed);
            Refusal::busy("password hashing")
        })?;
        let turn = self.turn().await?;
        let inner = Arc::clone(&self.inner);
        // The permits go with the work: a caller who goes away does not make room for more of it.
        let work = tokio::task::spawn_blocking(move || {
            let result = job(&inner);
            inner.computed.fetch_add(1, Ordering::Relaxed);
            drop((turn, admitted));
            result
        });
        work.await.map_err(|error| {
            tracing::error!(%error, "password hashing failed");
            Refusal::busy("password hashing")
        })
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        // Never closed; were it, the service would be stopping.
        Arc::clone(&self.inner.turns).acquire_owned().await.map_err(|_| Refusal::busy("password hashing"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::Argon2Config;

    struct Counter(std::sync::atomic::AtomicU8);

    impl Random for Counter {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0.fetch_add(1, Ordering::Relaxed));
        }
    }

    fn config() -> AuthConfig {
        let argon2 = Argon2Config { memory_kib: 64, iterations: 1, parallelism: 1 };
        AuthConfig { argon2, hash_concurrency: 1, hash_queue: 1, ..AuthConfig::default() }
    }

    fn hasher() -> PasswordHasher {
        PasswordHasher::new(&config(), Arc::new(Counter(1.into()))).unwrap()
    }

    fn secret(text: &str) -> Secret {
        Secret(text.to_owned())
    }

    #[tokio::test]
    async fn only_the_same_password_matches() {
        let hasher = hasher();
        let hash = hasher.hash(&secret("correct horse")).await.unwrap().0;
        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
        assert_eq!(hasher.verify(&secret("correct horse"), Some(hash.clone())).await, Ok(true));
        for wrong in ["correct horsE", "correct horse ", "", &"x".repeat(100_000)] {
            assert_eq!(hasher.verify(&secret(wrong), Some(hash.clone())).await, Ok(false), "{wrong:.20}");
        }
        let again = hasher.hash(&secret("correct horse")).await.unwrap().0;
        assert_ne!(hash, again, "salted");
    }

    #[tokio::test]
    async fn whatever_is_wrong_costs_one_hash() {
        let hasher = hasher();
        let hash = hasher.hash(&secret("correct horse")).await.unwrap().0;
        let long = "x".repeat(100_000);
        for (password, hash) in [
            ("correct horse", Some(hash.clone())),
            ("wrong", Some(hash.clone())),
            (&long, Some(hash)),
            ("unknown user", None),
            ("", None),
        ] {
            let before = hasher.stats().computed;
            hasher.verify(&secret(password), hash).await.unwrap();
            assert_eq!(hasher.stats().computed, before + 1, "{password:.20}");
        }
    }

    #[tokio::test]
    async fn the_decoy_has_the_parameters_of_now_and_fits_no_password() {
        let hasher = hasher();
        let decoy = phc::PasswordHash::new(&hasher.inner.decoy).unwrap();
        assert_eq!(decoy.params.to_string(), "m=64,t=1,p=1");
        assert_eq!(hasher.verify(&secret(""), None).await, Ok(false));
    }

    #[tokio::test]
    async fn a_broken_stored_hash_lets_nobody_in() {
        assert_eq!(hasher().verify(&secret("anything"), Some("not a hash".to_owned())).await, Ok(false));
    }

    #[tokio::test]
    async fn more_than_the_queue_is_refused_at_once_and_later_accepted() {
        let hasher = hasher();
        let running = Arc::clone(&hasher.inner.turns).acquire_owned().await.unwrap();
        let (first, second) = (secret("first"), secret("second"));
        let mut waiting =
            Box::pin(async { tokio::join!(hasher.verify(&first, None), hasher.verify(&second, None)) });
        assert!(futures_util::poll!(&mut waiting).is_pending());
        assert_eq!(hasher.stats().in_flight, 2);
        assert_eq!(hasher.verify(&secret("third"), None).await, Err(Refusal::busy("password hashing")));
        assert_eq!(hasher.stats().refused, 1);
        drop(running);
        assert_eq!(waiting.await, (Ok(false), Ok(false)));
        assert_eq!(hasher.verify(&secret("fourth"), None).await, Ok(false));
        assert_eq!(hasher.stats().in_flight, 0);
    }

    #[test]
    fn settings_out_of_range_name_themselves() {
        let cases = [
            ("argon2", AuthConfig { argon2: Argon2Config { memory_kib: 1, ..config().argon2 }, ..config() }),
            ("argon2", AuthConfig { argon2: Argon2Config { iterations: 0, ..config().argon2 }, ..config() }),
            ("argon2", AuthConfig { argon2: Argon2Config { parallelism: 0, ..config().argon2 }, ..config() }),
            ("hash_concurrency", AuthConfig { hash_concurrency: 0, ..config() }),
            ("hash_queue", AuthConfig { hash_queue: usize::MAX, ..config() }),
        ];
        for (name, config) in cases {
            let error = PasswordHasher::new(&config, Arc::new(Counter(1.into()))).err().unwrap();
            assert!(matches!(error, AuthError::Config { key, .. } if key == name), "{name}");
        }
    }
}
