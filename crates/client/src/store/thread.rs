//! The thread that owns the store: SQLite blocks, the client's task must not.

use std::sync::mpsc as blocking;

use loquat_engine::store::{Operation, Query, Restored, Store};
use loquat_engine::{BatchId, LoadId};
use loquat_proto::Event;
use tokio::sync::{mpsc, oneshot};

use super::{DeviceStore, StoreError};
use crate::Error;

/// Batches written in one transaction at most.
const GROUP: usize = 64;

type Job = Box<dyn FnOnce(&mut DeviceStore) + Send>;

enum Task {
    Apply(BatchId, Vec<Operation>),
    Load(LoadId, Query),
    /// Anything that is not of the engine.
    Run(Job),
}

/// What the engine is told.
#[derive(Debug)]
pub(crate) enum Written {
    /// This batch, and those before it, are durable.
    Batch(BatchId),
    /// These events were loaded.
    Events(LoadId, Vec<Event>),
    /// The store failed: the engine must stop.
    Failed(String),
}

/// A handle on the thread; the thread ends with the last one. Tasks run in the order in which they were given.
// Its queue has no bound of its own: the client's task gives at most as many batches as it lets wait
// (`UNWRITTEN` there), and every other caller waits for its answer.
#[derive(Debug, Clone)]
pub(crate) struct StoreHandle {
    tasks: blocking::Sender<Task>,
}

impl StoreHandle {
    /// Starts the thread. What the engine is told goes to `written`.
    ///
    /// # Errors
    /// The thread could not be started.
    pub(crate) fn start(
        store: DeviceStore,
        written: mpsc::UnboundedSender<Written>,
    ) -> Result<Self, std::io::Error> {
        let (tasks, queue) = blocking::channel();
        std::thread::Builder::new()
            .name("loquat-store".to_owned())
            .spawn(move || serve(store, &queue, &written))?;
        Ok(Self { tasks })
    }

    pub(crate) fn apply(&self, batch: BatchId, operations: Vec<Operation>) {
        self.give(Task::Apply(batch, operations));
    }

    pub(crate) fn load(&self, id: LoadId, query: Query) {
        self.give(Task::Load(id, query));
    }

    /// Runs something on the store and waits for it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut DeviceStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        self.give(Task::Run(Box::new(move |store| {
            // Nobody waits any more: fine.
            let _ = answer.send(job(store));
        })));
        let result = answered.await.map_err(|_| Error::Closed)?;
        result.map_err(|error| Error::Store(error.to_string()))
    }

    pub(crate) async fn restore(&self) -> Result<Restored, Error> {
        self.run(Store::restore).await
    }

    pub(crate) async fn events(&self, query: Query) -> Result<Vec<Event>, Error> {
        self.run(move |store| store.load(&query)).await
    }

    fn give(&self, task: Task) {
        // The thread ends early only after a failure, which it has told.
        let _ = self.tasks.send(task);
    }
}

fn serve(mut store: DeviceStore, queue: &blocking::Receiver<Task>, written: &mpsc::UnboundedSender<Written>) {
    let mut next = queue.recv().ok();
    while let Some(task) = next.take() {
        let told = match task {
            Task::Apply(batch, operations) => {
                let mut batches = vec![(batch, operations)];
                while batches.len() < GROUP {
                    match queue.try_recv() {
                        Ok(Task::Apply(batch, operations)) => batches.push((batch, operations)),
                        Ok(other) => {
                            next = Some(other);
                            break;
                        }
                        Err(_) => break,
                    }
                }
                let last = batches.last().map_or(batch, |(batch, _)| *batch);
                let operations = batches.iter().map(|(_, operations)| operations.as_slice());
                Some(store.apply_all(operations).map(|()| Written::Batch(last)))
            }
            Task::Load(id, query) => Some(store.load(&query).map(|events| Written::Events(id, events))),
            Task::Run(job) => {
                job(&mut store);
                None
            }
        };
        match told {
            Some(Err(error)) => {
                let _ = written.send(Written::Failed(error.to_string()));
                return;
            }
            Some(Ok(told)) => {
                let _ = written.send(told);
            }
            None => {}
        }
        if next.is_none() {
            next = queue.recv().ok();
        }
    }
}
