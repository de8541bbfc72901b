//! The append log with group commit: one write and one `fdatasync` for all messages that wait.
//!
//! A thread owns the file. While it syncs one batch the runtime gathers the next. A failed write or sync
//! ends the process: nothing may be acknowledged after it.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
    sync::Arc,
    thread,
};

use parking_lot::{Condvar, Mutex};
use tokio::sync::mpsc;

use super::state::Append;

/// Committed batches that may wait to be published; the log then pauses, and senders with it.
const COMMITTED_CAPACITY: usize = 64;

/// Where batches arrive once they are durable, in the order of the log.
pub(super) type Committed = mpsc::Receiver<Vec<Append>>;

/// The queue in front of the log's thread. It is bounded by the windows of the senders, each of which
/// waits for its answers.
pub(super) struct Log {
    pending: Mutex<Pending>,
    wake: Condvar,
}

#[derive(Default)]
struct Pending {
    records: Vec<u8>,
    appends: Vec<Append>,
    /// The runtime has nothing else to do: what waits is to be committed.
    due: bool,
}

impl Log {
    /// Creates the file and starts its thread.
    pub(super) fn create(path: &Path) -> io::Result<(Arc<Self>, Committed)> {
        let file = File::create(path)?;
        let log = Arc::new(Self { pending: Mutex::default(), wake: Condvar::new() });
        let (sender, committed) = mpsc::channel(COMMITTED_CAPACITY);
        let worker = Arc::clone(&log);
        thread::Builder::new().name("log".to_owned()).spawn(move || {
            if let Err(error) = worker.run(file, &sender) {
                let _ = writeln!(io::stderr(), "the log failed: {error}");
                std::process::exit(1);
            }
        })?;
        Ok((log, committed))
    }

    /// Queues a record: its length, then its bytes. The append is published once it is durable.
    pub(super) fn append(&self, record: &str, append: Append) {
        let mut pending = self.pending.lock();
        pending.records.extend_from_slice(&(record.len() as u32).to_le_bytes());
        pending.records.extend_from_slice(record.as_bytes());
        pending.appends.push(append);
    }

    /// Has the log commit what waits, if anything does.
    pub(super) fn commit_pending(&self) {
        let mut pending = self.pending.lock();
        if !pending.appends.is_empty() && !pending.due {
            pending.due = true;
            self.wake.notify_one();
        }
    }

    fn run(&self, mut file: File, committed: &mpsc::Sender<Vec<Append>>) -> io::Result<()> {
        let mut records = Vec::new();
        loop {
            let appends = {
                let mut pending = self.pending.lock();
                self.wake.wait_while(&mut pending, |pending| !pending.due);
                pending.due = false;
                std::mem::swap(&mut records, &mut pending.records);
                std::mem::take(&mut pending.appends)
            };
            file.write_all(&records)?;
            file.sync_data()?;
            records.clear();
            if committed.blocking_send(appends).is_err() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(number: usize) -> Append {
        let text = format!("record {number}");
        Append { conversation: 0, sender: number, answer: "answer".into(), event: text.into() }
    }

    #[test]
    fn what_is_published_is_in_the_file_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let (log, mut committed) = Log::create(&path).unwrap();
        log.commit_pending();
        for number in 0..3 {
            let append = append(number);
            let record = append.event.clone();
            log.append(&record, append);
        }
        assert!(committed.try_recv().is_err(), "nothing may be published before it is due");
        log.commit_pending();
        let batch = committed.blocking_recv().unwrap();
        assert_eq!(batch.iter().map(|append| append.sender).collect::<Vec<_>>(), [0, 1, 2]);
        let mut expected = Vec::new();
        for append in &batch {
            expected.extend_from_slice(&(append.event.len() as u32).to_le_bytes());
            expected.extend_from_slice(append.event.as_bytes());
        }
        assert_eq!(std::fs::read(&path).unwrap(), expected);
    }
}
