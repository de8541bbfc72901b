//! A device: an engine, its store, and what is under way between them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use loquat_engine::store::{MemoryStore, Operation, Query, Store};
use loquat_engine::view::{Change, ViewChange};
use loquat_engine::{BatchId, Effect, Engine, LoadId, Now, Options, RequestId, RestRequest, Setup};
use loquat_proto::{ConversationId, DeviceId, Nonce, Seq, UserId};

use crate::random::Random;

#[derive(Debug)]
pub enum ToDisk {
    Write(BatchId, Vec<Operation>),
    Read(LoadId, Query),
}

pub struct Client {
    pub user: UserId,
    pub engine: Engine,
    pub store: MemoryStore,
    pub disk: VecDeque<ToDisk>,
    pub requests: Vec<(RequestId, RestRequest)>,
    /// The socket, while there is one, and frames on their way to the server.
    pub socket: Option<usize>,
    pub outgoing: VecDeque<String>,
    pub incoming: VecDeque<String>,
    pub wants_close: bool,
    /// Sends in the order in which they were queued, of those that were stored.
    pub stored_sends: Vec<(ConversationId, Nonce)>,
    queued_sends: Vec<(ConversationId, Nonce)>,
    pub acknowledged: BTreeMap<Nonce, Seq>,
    pub refused: BTreeSet<Nonce>,
    pub full_history: bool,
}

impl Client {
    pub fn new(user: UserId, full_history: bool, random: &mut Random) -> Self {
        let mut store = MemoryStore::default();
        Self {
            user,
            engine: engine(user, full_history, &mut store, random),
            store,
            disk: VecDeque::new(),
            requests: Vec::new(),
            socket: None,
            outgoing: VecDeque::new(),
            incoming: VecDeque::new(),
            wants_close: false,
            stored_sends: Vec::new(),
            queued_sends: Vec::new(),
            acknowledged: BTreeMap::new(),
            refused: BTreeSet::new(),
            full_history,
        }
    }

    /// The process ends and starts again; what was not written is gone.
    pub fn crash(&mut self, random: &mut Random) {
        self.disk.clear();
        self.requests.clear();
        self.socket = None;
        self.outgoing.clear();
        self.incoming.clear();
        self.wants_close = false;
        self.queued_sends.clear();
        self.engine = engine(self.user, self.full_history, &mut self.store, random);
        self.take_effects();
    }

    pub fn remember_send(&mut self, conversation: ConversationId, nonce: Nonce) {
        self.queued_sends.push((conversation, nonce));
    }

    pub fn take_effects(&mut self) {
        while let Some(effect) = self.engine.take_effect() {
            match effect {
                Effect::Send(frame) => {
                    if self.socket.is_some() {
                        self.outgoing.push_back(frame);
                    }
                }
                Effect::Close { .. } => self.wants_close = true,
                Effect::Request { id, request } => self.requests.push((id, request)),
                Effect::Persist { batch, operations } => {
                    self.disk.push_back(ToDisk::Write(batch, operations));
                }
                Effect::Load { id, query } => self.disk.push_back(ToDisk::Read(id, query)),
                Effect::View(view) => self.seen(view),
            }
        }
    }

    fn seen(&mut self, view: ViewChange) {
        match view {
            ViewChange::Acknowledged { nonce, seq, .. } => {
                self.acknowledged.insert(nonce, seq);
            }
            ViewChange::Refused { nonce, .. } => {
                self.refused.insert(nonce);
            }
            _ => {}
        }
    }

    /// The disk does the next thing; `false` if there is none.
    pub fn disk_step(&mut self, now: Now) -> bool {
        match self.disk.pop_front() {
            None => return false,
            Some(ToDisk::Write(batch, operations)) => {
                self.store.apply(&operations).unwrap();
                for operation in &operations {
                    if let Operation::PutChange(change) = operation {
                        let sends = &mut self.queued_sends;
                        if let Some(place) = sends.iter().position(|(_, nonce)| *nonce == change.nonce) {
                            self.stored_sends.push(sends.remove(place));
                        }
                    }
                }
                self.engine.persisted(now, batch);
            }
            Some(ToDisk::Read(id, query)) => {
                let events = self.store.load(&query).unwrap();
                self.engine.loaded(now, id, &events);
            }
        }
        true
    }

    pub fn is_send(change: &Change) -> bool {
        matches!(change, Change::Send { .. })
    }
}

fn engine(user: UserId, full_history: bool, store: &mut MemoryStore, random: &mut Random) -> Engine {
    let mut own = Random(random.bits());
    Engine::new(Setup {
        user,
        device: DeviceId::new(user.get() + 1_000).unwrap(),
        restored: store.restore().unwrap(),
        options: Options {
            full_history,
            // Small bounds, so that small runs meet them.
            page: 5,
            lazy_gap: 7,
            fetches: 2,
            requests: 2,
            in_flight: 3,
            held: 4,
            open: 2,
            window: 40,
            answer_timeout_ms: 3_000,
            retry_cap_ms: 400,
            ..Options::default()
        },
        entropy: Box::new(move || own.bits()),
    })
}
