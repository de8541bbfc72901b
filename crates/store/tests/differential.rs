//! The same random traces on SQLite and on PostgreSQL: every answer and everything that can be read is the same.
//!
//! Positions of the store are left out: the engines number changes in their own ways, and the ports promise an order,
//! not numbers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fmt::Debug;

use loquat_domain::ports::{
    AccountQuery, Append, Change, Claim, ContactLimits, ConversationQuery, CursorMove, EventLog as _,
    EventRange, Horizons, InviteRecord, JobQuery, MessageWindow, NewEvent, NewInvite, NewJob, ProfileChange,
    Settlement, ViewQuery,
};
use loquat_proto::account::UpdateProfile;
use loquat_proto::conversation::UpdatePreferences;
use loquat_proto::event::SettingsBody;
use loquat_proto::{
    ConversationId, ConversationKind, DeviceId, EventBody, MessageBody, Retention, Role, UserId,
};
use loquat_store::conformance::{Ports, World};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::test_runner::{Config, TestRunner};
use support::Home;
use support::postgres::Place;

const USERS: usize = 5;
const LIMITS: ContactLimits = ContactLimits { contacts: 3, requests: 3, received: 3 };

/// Something that is done. Numbers are taken modulo what there is.
#[derive(Debug, Clone)]
enum Step {
    Create { kind: usize, members: Vec<usize> },
    Say { place: usize, user: usize, count: usize, mention: Option<usize>, nonce: Option<u8> },
    Edit { place: usize, user: usize, target: u64, nonce: Option<u8> },
    Erase { place: usize, user: usize, target: u64 },
    React { place: usize, user: usize, target: u64, on: bool },
    Pin { place: usize, user: usize, target: u64, on: bool },
    Join { place: usize, by: usize, user: usize, from_here: bool },
    Leave { place: usize, user: usize, removed: bool },
    Role { place: usize, user: usize, role: usize },
    Settings { place: usize, user: usize, ttl: Option<u64>, title: String },
    Stale { place: usize, user: usize },
    Cursors { moves: Vec<(usize, usize, u64, u64, u64)> },
    Prefer { place: usize, user: usize, draft: Option<String> },
    Ask { user: usize, other: usize },
    Accept { user: usize, other: usize },
    Decline { user: usize, other: usize },
    Part { user: usize, other: usize },
    Block { user: usize, other: usize, on: bool },
    Invite { place: usize, user: usize, code: u8, uses: Option<u64> },
    Admit { place: usize, user: usize, code: u8 },
    Revoke { place: usize, code: u8 },
    Rename { user: usize, name: String },
    SignIn { user: usize },
    SignOut { user: usize, device: usize },
    Seen { user: usize },
    Sweep { place: usize, to: u64 },
    Enqueue { key: u8, due: i64 },
    Work { done: usize },
    Disable { user: usize, on: bool },
    DeleteAccount { user: usize },
    DeleteConversation { place: usize },
    Repair { place: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let n = any::<usize>;
    let seq = || 0..40_u64;
    let nonce = || prop_oneof![2 => Just(None), 1 => (0..6_u8).prop_map(Some)];
    let two = || (n(), n());
    prop_oneof![
        3 => (n(), proptest::collection::vec(n(), 1..4)).prop_map(|(kind, members)| Step::Create { kind, members }),
        12 => (n(), n(), 1..4_usize, proptest::option::of(n()), nonce())
            .prop_map(|(place, user, count, mention, nonce)| Step::Say { place, user, count, mention, nonce }),
        3 => (n(), n(), seq(), nonce()).prop_map(|(place, user, target, nonce)| Step::Edit { place, user, target, nonce }),
        2 => (n(), n(), seq()).prop_map(|(place, user, target)| Step::Erase { place, user, target }),
        4 => (n(), n(), seq(), any::<bool>()).prop_map(|(place, user, target, on)| Step::React { place, user, target, on }),
        2 => (n(), n(), seq(), any::<bool>()).prop_map(|(place, user, target, on)| Step::Pin { place, user, target, on }),
        4 => (n(), n(), n(), any::<bool>()).prop_map(|(place, by, user, from_here)| Step::Join { place, by, user, from_here }),
        2 => (n(), n(), any::<bool>()).prop_map(|(place, user, removed)| Step::Leave { place, user, removed }),
        1 => (n(), n(), n()).prop_map(|(place, user, role)| Step::Role { place, user, role }),
        1 => (n(), n(), proptest::option::of(1..99_u64), "[a-c]{0,3}")
            .prop_map(|(place, user, ttl, title)| Step::Settings { place, user, ttl, title }),
        1 => two().prop_map(|(place, user)| Step::Stale { place, user }),
        6 => proptest::collection::vec((n(), n(), 1..4_u64, seq(), seq()), 1..5).prop_map(|moves| Step::Cursors { moves }),
        2 => (n(), n(), proptest::option::of("[a-z]{1,4}")).prop_map(|(place, user, draft)| Step::Prefer { place, user, draft }),
        3 => two().prop_map(|(user, other)| Step::Ask { user, other }),
        2 => two().prop_map(|(user, other)| Step::Accept { user, other }),
        1 => two().prop_map(|(user, other)| Step::Decline { user, other }),
        1 => two().prop_map(|(user, other)| Step::Part { user, other }),
        2 => (n(), n(), any::<bool>()).prop_map(|(user, other, on)| Step::Block { user, other, on }),
        2 => (n(), n(), 0..5_u8, proptest::option::of(1..3_u64))
            .prop_map(|(place, user, code, uses)| Step::Invite { place, user, code, uses }),
        3 => (n(), n(), 0..5_u8).prop_map(|(place, user, code)| Step::Admit { place, user, code }),
        1 => (n(), 0..5_u8).prop_map(|(place, code)| Step::Revoke { place, code }),
        1 => (n(), "[A-Cé]{1,3}").prop_map(|(user, name)| Step::Rename { user, name }),
        1 => n().prop_map(|user| Step::SignIn { user }),
        1 => two().prop_map(|(user, device)| Step::SignOut { user, device }),
        1 => n().prop_map(|user| Step::Seen { user }),
        1 => (n(), seq()).prop_map(|(place, to)| Step::Sweep { place, to }),
        2 => (0..4_u8, 0..9_i64).prop_map(|(key, due)| Step::Enqueue { key, due }),
        2 => n().prop_map(|done| Step::Work { done }),
        1 => (n(), any::<bool>()).prop_map(|(user, on)| Step::Disable { user, on }),
        1 => n().prop_map(|user| Step::DeleteAccount { user }),
        1 => n().prop_map(|place| Step::DeleteConversation { place }),
        1 => n().prop_map(|place| Step::Repair { place }),
    ]
}

/// One engine with what was made on it; ids and times are the same on both.
struct Side<'s, S> {
    world: World<'s, S>,
    users: [UserId; USERS],
    conversations: Vec<ConversationId>,
    codes: Vec<String>,
}

