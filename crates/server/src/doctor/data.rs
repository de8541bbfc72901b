//! The data folder and the store in it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use loquat_domain::ports::Clock as _;
use loquat_store::{Examination, OpenError};
use rustix::fs::{Access, access};
use rustix::process::geteuid;

use super::Check;
use crate::admin::{bytes, moment};
use crate::settings::Settings;
use crate::storage::{self, store_path};
use crate::system::SystemClock;

/// Permissions of others: the group's and everybody's.
const OTHERS: u32 = 0o077;

/// A clock that stands before this (2025-11-22) was never set.
const EARLIEST_MS: i64 = 1_763_800_000_000;

/// How far the newest event may be ahead of the clock.
const AHEAD_MS: i64 = 5_000;

/// Whether the folder can be used, and by nobody else.
pub(super) fn folder(data: &Path) -> Check {
    const NAME: &str = "data folder";
    let shown = data.display();
    let metadata = match fs::metadata(data) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Check::ok(NAME, format!("{shown} is not there yet; the first start makes it"));
        }
        Err(error) => {
            return Check::problem(NAME, format!("{shown}: {error}"), "let this user reach the folder");
        }
    };
    if !metadata.is_dir() {
        return Check::problem(NAME, format!("{shown} is no folder"), "set `data` to a folder");
    }
    if access(data, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let owner = metadata.uid();
        return Check::problem(
            NAME,
            format!(
                "{shown} cannot be written; it belongs to uid {owner}, this is uid {}",
                geteuid().as_raw()
            ),
            "run as its owner, or chown -R it to the user who runs the service",
        );
    }
    let open: Vec<String> = ["", "loquat.db", "loquat.db-wal", "loquat.db-shm", "admin.sock"]
        .iter()
        .map(|name| data.join(name))
        .filter(|path| fs::metadata(path).is_ok_and(|found| found.permissions().mode() & OTHERS != 0))
        .map(|path| path.display().to_string())
        .collect();
    if !open.is_empty() {
        return Check::warning(
            NAME,
            format!("others of this machine may use {}", open.join(", ")),
            format!("chmod -R go= {shown}: it holds everybody's messages and the keys of the service"),
        );
    }
    Check::ok(NAME, format!("{shown}, for its owner alone"))
}

/// What is in the store, and the clock beside it.
pub(super) fn store(settings: &Settings, thorough: bool) -> Vec<Check> {
    const NAME: &str = "database";
    if !storage::is_embedded(settings) {
        return vec![server(settings)];
    }
    let path = store_path(&settings.data);
    match loquat_store::examine(&path, thorough) {
        Err(OpenError::Missing(_)) => {
            vec![Check::ok(NAME, "there is none yet; the first start makes it"), clock(None)]
        }
        Err(error @ (OpenError::NotAStore(_) | OpenError::Damaged { .. })) => vec![Check::problem(
            NAME,
            error.to_string(),
            "stop the service, keep the folder, check the disk, and restore a backup into a new folder (`loquat restore`)",
        )],
        Err(error) => {
            vec![Check::problem(NAME, error.to_string(), "let this user read the database and its folder")]
        }
        Ok(examination) => {
            let mut checks = contents(&examination, thorough);
            checks.push(clock(examination.newest_event));
            checks
        }
    }
}

/// Whether the server can be used as it is: opened as the service would.
fn server(settings: &Settings) -> Check {
    const NAME: &str = "database";
    match storage::open(settings) {
        Ok(store) => {
            store.close();
            Check::ok(NAME, "PostgreSQL answers, and its schema is of this version")
        }
        Err(error) => Check::problem(
            NAME,
            format!("{error:#}"),
            "correct `storage.url` or the server; see the operator guide",
        ),
    }
}

