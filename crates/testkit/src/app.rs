//! The domain, wired over any storage.

use std::ops::Deref;
use std::sync::Arc;

use loquat_domain::accounts::{Argon2Config, AuthConfig};
use loquat_domain::fanout::OutboundLimits;
use loquat_domain::lanes::LaneConfig;
use loquat_domain::messages::{Act, Mutation};
use loquat_domain::ports::{
    Clock as _, NewDevice, NewUser, Random as _, Receiver, RefreshToken, SignInOutcome, SignUpOutcome,
};
use loquat_domain::workers::WorkerConfig;
use loquat_domain::{App, AppConfig, AppDeps, Caller, Refusal, Storage};
use loquat_proto::conversation::CreateConversation;
use loquat_proto::event::SettingsBody;
use loquat_proto::message::Appended;
use loquat_proto::{
    ConversationId, ConversationKind, DeviceId, History, Limits, MessageBody, Permissions, Role, UserId,
};

use crate::bus::{Tap, TappedBus};
use crate::{SeededRandom, TestClock};

/// How a [`TestApp`] is wired.
pub struct TestSettings {
    /// Determines ids and secrets. Another one for each life over the same store.
    pub seed: u64,
    /// Limits in force; no rates by default.
    pub limits: Limits,
    /// How lanes work.
    pub lanes: LaneConfig,
    /// How much a session may leave unread.
    pub outbound: OutboundLimits,
    /// How workers work; by default only when told ([`loquat_domain::workers::Workers::work_off`]).
    pub workers: WorkerConfig,
    /// The clock; one that stands still by default.
    pub clock: Arc<TestClock>,
    /// Hears all that is published, before it is delivered.
    pub tap: Option<Tap>,
}

impl Default for TestSettings {
    fn default() -> Self {
        Self {
            seed: 1,
            limits: unlimited(),
            lanes: LaneConfig::default(),
            outbound: OutboundLimits::default(),
            workers: WorkerConfig { enabled: false, ..WorkerConfig::default() },
            clock: Arc::new(TestClock::standing()),
            tap: None,
        }
    }
}

/// The default limits without rates.
#[must_use]
pub fn unlimited() -> Limits {
    Limits {
        sends_per_second: 0,
        requests_per_second: 0,
        signups_per_hour: 0,
        logins_per_minute: 0,
        contact_requests_per_hour: 0,
        ..Limits::default()
    }
}

/// A send of a plain text.
#[must_use]
pub fn text(text: &str) -> Act {
    Act::Send(MessageBody::text(text))
}

/// The domain over a storage and an in-process bus, with what tests often do.
pub struct TestApp {
    app: App,
    storage: Storage,
    random: Arc<SeededRandom>,
    clock: Arc<TestClock>,
    /// The bus holds it weakly.
    _receiver: Arc<dyn Receiver>,
}

impl Deref for TestApp {
    type Target = App;

    fn deref(&self) -> &App {
        &self.app
    }
}

impl TestApp {
    /// Starts the domain on the current runtime.
    ///
    /// # Panics
    /// Storage does not answer.
    pub async fn start(storage: Storage, settings: TestSettings) -> Self {
        let TestSettings { seed, limits, lanes, outbound, workers, clock, tap } = settings;
        let random = Arc::new(SeededRandom::new(seed));
        let bus = Arc::new(TappedBus::default());
        // The least that Argon2 takes: nobody guesses these passwords.
        let argon2 = Argon2Config { memory_kib: 8, iterations: 1, parallelism: 1 };
        let auth = AuthConfig { argon2, ..AuthConfig::default() };
        let config = AppConfig { limits, auth, lanes, outbound, workers, ..AppConfig::default() };
        let deps = AppDeps {
            storage: storage.clone(),
            bus: bus.clone(),
            clock: clock.clone(),
            random: random.clone(),
            config,
        };
        let app = App::start(deps).await.expect("storage answers when a test starts");
        let receiver = app.receiver();
        bus.bind(&receiver, tap);
        Self { app, storage, random, clock, _receiver: receiver }
    }

    /// The clock in force.
    #[must_use]
    pub fn clock(&self) -> &TestClock {
        &self.clock
    }

    /// The storage below.
    #[must_use]
    pub const fn storage(&self) -> &Storage {
        &self.storage
    }