impl<'s, S: Ports> Side<'s, S> {
    async fn new(store: &'s S) -> Self {
        let world = World::new(store);
        let users = world.users().await;
        let conversations = vec![world.group(&users[..3]).await];
        let codes = (0..5).map(|code| format!("code{code}")).collect();
        Self { world, users, conversations, codes }
    }

    fn store(&self) -> &S {
        self.world.store
    }

    fn user(&self, number: usize) -> UserId {
        self.users[number % USERS]
    }

    fn place(&self, number: usize) -> ConversationId {
        self.conversations[number % self.conversations.len()]
    }

    fn code(&self, number: u8) -> String {
        self.codes[usize::from(number) % self.codes.len()].clone()
    }

    /// Appends, if the sender may as far as a lane would look: a member, and the target a message that is there.
    async fn append(&self, place: usize, events: Vec<NewEvent>) -> String {
        let conversation = self.place(place);
        let Some(facts) = self.store().load(conversation).await.unwrap() else { return "gone".into() };
        let append =
            Append { conversation, expected_head: facts.head, expected_version: facts.version, events };
        shown(self.store().append_many(vec![append]).await)
    }

    async fn may(&self, place: usize, user: UserId, target: Option<u64>) -> bool {
        let conversation = self.place(place);
        if self.store().standing(user, conversation).await.unwrap().is_none() {
            return false;
        }
        match target {
            None => true,
            Some(target) => {
                let facts = self.store().target(conversation, target).await.unwrap();
                facts.is_some_and(|facts| facts.kind == loquat_proto::EventKind::Message && !facts.erased)
            }
        }
    }

