//! `loquat admin jobs`: what workers have to do, and dead letters.

use std::io::{self, Write};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use loquat_domain::ports::{Clock as _, JobQuery, JobRecord, JobState};
use loquat_proto::Timestamp;
use serde_json::json;

use crate::admin::Table;
use crate::cli::PlaceArgs;
use crate::record::on_record;
use crate::settings::Settings;
use crate::system::SystemClock;
use crate::{settings, storage};

/// Jobs read at a time.
const PAGE: usize = 500;

/// Commands of `loquat admin jobs`. All of them work beside a running service.
#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// List jobs, the oldest first
    List(ListArgs),
    /// Show all of one job
    Show(ShowArgs),
    /// Give dead jobs all their tries again
    Requeue(RequeueArgs),
}

/// Flags of `loquat admin jobs list`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only jobs in this state
    #[arg(long, value_enum)]
    state: Option<StateArg>,
    /// Only jobs of this kind
    #[arg(long)]
    kind: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Flags of `loquat admin jobs show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The job's number
    job: u64,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Flags of `loquat admin jobs requeue`.
#[derive(Debug, Args)]
#[command(override_usage = "loquat admin jobs requeue [OPTIONS] <--all|JOB...>")]
pub(crate) struct RequeueArgs {
    /// The jobs' numbers
    #[arg(value_name = "JOB", required_unless_present = "all", conflicts_with = "all")]
    jobs: Vec<u64>,
    /// All dead jobs
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

/// The states of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StateArg {
    Waiting,
    Running,
    Dead,
}

impl From<StateArg> for JobState {
    fn from(state: StateArg) -> Self {
        match state {
            StateArg::Waiting => Self::Waiting,
            StateArg::Running => Self::Running,
            StateArg::Dead => Self::Dead,
        }
    }
}

/// Runs one of the commands.
pub(crate) fn run(command: &JobsCommand) -> Result<()> {
    let mut out = io::stdout().lock();
    match command {
        JobsCommand::List(arguments) => list(arguments, &mut out),
        JobsCommand::Show(arguments) => show(arguments, &mut out),
        JobsCommand::Requeue(arguments) => requeue(arguments, &mut out),
    }
}

fn list(arguments: &ListArgs, out: &mut impl Write) -> Result<()> {
    let state = arguments.state.map(JobState::from);
    let query = JobQuery { state, kind: arguments.kind.clone(), after: 0, limit: arguments.limit };
    let jobs = read(&arguments.place, query)?;
    if arguments.json {
        for job in &jobs {
            writeln!(out, "{}", document(job))?;
        }
        return Ok(());
    }
    if jobs.is_empty() {
        writeln!(out, "no jobs")?;
        return Ok(());
    }
    let now = SystemClock.now();
    let mut table = Table::new(&["id#", "kind", "key", "state", "due#", "tries#", "error"]);
    for job in &jobs {
        table.row([
            job.id.to_string(),
            job.kind.clone(),
            job.key.clone(),
            job.state.as_str().to_owned(),
            due(job, now),
            job.attempts.to_string(),
            job.error.clone().unwrap_or_default(),
        ]);
    }
    table.print(out)?;
    Ok(())
}

fn show(arguments: &ShowArgs, out: &mut impl Write) -> Result<()> {
    let query = JobQuery { after: arguments.job.saturating_sub(1), limit: 1, ..JobQuery::default() };
    let found = read(&arguments.place, query)?.into_iter().find(|job| job.id == arguments.job);
    let Some(job) = found else { bail!("there is no job {}: it is done, or never was", arguments.job) };
    writeln!(out, "{}", serde_json::to_string_pretty(&document(&job))?)?;
    Ok(())
}

fn requeue(arguments: &RequeueArgs, out: &mut impl Write) -> Result<()> {
    let jobs = if arguments.all { all_dead(&arguments.place)? } else { arguments.jobs.clone() };
    if jobs.is_empty() {
        writeln!(out, "no dead jobs")?;
        return Ok(());
    }
    let settings = settings::load(&arguments.place.sources())?.settings;
    let named: Vec<String> = jobs.iter().map(ToString::to_string).collect();
    let requeued = on_record(&settings, ("requeue_jobs", named.join(" ")), || requeue_in(&settings, &jobs))?;
    for job in &requeued {
        writeln!(out, "job {job} will be tried again")?;
    }
    let left: Vec<String> =
        jobs.iter().filter(|job| !requeued.contains(job)).map(ToString::to_string).collect();
    if !left.is_empty() {
        bail!("not dead, or not there: {}", left.join(", "));
    }
    Ok(())
}

fn requeue_in(settings: &Settings, jobs: &[u64]) -> Result<Vec<u64>> {
    if storage::is_embedded(settings) {
        let path = storage::store_path(&settings.data);
        return loquat_store::requeue_jobs(&path, jobs, SystemClock.now()).context("cannot open the storage");
    }
    let store = storage::open(settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let outbox = store.ports().outbox;
    let mut requeued = Vec::new();
    for job in jobs {
        if runtime.block_on(outbox.requeue(*job, SystemClock.now()))? {
            requeued.push(*job);
        }
    }
    store.close();
    Ok(requeued)
}

fn all_dead(place: &PlaceArgs) -> Result<Vec<u64>> {
    let (mut dead, mut after) = (Vec::new(), 0);
    loop {
        let query = JobQuery { state: Some(JobState::Dead), after, limit: PAGE, ..JobQuery::default() };
        let page = read(place, query)?;
        let Some(last) = page.last() else { return Ok(dead) };
        after = last.id;
        dead.extend(page.iter().map(|job| job.id));
    }
}

fn read(place: &PlaceArgs, query: JobQuery) -> Result<Vec<JobRecord>> {
    let settings = settings::load(&place.sources())?.settings;
    let store = storage::observe(&settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let jobs = runtime.block_on(store.ports().outbox.jobs(query))?;
    store.close();
    Ok(jobs)
}

fn document(job: &JobRecord) -> serde_json::Value {
    json!({
        "id": job.id,
        "kind": job.kind,
        "key": job.key,
        "state": job.state.as_str(),
        "due_at": job.due_at,
        "attempts": job.attempts,
        "error": job.error,
        "created_at": job.created_at,
        "payload": job.payload,
    })
}

/// When a job is due, from now, in words of at most eight characters.
fn due(job: &JobRecord, now: Timestamp) -> String {
    let left = job.due_at.saturating_sub(now);
    let (sign, seconds) =
        if left < 0 { ("-", left.unsigned_abs() / 1000) } else { ("", left.unsigned_abs() / 1000) };
    match (job.state, seconds) {
        (JobState::Dead, _) => "never".to_owned(),
        (_, 0) => "now".to_owned(),
        (_, 1..120) => format!("{sign}{seconds} s"),
        (_, 120..7_200) => format!("{sign}{} min", seconds / 60),
        (_, 7_200..172_800) => format!("{sign}{} h", seconds / 3_600),
        _ => format!("{sign}{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(due_at: Timestamp, state: JobState) -> String {
        let job = JobRecord {
            id: 1,
            kind: "retention".to_owned(),
            key: "71".to_owned(),
            payload: String::new(),
            state,
            due_at,
            attempts: 0,
            error: None,
            created_at: 0,
        };
        due(&job, 0)
    }

    #[test]
    fn times_are_told_in_few_characters() {
        for (due_at, expected) in [
            (0, "now"),
            (-900, "now"),
            (61_000, "61 s"),
            (-5_000, "-5 s"),
            (3_600_000, "60 min"),
            (86_400_000, "24 h"),
            (-30 * 86_400_000, "-30 d"),
        ] {
            assert_eq!(words(due_at, JobState::Waiting), expected);
        }
        assert_eq!(words(5, JobState::Dead), "never");
    }
}
