//! What a lane knows of a conversation: built from the store, moved on by its own appends.

use loquat_proto::event::SettingsBody;
use loquat_proto::{
    ConversationId, ConversationKind, History, Permissions, Retention, Role, Seq, Timestamp, UserId,
};

use super::members::Members;
use crate::Refusal;
use crate::conversations::Right;
use crate::ports::{Change, ConversationFacts, MemberFacts, NewEvent};
use crate::receipts::CursorBook;

/// Above this many members, receipts and typing go to nobody but the user's own devices.
pub(super) const SMALL: usize = 256;

#[derive(Debug, Clone)]
pub(super) struct ConversationState {
    pub id: ConversationId,
    pub kind: ConversationKind,
    pub head: Seq,
    pub version: u64,
    pub history: History,
    pub settings: Settings,
    pub blocked: bool,
    pub ended: bool,
    pub members: Members,
    /// Names this reading of the conversation: what was read for another one is of no use.
    pub life: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings {
    pub title: String,
    pub description: String,
    pub avatar: Option<String>,
    pub retention: Retention,
    pub permissions: Permissions,
    pub slow_mode_ms: u64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct MemberState {
    pub role: Role,
    pub joined_at: Timestamp,
    pub visible_from: Seq,
    pub delivered: Seq,
    pub read: Seq,
    pub read_receipts: bool,
    /// When the member last sent a message: for the slow mode.
    pub last_sent: Option<Timestamp>,
}

impl ConversationState {
    /// The state as stored, with cursors that wait to be saved on top.
    pub fn new(facts: ConversationFacts, book: &CursorBook, life: u64) -> Self {
        let SettingsBody { title, description, avatar, retention, permissions, slow_mode_ms } =
            facts.settings;
        let members = match facts.kind {
            ConversationKind::Channel => Members::of_channel(facts.member_count),
            _ => facts.members.into_iter().map(|member| (member.user, MemberState::new(member))).collect(),
        };
        let mut state = Self {
            id: facts.id,
            kind: facts.kind,
            head: facts.head,
            version: facts.version,
            history: facts.history,
            settings: Settings {
                title: title.unwrap_or_default(),
                description: description.unwrap_or_default(),
                avatar: avatar.flatten(),
                retention: retention.unwrap_or_default(),
                permissions: permissions
                    .unwrap_or_else(|| crate::conversations::default_permissions(facts.kind)),
                slow_mode_ms: slow_mode_ms.unwrap_or(0),
            },
            blocked: facts.blocked,
            ended: facts.ended,
            members,
            life,
        };
        state.overlay(book);
        state
    }

    /// Puts the cursors that wait to be saved on top of what was read.
    fn overlay(&mut self, book: &CursorBook) {
        book.overlay(self.id, |user, delivered, read| {
            if let Some(member) = self.members.get_mut(user) {
                member.delivered = member.delivered.max(delivered);
                member.read = member.read.max(read);
            }
        });
    }

    /// Knows what was read of these members of a channel. Returns how many are remembered more.
    pub fn learn(&mut self, asked: &[UserId], found: Vec<MemberFacts>, book: &CursorBook) -> usize {
        let found = found.into_iter().map(|member| (member.user, MemberState::new(member)));
        let learnt = self.members.learn(asked, found);
        self.overlay(book);
        learnt
    }

    /// Whether it is a channel: members in the directory, delivery by topic.
    pub fn is_channel(&self) -> bool {
        self.kind == ConversationKind::Channel
    }

    /// Keeps what this lane knew and a store may not know yet: cursors on their way to it, and who sent last when.
    pub fn remember(&mut self, former: &Self) {
        for (user, member) in &mut self.members.known {
            if let Some(before) = former.members.get(*user) {
                member.delivered = member.delivered.max(before.delivered.min(self.head));
                member.read = member.read.max(before.read.min(self.head));
                member.last_sent = member.last_sent.max(before.last_sent);
            }
        }
    }

    /// The member with this id; for everyone else the conversation is not there.
    pub fn member(&self, user: UserId) -> Result<&MemberState, Refusal> {
        self.members.get(user).ok_or(Refusal::NotFound)
    }

    /// The member with this id, if the role has this right.
    pub fn require(&self, user: UserId, right: Right) -> Result<&MemberState, Refusal> {
        let member = self.member(user)?;
        right.require(member.role, &self.settings.permissions)?;
        Ok(member)
    }

    /// Nobody writes while one of the two blocks the other, nor when one of them is gone.
    pub fn require_open(&self) -> Result<(), Refusal> {
        match (self.ended, self.blocked) {
            (true, _) => Err(Refusal::Gone),
            (false, true) => Err(Refusal::Blocked),
            (false, false) => Ok(()),
        }
    }

    /// Whether everyone is told of everyone's receipts and typing.
    pub fn is_small(&self) -> bool {
        self.members.len() <= SMALL
    }

    /// Moves on by an event that was appended, or by one that is not logged and whose place is the head.
    pub fn apply(&mut self, event: &NewEvent, seq: Seq) {
        self.head = self.head.max(seq);
        self.version += u64::from(!event.logged);
        match &event.change {
            Change::Message { .. } => {
                if let Some(member) = self.members.get_mut(event.sender) {
                    member.last_sent = Some(event.ts);
                }
            }
            Change::Join { user, role, from_here } => self.join((*user, *role), *from_here, (seq, event.ts)),
            Change::Admit { user, from_here, .. } => {
                self.join((*user, Role::Member), *from_here, (seq, event.ts));
            }
            Change::Leave { user } | Change::Remove { user } => self.members.leave(*user),
            Change::Role { user, role } => self.members.set_role(*user, *role),
            Change::Settings(changed) => self.settings.apply(changed),
            Change::Revise { .. } | Change::Erase { .. } | Change::React { .. } | Change::Pin { .. } => {}
        }
    }

    fn join(&mut self, (user, role): (UserId, Role), from_here: bool, (seq, ts): (Seq, Timestamp)) {
        let visible_from = if from_here { seq } else { 1 };
        // In a channel this is read again when it matters.
        self.members.join(user, MemberState::joining(role, ts, (visible_from, seq.saturating_sub(1))));
    }
}

impl MemberState {
    const fn new(facts: MemberFacts) -> Self {
        Self {
            role: facts.role,
            joined_at: facts.joined_at,
            visible_from: facts.visible_from,
            delivered: facts.delivered,
            read: facts.read,
            read_receipts: facts.read_receipts,
            last_sent: facts.last_sent,
        }
    }

    pub const fn joining(role: Role, joined_at: Timestamp, (visible_from, cursor): (Seq, Seq)) -> Self {
        Self {
            role,
            joined_at,
            visible_from,
            delivered: cursor,
            read: cursor,
            read_receipts: true,
            last_sent: None,
        }
    }
}

impl Settings {
    fn apply(&mut self, changed: &SettingsBody) {
        let SettingsBody { title, description, avatar, retention, permissions, slow_mode_ms } =
            changed.clone();
        if let Some(title) = title {
            self.title = title;
        }
        if let Some(description) = description {
            self.description = description;
        }
        if let Some(avatar) = avatar {
            self.avatar = avatar;
        }
        if let Some(retention) = retention {
            self.retention = retention;
        }
        if let Some(permissions) = permissions {
            self.permissions = permissions;
        }
        if let Some(slow_mode_ms) = slow_mode_ms {
            self.slow_mode_ms = slow_mode_ms;
        }
    }

    /// The fields of `wanted` that differ from what is.
    pub fn changes(&self, wanted: &SettingsBody) -> SettingsBody {
        fn differing<T: Clone + PartialEq>(wanted: &Option<T>, current: &T) -> Option<T> {
            wanted.clone().filter(|wanted| wanted != current)
        }
        SettingsBody {
            title: differing(&wanted.title, &self.title),
            description: differing(&wanted.description, &self.description),
            avatar: differing(&wanted.avatar, &self.avatar),
            retention: differing(&wanted.retention, &self.retention),
            permissions: differing(&wanted.permissions, &self.permissions),
            slow_mode_ms: differing(&wanted.slow_mode_ms, &self.slow_mode_ms),
        }
    }
}