    async fn step(&mut self, step: &Step) -> String {
        match step.clone() {
            Step::Create { kind, members } => self.create(kind, &members).await,
            Step::Say { .. }
            | Step::Edit { .. }
            | Step::Erase { .. }
            | Step::React { .. }
            | Step::Pin { .. } => self.speak(step.clone()).await,
            Step::Join { .. }
            | Step::Leave { .. }
            | Step::Role { .. }
            | Step::Settings { .. }
            | Step::Stale { .. } => self.change(step.clone()).await,
            Step::Ask { .. }
            | Step::Accept { .. }
            | Step::Decline { .. }
            | Step::Part { .. }
            | Step::Block { .. } => self.meet(step.clone()).await,
            Step::Invite { .. } | Step::Admit { .. } | Step::Revoke { .. } => self.invite(step.clone()).await,
            Step::Enqueue { .. } | Step::Work { .. } => self.work(step.clone()).await,
            _ => self.keep(step.clone()).await,
        }
    }

    async fn create(&mut self, kind: usize, members: &[usize]) -> String {
        let kind = [ConversationKind::Group, ConversationKind::Direct, ConversationKind::Channel][kind % 3];
        let mut users: Vec<UserId> = members.iter().map(|member| self.user(*member)).collect();
        users.sort_unstable();
        users.dedup();
        if kind == ConversationKind::Direct {
            users.truncate(2);
        }
        let conversation = self.world.new_conversation(kind, &users);
        let id = conversation.id;
        let outcome = self.world.create(conversation).await;
        if matches!(outcome, loquat_domain::ports::CreationOutcome::Created { .. }) {
            self.conversations.push(id);
        }
        format!("{outcome:?}")
    }

    async fn speak(&self, step: Step) -> String {
        let world = &self.world;
        match step {
            Step::Say { place, user, count, mention, nonce } => {
                let sender = self.user(user);
                if !self.may(place, sender, None).await {
                    return "may not".into();
                }
                let mentions: Vec<UserId> = mention.map(|user| self.user(user)).into_iter().collect();
                let mentions: Vec<UserId> = mentions.into_iter().filter(|user| *user != sender).collect();
                let events = (0..count).map(|number| {
                    let body = MessageBody {
                        mentions: mentions.clone(),
                        ..MessageBody::text(format!("text {number}"))
                    };
                    let change = Change::Message { mentions: mentions.clone() };
                    let event = NewEvent::new(sender, world.later(), &EventBody::Message(body), change);
                    named(event, nonce.map(|nonce| (nonce, number)))
                });
                self.append(place, events.collect()).await
            }
            Step::Edit { place, user, target, nonce }
                if self.may(place, self.user(user), Some(target)).await =>
            {
                let event = world.edit(self.user(user), target, "edited");
                self.append(place, vec![named(event, nonce.map(|nonce| (nonce, 9)))]).await
            }
            Step::Erase { place, user, target } if self.may(place, self.user(user), Some(target)).await => {
                self.append(place, vec![world.delete(self.user(user), target)]).await
            }
            Step::React { place, user, target, on }
                if self.may(place, self.user(user), Some(target)).await =>
            {
                let stands =
                    self.store().reaction(self.place(place), target, self.user(user), "👍").await.unwrap();
                if stands.is_some() == on {
                    return shown(Ok::<_, ()>(stands));
                }
                self.append(place, vec![world.react(self.user(user), target, "👍", on)]).await
            }
            Step::Pin { place, user, target, on } if self.may(place, self.user(user), Some(target)).await => {
                self.append(place, vec![world.pin(self.user(user), target, on)]).await
            }
            _ => "may not".into(),
        }
    }

