//! A load client: one user who writes, edits, deletes, reacts, reads, and keeps a ledger of it all.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::api::{Address, Api, Call};
use crate::dice::Dice;
use crate::event::{ConversationId, Event, UserId};
use crate::failure::{Failure, Outcome};
use crate::ledger::{Answer, Attempt, Entry, Intent, Ledger, Operation, SocketOrder};
use crate::oracle::Held;
use crate::request::{self, Verdict};
use crate::socket::{self, Socket};
use crate::world::{Account, World};

/// How many own messages are remembered as targets of edits, deletions and reactions, in each conversation.
const TARGETS: usize = 16;
/// The largest page of a log.
const PAGE: u64 = 200;

/// A conversation as one user sees it.
#[derive(Debug)]
struct Place {
    conversation: ConversationId,
    /// Whom this user, its owner, adds and removes.
    guests: Vec<UserId>,
    targets: Vec<u64>,
}

/// What was seen that no answer should be; each is a defect.
#[derive(Debug, Default, Clone)]
pub(crate) struct Oddities {
    /// Refusals with a code that nothing here deserves.
    pub(crate) refusals: Vec<String>,
    /// Retryable errors without a delay.
    pub(crate) undelayed: u64,
    /// Pushes below one already pushed.
    pub(crate) disorder: Vec<String>,
}

/// Figures of one load.
#[derive(Debug, Default, Clone)]
pub(crate) struct Figures {
    /// From sending to the acknowledgement, of sends by socket.
    pub(crate) latencies: Vec<Duration>,
    pub(crate) acknowledged: u64,
    pub(crate) retryable: u64,
}

/// A load client.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) me: UserId,
    pub(crate) token: String,
    address: Address,
    dice: Dice,
    ledger: Ledger,
    api: Api,
    pub(crate) socket: Option<Socket>,
    /// How many sockets and frames there were, to number the next.
    sockets: u64,
    frames: u64,
    since: Option<String>,
    places: Vec<Place>,
    pub(crate) held: BTreeMap<ConversationId, Held>,
    pub(crate) oddities: Oddities,
    pub(crate) figures: Figures,
    last_pushed: HashMap<String, u64>,
    /// The delay that a `drain` asked for, in milliseconds.
    pub(crate) drained: Option<u64>,
}

impl Worker {
    /// The client of one account, with a new ledger in `ledgers`.
    pub(crate) fn new(
        address: &Address,
        world: &World,
        index: usize,
        ledgers: &Path,
        dice: Dice,
    ) -> Outcome<Self> {
        let account: &Account = &world.accounts[index];
        let ids = |places: &[usize]| places.iter().map(|place| world.accounts[*place].id.clone()).collect();
        let concerns =
            world.rooms.iter().filter(|room| room.founders.contains(&index) || room.guests.contains(&index));
        let places = concerns.map(|room| Place {
            conversation: room.id.clone(),
            guests: if room.owner == index { ids(&room.guests) } else { Vec::new() },
            targets: Vec::new(),
        });
        let path = ledgers.join(format!("{}.jsonl", account.username));
        Ok(Self {
            me: account.id.clone(),
            token: account.token.clone(),
            address: address.clone(),
            dice,
            ledger: Ledger::create(&path, account.id.clone())?,
            api: Api::with_token(address.clone(), &account.token),
            socket: None,
            sockets: 0,
            frames: 0,
            since: None,
            places: places.collect(),
            held: BTreeMap::new(),
            oddities: Oddities::default(),
            figures: Figures::default(),
            last_pushed: HashMap::new(),
            drained: None,
        })
    }

    /// Everything asked so far.
    pub(crate) fn entries(&self) -> &[Entry] {
        self.ledger.entries()
    }

    /// Connects, sometimes with the sync token of before, and fetches what `ready` shows to be missing.
    pub(crate) async fn connect(&mut self) -> Outcome<()> {
        self.absorb()?;
        let since = self.since.take().filter(|_| self.dice.percent(60));
        let (socket, ready) = Socket::connect(&self.address, &self.token, since.as_deref()).await?;
        self.sockets += 1;
        // The old connection may have ended with the service and not know it yet.
        self.api = Api::with_token(self.address.clone(), &self.token);
        self.last_pushed.clear();
        for changed in ready["changed"].as_array().into_iter().flatten() {
            self.catch_up(&socket, changed).await?;
        }
        self.since = ready["since"].as_str().map(str::to_owned);
        self.socket = Some(socket);
        Ok(())
    }

