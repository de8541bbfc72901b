//! Kill -9 and power loss under load, at failpoints and at random moments.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use super::{Tally, check_ready};
use crate::arena::{Arena, Context, Equipment};
use crate::failure::{Failure, Outcome};
use crate::report::Report;
use crate::server::copy_directory;

/// Where the service aborts itself when told, around parse, append, commit, publish, ack, and the claim of a job.
const FAILPOINTS: [&str; 12] = [
    "parse",
    "before_append",
    "after_append",
    "before_commit",
    "after_commit",
    "before_ack",
    "after_ack",
    "before_fanout",
    "before_cursor_flush",
    "before_claim",
    "after_claim",
    "before_settle",
];
/// After how many cycles new people and conversations take over, so that logs stay short.
const CYCLES_A_WORLD: u64 = 5;
/// How a process ends that aborts itself.
const SIGABRT: i32 = 6;
/// How long a failpoint is waited for.
const FAILPOINT_LIMIT: Duration = Duration::from_secs(6);

/// Kill -9: what the kernel holds survives.
pub(super) async fn kill(context: Context) -> Outcome<Report> {
    let cycles = context.cycles;
    Cycles::open(&context, "kill", None).await?.run(&context, cycles).await
}

/// Power loss: only what was synced survives, and perhaps a part of the rest.
pub(super) async fn power(context: Context) -> Outcome<Report> {
    let cycles = context.power_cycles;
    Cycles::open(&context, "power", Some(25)).await?.run(&context, cycles).await
}

struct Cycles {
    arena: Arena,
    report: Report,
    tally: Tally,
    power: bool,
    slowest_start: Duration,
    damaged: Option<String>,
    /// How often each failpoint was set, and how often it struck.
    failpoints: BTreeMap<&'static str, (u64, u64)>,
}

impl Cycles {
    async fn open(context: &Context, name: &str, spill: Option<u64>) -> Outcome<Self> {
        let equipment = Equipment { spill, ..Equipment::default() };
        Ok(Self {
            arena: Arena::open(context, name, equipment).await?,
            report: Report::new(name),
            tally: Tally::default(),
            power: spill.is_some(),
            slowest_start: Duration::ZERO,
            damaged: None,
            failpoints: BTreeMap::new(),
        })
    }

    async fn run(mut self, context: &Context, cycles: u64) -> Outcome<Report> {
        for cycle in 0..cycles {
            if cycle > 0 && cycle % CYCLES_A_WORLD == 0 {
                self.arena.renew().await?;
            }
            let failpoint = (cycle % 2 == 0).then(|| FAILPOINTS[place(cycle / 2)]);
            let clean = self.cycle(failpoint).await.map_err(|why| {
                Failure::Unexpected(format!("cycle {cycle} ({}): {why}", failpoint.unwrap_or("at random")))
            })?;
            context.progress.inc(1);
            if !clean || self.damaged.is_some() {
                // What is there now is the evidence.
                let files = &self.arena.launch.files;
                copy_directory(&files.data(), &files.directory().join("data-at-violation"))?;
                break;
            }
        }
        self.finish(cycles)
    }

    /// One fault and one verification; whether every promise was kept.
    async fn cycle(&mut self, failpoint: Option<&'static str>) -> Outcome<bool> {
        if let Some(shim) = &mut self.arena.launch.shim {
            shim.spill = self.arena.dice.pick(&[0, 25, 60]).copied().unwrap_or(0);
        }
        match failpoint {
            Some(name) => self.work_until_failpoint(name).await?,
            None => self.work_until_killed().await?,
        }
        self.arena.kill().await?;
        if self.power {
            if self.arena.dice.percent(40) {
                self.live_on_unsynced_data().await?;
            }
            self.arena.launch.files.lose_power()?;
        }
        let verdict = self.arena.launch.files.integrity()?;
        if verdict != "ok" {
            self.damaged = Some(verdict);
        }
        let ready_after = self.arena.start(None).await?;
        self.slowest_start = self.slowest_start.max(ready_after);
        self.arena.connect().await?;
        self.tally.verify(&mut self.arena).await
    }

