//! What an append costs through the port: rate and processor time by size of the batch.
//!
//! `cargo run --release --package loquat-store --example append -- <directory> [messages [batch…]]`
//!
//! Each round hands the writer one batch, spread over 100 direct conversations, and waits for it, as one lane does.
//! Bodies are 200 random bytes, nonces random. "processor" is that of the whole process.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use loquat_domain::ports::{
    Accounts, Append, AppendOutcome, Change, Conversations, Creation, EventLog, MessageWindow,
    NewConversation, NewDevice, NewEvent, NewMember, NewUser, Random, RefreshToken, Timeline, ViewQuery,
};
use loquat_proto::{
    ConversationId, ConversationKind, DeviceId, EventBody, History, MessageBody, Permissions, Retention,
    Role, UserId,
};
use loquat_store::{Options, SqliteStore};

const CONVERSATIONS: u64 = 100;
const NOW: i64 = 1_763_800_000_000;

struct XorShift(std::sync::Mutex<u64>);

impl Random for XorShift {
    fn fill(&self, buffer: &mut [u8]) {
        let mut state = self.0.lock().expect("no code panics under the lock");
        for byte in buffer {
            *state ^= *state << 13;
            *state ^= *state >> 7;
            *state ^= *state << 17;
            *byte = (*state >> 32).to_le_bytes()[0];
        }
    }
}

fn processor() -> Duration {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    #[allow(
        unsafe_code,
        reason = "there is no safe way to ask for the processor time; the call fills the struct"
    )]
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let time = |value: libc::timeval| {
        Duration::from_secs(value.tv_sec.unsigned_abs()) + Duration::from_micros(value.tv_usec.unsigned_abs())
    };
    time(usage.ru_utime) + time(usage.ru_stime)
}

fn user(number: u64) -> UserId {
    UserId::new(1_000_003 * (number + 1)).expect("in range")
}

fn conversation(number: u64) -> ConversationId {
    ConversationId::new(7_000_003 * (number + 1)).expect("in range")
}

async fn populate(store: &SqliteStore) -> Result<(), Box<dyn Error>> {
    for number in 0..2 * CONVERSATIONS {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&number.to_le_bytes());
        let new = NewUser {
            id: user(number),
            username: format!("user{number}"),
            display_name: format!("User {number}"),
            email: None,
            phone: None,
            password_hash: String::new(),
            ts: NOW,
        };
        let device = NewDevice {
            id: DeviceId::new(number + 1).expect("in range"),
            name: String::new(),
            platform: String::new(),
            refresh: RefreshToken { hash, expires_at: i64::MAX },
            ts: NOW,
        };
        store.sign_up(new, device).await?;
    }
    for number in 0..CONVERSATIONS {
        let members = [2 * number, 2 * number + 1];
        let new = NewConversation {
            id: conversation(number),
            kind: ConversationKind::Direct,
            creator: user(members[0]),
            ts: NOW,
            history: History::Full,
            retention: Retention::Keep,
            permissions: Permissions {
                post: Role::Member,
                invite: Role::Admin,
                edit_info: Role::Admin,
                pin: Role::Admin,
            },
            title: String::new(),
            description: String::new(),
            members: members.map(|member| NewMember { user: user(member), role: Role::Member }).to_vec(),
            events: Vec::new(),
        };
        store.create(Creation { conversation: new, account: Vec::new() }).await?;
    }
    Ok(())
}

struct Load {
    random: XorShift,
    heads: Vec<u64>,
    turn: u64,
}