    /// Fetches what is missing up to the head of a conversation.
    async fn catch_up(&mut self, socket: &Socket, changed: &Value) -> Outcome<()> {
        let text = |key: &str| changed[key].as_str().map(str::to_owned);
        let number =
            |key: &str| changed[key].as_u64().ok_or_else(|| Failure::unexpected(format!("{key}: {changed}")));
        let conversation = ConversationId(text("id").ok_or_else(|| Failure::unexpected(changed))?);
        let (head, start) = (number("head")?, number("visible_from")?);
        let held = self.held.entry(conversation.clone()).or_default();
        let missing = |seq: &u64| !held.events.contains_key(seq) && !held.answered.contains(seq);
        let mut after = (start.max(1)..=head).find(missing).map_or(head, |first| first - 1);
        while after < head {
            let page = if self.dice.percent(50) {
                let asked =
                    json!({"op": "fetch", "conversation": conversation.0, "after": after, "limit": PAGE});
                socket.request(asked).await?["ok"].take()
            } else {
                let path = format!("/v1/conversations/{conversation}/events?after={after}&limit={PAGE}");
                self.api.call(Call::get(path)).await?.body
            };
            let items = page["items"].as_array().cloned().unwrap_or_default();
            if items.is_empty() {
                // Removed since `ready` was made.
                break;
            }
            for item in &items {
                let event = Event::parse(item)?;
                after = after.max(event.seq);
                let held = self.held.entry(conversation.clone()).or_default();
                held.events.entry(event.seq).or_insert(event);
            }
        }
        Ok(())
    }

