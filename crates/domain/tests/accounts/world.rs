//! A service with a clock, chance and a bus of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use async_trait::async_trait;
use loquat_domain::accounts::{
    Argon2Config, Auth, AuthConfig, AuthDeps, Memberships, Profiles, ProfilesDeps, SignedIn,
};
use loquat_domain::fanout::Announcer;
use loquat_domain::ports::{Bus, Clock, Random, Signal, StoreError, Topic};
use loquat_domain::{Caller, Refusal};
use loquat_proto::account::{DeviceInfo, LogIn, Secret, SignUp};
use loquat_proto::{DeviceId, Limits, Timestamp, UserId};
use parking_lot::Mutex;

use crate::memory::Memory;

pub(crate) const PASSWORD: &str = "correct horse battery staple";

pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn step(&self, milliseconds: i64) {
        self.0.fetch_add(milliseconds, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.0.load(Ordering::Relaxed)
    }
}

/// Numbers that never repeat, and the same in every run.
struct TestRandom(AtomicU64);

impl Random for TestRandom {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let count = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            chunk.copy_from_slice(&count.to_le_bytes()[..chunk.len()]);
        }
    }
}

#[derive(Default)]
pub(crate) struct TestBus {
    signals: Mutex<Vec<(Topic, Signal)>>,
}

#[async_trait]
impl Bus for TestBus {
    fn publish(&self, topic: Topic, signal: &Signal) {
        self.signals.lock().push((topic, signal.clone()));
    }

    fn join(&self, _: Topic) {}

    fn leave(&self, _: Topic) {}

    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Leaving every conversation, which can be made to fail.
#[derive(Default)]
pub(crate) struct TestMemberships {
    pub(crate) left: Mutex<Vec<UserId>>,
    pub(crate) stuck: AtomicBool,
    pub(crate) shown: Mutex<Vec<(UserId, bool)>>,
    pub(crate) parted: Mutex<Vec<UserId>>,
    pub(crate) audiences: Mutex<Vec<UserId>>,
}

#[async_trait]
impl Memberships for TestMemberships {
    async fn leave_all(&self, user: UserId) -> Result<(), Refusal> {
        if self.stuck.load(Ordering::Relaxed) {
            return Err(Refusal::busy("lanes"));
        }
        self.left.lock().push(user);
        Ok(())
    }

    async fn show_reads(&self, user: UserId, shown: bool) {
        self.shown.lock().push((user, shown));
    }

    async fn end_contacts(&self, user: UserId) -> Result<(), Refusal> {
        self.parted.lock().push(user);
        Ok(())
    }

    fn show_presence(&self, user: UserId) {
        self.audiences.lock().push(user);
    }
}

pub(crate) struct World {
    pub(crate) auth: Auth,
    pub(crate) profiles: Profiles,
    pub(crate) memory: Arc<Memory>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) memberships: Arc<TestMemberships>,
    bus: Arc<TestBus>,
    deps: AuthDeps,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_, _| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut AuthConfig, &mut Limits)) -> Self {
        let argon2 = Argon2Config { memory_kib: 64, iterations: 1, parallelism: 1 };
        let mut config = AuthConfig { argon2, hash_concurrency: 2, ..AuthConfig::default() };
        let mut limits = Limits::default();
        change(&mut config, &mut limits);
        let memory = Arc::new(Memory::default());
        let clock = Arc::new(TestClock(AtomicI64::new(1_763_800_000_000)));
        let bus = Arc::new(TestBus::default());
        let deps = AuthDeps {
            accounts: memory.clone(),
            devices: memory.clone(),
            announcer: Announcer::new(bus.clone()),
            clock: clock.clone(),
            random: Arc::new(TestRandom(AtomicU64::new(1))),
            config,
            limits,
        };
        let auth = Auth::new(deps.clone()).await.unwrap();
        let memberships = Arc::new(TestMemberships::default());
        let profiles = Profiles::new(ProfilesDeps {
            accounts: memory.clone(),
            devices: memory.clone(),
            announcer: deps.announcer.clone(),
            clock: clock.clone(),
            auth: auth.clone(),
            memberships: memberships.clone(),
        });
        Self { auth, profiles, memory, clock, memberships, bus, deps }
    }

    /// Another node over the same storage, or the same one after a restart.
    pub(crate) async fn another_node(&self) -> Auth {
        Auth::new(self.deps()).await.unwrap()
    }

    pub(crate) fn deps(&self) -> AuthDeps {
        self.deps.clone()
    }

    pub(crate) async fn sign_up(&self, username: &str) -> SignedIn {
        self.auth.sign_up(sign_up(username), None).await.unwrap()
    }

    pub(crate) async fn log_in(&self, login: &str) -> SignedIn {
        self.auth.log_in(log_in(login, PASSWORD)).await.unwrap()
    }

    pub(crate) async fn device_ids(&self, caller: Caller) -> Vec<DeviceId> {
        self.profiles.devices(caller).await.unwrap().into_iter().map(|device| device.id).collect()
    }

    /// What was published to a user since the last call: the kinds of account events, and devices revoked.
    pub(crate) fn published(&self, user: UserId) -> Vec<String> {
        let mut published = Vec::new();
        for (topic, signal) in std::mem::take(&mut *self.bus.signals.lock()) {
            assert_eq!(topic, Topic::User(user));
            published.push(match signal {
                Signal::Account { frame, .. } => {
                    let frame: serde_json::Value = serde_json::from_slice(&frame).unwrap();
                    frame["event"]["kind"].as_str().unwrap().to_owned()
                }
                Signal::Revoke { devices } => {
                    let mut ids: Vec<u64> = devices.iter().map(|device| device.get()).collect();
                    ids.sort_unstable();
                    format!("revoke {ids:?}")
                }
                other => panic!("{other:?}"),
            });
        }
        published
    }
}

pub(crate) fn sign_up(username: &str) -> SignUp {
    SignUp {
        username: username.to_owned(),
        password: secret(PASSWORD),
        display_name: None,
        email: Some(format!("{username}@example.org").to_lowercase()),
        phone: None,
        device: Some(DeviceInfo { name: "laptop".to_owned(), platform: "linux".to_owned() }),
        cookie: false,
    }
}

pub(crate) fn log_in(login: &str, password: &str) -> LogIn {
    LogIn { login: login.to_owned(), password: secret(password), device: None, cookie: false }
}

pub(crate) fn secret(text: &str) -> Secret {
    Secret(text.to_owned())
}

pub(crate) fn caller(signed_in: &SignedIn) -> Caller {
    Caller { user: signed_in.session.user.profile.id, device: signed_in.session.device.id }
}

pub(crate) fn access(signed_in: &SignedIn) -> &str {
    &signed_in.session.access_token.0
}

pub(crate) fn refresh_token(signed_in: &SignedIn) -> Secret {
    signed_in.session.refresh_token.clone().unwrap()
}

pub(crate) fn revoked(devices: &[DeviceId]) -> String {
    let mut ids: Vec<u64> = devices.iter().map(|device| device.get()).collect();
    ids.sort_unstable();
    format!("revoke {ids:?}")
}
