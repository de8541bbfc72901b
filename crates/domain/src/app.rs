//! Everything, wired.

use std::sync::Arc;

use loquat_proto::Limits;
use tokio::task::JoinHandle;

use crate::Refusal;
use crate::accounts::{Auth, AuthConfig, AuthDeps, AuthError, Idempotency, Profiles, ProfilesDeps};
use crate::conversations::{ConversationDeps, ConversationMemberships, ConversationService};
use crate::fanout::{Announcer, OutboundLimits, Registry};
use crate::lanes::{LaneConfig, LaneDeps, Lanes};
use crate::limits::RateLimits;
use crate::messages::{MessageDeps, MessageService};
use crate::metrics::Metrics;
use crate::ports::{
    AccountLog, Accounts, Bus, Clock, Conversations, Devices, EventLog, Presences, Random, Receiver, Signal,
    Timeline, Topic,
};
use crate::presence::{PresenceDeps, PresenceService};
use crate::receipts::{CursorBook, ReceiptService};
use crate::sync::{FanoutGate, SyncDeps, SyncService, Watermark};

/// The settings of the domain.
#[derive(Debug, Clone, Default)]
pub struct AppConfig {
    /// What the operator calls the server.
    pub server_name: String,
    /// The name of this node.
    pub node: String,
    /// Where clients reach the service, if it is not where they asked.
    pub public_url: Option<String>,
    /// The limits in force.
    pub limits: Limits,
    /// Accounts and tokens.
    pub auth: AuthConfig,
    /// How lanes work.
    pub lanes: LaneConfig,
    /// How much a session may leave unread.
    pub outbound: OutboundLimits,
}

/// The storage ports; one store may be all of them.
#[derive(Clone)]
pub struct Storage {
    /// The logs.
    pub log: Arc<dyn EventLog>,
    /// Reads of logs.
    pub timeline: Arc<dyn Timeline>,
    /// The directory of conversations.
    pub conversations: Arc<dyn Conversations>,
    /// Users.
    pub accounts: Arc<dyn Accounts>,
    /// Account logs.
    pub account_log: Arc<dyn AccountLog>,
    /// Devices and tokens.
    pub devices: Arc<dyn Devices>,
    /// Last seen.
    pub presences: Arc<dyn Presences>,
}

impl Storage {
    /// All ports from one store.
    pub fn from_one<S>(store: Arc<S>) -> Self
    where
        S: EventLog + Timeline + Conversations + Accounts + AccountLog + Devices + Presences + 'static,
    {
        Self {
            log: store.clone(),
            timeline: store.clone(),
            conversations: store.clone(),
            accounts: store.clone(),
            account_log: store.clone(),
            devices: store.clone(),
            presences: store,
        }
    }
}

/// What the domain needs of the world.
pub struct AppDeps {
    /// Where everything is kept.
    pub storage: Storage,
    /// Wake-ups and live frames.
    pub bus: Arc<dyn Bus>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Settings.
    pub config: AppConfig,
}

/// Everything, wired. A cheap handle to share.
#[derive(Clone)]
pub struct App {
    parts: Arc<Parts>,
}

struct Parts {
    auth: Auth,
    accounts: Profiles,
    rates: RateLimits,
    conversations: ConversationService,
    messages: MessageService,
    receipts: ReceiptService,
    presence: PresenceService,
    sync: SyncService,
    registry: Arc<Registry>,
    book: Arc<CursorBook>,
    storage: Storage,
    bus: Arc<dyn Bus>,
    config: AppConfig,
    metrics: Arc<Metrics>,
    background: Vec<JoinHandle<()>>,
}

