//! One schedule: who is there, and what they do.

use std::sync::Arc;
use std::time::Duration;

use loquat_domain::lanes::LaneConfig;
use loquat_domain::messages::Act;
use loquat_domain::ports::{Change, EventRange, MessageWindow, NewEvent};
use loquat_domain::{Caller, Refusal, Storage};
use loquat_proto::account::UpdateProfile;
use loquat_proto::conversation::{Receipts, UpdatePreferences};
use loquat_proto::event::{EditBody, EventBody, PinBody, ReactionBody, SettingsBody};
use loquat_proto::message::Appended;
use loquat_proto::{ConversationId, Event, History, MessageBody, Privacy, Role, Seq, Timestamp, UserId};
use loquat_testkit::{Dice, MemoryStore, TestApp, TestClock, TestSettings, text};

use super::client::{Client, Temper};
use super::ledger::{Group, Item, Ledger, Read, SessionLog};
use super::oracle;

/// No schedule needs longer, in its own time: one that does is stuck.
const STUCK: Duration = Duration::from_secs(3600);
/// Everything gathered and saved late is out by then.
const QUIET: Duration = Duration::from_secs(7);
const NAMES: [&str; 4] = ["ann", "bob", "cyd", "dan"];

/// What the actors of a schedule share.
pub struct World {
    pub app: TestApp,
    pub store: MemoryStore,
    pub ledger: Ledger,
    pub callers: Vec<Caller>,
    pub hides_reads: Vec<UserId>,
}

/// What came of a schedule.
pub struct Outcome {
    pub items: Vec<Item>,
    pub sessions: Vec<SessionLog>,
}

/// Runs a schedule and asks the oracle.
pub async fn run(seed: u64) {
    let (world, outcome) = tokio::time::timeout(STUCK, play(seed)).await.expect("a schedule got stuck");
    oracle::judge(&world, &outcome).await;
}

/// What a schedule came to, to be compared.
pub async fn trace(seed: u64) -> Vec<(ConversationId, Seq, Timestamp, UserId)> {
    let (world, _) = play(seed).await;
    let groups = world.ledger.with(|notes| notes.groups.clone());
    let logs = groups.into_iter().flat_map(|group| world.store.whole_log(group.id));
    logs.map(|event: Event| (event.conversation, event.seq, event.ts, event.sender)).collect()
}

async fn play(seed: u64) -> (Arc<World>, Outcome) {
    let mut dice = Dice::new(seed);
    let world = Arc::new(build(seed, &mut dice).await);
    let faults = world.store.faults();
    faults.yield_up_to(dice.below(4));
    faults.delay_up_to(Duration::from_millis([0, 5, 100, 700][dice.below(4) as usize]));
    faults.refuse_writes([0, 0, 60, 200][dice.below(4) as usize]);
    let mut actors = Vec::new();
    for caller in &world.callers {
        let (world, dice, caller) = (world.clone(), Dice::new(dice.next()), *caller);
        actors.push(tokio::spawn(async move { Actor::new(world, caller, dice).act().await }));
    }
    if dice.chance(400) {
        let (world, dice) = (world.clone(), Dice::new(dice.next()));
        tokio::spawn(another_node(world, dice)).await.expect("the other node does not panic");
    }
    let mut clients = Vec::new();
    for actor in actors {
        clients.push(actor.await.expect("an actor does not panic"));
    }
    world.store.faults().refuse_writes(0);
    let mut outcome = Outcome { items: Vec::new(), sessions: Vec::new() };
    for client in &mut clients {
        client.settle(&world.app).await;
    }
    tokio::time::sleep(QUIET).await;
    for mut client in clients {
        if let Some(session) = client.session() {
            session.tick();
        }
        outcome.sessions.extend(client.finish());
        outcome.items.extend(client.outbox.values().flatten().cloned());
    }
    (world, outcome)
}

