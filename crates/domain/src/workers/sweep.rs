//! Retention: a job for each conversation that has messages which will have to go.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use loquat_proto::{ConversationId, EventKind, Timestamp};

use super::{Handler, JobError, Tailer, Turn, WorkerMetrics};
use crate::lanes::Lanes;
use crate::ports::{ClaimedJob, Clock, Horizons, NewJob, Retentions, StoreError, TailMark};
use crate::retention;
use crate::sync::FanoutGate;

/// The kind of these jobs; the key is the conversation.
pub(super) const KIND: &str = "retention";
/// Events looked at, and erased, in one turn.
const SLICE: usize = 1000;

/// The job that looks after a conversation.
pub(super) fn job(conversation: ConversationId, due_at: Timestamp) -> NewJob {
    NewJob { kind: KIND, key: conversation.to_string(), payload: String::new(), due_at }
}

/// Finds conversations with something to sweep.
pub(super) struct RetentionTailer {
    pub(super) retentions: Arc<dyn Retentions>,
}

#[async_trait]
impl Tailer for RetentionTailer {
    fn name(&self) -> &'static str {
        KIND
    }

    async fn jobs(&self, marks: &[TailMark], now: Timestamp) -> Result<Vec<NewJob>, StoreError> {
        // When something of each conversation was said first; `None` where settings or members changed: look now.
        let mut said: BTreeMap<ConversationId, Option<Timestamp>> = BTreeMap::new();
        for mark in marks {
            match mark.kind {
                EventKind::Message => {
                    let first = said.entry(mark.conversation).or_insert(Some(mark.ts));
                    *first = first.map(|first| first.min(mark.ts));
                }
                EventKind::Settings | EventKind::Member => drop(said.insert(mark.conversation, None)),
                _ => {}
            }
        }
        let conversations: Vec<ConversationId> = said.keys().copied().collect();
        let swept = self.retentions.retentions(&conversations).await?;
        let jobs = swept.into_iter().filter_map(|(conversation, retention)| {
            let due = match said.get(&conversation).copied().flatten() {
                Some(ts) => retention::first_due(retention, ts)?,
                None => now,
            };
            Some(job(conversation, due))
        });
        Ok(jobs.collect())
    }
}

/// Sweeps a conversation.
pub(super) struct Sweep {
    pub(super) retentions: Arc<dyn Retentions>,
    pub(super) lanes: Lanes,
    pub(super) gate: FanoutGate,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: WorkerMetrics,
}

#[async_trait]
impl Handler for Sweep {
    fn kind(&self) -> &'static str {
        KIND
    }

    async fn turn(&self, job: &ClaimedJob) -> Result<Turn, JobError> {
        let conversation = job.key.parse().map_err(|_| JobError::Malformed("the key is no conversation"))?;
        let Some(facts) = self.retentions.sweep_facts(conversation, SLICE).await? else {
            return Ok(Turn::Done);
        };
        let verdict = retention::decide(&facts, self.clock.now());
        let before = Horizons { erased_to: facts.erased_to, expired_to: facts.expired_to };
        if verdict.horizons != before {
            self.erase(conversation, verdict.horizons).await?;
        }
        Ok(verdict.next.map_or(Turn::Done, Turn::Again))
    }
}

impl Sweep {
    async fn erase(&self, conversation: ConversationId, to: Horizons) -> Result<(), JobError> {
        // Held until sessions were told: no sync token covers the erasure before.
        let pass = self.gate.enter().await;
        let reached = self.retentions.erase_up_to(conversation, to).await?;
        self.metrics.erased();
        if let Some(reached) = reached {
            self.lanes.tell_erased(conversation, reached).await;
        }
        drop(pass);
        Ok(())
    }
}