    async fn change(&self, step: Step) -> String {
        let world = &self.world;
        match step {
            Step::Join { place, by, user, from_here } => {
                let (by, user) = (self.user(by), self.user(user));
                let is_there = self.store().user(user).await.unwrap().is_some_and(|record| record.active);
                let facts = self.store().load(self.place(place)).await.unwrap();
                let direct = facts.is_none_or(|facts| facts.kind == ConversationKind::Direct);
                if direct
                    || !is_there
                    || !self.may(place, by, None).await
                    || self.may(place, user, None).await
                {
                    return "may not".into();
                }
                let mut event = world.join(by, user, from_here);
                event.logged = facts_kind(self, place).await != ConversationKind::Channel;
                self.append(place, vec![event]).await
            }
            Step::Leave { place, user, removed } => {
                let user = self.user(user);
                if facts_kind(self, place).await == ConversationKind::Direct
                    || !self.may(place, user, None).await
                {
                    return "may not".into();
                }
                let mut event = world.leave(user);
                if removed {
                    event.change = Change::Remove { user };
                }
                self.append(place, vec![event]).await
            }
            Step::Role { place, user, role } => {
                let (user, role) = (self.user(user), [Role::Guest, Role::Member, Role::Admin][role % 3]);
                if !self.may(place, user, None).await {
                    return "may not".into();
                }
                let mut event = world.leave(user);
                event.change = Change::Role { user, role };
                self.append(place, vec![event]).await
            }
            Step::Settings { place, user, ttl, title } if self.may(place, self.user(user), None).await => {
                let retention = ttl.map(|seconds| Retention::Ttl { seconds });
                let settings = SettingsBody { title: Some(title), retention, ..SettingsBody::default() };
                let body = EventBody::Settings(settings.clone());
                let event = NewEvent::new(self.user(user), world.later(), &body, Change::Settings(settings));
                self.append(place, vec![event]).await
            }
            // One that conflicts, between two that do not.
            Step::Stale { place, user } if self.may(place, self.user(user), None).await => {
                let conversation = self.place(place);
                let mut appends =
                    vec![world.fitting(conversation, vec![world.message(self.user(user), "fits")]).await];
                let mut stale = appends[0].clone();
                stale.expected_head += 7;
                appends.push(stale);
                shown(self.store().append_many(appends).await)
            }
            _ => "may not".into(),
        }
    }

    async fn meet(&self, step: Step) -> String {
        let (store, ts) = (self.store(), self.world.later());
        let pair = |user: usize, other: usize| {
            let (user, other) = (self.user(user), self.user(other));
            (user != other).then_some((user, other))
        };
        match step {
            Step::Ask { user, other } => match pair(user, other) {
                Some((user, other)) => shown(store.request(user, other, LIMITS, ts).await),
                None => "self".into(),
            },
            Step::Accept { user, other } => match pair(user, other) {
                Some((user, other)) => shown(store.accept(user, other, LIMITS, ts).await),
                None => "self".into(),
            },
            Step::Decline { user, other } => {
                shown(store.decline(self.user(user), self.user(other), ts).await)
            }
            Step::Part { user, other } => {
                shown(remove_contact(store, self.user(user), self.user(other), ts).await)
            }
            Step::Block { user, other, on: true } => match pair(user, other) {
                Some((user, other)) => shown(store.block(user, other, 2, ts).await),
                None => "self".into(),
            },
            Step::Block { user, other, on: false } => {
                shown(store.unblock(self.user(user), self.user(other), ts).await)
            }
            _ => unreachable!("not a meeting"),
        }
    }

