//! The network, the clock and the users: what happens when is drawn from the seed.

use loquat_engine::view::Change;
use loquat_engine::{Command, Credential, Now, RequestFailure};
use loquat_proto::account::Secret;
use loquat_proto::{ConversationId, MessageBody, UserId};

use crate::client::Client;
use crate::random::Random;
use crate::server::{self, Server};

/// How often each fault happens: once in so many times; 0 is never.
#[derive(Debug, Clone, Copy)]
pub struct Faults {
    /// The bus loses an event; the sweep finds it.
    pub lose: u64,
    /// The bus delivers an event late.
    pub reorder: u64,
    /// The bus delivers an event twice.
    pub double: u64,
    /// The server refuses for now.
    pub refuse: u64,
    /// The server does it and does not answer.
    pub silence: u64,
    /// A connection breaks, with all that is under way.
    pub disconnect: u64,
    /// A client crashes.
    pub crash: u64,
    /// The server forgets its tokens.
    pub forget: u64,
}

impl Faults {
    pub const NONE: Self =
        Self { lose: 0, reorder: 0, double: 0, refuse: 0, silence: 0, disconnect: 0, crash: 0, forget: 0 };
    pub const ALL: Self = Self {
        lose: 9,
        reorder: 6,
        double: 8,
        refuse: 12,
        silence: 25,
        disconnect: 70,
        crash: 160,
        forget: 900,
    };
}

const STEPS: usize = 1_500;

pub struct World {
    pub random: Random,
    pub server: Server,
    pub clients: Vec<Client>,
    pub monotonic_ms: u64,
    faults: Faults,
    sockets: usize,
    texts: u64,
}

impl World {
    pub fn new(seed: u64, faults: Faults, full_history: bool) -> Self {
        let mut random = Random(seed);
        let mut server = Server::new(Random(random.bits()), faults);
        let users: Vec<UserId> = (1..=3).map(server::user).collect();
        server.create(1, &users);
        server.create(2, &users);
        server.create(3, &users[..2]);
        let mut clients: Vec<Client> =
            users.iter().map(|user| Client::new(*user, full_history, &mut random)).collect();
        // A second device of the first user.
        clients.push(Client::new(users[0], full_history, &mut random));
        Self { random, server, clients, monotonic_ms: 0, faults, sockets: 0, texts: 0 }
    }

    pub fn now(&self) -> Now {
        // Wall time jumps; nothing may depend on it.
        Now { wall: self.server.clock, monotonic_ms: self.monotonic_ms }
    }

    /// Users chat while everything goes wrong.
    pub fn trouble(&mut self) {
        for _ in 0..STEPS {
            self.monotonic_ms += self.random.below(30);
            let place = usize::try_from(self.random.below(self.clients.len() as u64)).unwrap();
            match self.random.below(12) {
                0..=2 => self.user_acts(place),
                3..=8 => self.client_moves(place),
                9 => self.server.sweep(),
                _ => self.fault(place),
            }
        }
    }

    /// The faults are over: everything that is under way arrives, until nothing is.
    pub fn heal(&mut self) {
        self.server.faults = Faults::NONE;
        self.faults = Faults::NONE;
        let mut quiet = 0;
        for round in 0.. {
            assert!(round < 4_000, "it does not come to rest: {}", self.under_way());
            let mut moved = false;
            for place in 0..self.clients.len() {
                while self.client_moves_anyhow(place) {
                    moved = true;
                }
            }
            self.server.sweep();
            self.monotonic_ms += 50;
            let now = self.now();
            for client in &mut self.clients {
                client.engine.tick(now);
                client.take_effects();
            }
            quiet = if moved && !self.only_ticks() { 0 } else { quiet + 1 };
            // 5 s: longer than any timer that matters here (retries, drafts, summaries, answers).
            if quiet > 100 {
                return;
            }
        }
    }

