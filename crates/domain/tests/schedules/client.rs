//! A client that keeps the order of what it sends, as decision record 0004 expects of it.

use std::collections::BTreeMap;
use std::time::Duration;

use loquat_domain::Caller;
use loquat_domain::messages::Act;
use loquat_proto::frame::Push;
use loquat_proto::message::Appended;
use loquat_proto::{ConversationId, ErrorBody, Seq};
use loquat_testkit::{Dice, Received, TestApp, TestSession};

use super::ledger::{Item, ItemState, Seen, SessionLog};

/// What is still sent behind a failed send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Temper {
    /// Waits for every answer and for as long as it was told, then sends again what failed.
    Patient,
    /// Sends again from the first failure on as soon as it hears of it, whatever is in flight.
    Hasty,
}

pub struct Client {
    pub caller: Caller,
    temper: Temper,
    session: Option<TestSession>,
    log: Vec<Seen>,
    /// Where the part of the session begins.
    own: usize,
    /// Sessions that ended.
    pub past: Vec<SessionLog>,
    /// Everything ever sent, in order, by conversation.
    pub outbox: BTreeMap<ConversationId, Vec<Item>>,
    /// The newest event of each conversation that was seen.
    pub newest: BTreeMap<ConversationId, Seq>,
    token: Option<String>,
    wait: Duration,
}

impl Client {
    pub fn new(caller: Caller, temper: Temper) -> Self {
        Self {
            caller,
            temper,
            session: None,
            log: Vec::new(),
            own: 0,
            past: Vec::new(),
            outbox: BTreeMap::new(),
            newest: BTreeMap::new(),
            token: None,
            wait: Duration::ZERO,
        }
    }