    async fn invite(&self, step: Step) -> String {
        let store = self.store();
        match step {
            Step::Invite { place, user, code, uses } => {
                let (creator, conversation) = (self.user(user), self.place(place));
                let Some(standing) = store.standing(creator, conversation).await.unwrap() else {
                    return "may not".into();
                };
                let invite = InviteRecord {
                    code: self.code(code),
                    conversation,
                    creator,
                    created_at: self.world.later(),
                    expires_at: None,
                    max_uses: uses,
                    uses: 0,
                };
                let nonce = Some(format!("invite-{code}").parse().unwrap());
                shown(store.create_invite(NewInvite { invite, nonce, standing, limit: 3 }).await)
            }
            Step::Admit { place, user, code } => {
                let user = self.user(user);
                let direct = facts_kind(self, place).await == ConversationKind::Direct;
                let is_there = store.user(user).await.unwrap().is_some_and(|record| record.active);
                if direct || !is_there || self.may(place, user, None).await {
                    return "may not".into();
                }
                let mut event = self.world.join(user, user, false);
                event.change = Change::Admit { user, code: self.code(code), from_here: false };
                self.append(place, vec![event]).await
            }
            Step::Revoke { place, code } => {
                shown(store.revoke_invite(self.place(place), &self.code(code)).await)
            }
            _ => unreachable!("not an invitation"),
        }
    }

    async fn work(&self, step: Step) -> String {
        let (store, now) = (self.store(), self.world.later());
        match step {
            Step::Enqueue { key, due } => {
                let job =
                    NewJob { kind: "sweep", key: key.to_string(), payload: "{}".into(), due_at: now + due };
                shown(store.enqueue(vec![job], now).await)
            }
            Step::Work { done } => {
                let claim =
                    Claim { kinds: vec!["sweep"], now, lease_until: now + 3, limit: 2, max_attempts: 3 };
                let claimed = store.claim(claim).await.unwrap();
                let mut told = claimed.iter().fold(String::new(), |told, job| {
                    told + &format!("{} {} {} {}; ", job.key, job.payload, job.attempt, job.lease.claim)
                });
                for job in claimed {
                    let settlement = match done % 4 {
                        0 => Settlement::Done,
                        1 => Settlement::Again { due_at: now + 5, payload: "more".into() },
                        2 => Settlement::Retry { due_at: now + 2, error: "no".into() },
                        _ => Settlement::Bury { at: now, error: "never".into() },
                    };
                    told += &shown(store.settle(job.lease, settlement).await);
                }
                told
            }
            _ => unreachable!("no work"),
        }
    }

    async fn keep(&mut self, step: Step) -> String {
        let (store, ts) = (self.world.store, self.world.later());
        match step {
            Step::Cursors { moves } => {
                let moves = moves.into_iter().map(|(place, user, device, delivered, read)| CursorMove {
                    conversation: self.place(place),
                    user: self.user(user),
                    device: DeviceId::new(self.user(user).get() * 10 + device).unwrap(),
                    delivered,
                    read,
                });
                shown(store.save_cursors(moves.collect()).await)
            }
            Step::Prefer { place, user, draft } => {
                let change = UpdatePreferences {
                    draft: Some(draft),
                    pinned: Some(true),
                    ..UpdatePreferences::default()
                };
                shown(store.set_preferences(self.user(user), self.place(place), change, ts).await)
            }
            Step::Rename { user, name } => {
                let fields = UpdateProfile { display_name: Some(name), ..UpdateProfile::default() };
                shown(store.update(self.user(user), ProfileChange { fields, ts }).await)
            }
            Step::SignIn { user } => shown(store.sign_in(self.user(user), self.world.new_device(), 3).await),
            Step::SignOut { user, device } => {
                let devices = store.devices(self.user(user)).await.unwrap();
                let Some(device) = devices.get(device % devices.len().max(1)) else { return "none".into() };
                shown(store.revoke(self.user(user), vec![device.id], ts).await)
            }
            Step::Seen { user } => {
                let devices = store.devices(self.user(user)).await.unwrap();
                let seen = devices.iter().map(|device| (self.user(user), device.id, ts));
                shown(store.save_last_seen(seen.collect()).await)
            }
            Step::Sweep { place, to } => {
                let to = Horizons { erased_to: to, expired_to: to / 2 };
                shown(store.erase_up_to(self.place(place), to).await)
            }
            Step::Disable { user, on } => shown(store.set_disabled(self.user(user), on.then_some(ts)).await),
            Step::DeleteAccount { user } => shown(delete_account(store, self.user(user), ts).await),
            Step::DeleteConversation { place } if self.conversations.len() > 1 => {
                let place = place % self.conversations.len();
                let conversation = self.conversations.remove(place);
                let mut told = delete_conversation(store, conversation, ts).await.unwrap();
                told.sort_by_key(|entry| entry.user);
                format!("{told:?} {}", shown(store.load(conversation).await))
            }
            Step::DeleteConversation { .. } => "the last".into(),
            Step::Repair { place } => shown(store.repair(self.place(place)).await),
            _ => unreachable!("done elsewhere"),
        }
    }

