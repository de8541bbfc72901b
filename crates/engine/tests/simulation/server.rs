//! A server of the protocol, as simple as may be: everything in memory, one step at a time.

use std::collections::{BTreeMap, BTreeSet};

use loquat_proto::conversation::Cursor;
use loquat_proto::event::{DeleteBody, EditBody, MemberBody, MemberChange, PinBody, ReactionBody};
use loquat_proto::frame::{self, Fetch, FrameId};
use loquat_proto::message::{Appended, EventPage};
use loquat_proto::{
    AccountEvent, AccountEventKind, ClientFrame, Conversation, ConversationId, DeviceId, ErrorBody,
    ErrorCode, Event, EventBody, EventKind, Nonce, Page, Presence, PresenceState, Profile, Ready, Role, Seq,
    UserId,
};
use serde_json::json;
use serde_json::value::RawValue;

use crate::materialise;
use crate::random::Random;
use crate::world::Faults;

pub fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}

pub fn conversation(id: u64) -> ConversationId {
    ConversationId::new(id).unwrap()
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Cursors {
    pub delivered: Seq,
    pub read: Seq,
}

#[derive(Debug)]
pub struct Log {
    pub id: ConversationId,
    pub events: Vec<Event>,
    pub members: BTreeMap<UserId, Cursors>,
    nonces: BTreeMap<(UserId, Nonce), Appended>,
    pub drafts: BTreeMap<UserId, String>,
    /// Up to here everything has outlived its retention.
    pub expired_to: Seq,
    /// When it last moved, as a position of the whole server.
    moved: u64,
}

/// A connection as the server sees it.
#[derive(Debug)]
pub struct Session {
    pub user: UserId,
    pub outgoing: Vec<String>,
    greeted: bool,
    /// Events that the bus lost: the sweep finds them.
    lost: Vec<(u64, Event)>,
    /// Events that the bus is late with.
    late: Vec<Event>,
    /// Conversations that wait for a refused change to come again.
    waiting: BTreeMap<ConversationId, Nonce>,
    pub close: bool,
}

#[derive(Debug)]
pub struct Server {
    pub logs: BTreeMap<ConversationId, Log>,
    accounts: BTreeMap<UserId, Vec<AccountEvent>>,
    pub sessions: BTreeMap<usize, Session>,
    position: u64,
    pub clock: i64,
    pub random: Random,
    pub faults: Faults,
    /// Forgets tokens: the next `hello` is answered with a reset.
    epoch: u64,
}

enum Refusal {
    Error(ErrorCode, Option<u64>),
    /// No answer at all.
    Silence,
}

impl Server {
    pub fn new(random: Random, faults: Faults) -> Self {
        Self {
            logs: BTreeMap::new(),
            accounts: BTreeMap::new(),
            sessions: BTreeMap::new(),
            position: 1,
            clock: 1_763_800_000_000,
            random,
            faults,
            epoch: 0,
        }
    }

    pub fn create(&mut self, id: u64, members: &[UserId]) {
        let id = conversation(id);
        let members = members.iter().map(|user| (*user, Cursors::default())).collect();
        let (nonces, drafts) = (BTreeMap::new(), BTreeMap::new());
        self.position += 1;
        let log =
            Log { id, events: Vec::new(), members, nonces, drafts, expired_to: 0, moved: self.position };
        let users: Vec<UserId> = log.members.keys().copied().collect();
        self.logs.insert(id, log);
        for member in users {
            self.account(member, AccountEventKind::ConversationJoined, json!({"conversation": id}));
            let (change, role) = (MemberChange::Joined, Role::Member);
            let body = EventBody::Member(MemberBody { user: member, change, role, by: member });
            self.append(id, (member, None), None, &body);
        }
    }

    pub fn remove_member(&mut self, id: ConversationId, member: UserId) {
        let Some(log) = self.logs.get_mut(&id) else { return };
        if log.members.len() < 3 || log.members.remove(&member).is_none() {
            return;
        }
        let (change, role) = (MemberChange::Removed, Role::Member);
        let by = *log.members.keys().next().unwrap();
        let body = EventBody::Member(MemberBody { user: member, change, role, by });
        self.append(id, (by, None), None, &body);
        self.account(member, AccountEventKind::ConversationLeft, json!({"conversation": id}));
    }

    /// Retention erases up to here, and tells sessions.
    pub fn expire(&mut self, id: ConversationId, upto: Seq) {
        let Some(log) = self.logs.get_mut(&id).filter(|log| upto > log.expired_to) else { return };
        log.expire(upto);
        self.position += 1;
        log.moved = self.position;
        let push = frame::push(&frame::Push::Erased { conversation: id, erased_to: upto, expired_to: upto });
        for session in self.sessions.values_mut().filter(|session| session.greeted) {
            if log.members.contains_key(&session.user) {
                session.outgoing.push(text(&push));
            }
        }
    }

    /// The service was restored in a way that makes its old tokens worthless.
    pub fn forget_tokens(&mut self) {
        self.epoch += 1;
        self.sessions.values_mut().for_each(|session| session.close = true);
    }

    fn account(&mut self, user: UserId, kind: AccountEventKind, body: serde_json::Value) {
        let log = self.accounts.entry(user).or_default();
        let event = AccountEvent { pos: log.len() as u64 + 1, ts: self.clock, kind, body };
        log.push(event.clone());
        let push = frame::push(&frame::Push::Account { event });
        for session in self.sessions.values_mut().filter(|session| session.greeted && session.user == user) {
            session.outgoing.push(text(&push));
        }
    }

    pub fn connect(&mut self, socket: usize, user: UserId) {
        let session = Session {
            user,
            outgoing: Vec::new(),
            greeted: false,
            lost: Vec::new(),
            late: Vec::new(),
            waiting: BTreeMap::new(),
            close: false,
        };
        self.sessions.insert(socket, session);
    }

    pub fn receive(&mut self, socket: usize, text: &str) {
        let parsed = ClientFrame::parse(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let Some(session) = self.sessions.get(&socket) else { return };
        let user = session.user;
        let answer = match parsed.frame {
            ClientFrame::Hello(hello) => self.hello(socket, user, hello.since),
            ClientFrame::Fetch(fetch) => self.fetch(user, &fetch),
            ClientFrame::Ack { conversation, delivered, read } => {
                self.ack(conversation, user, (delivered, read));
                return;
            }
            ClientFrame::Watch { users } => {
                let present =
                    |user: &UserId| Presence { user: *user, state: PresenceState::Online, last_seen: None };
                Ok(raw(&json!({"items": users.iter().map(present).collect::<Vec<_>>()})))
            }
            ClientFrame::Typing { .. } | ClientFrame::Status(_) | ClientFrame::Ping {} => return,
            change => self.change(socket, user, change).map(|appended| raw(&appended)),
        };
        let re = parsed.id.expect("asked with an id");
        let Some(session) = self.sessions.get_mut(&socket) else { return };
        match answer {
            Ok(ok) => session.outgoing.push(text_of(re, "ok", &ok)),
            Err(Refusal::Error(code, retry_after_ms)) => {
                let error = ErrorBody { code, detail: "refused".to_owned(), retry_after_ms };
                session.outgoing.push(text_of(re, "error", &raw(&error)));
            }
            Err(Refusal::Silence) => {}
        }
    }

    fn hello(
        &mut self,
        socket: usize,
        user: UserId,
        since: Option<String>,
    ) -> Result<Box<RawValue>, Refusal> {
        if self.random.one_in(self.faults.refuse * 2) {
            return Err(Refusal::Error(ErrorCode::Unavailable, Some(50)));
        }
        let token = since.as_deref().and_then(|since| self.read_token(since));
        let reset = since.is_some() && token.is_none();
        let (from, pos) = token.unwrap_or((0, 0));
        let mine = self.logs.values().filter(|log| log.members.contains_key(&user));
        let superset = self.random.clone().one_in(3);
        let mut changed: Vec<Conversation> =
            mine.filter(|log| superset || log.moved > from).map(|log| log.summary(user)).collect();
        let more = changed.len() > 2 && self.random.one_in(2);
        if more {
            changed.truncate(1);
        }
        let account = self.accounts.entry(user).or_default();
        let account = account.iter().filter(|event| event.pos > pos).cloned().collect();
        let ready = Ready {
            user,
            device: DeviceId::new(user.get() + 1_000).unwrap(),
            session: socket.to_string(),
            heartbeat_ms: 15_000,
            since: self.token(user, self.position),
            changed,
            more,
            account,
            reset,
        };
        if let Some(session) = self.sessions.get_mut(&socket) {
            session.greeted = true;
        }
        Ok(raw(&ready))
    }

    fn token(&self, user: UserId, position: u64) -> String {
        let pos = self.accounts.get(&user).map_or(0, Vec::len);
        format!("{}.{position}.{pos}", self.epoch)
    }

    fn read_token(&self, token: &str) -> Option<(u64, u64)> {
        let mut parts = token.split('.').map(|part| part.parse::<u64>().unwrap());
        let (epoch, position, pos) = (parts.next()?, parts.next()?, parts.next()?);
        (epoch == self.epoch).then_some((position, pos))
    }

    fn fetch(&mut self, user: UserId, fetch: &Fetch) -> Result<Box<RawValue>, Refusal> {
        if self.random.one_in(self.faults.refuse) {
            return Err(Refusal::Error(ErrorCode::RateLimited, Some(20)));
        }
        if self.random.one_in(self.faults.silence) {
            return Err(Refusal::Silence);
        }
        let log = self.logs.get(&fetch.conversation).filter(|log| log.members.contains_key(&user));
        let Some(log) = log else { return Err(Refusal::Error(ErrorCode::NotFound, None)) };
        let limit = fetch.limit.unwrap_or(50) as usize;
        let items: Vec<Event> = match (fetch.after, fetch.before) {
            (Some(after), None) => {
                log.events.iter().filter(|it| it.seq > after).take(limit).cloned().collect()
            }
            (None, Some(before)) => {
                let below: Vec<&Event> = log.events.iter().filter(|event| event.seq < before).collect();
                below[below.len().saturating_sub(limit)..].iter().map(|event| (*event).clone()).collect()
            }
            other => panic!("a fetch of {other:?}"),
        };
        let items = items.into_iter().map(|event| seen_by(event, user)).collect();
        Ok(raw(&EventPage { items, head: log.head(), visible_from: 1 }))
    }

    fn ack(&mut self, id: ConversationId, user: UserId, (delivered, read): (Option<Seq>, Option<Seq>)) {
        let Some(log) = self.logs.get_mut(&id) else { return };
        let head = log.head();
        let Some(cursors) = log.members.get_mut(&user) else { return };
        let before = (cursors.delivered, cursors.read);
        let read = read.unwrap_or(0);
        assert!(delivered.unwrap_or(0) <= head && read <= head, "a cursor past the head");
        cursors.read = cursors.read.max(read);
        cursors.delivered = cursors.delivered.max(delivered.unwrap_or(0)).max(cursors.read);
        if before == (cursors.delivered, cursors.read) {
            return;
        }
        let cursor = Cursor { user, delivered: cursors.delivered, read: cursors.read };
        self.position += 1;
        log.moved = self.position;
        let members: BTreeSet<UserId> = log.members.keys().copied().collect();
        let push = frame::push(&frame::Push::Receipt { conversation: id, items: vec![cursor] });
        for session in self.sessions.values_mut().filter(|session| session.greeted) {
            if members.contains(&session.user) {
                session.outgoing.push(text(&push));
            }
        }
    }

    fn change(&mut self, socket: usize, user: UserId, change: ClientFrame) -> Result<Appended, Refusal> {
        let (id, nonce, body) = body_of(change);
        if let Some(first) = self.logs.get(&id).and_then(|log| log.nonces.get(&(user, nonce.clone()))) {
            return Ok(*first);
        }
        if !self.logs.get(&id).is_some_and(|log| log.members.contains_key(&user)) {
            return Err(Refusal::Error(ErrorCode::NotFound, None));
        }
        let now = Some(self.random.below(200));
        let refuse = self.random.one_in(self.faults.refuse);
        let session = self.sessions.get_mut(&socket).expect("it sent this");
        match session.waiting.get(&id) {
            Some(first) if *first != nonce => return Err(Refusal::Error(ErrorCode::Unavailable, now)),
            _ if refuse => {
                session.waiting.insert(id, nonce);
                let code =
                    if self.random.one_in(2) { ErrorCode::RateLimited } else { ErrorCode::Unavailable };
                return Err(Refusal::Error(code, now.filter(|_| self.random.one_in(2))));
            }
            _ => {
                session.waiting.remove(&id);
            }
        }
        if let EventBody::Message(body) = &body {
            if body.text == "forbidden" {
                return Err(Refusal::Error(ErrorCode::Forbidden, None));
            }
        }
        let log = &self.logs[&id];
        if let Some(target) = body.target() {
            let alive = log
                .events
                .iter()
                .any(|event| event.seq == target && event.kind == EventKind::Message && event.body.is_some());
            if !alive && !matches!(body, EventBody::Delete(_)) {
                return Err(Refusal::Error(ErrorCode::Conflict, None));
            }
        }
        if changes_nothing(log, user, &body) {
            return Ok(Appended { conversation: id, seq: log.head(), ts: self.clock });
        }
        let appended = self.append(id, (user, Some(socket)), Some(nonce), &body);
        // Committed, and then the answer gets lost.
        if self.random.one_in(self.faults.silence) { Err(Refusal::Silence) } else { Ok(appended) }
    }

    fn append(
        &mut self,
        id: ConversationId,
        (sender, socket): (UserId, Option<usize>),
        nonce: Option<Nonce>,
        body: &EventBody,
    ) -> Appended {
        self.position += 1;
        self.clock += 1;
        let log = self.logs.get_mut(&id).unwrap();
        log.moved = self.position;
        let seq = log.head() + 1;
        let event = Event {
            conversation: id,
            seq,
            ts: self.clock,
            sender,
            device: DeviceId::new(sender.get() + 1_000),
            nonce: nonce.clone(),
            kind: body.kind(),
            body: Some(RawValue::from_string(body.encode()).unwrap()),
        };
        if let EventBody::Delete(DeleteBody { target }) = body {
            log.erase(*target);
        }
        log.events.push(event.clone());
        let appended = Appended { conversation: id, seq, ts: self.clock };
        if let Some(nonce) = nonce {
            log.nonces.insert((sender, nonce), appended);
        }
        let members: BTreeSet<UserId> = log.members.keys().copied().collect();
        let skips_sender = self.random.one_in(2);
        let Self { sessions, random, faults, position, .. } = self;
        for (other, session) in sessions.iter_mut() {
            let skipped = socket == Some(*other) && skips_sender;
            if !session.greeted || !members.contains(&session.user) || skipped {
                continue;
            }
            let event = seen_by(event.clone(), session.user);
            if random.one_in(faults.lose) {
                session.lost.push((*position, event));
            } else if random.one_in(faults.reorder) {
                session.late.push(event);
            } else {
                session.push_event(event.clone());
                if random.one_in(faults.double) {
                    session.push_event(event);
                }
            }
        }
        appended
    }

    /// The bus delivers what it is late with, the sweep finds what it lost, and a token may be told.
    pub fn sweep(&mut self) {
        let (clock, random) = (self.clock, &mut self.random);
        let tokens: BTreeMap<UserId, String> = self
            .sessions
            .values()
            .map(|session| {
                let pos = self.accounts.get(&session.user).map_or(0, Vec::len);
                (session.user, format!("{}.{}.{pos}", self.epoch, self.position))
            })
            .collect();
        for session in self.sessions.values_mut().filter(|session| session.greeted) {
            for event in std::mem::take(&mut session.late) {
                session.push_event(event);
            }
            if random.one_in(2) {
                for (_, event) in std::mem::take(&mut session.lost) {
                    session.push_event(event);
                }
            }
            // Never ahead of what this socket was sent.
            if session.lost.is_empty() {
                let since = tokens[&session.user].clone();
                session.outgoing.push(text(&frame::push(&frame::Push::Tick { since })));
            }
            if random.one_in(5) {
                let (conversation, user) = (conversation(1), user(1));
                let typing = frame::Push::Typing { conversation, user, on: clock % 2 == 0 };
                session.outgoing.push(text(&frame::push(&typing)));
            }
        }
    }

    pub fn rest(&mut self, user: UserId, path: &str) -> Result<String, ErrorBody> {
        let parts: Vec<&str> = path.split(['/', '?']).skip(2).collect();
        let not_found =
            || ErrorBody { code: ErrorCode::NotFound, detail: String::new(), retry_after_ms: None };
        let encode = |value: serde_json::Value| Ok(value.to_string());
        match parts.as_slice() {
            ["users", id] => encode(json!(profile(id.parse().unwrap()))),
            ["conversations", _limit] if path.contains('?') && !path.contains("members") => {
                self.list(user, path)
            }
            ["conversations", id] => {
                let log = self.logs.get(&id.parse().unwrap());
                let log = log.filter(|log| log.members.contains_key(&user)).ok_or_else(not_found)?;
                encode(json!(log.summary(user)))
            }
            ["conversations", _, "members", _] => encode(json!({"items": [], "next_cursor": null})),
            ["conversations", _, "preferences"] => Ok(String::new()),
            other => panic!("no such path: {other:?}"),
        }
    }

    pub fn save_draft(&mut self, user: UserId, path: &str, body: &str) {
        let id: ConversationId = path.split('/').nth(3).unwrap().parse().unwrap();
        let Some(log) = self.logs.get_mut(&id) else { return };
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        match body["draft"].as_str() {
            Some(draft) => log.drafts.insert(user, draft.to_owned()),
            None => log.drafts.remove(&user),
        };
        self.position += 1;
        log.moved = self.position;
        let body = json!({"conversation": id, "draft": body["draft"]});
        self.account(user, AccountEventKind::Preferences, body);
    }

    /// One conversation a page.
    fn list(&mut self, user: UserId, path: &str) -> Result<String, ErrorBody> {
        let after: u64 = path.split("cursor=").nth(1).map_or(0, |cursor| cursor.parse().unwrap());
        let mut mine =
            self.logs.values().filter(|log| log.members.contains_key(&user) && log.id.get() > after);
        let items: Vec<Conversation> = mine.next().map(|log| log.summary(user)).into_iter().collect();
        let next_cursor = mine.next().and(items.last().map(|last| last.id.to_string()));
        Ok(serde_json::to_string(&Page { items, next_cursor }).unwrap())
    }
}

impl Session {
    fn push_event(&mut self, event: Event) {
        self.outgoing.push(text(&frame::push(&frame::Push::Event { event })));
    }
}

impl Log {
    pub fn head(&self) -> Seq {
        self.events.last().map_or(0, |event| event.seq)
    }

    fn erase(&mut self, target: Seq) {
        for event in &mut self.events {
            let is_edit = event.kind == EventKind::Edit
                && matches!(event.decode(), Ok(Some(EventBody::Edit(edit))) if edit.target == target);
            if event.seq == target || is_edit {
                event.body = None;
            }
        }
    }

    fn expire(&mut self, upto: Seq) {
        self.expired_to = upto;
        for event in &mut self.events {
            let about = match event.kind {
                EventKind::Message => Some(event.seq),
                EventKind::Edit | EventKind::Reaction => {
                    event.decode().unwrap().and_then(|body| body.target())
                }
                _ => None,
            };
            if about.is_some_and(|seq| seq <= upto) {
                event.body = None;
            }
        }
    }

    pub fn unread(&self, user: UserId) -> (u64, u64) {
        let read = self.members[&user].read;
        let others = self
            .events
            .iter()
            .filter(|event| event.seq > read && event.kind == EventKind::Message && event.sender != user);
        let mentions = others.clone().filter(|event| match event.decode() {
            Ok(Some(EventBody::Message(body))) => body.mentions.contains(&user),
            _ => false,
        });
        (others.count() as u64, mentions.count() as u64)
    }

    pub fn summary(&self, user: UserId) -> Conversation {
        let cursors = self.members[&user];
        let (unread, mentions) = self.unread(user);
        let messages = materialise::messages(&self.events, user);
        let all = self.members.iter().map(
            |(user, cursors)| json!({"user": user, "delivered": cursors.delivered, "read": cursors.read}),
        );
        let summary = json!({
            "id": self.id, "kind": "group", "title": "group", "description": "", "avatar": null, "owner": null,
            "member_count": self.members.len(), "head": self.head(), "visible_from": 1, "history": "full",
            "created_at": 1, "last_activity": self.events.last().map_or(1, |event| event.ts),
            "last_message": messages.last_key_value().map(|(_, message)| message),
            "retention": {"mode": "keep"}, "erased_to": self.expired_to, "expired_to": self.expired_to,
            "permissions": {"post": "member", "invite": "admin", "edit_info": "admin", "pin": "admin"},
            "slow_mode_ms": 0, "peer": null,
            "me": {"role": "member", "delivered": cursors.delivered, "read": cursors.read, "unread": unread,
                   "mentions": mentions, "muted_until": null, "pinned": false, "archived": false,
                   "draft": self.drafts.get(&user)},
            "cursors": all.collect::<Vec<_>>()
        });
        serde_json::from_value(summary).unwrap()
    }
}

fn profile(id: UserId) -> Profile {
    let name = format!("user{id}");
    serde_json::from_value(json!({
        "id": id, "username": name, "display_name": name, "bio": "", "avatar": null, "kind": "person", "deleted": false
    }))
    .unwrap()
}

fn changes_nothing(log: &Log, user: UserId, body: &EventBody) -> bool {
    let messages = materialise::messages(&log.events, user);
    match body {
        EventBody::Reaction(ReactionBody { target, emoji, on }) => {
            let mine = |it: &loquat_proto::Reaction| it.emoji == *emoji && it.me;
            messages[target].reactions.iter().any(mine) == *on
        }
        EventBody::Pin(PinBody { target, on }) => messages[target].pinned == *on,
        EventBody::Delete(DeleteBody { target }) => messages.get(target).is_none_or(|it| it.deleted),
        _ => false,
    }
}

fn body_of(change: ClientFrame) -> (ConversationId, Nonce, EventBody) {
    match change {
        ClientFrame::Send { conversation, nonce, body } => (conversation, nonce, EventBody::Message(body)),
        ClientFrame::Edit { conversation, nonce, target, text, format, mentions } => {
            let body = EventBody::Edit(EditBody { target, text, format, mentions });
            (conversation, nonce.unwrap(), body)
        }
        ClientFrame::Delete(it) => {
            (it.conversation, it.nonce.unwrap(), EventBody::Delete(DeleteBody { target: it.target }))
        }
        ClientFrame::React(it) => {
            let body = ReactionBody { target: it.target, emoji: it.emoji, on: it.on };
            (it.conversation, it.nonce.unwrap(), EventBody::Reaction(body))
        }
        ClientFrame::Pin { target, on } => {
            let body = EventBody::Pin(PinBody { target: target.target, on });
            (target.conversation, target.nonce.unwrap(), body)
        }
        other => panic!("no change: {other:?}"),
    }
}

/// The nonce is for the sender alone.
pub fn seen_by(mut event: Event, user: UserId) -> Event {
    event.nonce = event.nonce.filter(|_| event.sender == user);
    event
}

fn raw<T: serde::Serialize>(value: &T) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn text_of(re: FrameId, field: &str, value: &RawValue) -> String {
    format!("{{\"re\":{re},\"{field}\":{}}}", value.get())
}