    /// Takes in what was pushed.
    pub(crate) fn absorb(&mut self) -> Outcome<()> {
        let Some(socket) = &self.socket else { return Ok(()) };
        for push in socket.take_inbox().pushes {
            match push["op"].as_str() {
                Some("event") => {
                    let event = Event::parse(&push["event"])?;
                    let conversation = push["event"]["conversation"].as_str().unwrap_or("").to_owned();
                    let last = self.last_pushed.entry(conversation.clone()).or_insert(0);
                    if event.seq <= *last {
                        let disorder = format!("{conversation}: {} after {last} to {}", event.seq, self.me);
                        self.oddities.disorder.push(disorder);
                    }
                    *last = event.seq.max(*last);
                    let held = self.held.entry(ConversationId(conversation)).or_default();
                    held.events.entry(event.seq).or_insert(event);
                }
                Some("drain") => self.drained = push["retry_after_ms"].as_u64(),
                Some("tick") => self.since = push["since"].as_str().map(str::to_owned).or(self.since.take()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Works until told to stop or until the service is gone.
    pub(crate) async fn work(&mut self, stop: &AtomicBool) -> Outcome<()> {
        while !stop.load(Ordering::Acquire) && self.socket.as_ref().is_some_and(|socket| !socket.is_closed())
        {
            let by_socket = self.dice.percent(70);
            let intents = self.plan(by_socket);
            self.ledger.intend(&intents)?;
            if by_socket {
                self.ask_by_socket(&intents).await?;
            } else {
                self.ask_by_rest(&intents).await?;
            }
            self.move_cursors().await;
            self.absorb()?;
            tokio::time::sleep(Duration::from_millis(self.dice.between(0, 40))).await;
        }
        Ok(())
    }

    fn plan(&mut self, by_socket: bool) -> Vec<Intent> {
        let count = if by_socket { self.dice.between(1, 8) } else { self.dice.between(1, 2) };
        (0..count).filter_map(|_| self.plan_one(by_socket)).collect()
    }

    fn plan_one(&mut self, by_socket: bool) -> Option<Intent> {
        let places: Vec<usize> = (0..self.places.len()).collect();
        let place = &self.places[*self.dice.pick(&places)?];
        let nonce = format!("t-{}", self.dice.hex(20));
        let target = self.dice.pick(&place.targets).copied();
        let guest = self.dice.pick(&place.guests).cloned();
        let text = |dice: &mut Dice| {
            let length = usize::try_from(dice.between(0, 300)).unwrap_or(0);
            format!("{nonce} {}", dice.hex(length))
        };
        let operation = match (self.dice.between(0, 99), target, guest) {
            (0..8, Some(target), _) => Operation::Edit { target, text: text(&mut self.dice) },
            (8..11, Some(target), _) => Operation::Delete { target },
            (11..20, Some(target), _) => {
                let emoji = (*self.dice.pick(&["👍", "🎉", "🌾"])?).to_owned();
                Operation::React { target, emoji, on: self.dice.percent(70) }
            }
            (20..30, _, Some(user)) if !by_socket => Operation::Add { user },
            (30..40, _, Some(user)) if !by_socket => Operation::Remove { user },
            _ => Operation::Send { text: text(&mut self.dice) },
        };
        self.frames += u64::from(by_socket);
        let order = by_socket.then_some(SocketOrder { socket: self.sockets, index: self.frames });
        Some(Intent { nonce, conversation: place.conversation.clone(), operation, order })
    }

    /// All frames at once, then all answers.
    async fn ask_by_socket(&mut self, intents: &[Intent]) -> Outcome<()> {
        let Some(socket) = self.socket.take() else { return Ok(()) };
        let mut waiting = Vec::new();
        for intent in intents {
            let Some(frame) = request::frame(intent) else { continue };
            match socket.submit(frame).await {
                Ok(receiver) => waiting.push((intent, Instant::now(), receiver)),
                Err(_) => break,
            }
        }
        for (intent, sent, receiver) in waiting {
            match socket::answer(receiver).await {
                Ok(answer) => {
                    let verdict = Verdict::of_frame(&answer);
                    if matches!(verdict.answer, Answer::Done(_)) {
                        self.figures.latencies.push(sent.elapsed());
                    }
                    self.settle(intent, verdict, Attempt::First)?;
                }
                // Unanswered: it stands so in the ledger.
                Err(Failure::Closed) => {}
                Err(other) => return Err(other),
            }
        }
        self.socket = Some(socket);
        Ok(())
    }

    async fn ask_by_rest(&mut self, intents: &[Intent]) -> Outcome<()> {
        for intent in intents {
            let Ok(reply) = self.api.call(request::call(intent)).await else { break };
            self.settle(intent, Verdict::of_reply(&reply), Attempt::First)?;
        }
        Ok(())
    }

    fn settle(&mut self, intent: &Intent, verdict: Verdict, attempt: Attempt) -> Outcome<()> {
        match &verdict.answer {
            Answer::Done(seq) => {
                self.figures.acknowledged += 1;
                if let Operation::Delete { target } = &intent.operation {
                    self.held.entry(intent.conversation.clone()).or_default().erased.insert(*target);
                }
                let place = self.places.iter_mut().find(|place| place.conversation == intent.conversation);
                if let (Some(seq), Some(place)) = (seq, place) {
                    self.held.entry(intent.conversation.clone()).or_default().answered.insert(*seq);
                    if matches!(intent.operation, Operation::Send { .. }) {
                        place.targets.push(*seq);
                        let surplus = place.targets.len().saturating_sub(TARGETS);
                        place.targets.drain(..surplus);
                    }
                }
            }
            Answer::None => {
                self.figures.retryable += 1;
                self.oddities.undelayed += u64::from(verdict.retry_after_ms.is_none());
            }
            Answer::Refused(code) => {
                // Guests come and go, and messages are erased while they are being edited.
                if !matches!(code.as_str(), "not_found" | "conflict" | "not_member") {
                    self.oddities.refusals.push(format!("{code} for {:?}", intent.operation));
                }
            }
        }
        self.ledger.settle(&intent.nonce, verdict.answer, attempt)
    }

    /// Receipts and typing, which promise nothing but must harm nothing.
    async fn move_cursors(&mut self) {
        let (Some(socket), Some(place)) = (&self.socket, self.dice.pick(&self.places)) else { return };
        let head = self.held.get(&place.conversation).and_then(|held| held.events.keys().next_back());
        let mut frame = json!({"conversation": place.conversation.0});
        match (head, self.dice.between(0, 2)) {
            (Some(head), 0) => (frame["op"], frame["read"]) = (json!("ack"), json!(head)),
            (Some(head), 1) => (frame["op"], frame["delivered"]) = (json!("ack"), json!(head)),
            _ => (frame["op"], frame["on"]) = (json!("typing"), json!(true)),
        }
        // A socket that breaks here is noticed by the next request.
        let _ = socket.notify(&frame).await;
    }

    /// Asks again for what was asked from `start` on, where `chosen` says so, by a way thrown anew. Returns
    /// each answer that differs from the first.
    pub(crate) async fn replay(
        &mut self,
        start: usize,
        chosen: impl Fn(&Entry) -> bool,
    ) -> Outcome<Vec<String>> {
        let entries: Vec<Entry> =
            self.entries().iter().skip(start).filter(|entry| chosen(entry)).cloned().collect();
        let mut changed = Vec::new();
        for entry in entries {
            let frame = request::frame(&entry.intent).filter(|_| self.dice.percent(70));
            let verdict = match (frame, &self.socket) {
                (Some(frame), Some(socket)) => Verdict::of_frame(&socket.request(frame).await?),
                _ => Verdict::of_reply(&self.api.call(request::call(&entry.intent)).await?),
            };
            match (&entry.answer, &verdict.answer) {
                (Answer::Done(Some(first)), Answer::Done(Some(again))) if first == again => {}
                (Answer::Done(None), Answer::Done(_)) | (Answer::None | Answer::Refused(_), _) => {}
                (first, again) => {
                    changed.push(format!("{} was {first:?}, is {again:?}", entry.intent.nonce));
                }
            }
            self.settle(&entry.intent, verdict, Attempt::Replay)?;
        }
        Ok(changed)
    }
}