impl App {
    /// Starts the domain: its lanes and background tasks run on the current runtime. The caller binds the bus to
    /// [`App::receiver`].
    ///
    /// # Errors
    /// Storage does not answer, or a setting is out of range.
    pub async fn start(deps: AppDeps) -> Result<Self, AuthError> {
        let AppDeps { storage, bus, clock, random, config } = deps;
        let limits = &config.limits;
        let announcer = Announcer::new(bus.clone());
        let book = Arc::new(CursorBook::new(storage.conversations.clone()));
        let metrics = Arc::new(Metrics::default());
        let gate = FanoutGate::default();
        let rates = RateLimits::new(limits, clock.clone());
        let (lanes, lane_tasks) = Lanes::start(
            config.lanes,
            LaneDeps {
                log: storage.log.clone(),
                conversations: storage.conversations.clone(),
                bus: bus.clone(),
                announcer: announcer.clone(),
                book: book.clone(),
                clock: clock.clone(),
                limits: limits.clone(),
                metrics: metrics.clone(),
            },
        );
        let presence = PresenceService::new(PresenceDeps {
            presences: storage.presences.clone(),
            bus: bus.clone(),
            clock: clock.clone(),
            limits: limits.clone(),
        });
        let registry = Arc::new(Registry::new(
            bus.clone(),
            Arc::new(presence.clone()),
            random.clone(),
            (limits, config.outbound),
        ));
        let watermark = Arc::new(Watermark::new(storage.conversations.clone(), lanes.clone(), gate.clone()));
        let messages = MessageService::new(MessageDeps {
            lanes: lanes.clone(),
            log: storage.log.clone(),
            timeline: storage.timeline.clone(),
            accounts: storage.accounts.clone(),
            rates: rates.clone(),
            limits: limits.clone(),
            clock: clock.clone(),
        });
        let auth = Auth::new(AuthDeps {
            accounts: storage.accounts.clone(),
            devices: storage.devices.clone(),
            announcer: announcer.clone(),
            clock: clock.clone(),
            random: random.clone(),
            config: config.auth.clone(),
            limits: limits.clone(),
        })
        .await?;
        let memberships =
            ConversationMemberships::new(storage.conversations.clone(), messages.clone(), lanes.clone());
        let accounts = Profiles::new(ProfilesDeps {
            accounts: storage.accounts.clone(),
            devices: storage.devices.clone(),
            announcer: announcer.clone(),
            clock: clock.clone(),
            auth: auth.clone(),
            memberships: Arc::new(memberships),
        });
        let conversations = ConversationService::new(ConversationDeps {
            conversations: storage.conversations.clone(),
            accounts: storage.accounts.clone(),
            lanes: lanes.clone(),
            book: book.clone(),
            idempotency: Idempotency::new(storage.accounts.clone(), clock.clone()),
            announcer,
            gate,
            clock,
            random,
            limits: limits.clone(),
        });
        let sync = SyncService::new(SyncDeps {
            conversations: storage.conversations.clone(),
            account_log: storage.account_log.clone(),
            timeline: storage.timeline.clone(),
            book: book.clone(),
            registry: registry.clone(),
            presence: presence.clone(),
            watermark: watermark.clone(),
        });
        let mut background = vec![
            tokio::spawn(book.clone().keep_saving()),
            tokio::spawn(presence.clone().keep_current()),
            tokio::spawn(watermark.keep_advancing()),
        ];
        background.extend(lane_tasks);
        let receipts = ReceiptService::new(lanes);
        let parts = Parts {
            auth,
            accounts,
            rates,
            conversations,
            messages,
            receipts,
            presence,
            sync,
            registry,
            book,
            storage,
            bus,
            config,
            metrics,
            background,
        };
        Ok(Self { parts: Arc::new(parts) })
    }

    /// Where the bus delivers.
    #[must_use]
    pub fn receiver(&self) -> Arc<dyn Receiver> {
        self.parts.clone()
    }

    /// Sign-up, log-in, tokens, devices.
    #[must_use]
    pub fn auth(&self) -> &Auth {
        &self.parts.auth
    }

    /// Profiles, search.
    #[must_use]
    pub fn accounts(&self) -> &Profiles {
        &self.parts.accounts
    }

    /// The rates in force.
    #[must_use]
    pub fn limits(&self) -> &RateLimits {
        &self.parts.rates
    }

    /// Conversations and preferences.
    #[must_use]
    pub fn conversations(&self) -> &ConversationService {
        &self.parts.conversations
    }

    /// Everything that appends to logs, and reading them.
    #[must_use]
    pub fn messages(&self) -> &MessageService {
        &self.parts.messages
    }

    /// Receipts and typing.
    #[must_use]
    pub fn receipts(&self) -> &ReceiptService {
        &self.parts.receipts
    }

    /// Presence.
    #[must_use]
    pub fn presence(&self) -> &PresenceService {
        &self.parts.presence
    }

    /// `ready`, ticks, the long poll.
    #[must_use]
    pub fn sync(&self) -> &SyncService {
        &self.parts.sync
    }

    /// The live sessions of this node.
    #[must_use]
    pub fn sessions(&self) -> &Arc<Registry> {
        &self.parts.registry
    }

    /// The settings in force.
    #[must_use]
    pub fn config(&self) -> &AppConfig {
        &self.parts.config
    }

    /// What the domain counts.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.parts.metrics
    }

    /// Whether storage and bus answer.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] naming what does not.
    pub async fn ready(&self) -> Result<(), Refusal> {
        let Some(nobody) = loquat_proto::UserId::new(1) else { return Ok(()) };
        self.parts.storage.conversations.position(nobody).await?;
        self.parts.bus.check().await?;
        Ok(())
    }

    /// Saves what waits in memory and ends the background tasks. Sockets are drained before.
    ///
    /// # Errors
    /// Cursors could not be saved; clients repeat theirs.
    pub async fn stop(&self) -> Result<(), Refusal> {
        self.parts.presence.save().await;
        let settled = self.parts.book.settle().await;
        for task in &self.parts.background {
            task.abort();
        }
        settled
    }
}

impl Receiver for Parts {
    fn receive(&self, topic: Topic, signal: &Signal) {
        if let Signal::Revoke { devices } = signal {
            devices.iter().for_each(|device| self.auth.forget(*device));
        }
        match topic {
            Topic::User(user) => self.registry.receive(user, signal),
            Topic::Presence(user) => self.presence.receive(user, signal),
        }
    }
}