    /// Killed in the middle of the load; every third time while it stops gracefully, and tidies its files.
    async fn work_until_killed(&mut self) -> Outcome<()> {
        let moment = Duration::from_millis(self.arena.dice.between(200, 1500));
        let stopping = self.arena.dice.percent(33);
        let tidying = Duration::from_millis(self.arena.dice.between(0, 400));
        self.arena
            .load(async |server| {
                tokio::time::sleep(moment).await;
                let Some(server) = server.take() else { return Ok(()) };
                if stopping {
                    server.terminate().await?;
                    tokio::time::sleep(tidying).await;
                }
                server.kill().await
            })
            .await
    }

    async fn work_until_failpoint(&mut self, name: &'static str) -> Outcome<()> {
        let passage = match name {
            "before_cursor_flush" | "before_claim" => self.arena.dice.between(1, 3),
            // A claim is one of all that is due.
            "after_claim" | "before_settle" => 1,
            // Signing in is parsed too.
            "parse" => self.arena.dice.between(20, 300),
            _ => self.arena.dice.between(1, 80),
        };
        self.arena.kill().await?;
        match self.arena.start(Some(format!("{name}:{passage}"))).await {
            Ok(_) => {}
            // Workers claim what is due before the first request comes.
            Err(Failure::EndedAtStart(status)) if status.signal() == Some(SIGABRT) => {
                self.count(name, true);
                return Ok(());
            }
            Err(failure) => return Err(failure),
        }
        // The failpoint may strike while users connect.
        let mut connected = self.arena.connect().await;
        if connected.is_ok() && matches!(name, "before_claim" | "after_claim" | "before_settle") {
            connected = self.arena.let_something_expire().await;
        }
        let struck = self
            .arena
            .load(async |server| {
                let Some(server) = server else { return Ok(false) };
                Ok(server.wait(FAILPOINT_LIMIT).await?.is_some())
            })
            .await?;
        self.count(name, struck);
        if struck { Ok(()) } else { connected }
    }

    fn count(&mut self, name: &'static str, struck: bool) {
        let entry = self.failpoints.entry(name).or_default();
        entry.0 += 1;
        entry.1 += u64::from(struck);
    }

    /// The service comes back on what it finds in the page cache, answers retries from it, and only then the
    /// power fails: what it acknowledges there must be durable, too.
    async fn live_on_unsynced_data(&mut self) -> Outcome<()> {
        self.arena.start(None).await?;
        self.arena.connect().await?;
        self.arena.resolve().await?;
        if self.arena.dice.percent(50) {
            let moment = Instant::now();
            let limit = Duration::from_millis(self.arena.dice.between(0, 200));
            self.arena.load_for(limit.saturating_sub(moment.elapsed())).await?;
        }
        self.arena.kill().await
    }

    fn finish(mut self, cycles: u64) -> Outcome<Report> {
        self.tally.report(&mut self.report);
        check_ready(&mut self.report, self.slowest_start);
        let sound = self.damaged.is_none();
        self.report.check("integrity_check is ok", sound, self.damaged.unwrap_or_default());
        let missed: Vec<&str> =
            self.failpoints.iter().filter(|(_, (_, struck))| *struck == 0).map(|(name, _)| *name).collect();
        let struck: u64 = self.failpoints.values().map(|(_, struck)| struck).sum();
        let detail = if missed.is_empty() {
            format!("{struck} times at {} places", self.failpoints.len())
        } else {
            format!("never struck: {}", missed.join(", "))
        };
        self.report.check(format!("failpoints struck, in {cycles} cycles"), missed.is_empty(), detail);
        Ok(self.report)
    }
}

fn place(round: u64) -> usize {
    usize::try_from(round % FAILPOINTS.len() as u64).unwrap_or(0)
}
