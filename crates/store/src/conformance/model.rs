//! A plain model beside the store: random operations, then everything that can be read is compared.

use std::collections::BTreeMap;

use loquat_domain::ports::{EventRange, Inspection as _, MessageWindow};
use loquat_proto::{ConversationId, UserId};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::test_runner::{Config, TestRunner};

use super::{Fixture, Ports, World};

const USERS: usize = 4;
const EMOJI: [&str; 3] = ["👍", "🍅", "🌾"];

/// Something that happens in one conversation. Numbers are taken modulo what there is.
#[derive(Debug, Clone)]
enum Step {
    Say { user: usize, count: usize },
    Edit { target: usize },
    Erase { target: usize },
    React { user: usize, target: usize, emoji: usize, on: bool },
    Pin { target: usize, on: bool },
    Join { user: usize, from_here: bool },
    Leave { user: usize },
    Read { user: usize, delivered: u64, read: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let user = 0..USERS;
    let target = any::<usize>();
    prop_oneof![
        5 => (user.clone(), 1..4_usize).prop_map(|(user, count)| Step::Say { user, count }),
        1 => target.prop_map(|target| Step::Edit { target }),
        1 => target.prop_map(|target| Step::Erase { target }),
        3 => (user.clone(), target, 0..EMOJI.len(), any::<bool>())
            .prop_map(|(user, target, emoji, on)| Step::React { user, target, emoji, on }),
        1 => (target, any::<bool>()).prop_map(|(target, on)| Step::Pin { target, on }),
        1 => (user.clone(), any::<bool>()).prop_map(|(user, from_here)| Step::Join { user, from_here }),
        1 => (1..USERS, Just(())).prop_map(|(user, ())| Step::Leave { user }),
        4 => (user, 0..60_u64, 0..60_u64)
            .prop_map(|(user, delivered, read)| Step::Read { user, delivered, read }),
    ]
}

/// A message as the model knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    sender: usize,
    /// `None` once erased.
    text: Option<String>,
    pinned: bool,
    /// Emoji in order, each with who holds it.
    reactions: Vec<(usize, Vec<usize>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Member {
    visible_from: u64,
    delivered: u64,
    read: u64,
}

#[derive(Debug, Default)]
struct Model {
    head: u64,
    said: BTreeMap<u64, Said>,
    members: BTreeMap<usize, Member>,
}

impl Model {
    fn target(&self, number: usize) -> Option<u64> {
        let alive: Vec<u64> =
            self.said.iter().filter(|(_, said)| said.text.is_some()).map(|(seq, _)| *seq).collect();
        if alive.is_empty() { None } else { Some(alive[number % alive.len()]) }
    }

    fn unread(&self, user: usize) -> usize {
        let read = self.members[&user].read;
        self.said.range(read + 1..).filter(|(_, said)| said.sender != user).count()
    }

    fn react(&mut self, target: u64, (user, emoji): (usize, usize), on: bool) {
        let reactions = &mut self.said.get_mut(&target).unwrap().reactions;
        match reactions.iter_mut().find(|(held, _)| *held == emoji) {
            Some((_, users)) => {
                users.retain(|held| *held != user);
                if on {
                    users.push(user);
                }
            }
            None if on => reactions.push((emoji, vec![user])),
            None => {}
        }
        reactions.retain(|(_, users)| !users.is_empty());
    }
}

/// The store and the model, side by side.
struct Both<'s, S> {
    world: World<'s, S>,
    users: [UserId; USERS],
    conversation: ConversationId,
    model: Model,
}

impl<'s, S: Ports> Both<'s, S> {
    async fn new(store: &'s S) -> Self {
        let world = World::new(store);
        let users = world.users().await;
        let conversation = world.group(&users[..2]).await;
        let mut model = Model::default();
        for user in 0..2 {
            model.members.insert(user, Member { visible_from: 1, delivered: 0, read: 0 });
        }
        Self { world, users, conversation, model }
    }

    async fn step(&mut self, step: &Step) {
        match *step {
            Step::Say { user, count } => self.say(user, count).await,
            Step::Edit { target } => self.edit(target).await,
            Step::Erase { target } => self.erase(target).await,
            Step::React { user, target, emoji, on } => self.react(user, target, emoji, on).await,
            Step::Pin { target, on } => self.pin(target, on).await,
            Step::Join { user, from_here } => self.join(user, from_here).await,
            Step::Leave { user } => self.leave(user).await,
            Step::Read { user, delivered, read } => self.read(user, delivered, read).await,
        }
    }

    async fn say(&mut self, user: usize, count: usize) {
        if !self.model.members.contains_key(&user) {
            return;
        }
        let texts: Vec<_> = (0..count).map(|number| format!("{} {number}", self.model.head)).collect();
        let events = texts.iter().map(|text| self.world.message(self.users[user], text)).collect();
        self.world.append(self.conversation, events).await;
        for text in texts {
            self.model.head += 1;
            let said = Said { sender: user, text: Some(text), pinned: false, reactions: Vec::new() };
            self.model.said.insert(self.model.head, said);
        }
    }

    async fn edit(&mut self, target: usize) {
        let Some(target) = self.model.target(target) else { return };
        let said = self.model.said.get_mut(&target).unwrap();
        let text = format!("edited at {}", self.model.head);
        said.text = Some(text.clone());
        let sender = self.users[said.sender];
        self.world.append_one(self.conversation, self.world.edit(sender, target, &text)).await;
        self.model.head += 1;
    }