async fn build(seed: u64, dice: &mut Dice) -> World {
    let store = MemoryStore::new(seed);
    let ledger = Ledger::default();
    let roomy = dice.chance(500);
    let lanes = LaneConfig {
        lanes: 1 + dice.below(2) as usize,
        queue: if roomy { 64 } else { 3 },
        waiting: if roomy { 64 } else { 4 },
        batch: if roomy { 32 } else { 2 },
        conversations: if roomy { 16 } else { 1 },
        members: if roomy { 64 } else { 2 },
    };
    let tap = ledger.clone();
    let settings = TestSettings {
        seed,
        lanes,
        clock: Arc::new(TestClock::following_runtime()),
        tap: Some(Box::new(move |topic, signal| tap.hear(topic, signal))),
        ..TestSettings::default()
    };
    let app = TestApp::start(Storage::from_one(Arc::new(store.clone())), settings).await;
    let mut callers = Vec::new();
    let mut hides_reads = Vec::new();
    for name in NAMES {
        let caller = app.user(name).await;
        if dice.chance(250) {
            let privacy = Some(Privacy { read_receipts: false, ..Privacy::default() }.into());
            let change = UpdateProfile { privacy, ..UpdateProfile::default() };
            app.accounts().update(caller, change).await.expect("nothing fails yet");
            hides_reads.push(caller.user);
        }
        callers.push(caller);
    }
    for founders in [2 + dice.below(3), 4] {
        let others: Vec<UserId> =
            callers.iter().take(founders as usize).skip(1).map(|other| other.user).collect();
        let history = if dice.chance(500) { History::Full } else { History::Joined };
        let id = loop {
            match app.group(callers[0], &others, history).await {
                Ok(id) => break id,
                // The lane's inbox may be as small as three commands.
                Err(refusal) if refusal.is_retryable() => tokio::task::yield_now().await,
                Err(refusal) => panic!("nothing else fails yet: {refusal:?}"),
            }
        };
        let group = Group { id, founders };
        ledger.with(|notes| notes.groups.push(group));
    }
    let founders = 1 + dice.below(4);
    let others: Vec<UserId> =
        callers.iter().take(founders as usize).skip(1).map(|other| other.user).collect();
    let history = if dice.chance(500) { History::Full } else { History::Joined };
    let id = app.channel(callers[0], &others, history).await.expect("nothing fails yet");
    ledger.with(|notes| notes.groups.push(Group { id, founders }));
    World { app, store, ledger, callers, hides_reads }
}

/// Appends behind the back of the lanes: they conflict, and decide again.
async fn another_node(world: Arc<World>, mut dice: Dice) {
    for turn in 0..3 {
        tokio::time::sleep(Duration::from_millis(dice.below(300))).await;
        let conversation = world.ledger.with(|notes| notes.groups[0].id);
        let Some(sender) = dice.pick(&world.store.members_of(conversation)).copied() else { return };
        let body = EventBody::Message(MessageBody::text("from elsewhere"));
        let mut event =
            NewEvent::new(sender, TestClock::START, &body, Change::Message { mentions: Vec::new() });
        event.nonce = Some(format!("{}-{turn}", oracle::ELSEWHERE).parse().expect("a valid nonce"));
        world.store.append_elsewhere(conversation, vec![event]);
    }
}

/// A user at a client.
struct Actor {
    world: Arc<World>,
    client: Client,
    dice: Dice,
    named: u32,
}

impl Actor {
    fn new(world: Arc<World>, caller: Caller, mut dice: Dice) -> Self {
        let temper = if dice.chance(500) { Temper::Patient } else { Temper::Hasty };
        Self { world, client: Client::new(caller, temper), dice, named: 0 }
    }

    async fn act(mut self) -> Client {
        if self.dice.chance(900) {
            self.client.connect(&self.world.app, false).await;
        }
        for _ in 0..3 + self.dice.below(4) {
            self.step().await;
            self.client.pause(&mut self.dice).await;
        }
        self.client
    }

    fn name(&mut self) -> String {
        self.named += 1;
        format!("{}-{}", self.client.caller.user, self.named)
    }

    fn somewhere(&mut self) -> ConversationId {
        let groups = self.world.ledger.with(|notes| notes.groups.clone());
        // Most of what happens, happens in the first one and in the channel.
        let index = match self.dice.below(10) {
            0..4 => 0,
            4..7 => 2,
            _ => self.dice.below(groups.len() as u64),
        };
        groups[index as usize].id
    }

    fn somebody(&mut self) -> UserId {
        self.dice.pick(&self.world.callers).expect("there are some").user
    }

    async fn step(&mut self) {
        let conversation = self.somewhere();
        match self.dice.below(20) {
            0..6 => self.pipeline(conversation),
            6 | 7 => self.revise(conversation),
            8 => self.world.app.receipts().typing(self.client.caller, conversation, true),
            9 => self.acknowledge(conversation),
            10 => self.read(conversation).await,
            11 | 12 => self.remove(conversation).await,
            13 => self.add(conversation).await,
            14 => self.change_role(conversation).await,
            15 => self.reconnect().await,
            16 => self.prefer(conversation).await,
            17 => self.create().await,
            18 => self.delete().await,
            _ => self.rename(conversation).await,
        }
        if let Some(session) = self.client.session().filter(|_| self.dice.chance(300)) {
            session.tick();
        }
    }

    /// Sends without waiting for answers.
    fn pipeline(&mut self, conversation: ConversationId) {
        for _ in 0..1 + self.dice.below(4) {
            let nonce = self.name();
            self.client.submit(conversation, &nonce, text(&nonce));
        }
    }

