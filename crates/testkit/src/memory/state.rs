//! What is stored.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use loquat_domain::ports::{
    AccountEntry, AuditRecord, Horizons, IdempotencyKey, InviteRecord, JobRecord, Placement, RefreshToken,
    RememberedAnswer, SigningKey, SyncPosition,
};
use loquat_proto::conversation::Cursor;
use loquat_proto::{
    AccountEvent, AccountEventKind, ConversationId, ConversationKind, DeviceId, Event, EventKind, History,
    Nonce, OwnProfile, Permissions, Retention, Role, Seq, Timestamp, UserId,
};

#[derive(Debug)]
pub(super) struct State {
    pub epoch: u64,
    /// The position given out last.
    pub pos: u64,
    pub users: BTreeMap<UserId, User>,
    /// Names of deleted accounts that are not free yet, until when.
    pub reserved_names: BTreeMap<String, Timestamp>,
    pub devices: BTreeMap<DeviceId, DeviceRow>,
    pub tokens: HashMap<[u8; 32], TokenRow>,
    pub signing_keys: Vec<SigningKey>,
    pub answers: HashMap<IdempotencyKey, RememberedAnswer>,
    pub rooms: BTreeMap<ConversationId, Room>,
    /// Since when the two are contacts: both ways round.
    pub contacts: BTreeMap<(UserId, UserId), Timestamp>,
    /// By who asked and who was asked.
    pub requests: BTreeMap<(UserId, UserId), Asked>,
    /// By who blocks and who is blocked.
    pub blocks: BTreeMap<(UserId, UserId), Timestamp>,
    /// What operators did, oldest first.
    pub acts: Vec<AuditRecord>,
    /// How far each worker has tailed.
    pub worker_cursors: BTreeMap<String, u64>,
    pub jobs: BTreeMap<u64, JobRow>,
    /// The job id given out last.
    pub last_job: u64,
}

#[derive(Debug)]
pub(super) struct JobRow {
    pub job: JobRecord,
    /// How often it was claimed.
    pub claims: u64,
    /// While it runs: when it was enqueued for meanwhile.
    pub again_at: Option<Timestamp>,
}

/// A request for contact.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub state: RequestState,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestState {
    Waiting,
    /// Who asked sees it waiting.
    Declined,
    /// Declined and then withdrawn: nobody sees it.
    Withdrawn,
}

#[derive(Debug)]
pub(super) struct User {
    pub own: OwnProfile,
    pub password_hash: String,
    pub created_at: Timestamp,
    pub disabled_at: Option<Timestamp>,
    pub deleted_at: Option<Timestamp>,
    pub last_seen: Option<Timestamp>,
    pub log: Vec<AccountEvent>,
}

#[derive(Debug)]
pub(super) struct DeviceRow {
    pub user: UserId,
    pub name: String,
    pub platform: String,
    pub created_at: Timestamp,
    pub last_seen: Option<Timestamp>,
    /// In the order in which devices were signed in.
    pub number: u64,
}

#[derive(Debug)]
pub(super) struct TokenRow {
    pub device: DeviceId,
    pub token: RefreshToken,
    pub used: Option<TokenUse>,
}

#[derive(Debug)]
pub(super) struct TokenUse {
    pub at: Timestamp,
    pub key: Option<String>,
    pub sealed_successor: Vec<u8>,
}

/// A conversation.
#[derive(Debug)]
pub(super) struct Room {
    pub id: ConversationId,
    pub kind: ConversationKind,
    pub created_at: Timestamp,
    pub history: History,
    pub title: String,
    pub description: String,
    pub avatar: Option<String>,
    pub retention: Retention,
    /// How far retention has erased.
    pub horizons: Horizons,
    pub permissions: Permissions,
    pub slow_mode_ms: u64,
    pub owner: Option<UserId>,
    pub version: u64,
    pub last_activity: Timestamp,
    /// The position at which log or cursors last moved.
    pub touched: u64,
    /// `events[n]` has the `seq` n + 1.
    pub events: Vec<Stored>,
    pub nonces: HashMap<(UserId, Nonce), Seq>,
    pub members: BTreeMap<UserId, Membership>,
    pub reactions: Vec<Standing>,
    pub pins: BTreeSet<Seq>,
    pub invites: Vec<InviteRow>,
    /// Who was a member once.
    pub former: BTreeMap<UserId, Former>,
    /// What names changes that stand in no log, with their first results.
    pub unlogged: HashMap<(UserId, Nonce), Placement>,
    /// Who was a member when, in the order in which it happened: for oracles.
    pub stays: Vec<Stay>,
}

/// A time of being a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stay {
    /// Who.
    pub user: UserId,
    /// The first event that was appended in it, or could be.
    pub joined: Seq,
    /// The first one after it; `None` while it goes on.
    pub left: Option<Seq>,
}

/// An invitation.
#[derive(Debug)]
pub(super) struct InviteRow {
    pub record: InviteRecord,
    pub nonce: Option<Nonce>,
    pub revoked: bool,
}

/// What is kept of who was a member once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Former {
    /// Whether no invitation lets them in again.
    pub barred: bool,
    pub last_sent: Option<Timestamp>,
}

/// An event in a log.
#[derive(Debug)]
pub(super) struct Stored {
    pub pos: u64,
    /// With its nonce.
    pub event: Event,
    /// What it is about.
    pub target: Option<Seq>,
    /// Members for whom it counts as a mention.
    pub mentions: Vec<UserId>,
    /// On a message: its newest edit.
    pub revised: Option<Seq>,
}

