//! A service, people who use it, and the means to harm it and to judge it afterwards.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use serde_json::json;
use tokio::task::JoinSet;

use crate::api::{Address, Api, Call};
use crate::dice::Dice;
use crate::event::{Event, UserId};
use crate::failure::{Failure, Outcome};
use crate::ledger::{Answer, Entry};
use crate::oracle::{Exhibit, Rule, Shown, Violation, judge};
use crate::server::{Files, Launch, Server, Shim};
use crate::worker::{Figures, Oddities, Worker};
use crate::world::{Room, World, open_conversation, sign_up};

/// How long what was pushed may take to arrive, once all is quiet.
const SETTLE_LIMIT: Duration = Duration::from_secs(5);

/// What every scenario is given.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) binary: PathBuf,
    pub(crate) shim: PathBuf,
    /// Where each scenario puts its files.
    pub(crate) evidence: PathBuf,
    pub(crate) seed: u64,
    pub(crate) cycles: u64,
    pub(crate) power_cycles: u64,
    pub(crate) hostile_inputs: u64,
    pub(crate) soak_minutes: u64,
    pub(crate) progress: indicatif::ProgressBar,
}

/// What an arena is made with.
#[derive(Debug, Default, Clone)]
pub(crate) struct Equipment {
    /// Whether the service runs on the simulated disk, and how much of what is unsynced survives, in percent.
    pub(crate) spill: Option<u64>,
    /// Further settings, as environment variables.
    pub(crate) settings: Vec<(String, String)>,
}

/// A service and its users.
#[derive(Debug)]
pub(crate) struct Arena {
    pub(crate) launch: Launch,
    pub(crate) address: Address,
    pub(crate) dice: Dice,
    pub(crate) server: Option<Server>,
    pub(crate) world: World,
    pub(crate) workers: Vec<Worker>,
    /// How much of each ledger was there when the last verification was done.
    verified: Vec<usize>,
    worlds: u64,
}

/// What runs for each worker: gives back its place, the worker, and what it did.
type Tasks<T> = JoinSet<(usize, Worker, Outcome<T>)>;

/// What a verification found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) violations: Vec<Violation>,
    pub(crate) oddities: Vec<String>,
    /// Requests judged since the last verification.
    pub(crate) requests: usize,
    /// Of these, acknowledged.
    pub(crate) acknowledged: usize,
    /// Events in all logs.
    pub(crate) events: usize,
}

impl Arena {
    /// Starts a service with an empty directory, signs people up and connects them.
    pub(crate) async fn open(context: &Context, name: &str, equipment: Equipment) -> Outcome<Self> {
        let mut dice = Dice::new(context.seed).fork(name);
        let files = Files::create(context.evidence.join(name))?;
        let shim =
            equipment.spill.map(|spill| Shim { library: context.shim.clone(), seed: dice.next(), spill });
        let settings = equipment.settings;
        let launch = Launch { binary: context.binary.clone(), files, shim, failpoint: None, settings };
        let address = Address::default();
        let (server, _) = Server::start(&launch, &address).await?;
        let world = World { accounts: Vec::new(), rooms: Vec::new() };
        let mut arena = Self {
            launch,
            address,
            dice,
            server: Some(server),
            world,
            workers: Vec::new(),
            verified: Vec::new(),
            worlds: 0,
        };
        arena.renew().await?;
        Ok(arena)
    }

    /// New people and new conversations on the same service, so that logs stay short.
    pub(crate) async fn renew(&mut self) -> Outcome<()> {
        self.worlds += 1;
        self.world = World::found(&self.address, &mut self.dice).await?;
        let ledgers = self.launch.files.directory().join("ledgers");
        self.workers.clear();
        for index in 0..self.world.accounts.len() {
            let dice = self.dice.fork("worker");
            self.workers.push(Worker::new(&self.address, &self.world, index, &ledgers, dice)?);
        }
        self.verified = vec![0; self.workers.len()];
        self.connect().await
    }

    /// Somebody whom the oracle does not know writes what is to be gone in a second: work for the service's workers.
    pub(crate) async fn let_something_expire(&mut self) -> Outcome<()> {
        let account = sign_up(&mut Api::new(self.address.clone()), &mut self.dice).await?;
        let mut api = Api::with_token(self.address.clone(), &account.token);
        let body = json!({"kind": "group", "members": [], "title": "Gone soon",
            "retention": {"mode": "ttl", "seconds": 1}});
        let conversation = open_conversation(&mut api, &body).await?;
        let message = json!({"nonce": self.dice.hex(16), "text": "gone soon"});
        let path = format!("/v1/conversations/{conversation}/messages");
        api.call(Call::post(path).json(&message)).await?.success().map(drop)
    }