    async fn erase(&mut self, target: usize) {
        let Some(target) = self.model.target(target) else { return };
        let sender = self.model.said[&target].sender;
        let erased = Said { sender, text: None, pinned: false, reactions: Vec::new() };
        self.model.said.insert(target, erased);
        self.world.append_one(self.conversation, self.world.delete(self.users[sender], target)).await;
        self.model.head += 1;
    }

    async fn react(&mut self, user: usize, target: usize, emoji: usize, on: bool) {
        let Some(target) = self.model.target(target) else { return };
        let found = self.model.said[&target].reactions.iter().find(|(held, _)| *held == emoji);
        let holds = found.is_some_and(|(_, users)| users.contains(&user));
        // A lane appends nothing for a change that changes nothing.
        if holds == on {
            return;
        }
        self.model.react(target, (user, emoji), on);
        let event = self.world.react(self.users[user], target, EMOJI[emoji], on);
        self.world.append_one(self.conversation, event).await;
        self.model.head += 1;
    }

    async fn pin(&mut self, target: usize, on: bool) {
        let Some(target) = self.model.target(target) else { return };
        self.model.said.get_mut(&target).unwrap().pinned = on;
        self.world.append_one(self.conversation, self.world.pin(self.users[0], target, on)).await;
        self.model.head += 1;
    }

    async fn join(&mut self, user: usize, from_here: bool) {
        if self.model.members.contains_key(&user) {
            return;
        }
        let event = self.world.join(self.users[0], self.users[user], from_here);
        self.world.append_one(self.conversation, event).await;
        let before = self.model.head;
        self.model.head += 1;
        let visible_from = if from_here { self.model.head } else { 1 };
        self.model.members.insert(user, Member { visible_from, delivered: before, read: before });
    }

    async fn leave(&mut self, user: usize) {
        if self.model.members.remove(&user).is_some() {
            self.world.append_one(self.conversation, self.world.leave(self.users[user])).await;
            self.model.head += 1;
        }
    }

    async fn read(&mut self, user: usize, delivered: u64, read: u64) {
        self.world.read_to(self.conversation, self.users[user], delivered, read).await;
        let head = self.model.head;
        if let Some(member) = self.model.members.get_mut(&user) {
            member.read = member.read.max(read.min(head));
            member.delivered = member.delivered.max(delivered.max(read).min(head));
        }
    }

    async fn compare(&self) {
        let (store, conversation) = (self.world.store, self.conversation);
        for (number, user) in self.users.iter().enumerate() {
            let view = self.world.view(*user, conversation).await;
            let Some(member) = self.model.members.get(&number) else {
                assert_eq!(view, None);
                continue;
            };
            let view = view.unwrap();
            let cursors =
                Member { visible_from: view.visible_from, delivered: view.me.delivered, read: view.me.read };
            assert_eq!(cursors, *member, "user {number}");
            assert_eq!(view.me.unread, self.model.unread(number) as u64, "unread of user {number}");
            assert_eq!(view.member_count, self.model.members.len() as u64);
            let events =
                store.events(*user, conversation, EventRange::After(0), 9999).await.unwrap().unwrap();
            let seqs: Vec<_> = events.items.iter().map(|event| event.seq).collect();
            assert_eq!(seqs, (member.visible_from..=self.model.head).collect::<Vec<_>>());
            self.compare_messages((number, *user), member.visible_from).await;
        }
    }

    async fn compare_messages(&self, (number, user): (usize, UserId), visible_from: u64) {
        let window = MessageWindow::After(0);
        let page = self.world.store.messages(user, self.conversation, window, 9999).await.unwrap().unwrap();
        let expected: Vec<_> = self.model.said.range(visible_from..).collect();
        assert_eq!(page.items.len(), expected.len());
        for (shown, (seq, said)) in page.items.iter().zip(expected) {
            assert_eq!((shown.seq, shown.text.as_ref()), (*seq, said.text.as_ref()));
            assert_eq!((shown.pinned, shown.deleted), (said.pinned, said.text.is_none()));
            let reactions: Vec<_> =
                shown.reactions.iter().map(|r| (r.emoji.as_str(), r.count as usize, r.me)).collect();
            let held = said.reactions.iter();
            let held: Vec<_> =
                held.map(|(emoji, users)| (EMOJI[*emoji], users.len(), users.contains(&number))).collect();
            assert_eq!(reactions, held, "reactions to {seq}");
        }
    }
}

/// After any operations, cursors, unread counts, messages with edits, erasures, pins and reactions, and the logs
/// within each member's sight are what a model of a few lines says.
pub fn what_is_shown_is_what_a_plain_model_says<F: Fixture>() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    let steps = proptest::collection::vec(step(), 1..50);
    let run = TestRunner::new(config).run(&steps, |steps| {
        let fixture = F::fresh();
        runtime.block_on(async {
            let mut both = Both::new(fixture.store()).await;
            for (number, step) in steps.iter().enumerate() {
                both.step(step).await;
                if number % 10 == 9 {
                    both.compare().await;
                }
            }
            both.compare().await;
            let report = fixture.store().inspect(both.conversation).await.unwrap().unwrap();
            assert_eq!(report.findings, [], "what is derived agrees with the log");
        });
        Ok(())
    });
    run.unwrap();
}