    /// Everything that is under way arrives.
    pub fn settle(&mut self) {
        for _ in 0..20 {
            for place in 0..self.clients.len() {
                while self.client_moves_anyhow(place) {}
            }
            self.monotonic_ms += 50;
        }
    }

    /// What each client still does, for a run that does not come to rest.
    fn under_way(&self) -> String {
        let of = |client: &Client| {
            let waiting = client.engine.has_unsent();
            format!(
                "{:?} unsent: {waiting}, {:?}\n",
                client.engine,
                (&client.requests, &client.outgoing, &client.disk)
            )
        };
        self.clients.iter().map(of).collect()
    }

    /// Whether what is under way is only the server's tokens and the clients' pings.
    fn only_ticks(&self) -> bool {
        self.clients.iter().all(|client| {
            let only_pings = client.outgoing.iter().all(|frame| frame.contains("ping"));
            let idle = client.disk.is_empty() && client.requests.is_empty() && only_pings;
            idle && client.socket.is_some() && !client.engine.has_unsent()
        })
    }

    fn user_acts(&mut self, place: usize) {
        let now = self.now();
        self.texts += 1;
        let conversations: Vec<ConversationId> =
            self.clients[place].engine.conversations().iter().map(|summary| summary.id).collect();
        let Some(conversation) = self.random.pick(&conversations).copied() else { return };
        let head = self.clients[place].engine.conversation(conversation).map_or(0, |known| known.head);
        // Mostly the newest, sometimes any.
        let reach = if self.random.one_in(4) { head } else { head.min(6) };
        let target = head.max(1) - self.random.below(reach);
        let command = match self.random.below(20) {
            0 => Command::Open(conversation),
            1 => Command::Close(conversation),
            2 => Command::LoadOlder(conversation),
            3 | 4 => Command::MarkRead { conversation, seq: target },
            5 => {
                let text = (self.texts % 3 > 0).then(|| format!("draft {}", self.texts));
                Command::SetDraft { conversation, text }
            }
            6 => Command::SetTyping { conversation, on: self.texts % 2 == 0 },
            7 => Command::Watch(vec![server::user(1 + self.texts % 3)]),
            8 => Command::LearnProfile(server::user(1 + self.texts % 3)),
            _ => {
                let change = self.some_change(target);
                let client = &mut self.clients[place];
                let nonce = client.engine.new_nonce(now);
                if Client::is_send(&change) {
                    client.remember_send(conversation, nonce.clone());
                }
                Command::Change { conversation, nonce, change }
            }
        };
        let client = &mut self.clients[place];
        client.engine.command(now, command).unwrap();
        client.take_effects();
    }

    fn some_change(&mut self, target: u64) -> Change {
        let text = format!("text {}", self.texts);
        match self.random.below(14) {
            0 => Change::Edit { target, body: MessageBody::text(text) },
            1 => Change::Delete { target },
            2 => Change::React { target, emoji: "👍".to_owned(), on: true },
            3 => Change::React { target, emoji: "👍".to_owned(), on: false },
            4 => Change::React { target, emoji: "🍋".to_owned(), on: true },
            5 => Change::Pin { target, on: self.texts % 2 == 0 },
            6 => Change::Send { body: MessageBody::text("forbidden") },
            7 => {
                let mentions = vec![server::user(1 + self.texts % 3)];
                Change::Send { body: MessageBody { mentions, ..MessageBody::text(text) } }
            }
            8 => Change::Send { body: MessageBody { reply_to: Some(target), ..MessageBody::text(text) } },
            _ => Change::Send { body: MessageBody::text(text) },
        }
    }

    /// One thing that is under way for a client arrives, or it connects.
    fn client_moves(&mut self, place: usize) {
        match self.random.below(6) {
            0 => self.connect(place),
            1 => self.upload(place),
            2 => self.download(place),
            3 => self.answer(place),
            4 => self.disk(place),
            _ => {
                let now = self.now();
                self.clients[place].engine.tick(now);
                self.clients[place].take_effects();
                false
            }
        };
    }