impl Load {
    fn word(&self) -> u64 {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn event(&self, sender: UserId) -> NewEvent {
        let text: String = (0..25).map(|_| format!("{:08x}", self.word() as u32)).collect();
        let body = EventBody::Message(MessageBody::text(text));
        let mut event = NewEvent::new(sender, NOW, &body, Change::Message { mentions: Vec::new() });
        event.device = DeviceId::new(1);
        event.nonce = format!("{:016x}{:016x}", self.word(), self.word()).parse().ok();
        event
    }

    fn appends(&mut self, batch: usize) -> Vec<Append> {
        let conversations = batch.min(CONVERSATIONS as usize);
        let appends = (0..conversations).map(|_| {
            self.turn += 1;
            let number = self.turn % CONVERSATIONS;
            let sender = user(2 * number + (self.turn / CONVERSATIONS) % 2);
            let events: Vec<NewEvent> = (0..batch / conversations).map(|_| self.event(sender)).collect();
            let head = &mut self.heads[number as usize];
            let expected_head = *head;
            *head += events.len() as u64;
            Append { conversation: conversation(number), expected_head, expected_version: 0, events }
        });
        appends.collect()
    }
}

async fn measure(
    store: &SqliteStore,
    load: &mut Load,
    batch: usize,
    messages: usize,
) -> Result<(), Box<dyn Error>> {
    // What is appended is made beforehand: its cost is the caller's.
    let rounds: Vec<Vec<Append>> = (0..messages / batch).map(|_| load.appends(batch)).collect();
    let (start, before) = (Instant::now(), processor());
    let mut latencies = Vec::with_capacity(rounds.len());
    for appends in rounds {
        let sent = Instant::now();
        let outcomes = store.append_many(appends).await?;
        latencies.push(sent.elapsed());
        assert!(outcomes.iter().all(|outcome| matches!(outcome, AppendOutcome::Appended { .. })));
    }
    let (elapsed, used) = (start.elapsed(), processor() - before);
    latencies.sort_unstable();
    let percentile = |percent: usize| latencies[(latencies.len() - 1) * percent / 100].as_micros();
    println!(
        "batch {batch:>5}: {:>7.0} messages/s, processor {:>5.1} us/message, batch p50 {} us, p99 {} us, max {} us",
        messages as f64 / elapsed.as_secs_f64(),
        used.as_secs_f64() * 1e6 / messages as f64,
        percentile(50),
        percentile(99),
        percentile(100),
    );
    Ok(())
}

async fn reads(store: &SqliteStore) -> Result<(), Box<dyn Error>> {
    const ROUNDS: u32 = 2000;
    let start = Instant::now();
    for _ in 0..ROUNDS {
        store.messages(user(0), conversation(0), MessageWindow::Latest, 50).await?;
    }
    println!("page of 50 messages: {} us", (start.elapsed() / ROUNDS).as_micros());
    let start = Instant::now();
    for _ in 0..ROUNDS {
        store.views(user(0), ViewQuery::One(conversation(0))).await?;
    }
    println!("view of one conversation: {} us", (start.elapsed() / ROUNDS).as_micros());
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("usage: append <directory> [messages]")?;
    let messages: usize = arguments.next().map_or(Ok(500_000), |count| count.parse())?;
    let path = Path::new(&directory).join("append.db");
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(Path::new(&directory).join(format!("append.db{suffix}")));
    }
    let random = XorShift(std::sync::Mutex::new(0x9e37_79b9_7f4a_7c15));
    let store = SqliteStore::open(&path, &Options::default(), &random)?;
    populate(&store).await?;
    let mut load = Load { random, heads: vec![0; CONVERSATIONS as usize], turn: 0 };
    let given: Vec<usize> = arguments.map(|batch| batch.parse()).collect::<Result<_, _>>()?;
    for batch in if given.is_empty() { vec![1, 16, 100, 1600, 1600] } else { given } {
        // Small batches take long: fewer messages say as much.
        let count = (messages * batch.clamp(16, 1600) / 1600).max(10_000);
        measure(&store, &mut load, batch, count / batch * batch).await?;
    }
    reads(&store).await?;
    let start = Instant::now();
    store.close();
    println!("close: {} ms", start.elapsed().as_millis());
    let start = Instant::now();
    drop(SqliteStore::open(&path, &Options::default(), &load.random)?);
    println!("open and close: {} ms", start.elapsed().as_millis());
    Ok(())
}