    /// Opens a session, or another in place of the one that is open, and sends again what was not answered.
    pub async fn connect(&mut self, app: &TestApp, with_token: bool) {
        self.disconnect();
        let since = self.token.clone().filter(|_| with_token);
        if since.is_none() {
            self.log.clear();
        }
        self.own = self.log.len();
        let session = loop {
            match TestSession::connect(app, self.caller, since.as_deref()).await {
                Ok(session) => break session,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        self.session = Some(session);
        self.send_again();
        self.hear();
    }

    pub fn disconnect(&mut self) {
        self.hear();
        if self.session.take().is_some() {
            let log = SessionLog { caller: self.caller, seen: self.log.clone(), own: self.own, open: false };
            self.past.push(log);
        }
        for item in self.outbox.values_mut().flatten() {
            if matches!(item.state, ItemState::InFlight(_)) {
                item.state = ItemState::Waiting;
            }
        }
    }

    /// The session at the end of the schedule.
    pub fn finish(&mut self) -> Vec<SessionLog> {
        self.hear();
        let mut logs = std::mem::take(&mut self.past);
        if self.session.is_some() {
            logs.push(SessionLog { caller: self.caller, seen: self.log.clone(), own: self.own, open: true });
        }
        logs
    }

    pub const fn is_connected(&self) -> bool {
        self.session.is_some()
    }

    pub const fn session(&self) -> Option<&TestSession> {
        self.session.as_ref()
    }

    /// Puts a mutation at the end of the outbox, and sends it unless it has to wait for others.
    pub fn submit(&mut self, conversation: ConversationId, nonce: &str, act: Act) {
        let nonce = nonce.parse().expect("a nonce of a test is valid");
        let state = ItemState::Waiting;
        let items = self.outbox.entry(conversation).or_default();
        let must_wait = items.iter().any(|item| item.state == ItemState::Waiting);
        items.push(Item { caller: self.caller, conversation, nonce, act, state, sessions: Vec::new() });
        let last = items.len() - 1;
        if !must_wait {
            self.transmit(conversation, last);
        }
    }

    fn transmit(&mut self, conversation: ConversationId, index: usize) {
        let Some(session) = &mut self.session else { return };
        let item = &mut self.outbox.get_mut(&conversation).expect("it was put there")[index];
        let id = session.submit(conversation, Some(item.nonce.clone()), item.act.clone());
        item.state = ItemState::InFlight(id);
        item.sessions.push(session.session().id());
        item.sessions.dedup();
    }

    /// Sends whatever waits, in order.
    fn send_again(&mut self) {
        let waiting: Vec<(ConversationId, usize)> = self
            .outbox
            .iter()
            .flat_map(|(conversation, items)| {
                items.iter().enumerate().map(move |found| (*conversation, found))
            })
            .filter(|(_, (_, item))| item.state == ItemState::Waiting)
            .map(|(conversation, (index, _))| (conversation, index))
            .collect();
        for (conversation, index) in waiting {
            self.transmit(conversation, index);
        }
    }

    /// Takes what was sent to the session so far.
    pub fn hear(&mut self) {
        let Some(session) = &mut self.session else { return };
        let Ok(received) = session.take() else { return };
        for one in received {
            self.note(one);
        }
    }

    fn note(&mut self, received: Received) {
        if let Some((id, outcome)) = received.outcome() {
            return self.answered(id, outcome);
        }
        let seen = match received {
            Received::Ready(ready) => {
                self.token = Some(ready.since.clone());
                for conversation in &ready.changed {
                    self.saw(conversation.id, conversation.head);
                }
                Seen::Ready(ready)
            }
            Received::Answer(_) => return,
            Received::Push(push) => match *push {
                Push::Event { event } => {
                    self.saw(event.conversation, event.seq);
                    Seen::Event(event)
                }
                Push::Receipt { conversation, items } => Seen::Receipt { conversation, items },
                Push::Account { event } => Seen::Account(event.pos),
                Push::Tick { since } => {
                    self.token = Some(since.clone());
                    Seen::Tick(since)
                }
                _ => return,
            },
        };
        self.log.push(seen);
    }

    fn saw(&mut self, conversation: ConversationId, seq: Seq) {
        let newest = self.newest.entry(conversation).or_default();
        *newest = seq.max(*newest);
    }

    fn answered(&mut self, id: u64, outcome: Result<Appended, ErrorBody>) {
        let mut items = self.outbox.values_mut().flatten();
        let item = items.find(|item| item.state == ItemState::InFlight(id));
        match (item, outcome) {
            (Some(item), Ok(appended)) => {
                item.state = ItemState::Acknowledged(appended);
                let conversation = item.conversation;
                self.saw(conversation, appended.seq);
                self.log.push(Seen::Acknowledged { conversation, seq: appended.seq });
            }
            (Some(item), Err(error)) if error.code.is_retryable() => {
                item.state = ItemState::Waiting;
                self.wait = self.wait.max(Duration::from_millis(error.retry_after_ms.unwrap_or(0)));
                let (conversation, nonce) = (item.conversation, item.nonce.clone());
                if self.temper == Temper::Hasty {
                    self.again_from(conversation, &nonce);
                }
            }
            (Some(item), Err(error)) => item.state = ItemState::Refused(error),
            // An answer to an attempt that was given up for another: a success is one all the same, and the other
            // attempt will say so.
            (None, _) => {}
        }
    }

    /// Sends everything from this one on again, whatever is in flight.
    fn again_from(&mut self, conversation: ConversationId, nonce: &loquat_proto::Nonce) {
        let items = &self.outbox[&conversation];
        let from = items.iter().position(|item| item.nonce == *nonce).unwrap_or(0);
        let unanswered = |item: &Item| matches!(item.state, ItemState::Waiting | ItemState::InFlight(_));
        let again: Vec<usize> = (from..items.len()).filter(|index| unanswered(&items[*index])).collect();
        for index in again {
            self.transmit(conversation, index);
        }
    }

    fn is_settled(&self) -> bool {
        let settled = |item: &Item| matches!(item.state, ItemState::Acknowledged(_) | ItemState::Refused(_));
        self.outbox.values().flatten().all(settled)
    }

    /// Lets a patient client send again what failed, once nothing is in flight.
    pub async fn repeat(&mut self) {
        self.hear();
        let items = || self.outbox.values().flatten();
        let in_flight = items().any(|item| matches!(item.state, ItemState::InFlight(_)));
        if in_flight || self.is_settled() {
            return;
        }
        tokio::time::sleep(std::mem::take(&mut self.wait)).await;
        self.send_again();
    }

    /// Waits until everything in the outbox was answered for good.
    pub async fn settle(&mut self, app: &TestApp) {
        if !self.is_connected() {
            self.connect(app, true).await;
        }
        loop {
            self.repeat().await;
            if self.is_settled() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A little while, in which answers are heard.
    pub async fn pause(&mut self, dice: &mut Dice) {
        if dice.chance(500) {
            for _ in 0..dice.below(6) {
                tokio::task::yield_now().await;
            }
        } else {
            tokio::time::sleep(Duration::from_millis(dice.below(400))).await;
        }
        self.repeat().await;
    }
}