    /// Everything that can be read.
    async fn read(&self) -> Vec<String> {
        let store = self.store();
        let mut all = Vec::new();
        let mut put = |what: &str, answer: String| all.push(format!("{what}: {answer}"));
        for user in self.users {
            put("user", shown(store.user(user).await));
            put("devices", shown(store.devices(user).await));
            put("account log", shown(store.after(user, 0, 999).await));
            put("contacts", shown(store.contacts(user, None, 99).await));
            put("requests", shown(store.requests(user, None, 99).await));
            put("blocks", shown(store.blocks(user, None, 99).await));
            put("visible", shown(store.visible(user, &self.users).await));
            put("account", shown(store.account(user).await));
            put("blocked", shown(store.is_blocked_by_any(user, &self.users).await));
            for query in [
                ViewQuery::Newest { after: None, limit: 99 },
                ViewQuery::Newest { after: None, limit: 2 },
                ViewQuery::ChangedSince { pos: 0, limit: 99 },
            ] {
                let slice = store.views(user, query).await.unwrap();
                put("views", format!("{:?} {} {}", slice.items, slice.more, slice.position.account));
            }
            let mut channels = store.channels(user).await.unwrap();
            channels.sort_unstable();
            put("channels", format!("{channels:?}"));
        }
        for code in &self.codes {
            put("invitation", shown(store.invitation(code, self.users[0]).await));
        }
        for query in ["", "u", "user1", "a", "É"] {
            put("search", shown(store.search(query, None, 3).await));
        }
        put("accounts", shown(store.accounts(AccountQuery { limit: 9, ..AccountQuery::default() }).await));
        let every = ConversationQuery { limit: 99, ..ConversationQuery::default() };
        put("conversations", shown(store.list_conversations(every).await));
        // Numbers of jobs ascend, no more.
        let mut jobs = store.jobs(JobQuery { limit: 99, ..JobQuery::default() }).await.unwrap();
        assert!(jobs.is_sorted_by_key(|job| job.id));
        jobs.iter_mut().for_each(|job| job.id = 0);
        put("jobs", format!("{jobs:?}"));
        put("counts", shown(store.counts().await));
        let statistics = store.statistics().await.unwrap();
        let sizeless =
            loquat_domain::ports::Statistics { database_bytes: 0, free_bytes: 0, log_bytes: 0, ..statistics };
        put("statistics", format!("{sizeless:?}"));
        for conversation in &self.conversations {
            all.extend(self.read_conversation(*conversation).await);
        }
        all
    }