#[derive(Debug)]
pub(super) struct Membership {
    pub role: Role,
    pub joined_at: Timestamp,
    /// Orders members by age.
    pub joined_pos: u64,
    pub visible_from: Seq,
    pub delivered: Seq,
    pub read: Seq,
    pub last_sent: Option<Timestamp>,
    pub delivered_on: BTreeMap<DeviceId, Seq>,
    pub muted_until: Option<Timestamp>,
    pub pinned: bool,
    pub archived: bool,
    pub draft: Option<String>,
    /// The position at which the preferences last moved.
    pub touched: u64,
}

/// A reaction that stands.
#[derive(Debug)]
pub(super) struct Standing {
    pub target: Seq,
    pub emoji: String,
    pub user: UserId,
    /// The event by which it stands.
    pub seq: Seq,
    pub ts: Timestamp,
    /// Since which `seq` the emoji stands on the target without a break.
    pub since: Seq,
}

impl State {
    pub fn new(seed: u64) -> Self {
        Self {
            epoch: seed.wrapping_add(1),
            pos: 0,
            users: BTreeMap::new(),
            reserved_names: BTreeMap::new(),
            devices: BTreeMap::new(),
            tokens: HashMap::new(),
            signing_keys: Vec::new(),
            answers: HashMap::new(),
            rooms: BTreeMap::new(),
            contacts: BTreeMap::new(),
            requests: BTreeMap::new(),
            blocks: BTreeMap::new(),
            acts: Vec::new(),
            worker_cursors: BTreeMap::new(),
            jobs: BTreeMap::new(),
            last_job: 0,
        }
    }

    pub const fn next_pos(&mut self) -> u64 {
        self.pos += 1;
        self.pos
    }

    /// Where the store stands for this user.
    pub fn position(&self, user: UserId) -> SyncPosition {
        let account = self.users.get(&user).and_then(|user| user.log.last()).map_or(0, |last| last.pos);
        SyncPosition { epoch: self.epoch, pos: self.pos, account }
    }

    /// Appends to a user's account log; `None` if there never was such a user.
    pub fn tell(
        &mut self,
        user: UserId,
        (kind, body): (AccountEventKind, serde_json::Value),
        ts: Timestamp,
    ) -> Option<AccountEntry> {
        let log = &mut self.users.get_mut(&user)?.log;
        let event = AccountEvent { pos: log.len() as u64 + 1, ts, kind, body };
        log.push(event.clone());
        Some(AccountEntry { user, event })
    }

    /// How what `requester` asked `recipient` stands.
    pub fn asked(&self, requester: UserId, recipient: UserId) -> Option<RequestState> {
        self.requests.get(&(requester, recipient)).map(|asked| asked.state)
    }

    /// Whether the user lets others see how far they have read.
    pub fn shows_reads(&self, user: UserId) -> bool {
        self.users.get(&user).is_none_or(|user| user.own.privacy.read_receipts)
    }

    /// A conversation with a membership in it.
    pub fn membership(&self, user: UserId, conversation: ConversationId) -> Option<(&Room, &Membership)> {
        let room = self.rooms.get(&conversation)?;
        Some((room, room.members.get(&user)?))
    }

    /// All members' cursors as `viewer` may see them.
    pub fn cursors(&self, room: &Room, viewer: Option<UserId>) -> Vec<Cursor> {
        let cursor = |(user, membership): (&UserId, &Membership)| {
            let shown = viewer == Some(*user) || self.shows_reads(*user);
            let read = if shown { membership.read } else { 0 };
            Cursor { user: *user, delivered: membership.delivered, read }
        };
        room.members.iter().map(cursor).collect()
    }
}

impl User {
    /// Neither disabled nor deleted.
    pub const fn is_active(&self) -> bool {
        self.disabled_at.is_none() && self.deleted_at.is_none()
    }
}

impl Room {
    pub fn is_direct_between(&self, one: UserId, other: UserId) -> bool {
        let both = BTreeSet::from([one, other]);
        self.kind == ConversationKind::Direct && self.members.keys().eq(both.iter())
    }

    pub fn head(&self) -> Seq {
        self.events.len() as Seq
    }

    pub fn at(&self, seq: Seq) -> Option<&Stored> {
        self.events.get(index(seq)?)
    }

    pub fn at_mut(&mut self, seq: Seq) -> Option<&mut Stored> {
        self.events.get_mut(index(seq)?)
    }

    /// Messages from this `seq` on.
    pub fn messages_from(&self, seq: Seq) -> impl DoubleEndedIterator<Item = &Stored> {
        let from = usize::try_from(seq.saturating_sub(1)).unwrap_or(usize::MAX).min(self.events.len());
        self.events[from..].iter().filter(|stored| stored.event.kind == EventKind::Message)
    }
}

impl Membership {
    /// A membership that begins at this position with both cursors at `read`.
    pub const fn new(role: Role, joined_at: Timestamp, pos: u64, (visible_from, read): (Seq, Seq)) -> Self {
        Self {
            role,
            joined_at,
            joined_pos: pos,
            visible_from,
            delivered: read,
            read,
            last_sent: None,
            delivered_on: BTreeMap::new(),
            muted_until: None,
            pinned: false,
            archived: false,
            draft: None,
            touched: pos,
        }
    }
}

fn index(seq: Seq) -> Option<usize> {
    usize::try_from(seq.checked_sub(1)?).ok()
}