    fn client_moves_anyhow(&mut self, place: usize) -> bool {
        let mut moved = self.connect(place);
        moved |= self.disk(place);
        moved |= self.upload(place);
        moved |= self.download(place);
        moved |= self.answer(place);
        moved
    }

    fn connect(&mut self, place: usize) -> bool {
        let now = self.now();
        let client = &mut self.clients[place];
        if client.wants_close {
            self.break_socket(place);
        }
        let client = &mut self.clients[place];
        if client.socket.is_some() {
            return false;
        }
        self.sockets += 1;
        self.server.connect(self.sockets, client.user);
        client.socket = Some(self.sockets);
        client.engine.connected(now, Credential::Token(Secret("token".to_owned())));
        client.take_effects();
        true
    }

    fn upload(&mut self, place: usize) -> bool {
        let client = &mut self.clients[place];
        let (Some(socket), Some(frame)) = (client.socket, client.outgoing.pop_front()) else { return false };
        self.server.receive(socket, &frame);
        true
    }

    fn download(&mut self, place: usize) -> bool {
        let now = self.now();
        let client = &mut self.clients[place];
        let Some(socket) = client.socket else { return false };
        if let Some(session) = self.server.sessions.get_mut(&socket) {
            client.incoming.extend(session.outgoing.drain(..));
            if session.close {
                self.break_socket(place);
                return true;
            }
        }
        let Some(frame) = self.clients[place].incoming.pop_front() else { return false };
        let client = &mut self.clients[place];
        client.engine.frame(now, &frame);
        client.take_effects();
        true
    }

    fn answer(&mut self, place: usize) -> bool {
        let now = self.now();
        let client = &mut self.clients[place];
        if client.requests.is_empty() {
            return false;
        }
        let (id, request) = client.requests.remove(0);
        let lost = self.random.one_in(self.faults.silence.min(8));
        let result = match request.body {
            _ if lost => Err(RequestFailure::Offline),
            Some(body) => {
                self.server.save_draft(client.user, &request.path, &body);
                Ok(String::new())
            }
            None => self.server.rest(client.user, &request.path).map_err(RequestFailure::Problem),
        };
        client.engine.answered(now, id, result.as_deref().map_err(Clone::clone));
        client.take_effects();
        true
    }

    fn disk(&mut self, place: usize) -> bool {
        let now = self.now();
        let client = &mut self.clients[place];
        let moved = client.disk_step(now);
        client.take_effects();
        moved
    }

    fn fault(&mut self, place: usize) {
        let faults = self.faults;
        if self.random.one_in(faults.disconnect / 8) {
            self.break_socket(place);
        }
        if self.random.one_in(faults.crash / 8) {
            if let Some(socket) = self.clients[place].socket {
                self.server.sessions.remove(&socket);
            }
            self.clients[place].crash(&mut self.random);
        }
        if self.random.one_in(40) {
            let id = server::conversation(1 + self.random.below(3));
            let head = self.server.logs[&id].head();
            self.server.expire(id, self.random.below(head.max(1)));
        }
        if self.random.one_in(faults.forget / 8) {
            self.server.forget_tokens();
        }
        if self.random.one_in(faults.crash) {
            let id = 4 + self.random.below(3);
            if !self.server.logs.contains_key(&server::conversation(id)) {
                let users: Vec<UserId> = (1..=3).map(server::user).collect();
                self.server.create(id, &users);
            } else {
                self.server.remove_member(server::conversation(id), server::user(2));
            }
        }
    }

    fn break_socket(&mut self, place: usize) {
        let now = self.now();
        let client = &mut self.clients[place];
        if let Some(socket) = client.socket.take() {
            self.server.sessions.remove(&socket);
        }
        client.wants_close = false;
        client.outgoing.clear();
        client.incoming.clear();
        client.engine.disconnected(now);
        client.take_effects();
    }
}