    async fn read_conversation(&self, conversation: ConversationId) -> Vec<String> {
        let store = self.store();
        let mut all = Vec::new();
        let mut put = |what: &str, answer: String| all.push(format!("{conversation} {what}: {answer}"));
        put("facts", shown(store.load(conversation).await));
        put("cursors", shown(store.cursors(conversation).await));
        put("report", shown(store.inspect(conversation).await));
        put("sweep", shown(store.sweep_facts(conversation, 99).await));
        put("retention", shown(store.retentions(&[conversation]).await));
        for user in self.users {
            put("standing", shown(store.standing(user, conversation).await));
            put("heir", shown(store.heir(conversation, user).await));
            put("members", shown(store.members(user, conversation, None, 99).await));
            put("pinned", shown(store.pinned(user, conversation, None, 99).await));
            put("invites", shown(store.invites(user, conversation, 0).await));
            for range in [EventRange::After(0), EventRange::After(5), EventRange::Before(9)] {
                put("events", shown(store.events(user, conversation, range, 7).await));
            }
            for window in [
                MessageWindow::Latest,
                MessageWindow::Before(9),
                MessageWindow::After(2),
                MessageWindow::Around(6),
                MessageWindow::At(loquat_store::conformance::NOW + 40),
            ] {
                put("messages", shown(store.messages(user, conversation, window, 5).await));
            }
            for nonce in 0..6_u8 {
                let nonce = nonce_of((nonce, 0)).parse().unwrap();
                put("nonce", shown(store.find_nonce(conversation, user, &nonce).await));
            }
        }
        all
    }
}

async fn facts_kind<S: Ports>(side: &Side<'_, S>, place: usize) -> ConversationKind {
    let facts = side.store().load(side.place(place)).await.unwrap();
    facts.map_or(ConversationKind::Direct, |facts| facts.kind)
}

// Three ports have a method of this name.
async fn remove_contact<S: Ports>(
    store: &S,
    user: UserId,
    other: UserId,
    ts: i64,
) -> Result<Vec<loquat_domain::ports::AccountEntry>, loquat_domain::ports::StoreError> {
    loquat_domain::ports::Contacts::remove(store, user, other, ts).await
}

async fn delete_account<S: Ports>(
    store: &S,
    user: UserId,
    ts: i64,
) -> Result<(), loquat_domain::ports::StoreError> {
    loquat_domain::ports::Accounts::delete(store, user, ts).await
}

async fn delete_conversation<S: Ports>(
    store: &S,
    conversation: ConversationId,
    ts: i64,
) -> Result<Vec<loquat_domain::ports::AccountEntry>, loquat_domain::ports::StoreError> {
    loquat_domain::ports::Conversations::delete(store, conversation, ts).await
}

fn nonce_of((nonce, number): (u8, usize)) -> String {
    format!("nonce-{nonce}-{number}")
}

fn named(mut event: NewEvent, nonce: Option<(u8, usize)>) -> NewEvent {
    event.nonce = nonce.map(|nonce| nonce_of(nonce).parse().unwrap());
    event
}

/// An answer as a text: equal answers have equal texts.
fn shown<T: Debug, E: Debug>(answer: Result<T, E>) -> String {
    format!("{answer:?}")
}

/// Runs steps on both engines; says where they differ.
async fn run(steps: &[Step]) {
    let (home, place) = (Home::new(), Place::new());
    let sqlite = home.open();
    let mut one = Side::new(&sqlite).await;
    let mut other = Side::new(place.store()).await;
    for (number, step) in steps.iter().enumerate() {
        let (told, as_well) = (one.step(step).await, other.step(step).await);
        assert_eq!(told, as_well, "step {number}, {step:?}");
        if number % 20 == 19 || number + 1 == steps.len() {
            for (read, as_well) in one.read().await.into_iter().zip(other.read().await) {
                assert_eq!(read, as_well, "after step {number}, {step:?}");
            }
        }
    }
    let tailed = |tailed: Vec<loquat_domain::ports::TailedEvent>| {
        tailed.into_iter().map(|tailed| format!("{:?}", tailed.event)).collect::<Vec<_>>()
    };
    assert_eq!(tailed(sqlite.tail(0, 999).await.unwrap()), tailed(place.store().tail(0, 999).await.unwrap()));
}

/// Random traces, each with its seed in the message when it fails.
#[test]
fn both_engines_say_the_same() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let cases = std::env::var("LOQUAT_TRACES").ok().and_then(|count| count.parse().ok()).unwrap_or(12);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let steps = proptest::collection::vec(step(), 1..120);
    let outcome = TestRunner::new(config).run(&steps, |steps| {
        runtime.block_on(run(&steps));
        Ok(())
    });
    outcome.unwrap();
}
