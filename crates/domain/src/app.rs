//! Everything, wired.

use std::sync::Arc;

use loquat_proto::Limits;
use tokio::task::JoinHandle;

use crate::Refusal;
use crate::accounts::{Auth, AuthConfig, AuthDeps, AuthError, Idempotency, Profiles, ProfilesDeps};
use crate::admin::{AdminDeps, AdminService};
use crate::contacts::{ContactDeps, ContactService};
use crate::conversations::{
    ConversationDeps, ConversationMemberships, ConversationService, InviteDeps, InviteService, MembershipDeps,
};
use crate::export::{ExportDeps, Exports};
use crate::fanout::{Announcer, OutboundLimits, Registry};
use crate::lanes::{LaneConfig, LaneDeps, Lanes};
use crate::limits::RateLimits;
use crate::messages::{MessageDeps, MessageService};
use crate::metrics::Metrics;
use crate::ports::{
    AccountLog, Accounts, Administration, AuditLog, Blocks, Bus, Clock, Contacts, Conversations, Devices,
    EventLog, Inspection, Invites, Outbox, Presences, Random, Receiver, Retentions, Signal, Timeline, Topic,
};
use crate::presence::{PresenceDeps, PresenceService};
use crate::receipts::{CursorBook, ReceiptService};
use crate::sync::{FanoutGate, SyncDeps, SyncService, Watermark};
use crate::workers::{Hints, WorkerConfig, WorkerDeps, Workers};

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
    /// How workers work.
    pub workers: WorkerConfig,
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
    /// Invitations.
    pub invites: Arc<dyn Invites>,
    /// Users.
    pub accounts: Arc<dyn Accounts>,
    /// Account logs.
    pub account_log: Arc<dyn AccountLog>,
    /// Devices and tokens.
    pub devices: Arc<dyn Devices>,
    /// Last seen.
    pub presences: Arc<dyn Presences>,
    /// Contacts and requests for contact.
    pub contacts: Arc<dyn Contacts>,
    /// Blocks.
    pub blocks: Arc<dyn Blocks>,
    /// Accounts and devices, for operators.
    pub administration: Arc<dyn Administration>,
    /// Conversations, for operators.
    pub inspection: Arc<dyn Inspection>,
    /// What operators did.
    pub audit: Arc<dyn AuditLog>,
    /// Jobs.
    pub outbox: Arc<dyn Outbox>,
    /// What has outlived its retention.
    pub retentions: Arc<dyn Retentions>,
}