    /// Edits, reacts, pins or deletes, pipelined between sends.
    fn revise(&mut self, conversation: ConversationId) {
        let newest = self.client.newest.get(&conversation).copied().unwrap_or(1);
        let target = 1 + self.dice.below(newest + 1);
        let act = match self.dice.below(4) {
            0 => Act::Edit(EditBody {
                target,
                text: "better".to_owned(),
                format: Default::default(),
                mentions: Vec::new(),
            }),
            1 => Act::Pin(PinBody { target, on: self.dice.chance(500) }),
            2 => Act::Delete { target },
            _ => Act::React(ReactionBody { target, emoji: "🍊".to_owned(), on: self.dice.chance(700) }),
        };
        let nonce = self.name();
        self.client.submit(conversation, &nonce, act);
        self.pipeline(conversation);
    }

    fn acknowledge(&mut self, conversation: ConversationId) {
        let seen = self.client.newest.get(&conversation).copied().unwrap_or(0);
        let read = self.dice.chance(500).then_some(seen);
        if let Some(session) = self.client.session() {
            session.acknowledge(conversation, Receipts { delivered: Some(seen), read });
        }
    }

    async fn read(&mut self, conversation: ConversationId) {
        let (caller, app) = (self.client.caller, &self.world.app);
        let range = EventRange::After(self.dice.below(5));
        if let Ok(page) = app.messages().events(caller, conversation, range, 50).await {
            let read = Read { user: caller.user, conversation, page };
            self.world.ledger.with(|notes| notes.reads.push(read));
        }
        if let Ok(page) = app.messages().window(caller, conversation, MessageWindow::Latest, 50).await {
            assert!(page.items.iter().all(|message| message.seq >= page.visible_from));
        }
        let Ok(list) = app.conversations().list(caller, None, 10).await else { return };
        let known = self.world.ledger.with(|notes| notes.groups.clone());
        let is_new = |id: ConversationId| !known.iter().any(|group| group.id == id);
        if let Some(new) = list.items.iter().find(|view| is_new(view.id)) {
            // Somebody is creating it at this very moment.
            self.pipeline(new.id);
        }
    }

    /// A call by REST that is repeated under its name until it is answered for good.
    async fn insist(&mut self, conversation: ConversationId, act: Act) -> Result<Appended, Refusal> {
        let nonce = self.name();
        loop {
            let outcome =
                self.world.app.act(self.client.caller, conversation, Some(&nonce), act.clone()).await;
            match outcome {
                Err(refusal) if refusal.is_retryable() => tokio::time::sleep(Duration::from_millis(30)).await,
                outcome => return outcome,
            }
        }
    }

    async fn remove(&mut self, conversation: ConversationId) {
        let user = self.somebody();
        let note = self.world.ledger.ask(conversation, user, false);
        match self.insist(conversation, Act::RemoveMember(user)).await {
            Ok(_) => self.world.ledger.done(note),
            Err(_) => self.world.ledger.refused(note),
        }
    }

    async fn add(&mut self, conversation: ConversationId) {
        let user = self.somebody();
        let note = self.world.ledger.ask(conversation, user, true);
        match self.insist(conversation, Act::AddMembers(vec![user])).await {
            Ok(_) => self.world.ledger.done(note),
            Err(_) => self.world.ledger.refused(note),
        }
    }

    async fn change_role(&mut self, conversation: ConversationId) {
        let user = self.somebody();
        let role = *self.dice.pick(&[Role::Admin, Role::Admin, Role::Guest, Role::Member]).expect("some");
        let _ = self.insist(conversation, Act::ChangeRole { user, role }).await;
    }

    async fn rename(&mut self, conversation: ConversationId) {
        let title = Some(self.name());
        let _ = self.insist(conversation, Act::Settings(SettingsBody { title, ..Default::default() })).await;
    }

    async fn reconnect(&mut self) {
        if self.dice.chance(300) {
            return self.client.disconnect();
        }
        let with_token = self.dice.chance(700);
        self.client.connect(&self.world.app, with_token).await;
    }

    async fn prefer(&mut self, conversation: ConversationId) {
        let change = UpdatePreferences { pinned: Some(self.dice.chance(500)), ..Default::default() };
        let _ = self.world.app.conversations().preferences(self.client.caller, conversation, change).await;
    }

    async fn create(&mut self) {
        let others: Vec<UserId> = self.world.callers.iter().map(|other| other.user).collect();
        if let Ok(id) = self.world.app.group(self.client.caller, &others, History::Full).await {
            let group = Group { id, founders: others.len() as u64 };
            self.world.ledger.with(|notes| notes.groups.push(group));
        }
    }

    /// Deletes the conversation that is there to be deleted, and writes to it all the same.
    async fn delete(&mut self) {
        let conversation = self.world.ledger.with(|notes| notes.groups[1].id);
        self.pipeline(conversation);
        let gone = self.world.app.conversations().delete(self.client.caller, conversation).await;
        if gone.is_ok() {
            self.world.ledger.with(|notes| notes.deleted.push(conversation));
        }
        self.pipeline(conversation);
    }
}
