//! A new conversation: what is asked for, checked, and its first events.

use loquat_proto::conversation::CreateConversation;
use loquat_proto::event::{EventBody, MemberBody, MemberChange, SettingsBody};
use loquat_proto::{
    AccountEventKind, ConversationId, ConversationKind, History, Limits, Retention, Role, Timestamp, UserId,
};
use serde_json::json;

use super::default_permissions;
use crate::messages::{check_retention_of, check_settings};
use crate::ports::{Change, Creation, NewConversation, NewEvent, NewMember};
use crate::{Caller, Refusal};

/// Members that a channel may begin with; more are added afterwards.
const MAX_FIRST_MEMBERS: usize = 1_000;

/// A direct conversation of the caller with another user as this service makes it, for tools that fill a store.
#[must_use]
pub fn direct_creation(caller: Caller, other: UserId, id: ConversationId, ts: Timestamp) -> Creation {
    let plan = Plan {
        kind: ConversationKind::Direct,
        history: History::Full,
        retention: Retention::default(),
        title: String::new(),
        description: String::new(),
        others: vec![other],
    };
    plan.creation(caller, id, ts)
}

/// A valid wish for a conversation.
pub(super) struct Plan {
    pub kind: ConversationKind,
    history: History,
    retention: Retention,
    title: String,
    description: String,
    /// The members but the creator, each once.
    pub others: Vec<UserId>,
}

impl Plan {
    pub fn new(caller: Caller, wish: CreateConversation, limits: &Limits) -> Result<Self, Refusal> {
        let CreateConversation { kind, mut members, title, description, history, retention } = wish;
        members.retain(|user| *user != caller.user);
        members.sort_unstable();
        members.dedup();
        let mut texts = SettingsBody { title, description, ..SettingsBody::default() };
        check_settings(&mut texts, limits)?;
        let (title, description) = (texts.title.unwrap_or_default(), texts.description.unwrap_or_default());
        match kind {
            ConversationKind::Direct if members.len() != 1 => {
                return Err(Refusal::invalid("members: a direct conversation is with one other user"));
            }
            ConversationKind::Direct if !title.is_empty() || !description.is_empty() => {
                return Err(Refusal::invalid("title: a direct conversation has none"));
            }
            ConversationKind::Group if members.len() >= limits.group_members => {
                return Err(Refusal::GroupFull { limit: limits.group_members });
            }
            ConversationKind::Channel if members.len() > MAX_FIRST_MEMBERS => {
                return Err(Refusal::TooLarge { what: "members at a time", limit: MAX_FIRST_MEMBERS });
            }
            ConversationKind::Channel
                if limits.channel_members > 0 && members.len() >= limits.channel_members =>
            {
                return Err(Refusal::GroupFull { limit: limits.channel_members });
            }
            ConversationKind::Direct | ConversationKind::Group | ConversationKind::Channel => {}
        }
        let retention = retention.unwrap_or_default();
        check_retention_of(kind, retention)?;
        let history = history.unwrap_or(History::Full);
        Ok(Self { kind, history, retention, title, description, others: members })
    }

    /// The conversation under this id.
    pub fn creation(&self, caller: Caller, id: ConversationId, ts: Timestamp) -> Creation {
        let direct = self.kind == ConversationKind::Direct;
        let own = if direct { Role::Member } else { Role::Owner };
        let creator = NewMember { user: caller.user, role: own };
        let others = self.others.iter().map(|user| NewMember { user: *user, role: Role::Member });
        let members: Vec<NewMember> = std::iter::once(creator).chain(others).collect();
        let events = if direct { Vec::new() } else { self.first_events(caller, &members, ts) };
        let told = json!({ "conversation": id, "by": caller.user });
        let account =
            members.iter().map(|member| (member.user, AccountEventKind::ConversationJoined, told.clone()));
        let account = account.collect();
        let conversation = NewConversation {
            id,
            kind: self.kind,
            creator: caller.user,
            ts,
            history: self.history,
            retention: self.retention,
            permissions: default_permissions(self.kind),
            title: self.title.clone(),
            description: self.description.clone(),
            members,
            events,
        };
        Creation { conversation, account }
    }

    /// A client that holds the log holds the conversation: its settings and its members stand at the beginning; of a
    /// channel, whose members do not stand in the log, the owner's role.
    fn first_events(&self, caller: Caller, members: &[NewMember], ts: Timestamp) -> Vec<NewEvent> {
        let settings = SettingsBody {
            title: Some(self.title.clone()),
            description: Some(self.description.clone()),
            retention: Some(self.retention).filter(|retention| *retention != Retention::Keep),
            ..SettingsBody::default()
        };
        let settings = (EventBody::Settings(settings.clone()), Change::Settings(settings));
        let by = caller.user;
        let told =
            members.iter().filter(|member| self.kind != ConversationKind::Channel || member.user == by);
        let told = told.map(|NewMember { user, role }| {
            let (user, role) = (*user, *role);
            let (change, effect) = match self.kind {
                ConversationKind::Channel => (MemberChange::Role, Change::Role { user, role }),
                _ => (MemberChange::Joined, Change::Join { user, role, from_here: false }),
            };
            (EventBody::Member(MemberBody { user, change, role, by }), effect)
        });
        std::iter::once(settings)
            .chain(told)
            .map(|(body, change)| NewEvent {
                device: Some(caller.device),
                ..NewEvent::new(caller.user, ts, &body, change)
            })
            .collect()
    }
}