impl Storage {
    /// All ports from one store.
    pub fn from_one<S>(store: Arc<S>) -> Self
    where
        S: EventLog
            + Timeline
            + Conversations
            + Invites
            + Accounts
            + AccountLog
            + Devices
            + Presences
            + Contacts
            + Blocks
            + Administration
            + Inspection
            + AuditLog
            + Outbox
            + Retentions
            + 'static,
    {
        Self {
            log: store.clone(),
            timeline: store.clone(),
            conversations: store.clone(),
            invites: store.clone(),
            accounts: store.clone(),
            account_log: store.clone(),
            devices: store.clone(),
            presences: store.clone(),
            contacts: store.clone(),
            blocks: store.clone(),
            administration: store.clone(),
            inspection: store.clone(),
            audit: store.clone(),
            outbox: store.clone(),
            retentions: store,
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
    contacts: ContactService,
    rates: RateLimits,
    conversations: ConversationService,
    invites: InviteService,
    messages: MessageService,
    receipts: ReceiptService,
    presence: PresenceService,
    sync: SyncService,
    admin: AdminService,
    registry: Arc<Registry>,
    book: Arc<CursorBook>,
    storage: Storage,
    bus: Arc<dyn Bus>,
    config: AppConfig,
    metrics: Arc<Metrics>,
    workers: Workers,
    exports: Exports,
    background: Vec<JoinHandle<()>>,
}

/// What the services are made from.
struct Base {
    storage: Storage,
    bus: Arc<dyn Bus>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    config: AppConfig,
    announcer: Announcer,
    book: Arc<CursorBook>,
    metrics: Arc<Metrics>,
    gate: FanoutGate,
    rates: RateLimits,
    lanes: Lanes,
    hints: Arc<Hints>,
}

impl Base {
    /// The base with its lanes running.
    fn start(AppDeps { storage, bus, clock, random, config }: AppDeps) -> (Self, Vec<JoinHandle<()>>) {
        let announcer = Announcer::new(bus.clone());
        let book = Arc::new(CursorBook::new(storage.conversations.clone()));
        let metrics = Arc::new(Metrics::default());
        let rates = RateLimits::new(&config.limits, clock.clone());
        let hints = Arc::new(Hints::default());
        let deps = LaneDeps {
            log: storage.log.clone(),
            conversations: storage.conversations.clone(),
            invites: storage.invites.clone(),
            blocks: storage.blocks.clone(),
            bus: bus.clone(),
            announcer: announcer.clone(),
            book: book.clone(),
            clock: clock.clone(),
            limits: config.limits.clone(),
            metrics: metrics.clone(),
            hints: hints.clone(),
        };
        let (lanes, tasks) = Lanes::start(config.lanes, deps);
        let gate = FanoutGate::default();
        let base =
            Self { storage, bus, clock, random, config, announcer, book, metrics, gate, rates, lanes, hints };
        (base, tasks)
    }

    fn presence(&self) -> PresenceService {
        PresenceService::new(PresenceDeps {
            presences: self.storage.presences.clone(),
            bus: self.bus.clone(),
            clock: self.clock.clone(),
            limits: self.config.limits.clone(),
        })
    }

    fn registry(&self, presence: &PresenceService) -> Arc<Registry> {
        let bounds = (&self.config.limits, self.config.outbound);
        Arc::new(Registry::new(self.bus.clone(), Arc::new(presence.clone()), self.random.clone(), bounds))
    }

    fn messages(&self) -> MessageService {
        MessageService::new(MessageDeps {
            lanes: self.lanes.clone(),
            log: self.storage.log.clone(),
            timeline: self.storage.timeline.clone(),
            accounts: self.storage.accounts.clone(),
            rates: self.rates.clone(),
            limits: self.config.limits.clone(),
            clock: self.clock.clone(),
        })
    }

    async fn auth(&self) -> Result<Auth, AuthError> {
        Auth::new(AuthDeps {
            accounts: self.storage.accounts.clone(),
            devices: self.storage.devices.clone(),
            announcer: self.announcer.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
            config: self.config.auth.clone(),
            limits: self.config.limits.clone(),
        })
        .await
    }

    fn contacts(&self, presence: &PresenceService) -> ContactService {
        ContactService::new(ContactDeps {
            contacts: self.storage.contacts.clone(),
            blocks: self.storage.blocks.clone(),
            announcer: self.announcer.clone(),
            lanes: self.lanes.clone(),
            presence: presence.clone(),
            rates: self.rates.clone(),
            clock: self.clock.clone(),
            limits: self.config.limits.clone(),
        })
    }

    fn profiles(
        &self,
        auth: &Auth,
        messages: &MessageService,
        (contacts, presence): (&ContactService, &PresenceService),
    ) -> Profiles {
        let memberships = ConversationMemberships::new(MembershipDeps {
            conversations: self.storage.conversations.clone(),
            messages: messages.clone(),
            lanes: self.lanes.clone(),
            contacts: contacts.clone(),
            presence: presence.clone(),
        });
        Profiles::new(ProfilesDeps {
            accounts: self.storage.accounts.clone(),
            devices: self.storage.devices.clone(),
            announcer: self.announcer.clone(),
            clock: self.clock.clone(),
            auth: auth.clone(),
            memberships: Arc::new(memberships),
        })
    }

    fn conversations(&self) -> ConversationService {
        ConversationService::new(ConversationDeps {
            conversations: self.storage.conversations.clone(),
            accounts: self.storage.accounts.clone(),
            lanes: self.lanes.clone(),
            book: self.book.clone(),
            idempotency: Idempotency::new(self.storage.accounts.clone(), self.clock.clone()),
            announcer: self.announcer.clone(),
            gate: self.gate.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
            limits: self.config.limits.clone(),
        })
    }

    fn invites(&self, conversations: &ConversationService, messages: &MessageService) -> InviteService {
        InviteService::new(InviteDeps {
            invites: self.storage.invites.clone(),
            directory: self.storage.conversations.clone(),
            conversations: conversations.clone(),
            messages: messages.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
            limits: self.config.limits.clone(),
        })
    }

    fn admin(&self, (auth, profiles, registry): (&Auth, &Profiles, &Arc<Registry>)) -> AdminService {
        AdminService::new(AdminDeps {
            administration: self.storage.administration.clone(),
            inspection: self.storage.inspection.clone(),
            audit: self.storage.audit.clone(),
            devices: self.storage.devices.clone(),
            auth: auth.clone(),
            profiles: profiles.clone(),
            lanes: self.lanes.clone(),
            registry: registry.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
        })
    }

    fn watermark(&self) -> Arc<Watermark> {
        let conversations = self.storage.conversations.clone();
        Arc::new(Watermark::new(conversations, self.lanes.clone(), self.gate.clone()))
    }

    /// The workers, at work where this node runs any.
    fn workers(&self) -> Workers {
        Workers::start(WorkerDeps {
            log: self.storage.log.clone(),
            conversations: self.storage.conversations.clone(),
            outbox: self.storage.outbox.clone(),
            retentions: self.storage.retentions.clone(),
            book: self.book.clone(),
            lanes: self.lanes.clone(),
            gate: self.gate.clone(),
            hints: self.hints.clone(),
            clock: self.clock.clone(),
            random: self.random.clone(),
            config: self.config.workers,
        })
    }

    fn exports(&self) -> Exports {
        Exports::new(ExportDeps {
            storage: self.storage.clone(),
            book: Some(self.book.clone()),
            clock: self.clock.clone(),
            server_name: self.config.server_name.clone(),
        })
    }

    fn sync(
        &self,
        (registry, presence, watermark): (&Arc<Registry>, &PresenceService, &Arc<Watermark>),
    ) -> SyncService {
        SyncService::new(SyncDeps {
            conversations: self.storage.conversations.clone(),
            account_log: self.storage.account_log.clone(),
            timeline: self.storage.timeline.clone(),
            book: self.book.clone(),
            registry: registry.clone(),
            presence: presence.clone(),
            watermark: watermark.clone(),
        })
    }
}

impl App {
    /// Starts the domain: its lanes and background tasks run on the current runtime. The caller binds the bus to
    /// [`App::receiver`].
    ///
    /// # Errors
    /// Storage does not answer, or a setting is out of range.
    pub async fn start(deps: AppDeps) -> Result<Self, AuthError> {
        let (base, lane_tasks) = Base::start(deps);
        let presence = base.presence();
        let registry = base.registry(&presence);
        let messages = base.messages();
        let auth = base.auth().await?;
        let contacts = base.contacts(&presence);
        let accounts = base.profiles(&auth, &messages, (&contacts, &presence));
        let conversations = base.conversations();
        let invites = base.invites(&conversations, &messages);
        let watermark = base.watermark();
        let sync = base.sync((&registry, &presence, &watermark));
        let admin = base.admin((&auth, &accounts, &registry));
        let (workers, exports) = (base.workers(), base.exports());
        let mut background = vec![
            tokio::spawn(base.book.clone().keep_saving()),
            tokio::spawn(presence.clone().keep_current()),
            tokio::spawn(presence.clone().keep_to_audiences()),
            tokio::spawn(watermark.keep_advancing()),
        ];
        background.extend(lane_tasks);
        let Base { storage, bus, config, book, metrics, rates, lanes, .. } = base;
        let receipts = ReceiptService::new(lanes);
        let parts = Parts {
            auth,
            accounts,
            contacts,
            rates,
            conversations,
            invites,
            messages,
            receipts,
            presence,
            sync,
            admin,
            registry,
            book,
            storage,
            bus,
            config,
            metrics,
            workers,
            exports,
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

    /// Contacts and blocks.
    #[must_use]
    pub fn contacts(&self) -> &ContactService {
        &self.parts.contacts
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

    /// Invitations.
    #[must_use]
    pub fn invites(&self) -> &InviteService {
        &self.parts.invites
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

    /// The calls of operators.
    #[must_use]
    pub fn admin(&self) -> &AdminService {
        &self.parts.admin
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

    /// Archives of everything of a user.
    #[must_use]
    pub fn exports(&self) -> &Exports {
        &self.parts.exports
    }

    /// The workers of this node.
    #[must_use]
    pub fn workers(&self) -> &Workers {
        &self.parts.workers
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
        self.parts.workers.stop().await;
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
            Topic::Conversation(conversation) => self.registry.receive_shared(conversation, signal),
        }
    }
}
