//! Users and conversations for tests, with few words.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use loquat_domain::ports::{
    Append, AppendOutcome, Change, ConversationFacts, Creation, CreationOutcome, CursorMove, NewConversation,
    NewDevice, NewEvent, NewMember, NewUser, Placement, RefreshToken, SignUpOutcome, ViewQuery,
};
use loquat_proto::event::{DeleteBody, EditBody, MemberBody, MemberChange, PinBody, ReactionBody};
use loquat_proto::{
    Conversation, ConversationId, ConversationKind, DeviceId, EventBody, Format, History, MessageBody,
    Permissions, Retention, Role, Seq, Timestamp, UserId,
};

use super::Ports;

/// When tests begin.
pub const NOW: Timestamp = 1_763_800_000_000;

/// A store with helpers; ids and times ascend.
pub struct World<'s, S> {
    /// The store under test.
    pub store: &'s S,
    next_id: AtomicU64,
    clock: AtomicI64,
}

impl<'s, S: Ports> World<'s, S> {
    /// Helpers over an empty store.
    pub fn new(store: &'s S) -> Self {
        Self { store, next_id: AtomicU64::new(1000), clock: AtomicI64::new(NOW) }
    }

    fn id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// A time later than all before.
    pub fn later(&self) -> Timestamp {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    /// A user id that nobody has.
    pub fn user_id(&self) -> UserId {
        UserId::new(self.id()).unwrap()
    }

    /// A conversation id that no conversation has.
    pub fn conversation_id(&self) -> ConversationId {
        ConversationId::new(self.id()).unwrap()
    }

    /// A user to sign up.
    pub fn new_user(&self, username: &str) -> NewUser {
        NewUser {
            id: self.user_id(),
            username: username.to_owned(),
            display_name: username.to_uppercase(),
            email: None,
            phone: None,
            password_hash: format!("hash of {username}"),
            ts: self.later(),
        }
    }

    /// A device to sign in; its refresh token is good for a day.
    pub fn new_device(&self) -> NewDevice {
        let id = self.id();
        NewDevice {
            id: DeviceId::new(id).unwrap(),
            name: "laptop".to_owned(),
            platform: "linux".to_owned(),
            refresh: RefreshToken { hash: hash(id), expires_at: NOW + 86_400_000 },
            ts: self.later(),
        }
    }

    /// A user who has signed up.
    pub async fn user(&self, username: &str) -> UserId {
        let user = self.new_user(username);
        let id = user.id;
        assert_eq!(self.store.sign_up(user, self.new_device()).await.unwrap(), SignUpOutcome::Created);
        id
    }

    /// Some users: `user0`, `user1`…
    pub async fn users<const N: usize>(&self) -> [UserId; N] {
        let mut users = [UserId::new(1).unwrap(); N];
        for (number, user) in users.iter_mut().enumerate() {
            *user = self.user(&format!("user{number}")).await;
        }
        users
    }

    /// A conversation to create; the first of the members owns a group.
    pub fn new_conversation(&self, kind: ConversationKind, members: &[UserId]) -> NewConversation {
        let role = |place: usize| match (kind, place) {
            (ConversationKind::Direct, _) => Role::Member,
            (_, 0) => Role::Owner,
            _ => Role::Member,
        };
        let members = members.iter().enumerate();
        let members: Vec<_> =
            members.map(|(place, user)| NewMember { user: *user, role: role(place) }).collect();
        NewConversation {
            id: self.conversation_id(),
            kind,
            creator: members[0].user,
            ts: self.later(),
            history: History::Full,
            retention: Retention::Keep,
            permissions: Permissions {
                post: Role::Member,
                invite: Role::Admin,
                edit_info: Role::Admin,
                pin: Role::Admin,
            },
            title: if kind == ConversationKind::Direct { String::new() } else { "Harvest".to_owned() },
            description: String::new(),
            members,
            events: Vec::new(),
        }
    }

    /// Creates it without account entries.
    pub async fn create(&self, conversation: NewConversation) -> CreationOutcome {
        self.store.create(Creation { conversation, account: Vec::new() }).await.unwrap()
    }

    /// A group without events.
    pub async fn group(&self, members: &[UserId]) -> ConversationId {
        let conversation = self.new_conversation(ConversationKind::Group, members);
        let id = conversation.id;
        assert_eq!(self.create(conversation).await, CreationOutcome::Created { account: Vec::new() });
        id
    }

    /// A direct conversation without events.
    pub async fn direct(&self, one: UserId, other: UserId) -> ConversationId {
        let conversation = self.new_conversation(ConversationKind::Direct, &[one, other]);
        let id = conversation.id;
        assert_eq!(self.create(conversation).await, CreationOutcome::Created { account: Vec::new() });
        id
    }

    /// What a lane would load; the conversation is there.
    pub async fn facts(&self, conversation: ConversationId) -> ConversationFacts {
        self.store.load(conversation).await.unwrap().unwrap()
    }

    /// An append that fits the conversation as it is now.
    pub async fn fitting(&self, conversation: ConversationId, events: Vec<NewEvent>) -> Append {
        let facts = self.facts(conversation).await;
        Append { conversation, expected_head: facts.head, expected_version: facts.version, events }
    }

    /// Appends at the head.
    pub async fn append(&self, conversation: ConversationId, events: Vec<NewEvent>) -> Vec<Placement> {
        let append = self.fitting(conversation, events).await;
        match self.store.append_many(vec![append]).await.unwrap().remove(0) {
            AppendOutcome::Appended { placements, .. } => placements,
            AppendOutcome::Conflict => panic!("no other appends meanwhile"),
        }
    }

    /// Appends one event: its `seq`.
    pub async fn append_one(&self, conversation: ConversationId, event: NewEvent) -> Seq {
        self.append(conversation, vec![event]).await[0].seq
    }

    /// Says something: its `seq`.
    pub async fn say(&self, conversation: ConversationId, sender: UserId, text: &str) -> Seq {
        self.append_one(conversation, self.message(sender, text)).await
    }

    /// Says so many things.
    pub async fn chatter(&self, conversation: ConversationId, sender: UserId, count: usize) {
        let events = (0..count).map(|number| self.message(sender, &format!("chatter {number}"))).collect();
        self.append(conversation, events).await;
    }

    /// A message event without a nonce.
    pub fn message(&self, sender: UserId, text: &str) -> NewEvent {
        let body = EventBody::Message(MessageBody::text(text));
        NewEvent::new(sender, self.later(), &body, Change::Message { mentions: Vec::new() })
    }

    /// A message event that mentions somebody.
    pub fn mentioning(&self, sender: UserId, mentions: &[UserId]) -> NewEvent {
        let body = MessageBody { mentions: mentions.to_vec(), ..MessageBody::text("you there") };
        let change = Change::Message { mentions: mentions.to_vec() };
        NewEvent::new(sender, self.later(), &EventBody::Message(body), change)
    }

    /// An edit event.
    pub fn edit(&self, sender: UserId, target: Seq, text: &str) -> NewEvent {
        let body = EditBody { target, text: text.to_owned(), format: Format::Markdown, mentions: Vec::new() };
        NewEvent::new(sender, self.later(), &EventBody::Edit(body), Change::Revise { target })
    }

    /// A deletion event.
    pub fn delete(&self, sender: UserId, target: Seq) -> NewEvent {
        let body = EventBody::Delete(DeleteBody { target });
        NewEvent::new(sender, self.later(), &body, Change::Erase { target })
    }

    /// A reaction event.
    pub fn react(&self, sender: UserId, target: Seq, emoji: &str, on: bool) -> NewEvent {
        let body = EventBody::Reaction(ReactionBody { target, emoji: emoji.to_owned(), on });
        NewEvent::new(sender, self.later(), &body, Change::React { target, emoji: emoji.to_owned(), on })
    }

    /// A pin event.
    pub fn pin(&self, sender: UserId, target: Seq, on: bool) -> NewEvent {
        let body = EventBody::Pin(PinBody { target, on });
        NewEvent::new(sender, self.later(), &body, Change::Pin { target, on })
    }

    /// A join event.
    pub fn join(&self, by: UserId, user: UserId, from_here: bool) -> NewEvent {
        let role = Role::Member;
        let body = EventBody::Member(MemberBody { user, change: MemberChange::Joined, role, by });
        NewEvent::new(by, self.later(), &body, Change::Join { user, role, from_here })
    }

    /// A leave event.
    pub fn leave(&self, user: UserId) -> NewEvent {
        let role = Role::Member;
        let body = EventBody::Member(MemberBody { user, change: MemberChange::Left, role, by: user });
        NewEvent::new(user, self.later(), &body, Change::Leave { user })
    }

    /// The conversation as a member sees it.
    pub async fn view(&self, viewer: UserId, conversation: ConversationId) -> Option<Conversation> {
        let slice = self.store.views(viewer, ViewQuery::One(conversation)).await.unwrap();
        assert!(slice.items.len() <= 1 && !slice.more);
        slice.items.into_iter().next()
    }

    /// Saves one move of both cursors, from a device numbered after the user.
    pub async fn read_to(&self, conversation: ConversationId, user: UserId, delivered: Seq, read: Seq) {
        let device = DeviceId::new(user.get()).unwrap();
        let cursor = CursorMove { conversation, user, device, delivered, read };
        self.store.save_cursors(vec![cursor]).await.unwrap();
    }
}

/// The same event with a nonce.
pub(super) fn named(mut event: NewEvent, nonce: &str) -> NewEvent {
    event.nonce = Some(nonce.parse().unwrap());
    event
}

/// A hash that is another for every seed.
pub(super) fn hash(seed: u64) -> [u8; 32] {
    let mut hash = [7; 32];
    hash[..8].copy_from_slice(&seed.to_le_bytes());
    hash
}