    /// A new user with a device, put into the store directly: cheaper than a sign-up, which hashes a password.
    ///
    /// # Panics
    /// The name is taken, or storage does not answer.
    pub async fn user(&self, username: &str) -> Caller {
        let user = UserId::new(self.random.id()).expect("ids are in range");
        let new = NewUser {
            id: user,
            username: username.to_owned(),
            display_name: username.to_owned(),
            email: None,
            phone: None,
            password_hash: "$argon2id$none".to_owned(),
            ts: self.clock.now(),
        };
        let device = self.new_device();
        let caller = Caller { user, device: device.id };
        let outcome = self.storage.accounts.sign_up(new, device).await.expect("storage answers");
        assert_eq!(outcome, SignUpOutcome::Created, "{username}");
        caller
    }

    /// One more device of a user.
    ///
    /// # Panics
    /// The user has too many, or storage does not answer.
    pub async fn device(&self, user: UserId) -> Caller {
        let device = self.new_device();
        let caller = Caller { user, device: device.id };
        let outcome = self.storage.devices.sign_in(user, device, 20).await.expect("storage answers");
        assert!(matches!(outcome, SignInOutcome::Added(_)), "{outcome:?}");
        caller
    }

    fn new_device(&self) -> NewDevice {
        let mut hash = [0; 32];
        self.random.fill(&mut hash);
        NewDevice {
            id: DeviceId::new(self.random.id()).expect("ids are in range"),
            name: "test".to_owned(),
            platform: "test".to_owned(),
            refresh: RefreshToken { hash, expires_at: i64::MAX },
            ts: self.clock.now(),
        }
    }

    /// A new group.
    ///
    /// # Errors
    /// Why it was refused.
    pub async fn group(
        &self,
        owner: Caller,
        members: &[UserId],
        history: History,
    ) -> Result<ConversationId, Refusal> {
        let wish = CreateConversation {
            kind: ConversationKind::Group,
            members: members.to_vec(),
            title: Some("Harvest".to_owned()),
            description: None,
            history: Some(history),
            retention: None,
        };
        self.conversations().create(owner, wish, None).await.map(|created| created.conversation.id)
    }

    /// A new channel in which members write, too.
    ///
    /// # Errors
    /// Why it was refused.
    pub async fn channel(
        &self,
        owner: Caller,
        members: &[UserId],
        history: History,
    ) -> Result<ConversationId, Refusal> {
        let wish = CreateConversation {
            kind: ConversationKind::Channel,
            members: members.to_vec(),
            title: Some("Market".to_owned()),
            description: None,
            history: Some(history),
            retention: None,
        };
        let channel = self.conversations().create(owner, wish, None).await?.conversation;
        let permissions = Permissions { post: Role::Member, ..channel.permissions };
        let settings = SettingsBody { permissions: Some(permissions), ..SettingsBody::default() };
        self.act(owner, channel.id, None, Act::Settings(settings)).await?;
        Ok(channel.id)
    }

    /// The direct conversation of two users.
    ///
    /// # Errors
    /// Why it was refused.
    pub async fn direct(&self, caller: Caller, other: UserId) -> Result<ConversationId, Refusal> {
        let wish = CreateConversation {
            kind: ConversationKind::Direct,
            members: vec![other],
            title: None,
            description: None,
            history: None,
            retention: None,
        };
        self.conversations().create(caller, wish, None).await.map(|created| created.conversation.id)
    }

    /// Does something to a conversation and waits for the outcome, as a REST call would.
    ///
    /// # Errors
    /// Why it was refused.
    ///
    /// # Panics
    /// The nonce is none.
    pub async fn act(
        &self,
        caller: Caller,
        conversation: ConversationId,
        nonce: Option<&str>,
        act: Act,
    ) -> Result<Appended, Refusal> {
        let nonce = nonce.map(|nonce| nonce.parse().expect("a nonce of a test is valid"));
        self.messages().perform(caller, Mutation { conversation, nonce, act }).await
    }

    /// Sends a text that is its nonce, too.
    ///
    /// # Errors
    /// Why it was refused.
    pub async fn send(
        &self,
        caller: Caller,
        conversation: ConversationId,
        nonce: &str,
    ) -> Result<Appended, Refusal> {
        self.act(caller, conversation, Some(nonce), text(nonce)).await
    }
}