fn contents(found: &Examination, thorough: bool) -> Vec<Check> {
    let mut checks = vec![integrity(found), schema(found)];
    if found.unfinished > 0 {
        checks.push(Check::warning(
            "erasures",
            format!("{} are not finished", found.unfinished),
            "nothing, while the service runs; otherwise start it: it finishes them",
        ));
    }
    if thorough {
        checks.push(match found.disagreeing.first() {
            None => Check::ok("logs", format!("{} conversations agree with their logs", found.compared)),
            Some((first, _)) => Check::problem(
                "logs",
                format!(
                    "{} of {} conversations do not agree with their logs, the first is {first}",
                    found.disagreeing.len(),
                    found.compared
                ),
                "back up, then `loquat admin conversations repair --all`",
            ),
        });
    }
    checks
}

fn integrity(found: &Examination) -> Check {
    const NAME: &str = "database";
    if found.dangling > 0 {
        return Check::problem(
            NAME,
            format!("{} rows refer to what is not there", found.dangling),
            "back up, and report it: this software does not do that",
        );
    }
    Check::ok(NAME, format!("whole; {}, {} of it free", bytes(found.bytes), bytes(found.free_bytes)))
}

fn schema(found: &Examination) -> Check {
    const NAME: &str = "schema";
    match found.schema.cmp(&found.known_schema) {
        std::cmp::Ordering::Equal => Check::ok(NAME, format!("version {}", found.schema)),
        std::cmp::Ordering::Less => Check::warning(
            NAME,
            format!("version {}; this program knows {}", found.schema, found.known_schema),
            "back up: the next start of this program brings it up to date, and there is no way back",
        ),
        std::cmp::Ordering::Greater => Check::problem(
            NAME,
            format!("version {}; this program knows {} only", found.schema, found.known_schema),
            "run the newer program that wrote it",
        ),
    }
}

/// The clock against what is known to be past.
fn clock(newest_event: Option<i64>) -> Check {
    const NAME: &str = "clock";
    let now = SystemClock.now();
    if now < EARLIEST_MS {
        return Check::problem(NAME, format!("it shows {}", moment(now)), "set it; let NTP keep it");
    }
    if let Some(newest) = newest_event.filter(|newest| newest.saturating_sub(now) > AHEAD_MS) {
        return Check::problem(
            NAME,
            format!("it shows {}; the newest event is of {}", moment(now), moment(newest)),
            "it went back, or it was ahead once: let NTP keep it; tokens and times are wrong until it is right",
        );
    }
    let synchronised = Path::new("/run/systemd/timesync/synchronized").exists();
    let how = if synchronised { ", synchronised" } else { "" };
    Check::ok(NAME, format!("{}{how}", moment(now)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn the_clock_is_behind_nothing_that_happened() {
        let now = SystemClock.now();
        for (newest, verdict) in [
            (None, Verdict::Ok),
            (Some(now - 1_000), Verdict::Ok),
            (Some(now + 1_000), Verdict::Ok),
            (Some(now + 3_600_000), Verdict::Problem),
        ] {
            assert_eq!(clock(newest).verdict, verdict, "{newest:?}");
        }
    }

    #[test]
    fn findings_become_verdicts() {
        let sound = Examination {
            schema: 3,
            known_schema: 3,
            dangling: 0,
            newest_event: None,
            unfinished: 0,
            compared: 0,
            disagreeing: Vec::new(),
            bytes: 4096,
            free_bytes: 0,
        };
        let id = loquat_proto::ConversationId::new(71).unwrap();
        for (found, verdict) in [
            (sound.clone(), Verdict::Ok),
            (Examination { schema: 2, ..sound.clone() }, Verdict::Warning),
            (Examination { schema: 4, ..sound.clone() }, Verdict::Problem),
            (Examination { dangling: 1, ..sound.clone() }, Verdict::Problem),
            (Examination { unfinished: 1, ..sound.clone() }, Verdict::Warning),
            (Examination { disagreeing: vec![(id, Vec::new())], compared: 2, ..sound }, Verdict::Problem),
        ] {
            let worst = contents(&found, true).into_iter().map(|check| check.verdict).max();
            assert_eq!(worst, Some(verdict), "{found:?}");
        }
    }
}