    /// Connects every user, all at once.
    pub(crate) async fn connect(&mut self) -> Outcome<()> {
        self.each_worker(|worker, _| Box::pin(worker.connect())).await.map(drop)
    }

    /// Runs one task for each worker, all at once.
    async fn each_worker<T: Send + 'static>(
        &mut self,
        task: impl for<'w> Fn(&'w mut Worker, usize) -> BoxFuture<'w, Outcome<T>> + Clone + Send + 'static,
    ) -> Outcome<Vec<T>> {
        let tasks = self.dispatch(task);
        self.gather(tasks).await
    }

    fn dispatch<T: Send + 'static>(
        &mut self,
        task: impl for<'w> Fn(&'w mut Worker, usize) -> BoxFuture<'w, Outcome<T>> + Clone + Send + 'static,
    ) -> Tasks<T> {
        let mut tasks = JoinSet::new();
        for (index, mut worker) in std::mem::take(&mut self.workers).into_iter().enumerate() {
            let task = task.clone();
            tasks.spawn(async move {
                let done = task(&mut worker, index).await;
                (index, worker, done)
            });
        }
        tasks
    }

    /// Takes the workers back in their order, with what their tasks gave.
    async fn gather<T: Send + 'static>(&mut self, mut tasks: Tasks<T>) -> Outcome<Vec<T>> {
        let mut back = BTreeMap::new();
        while let Some(done) = tasks.join_next().await {
            let (index, worker, done) = done.map_err(Failure::unexpected)?;
            back.insert(index, (worker, done));
        }
        let (workers, results): (Vec<_>, Vec<_>) = back.into_values().unzip();
        self.workers = workers;
        results.into_iter().collect()
    }

    /// Lets everybody work while `meanwhile` runs; they stop when it is done, or when the service is gone.
    pub(crate) async fn load<T>(
        &mut self,
        meanwhile: impl AsyncFnOnce(&mut Option<Server>) -> Outcome<T>,
    ) -> Outcome<T> {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let tasks = self.dispatch(move |worker, _| {
            let seen = Arc::clone(&seen);
            Box::pin(async move { worker.work(&seen).await })
        });
        let result = meanwhile(&mut self.server).await;
        stop.store(true, Ordering::Release);
        self.gather(tasks).await?;
        result
    }

    /// Everybody works for a while, and nothing happens to the service.
    pub(crate) async fn load_for(&mut self, duration: Duration) -> Outcome<()> {
        self.load(async |_| {
            tokio::time::sleep(duration).await;
            Ok(())
        })
        .await
    }

    /// Starts the service again, at a failpoint where one is given; how long it took to be ready.
    pub(crate) async fn start(&mut self, failpoint: Option<String>) -> Outcome<Duration> {
        self.launch.failpoint = failpoint;
        if let Some(shim) = &mut self.launch.shim {
            shim.seed = self.dice.next();
        }
        let (server, ready_after) = Server::start(&self.launch, &self.address).await?;
        self.server = Some(server);
        Ok(ready_after)
    }

    /// Kills the service with -9, if it still lives.
    pub(crate) async fn kill(&mut self) -> Outcome<()> {
        match self.server.take() {
            Some(server) => server.kill().await,
            None => Ok(()),
        }
    }

    /// The running service.
    pub(crate) fn running(&mut self) -> Outcome<&mut Server> {
        self.server.as_mut().ok_or_else(|| Failure::unexpected("the service does not run"))
    }

    /// Asks again for everything unanswered, so that it is known what became of it.
    pub(crate) async fn resolve(&mut self) -> Outcome<()> {
        let unanswered = |entry: &Entry| entry.answer == Answer::None;
        self.each_worker(move |worker, _| Box::pin(worker.replay(0, unanswered))).await.map(drop)
    }

    /// The whole oracle: rules 1 to 5 and 7 as things stand, then everything unanswered is asked again, then
    /// everything since the last verification is replayed, and the logs must not move.
    pub(crate) async fn verify(&mut self) -> Outcome<Findings> {
        let (mut violations, _) = self.settle().await?;
        self.resolve().await?;
        let (after, exhibits) = self.settle().await?;
        violations.extend(after);
        violations.extend(self.verify_replays(&exhibits).await?);
        let mut findings = Findings { violations, events: count_events(&exhibits), ..Findings::default() };
        findings.oddities.extend(self.check_cursors().await?);
        for (index, worker) in self.workers.iter_mut().enumerate() {
            let fresh = worker.entries().iter().skip(self.verified[index]);
            findings.requests += fresh.clone().count();
            findings.acknowledged += fresh.filter(|entry| matches!(entry.answer, Answer::Done(_))).count();
            self.verified[index] = worker.entries().len();
            let Oddities { refusals, undelayed, disorder } = std::mem::take(&mut worker.oddities);
            findings.oddities.extend(refusals);
            findings.oddities.extend(disorder.into_iter().map(|what| format!("pushed out of order: {what}")));
            if undelayed > 0 {
                findings.oddities.push(format!("{undelayed} retryable errors without retry_after_ms"));
            }
        }
        Ok(findings)
    }

    /// Waits until what was pushed has arrived, and judges.
    async fn settle(&mut self) -> Outcome<(Vec<Violation>, Vec<Exhibit>)> {
        let started = Instant::now();
        loop {
            let exhibits = self.exhibits().await?;
            let entries: Vec<Entry> =
                self.workers.iter().flat_map(|worker| worker.entries().to_vec()).collect();
            let violations = judge(&entries, &exhibits);
            let waiting = violations.iter().any(|violation| violation.rule == Rule::LiveState);
            if !waiting || started.elapsed() > SETTLE_LIMIT {
                return Ok((violations, exhibits));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Rule 6.
    async fn verify_replays(&mut self, exhibits: &[Exhibit]) -> Outcome<Vec<Violation>> {
        let standing = Arc::new(standing_nonces(exhibits));
        let verified = self.verified.clone();
        let changed = self.each_worker(move |worker, index| {
            let (standing, start, me) = (Arc::clone(&standing), verified[index], worker.me.clone());
            Box::pin(async move {
                let chosen = |entry: &Entry| {
                    let stands = standing.contains(&(me.clone(), entry.intent.nonce.clone()));
                    matches!(entry.answer, Answer::Done(_))
                        && (stands || entry.intent.operation.always_appends())
                };
                worker.replay(start, chosen).await
            })
        });
        let broken = |detail| Violation { rule: Rule::Replay, detail };
        let mut violations: Vec<Violation> = changed.await?.into_iter().flatten().map(broken).collect();
        for exhibit in exhibits {
            let (was, is) = (head(exhibit), self.head_now(exhibit).await?);
            if was != is {
                let detail = format!("conversation {}: head {was:?} is {is:?}", exhibit.conversation);
                violations.push(Violation { rule: Rule::Replay, detail });
            }
        }
        Ok(violations)
    }

    /// The head that the witness is told at this moment.
    async fn head_now(&self, exhibit: &Exhibit) -> Outcome<Option<u64>> {
        let witness = self.workers.iter().find(|worker| worker.me == exhibit.witness);
        let token = witness.map_or("", |worker| worker.token.as_str());
        let mut api = Api::with_token(self.address.clone(), token);
        let call = Call::get(format!("/v1/conversations/{}", exhibit.conversation));
        Ok(api.call(call).await?.success()?["head"].as_u64())
    }

    /// What everybody is shown of every conversation, and what their clients hold.
    async fn exhibits(&mut self) -> Outcome<Vec<Exhibit>> {
        let mut tasks = JoinSet::new();
        for worker in &self.workers {
            let (me, rooms) = (worker.me.clone(), self.world.rooms.clone());
            let api = Api::with_token(self.address.clone(), &worker.token);
            tasks.spawn(async move { (me, fetch_all(api, &rooms).await) });
        }
        let mut by_user: BTreeMap<UserId, Vec<Shown>> = BTreeMap::new();
        while let Some(done) = tasks.join_next().await {
            let (user, shown) = done.map_err(Failure::unexpected)?;
            by_user.insert(user, shown?);
        }
        // After the logs were read, so that what was pushed has had its time.
        for worker in &mut self.workers {
            worker.absorb()?;
        }
        let user = |place: usize| self.world.accounts[place].id.clone();
        let exhibit = |(index, room): (usize, &Room)| Exhibit {
            conversation: room.id.clone(),
            full_history: room.full_history,
            founders: room.founders.iter().map(|place| user(*place)).collect(),
            witness: user(room.owner),
            shown: by_user.iter().map(|(user, shown)| (user.clone(), shown[index].clone())).collect(),
            held: self
                .workers
                .iter()
                .filter(|worker| worker.socket.as_ref().is_some_and(|socket| !socket.is_closed()))
                .map(|worker| (worker.me.clone(), worker.held.get(&room.id).cloned().unwrap_or_default()))
                .collect(),
        };
        Ok(self.world.rooms.iter().enumerate().map(exhibit).collect())
    }

    /// Cursors never pass the head, and `read` implies `delivered`.
    async fn check_cursors(&self) -> Outcome<Vec<String>> {
        let mut wrong = Vec::new();
        for worker in &self.workers {
            let mut api = Api::with_token(self.address.clone(), &worker.token);
            let listed = api.call(Call::get("/v1/conversations?limit=200")).await?.success()?;
            for conversation in listed["items"].as_array().into_iter().flatten() {
                let head = conversation["head"].as_u64().unwrap_or(0);
                for cursor in conversation["cursors"].as_array().into_iter().flatten() {
                    let (delivered, read) = (cursor["delivered"].as_u64(), cursor["read"].as_u64());
                    if delivered > Some(head) || read > delivered {
                        wrong.push(format!(
                            "conversation {}: head {head}, cursor {cursor}",
                            conversation["id"]
                        ));
                    }
                }
            }
        }
        Ok(wrong)
    }

    /// The figures of the load so far, which start anew.
    pub(crate) fn take_figures(&mut self) -> Figures {
        let mut total = Figures::default();
        for worker in &mut self.workers {
            let Figures { latencies, acknowledged, retryable } = std::mem::take(&mut worker.figures);
            total.latencies.extend(latencies);
            total.acknowledged += acknowledged;
            total.retryable += retryable;
        }
        total
    }
}

/// The last `seq` that the witness is shown.
fn head(exhibit: &Exhibit) -> Option<u64> {
    match exhibit.shown.get(&exhibit.witness) {
        Some(Shown::Log { head, .. }) => Some(*head),
        _ => None,
    }
}

fn count_events(exhibits: &[Exhibit]) -> usize {
    exhibits.iter().filter_map(head).map(|head| usize::try_from(head).unwrap_or(0)).sum()
}

/// Every nonce that its sender is shown in a log.
fn standing_nonces(exhibits: &[Exhibit]) -> HashSet<(UserId, String)> {
    let mut standing = HashSet::new();
    for (user, shown) in exhibits.iter().flat_map(|exhibit| &exhibit.shown) {
        if let Shown::Log { events, .. } = shown {
            let own = events.iter().filter(|event| event.sender == *user);
            standing.extend(own.filter_map(|event| Some((user.clone(), event.nonce.clone()?))));
        }
    }
    standing
}

async fn fetch_all(mut api: Api, rooms: &[Room]) -> Outcome<Vec<Shown>> {
    let mut all = Vec::new();
    for room in rooms {
        all.push(fetch_log(&mut api, room).await?);
    }
    Ok(all)
}

/// The whole log of one conversation, as the caller is shown it.
async fn fetch_log(api: &mut Api, room: &Room) -> Outcome<Shown> {
    let mut all: Vec<Event> = Vec::new();
    let mut after = 0;
    loop {
        let path = format!("/v1/conversations/{}/events?after={after}&limit=200", room.id);
        let reply = api.call(Call::get(path)).await?;
        if reply.status == 404 {
            return Ok(Shown::Nothing);
        }
        let page = reply.success()?;
        let (Some(head), Some(visible_from)) = (page["head"].as_u64(), page["visible_from"].as_u64()) else {
            return Err(Failure::Unexpected(format!("a page without head or visible_from: {page}")));
        };
        let items = page["items"].as_array().cloned().unwrap_or_default();
        for item in &items {
            all.push(Event::parse(item)?);
        }
        let last = all.last().map_or(0, |event| event.seq);
        // A page that brings nothing new would be asked for again for ever: the oracle reports what is missing.
        if items.is_empty() || last >= head || last <= after {
            return Ok(Shown::Log { visible_from, head, events: all });
        }
        after = last;
    }
}

/// The rules that were broken, without doubles.
pub(crate) fn broken_rules(violations: &[Violation]) -> BTreeSet<Rule> {
    violations.iter().map(|violation| violation.rule).collect()
}
