//! Batches: everything decided while the last append was on its way, in one append.

use loquat_proto::message::Appended;
use loquat_proto::{ConversationId, Timestamp};
use smallvec::SmallVec;

use tokio::time::Instant;
use tracing::Instrument as _;

use super::decide::{self, Decision, Facts, Scene};
use super::deliver::{self, Delivery};
use super::lane::{Done, Lane};
use super::slot::{Pending, Phase};
use super::state::ConversationState;
use crate::Refusal;
use crate::messages::refuse_unless_replayed;
use crate::ports::{Append, AppendOutcome, Bus, Change, NewEvent, Placement, StoreError};

pub(super) type Outcomes = Vec<AppendOutcome>;

/// Where the events of one mutation stand.
type Placed = SmallVec<[Placement; 2]>;

/// How often a mutation is decided again after a conflict before its sender is asked to retry.
const MAX_CONFLICTS: u8 = 5;
/// Sends of one conversation in one batch.
const MAX_RUN: usize = 256;

/// One conversation's part of a batch on its way.
pub(super) struct InFlight {
    conversation: ConversationId,
    decided: Vec<Decided>,
}

/// A mutation with the events that it makes; kept for answers, for fan-out, and to be decided again.
struct Decided {
    pending: Pending,
    events: Vec<NewEvent>,
}

impl Lane {
    /// Decides what is ready and sends it off, unless a batch is on its way.
    pub(super) fn start_batch(&mut self) {
        if self.appending || (self.ready.is_empty() && self.staged.is_empty()) {
            return;
        }
        let now = self.deps.clock.now();
        let (mut appends, mut in_flight): (Vec<_>, Vec<_>) = self.staged.drain(..).unzip();
        let mut events = appends.len();
        // Where everything of a run is refused, the conversation is in line again at once.
        while let Some(conversation) = self.ready.pop_front() {
            if let Some((append, part)) = self.decide_run(conversation, now) {
                events += append.events.len();
                appends.push(append);
                in_flight.push(part);
            }
            if events >= self.config.batch {
                break;
            }
        }
        if appends.is_empty() {
            return;
        }
        self.appending = true;
        self.deps.metrics.batch(events);
        let (log, metrics) = (self.deps.log.clone(), self.deps.metrics.clone());
        let span = tracing::debug_span!("append", events, conversations = appends.len());
        let appending = async move {
            let started = Instant::now();
            let outcomes = log.append_many(appends).await;
            metrics.append_took(started.elapsed());
            Done::Appended(in_flight, outcomes)
        };
        self.pending.push(Box::pin(appending.instrument(span)));
    }

    /// Decides the next run of a conversation; `None` where nothing is to be appended for it now.
    fn decide_run(&mut self, conversation: ConversationId, now: Timestamp) -> Option<(Append, InFlight)> {
        let slot = self.slots.get_mut(&conversation)?;
        if slot.phase != Phase::Idle || slot.state.is_none() {
            // It was in line when its state became uncertain.
            self.make_ready(conversation);
            return None;
        }
        if self.next_is_unknown(conversation) {
            return None;
        }
        let slot = self.slots.get_mut(&conversation)?;
        let slow_mode = slot.state.as_ref().is_some_and(|state| state.settings.slow_mode_ms > 0);
        let run = slot.take_run(MAX_RUN, slow_mode);
        if let [pending] = run.as_slice()
            && let user = pending.ticket.caller.user
            && let Some(state) = &slot.state
            && let Some(question) =
                decide::question(state, user, (&pending.act, pending.ticket.nonce.as_ref()))
        {
            slot.queue.extend(run);
            slot.queue.rotate_right(1);
            self.ask(conversation, user, question);
            return None;
        }
        self.decide_all(conversation, run, &Facts::default(), now)
    }

    /// The facts for the first mutation of the queue are there.
    pub(super) fn answered(&mut self, conversation: ConversationId, facts: Result<Facts, StoreError>) {
        let now = self.deps.clock.now();
        let slot = self.slot(conversation);
        slot.phase = Phase::Idle;
        let Some(pending) = slot.queue.pop_front() else { return };
        match facts {
            // The state may be gone (a deletion), or members of a channel were forgotten meanwhile: then the mutation is
            // decided from the start.
            Ok(_) if slot.state.as_ref().is_none_or(|state| !pending.unknown(state).is_empty()) => {
                slot.queue.push_front(pending);
            }
            Ok(facts) => {
                // It goes with the next batch; until then the conversation decides nothing else, so the facts hold.
                let staged = self.decide_all(conversation, vec![pending], &facts, now);
                self.staged.extend(staged);
                return;
            }
            Err(error) => {
                self.waiting -= 1;
                pending.ticket.refuse(error.into());
            }
        }
        self.make_ready(conversation);
    }

    fn decide_all(
        &mut self,
        conversation: ConversationId,
        run: Vec<Pending>,
        facts: &Facts,
        now: Timestamp,
    ) -> Option<(Append, InFlight)> {
        let slot = self.slots.get_mut(&conversation)?;
        let state = slot.state.as_ref()?;
        let (mut decided, mut appended) = (Vec::with_capacity(run.len()), Vec::with_capacity(run.len()));
        let mut outcomes = Vec::new();
        for pending in run {
            let scene = Scene { state, caller: pending.ticket.caller, now, limits: &self.deps.limits };
            let decision =
                pending.ticket.check_order().and_then(|()| decide::decide(scene, &pending.act, facts));
            match decision {
                Ok(Decision::Append(mut events)) => {
                    name_events(&mut events, &pending);
                    appended.extend(events.iter().cloned());
                    decided.push(Decided { pending, events });
                }
                Ok(Decision::Unchanged(placement)) => {
                    let (seq, ts) =
                        placement.map_or((state.head, now), |placement| (placement.seq, placement.ts));
                    outcomes.push((pending, Ok(Appended { conversation, seq, ts })));
                }
                Err(refusal) => {
                    // At once: what stands behind it in this very run must fail too.
                    pending.ticket.note_refusal(&refusal);
                    outcomes.push((pending, Err(refusal)));
                }
            }
        }
        let append = Append {
            conversation,
            expected_head: state.head,
            expected_version: state.version,
            events: appended,
        };
        if decided.is_empty() {
            slot.phase = Phase::Idle;
        } else {
            slot.phase = Phase::Appending;
        }
        for (pending, outcome) in outcomes {
            self.answer(pending, outcome);
        }
        if decided.is_empty() {
            self.make_ready(conversation);
            return None;
        }
        Some((append, InFlight { conversation, decided }))
    }

    fn answer(&mut self, pending: Pending, outcome: Result<Appended, Refusal>) {
        self.waiting -= 1;
        match outcome {
            Ok(appended) => pending.ticket.succeed(appended),
            Err(refusal) => self.refuse(pending, refusal),
        }
    }

    /// A refusal now, which is noted in the session's order, does not undo what was appended before under the same
    /// nonce.
    fn refuse(&self, pending: Pending, refusal: Refusal) {
        self.deps.metrics.refused(refusal.code());
        match pending.ticket.nonce.clone() {
            Some(nonce) => {
                let log = self.deps.log.clone();
                drop(tokio::spawn(refuse_unless_replayed(log, pending.ticket, nonce, refusal)));
            }
            None => pending.ticket.answer_refusal(refusal),
        }
    }

    /// A batch came back.
    pub(super) fn appended(&mut self, in_flight: Vec<InFlight>, outcome: Result<Outcomes, StoreError>) {
        self.appending = false;
        match outcome {
            Ok(outcomes) => {
                for (part, outcome) in in_flight.into_iter().zip(outcomes) {
                    self.complete(part, outcome);
                }
            }
            Err(error) => {
                let refusal = Refusal::from(error);
                for part in in_flight {
                    self.fail(part, &refusal);
                }
            }
        }
    }

    fn complete(&mut self, part: InFlight, outcome: AppendOutcome) {
        let InFlight { conversation, decided } = part;
        let slot = self.slot(conversation);
        slot.phase = Phase::Idle;
        match outcome {
            AppendOutcome::Appended { placements, account } => {
                self.deps.metrics.appended(placements.iter().filter(|placement| !placement.replayed).count());
                self.publish(conversation, decided, &placements);
                self.deps.announcer.announce(account);
            }
            AppendOutcome::Conflict => self.decide_again(conversation, decided),
        }
        let slot = self.slot(conversation);
        if slot.doubtful {
            slot.doubt();
        }
        self.make_ready(conversation);
    }

    /// Answers and fans out what stands in the log.
    fn publish(&mut self, conversation: ConversationId, decided: Vec<Decided>, placements: &[Placement]) {
        self.waiting -= decided.len();
        let mut placements = placements.iter();
        let deps = self.deps.clone();
        let slot = self.slot(conversation);
        for Decided { pending, events } in decided {
            let origin = pending.ticket.session_id();
            let placed: Placed = placements.by_ref().take(events.len()).copied().collect();
            let Some(last) = placed.last().copied() else { continue };
            let mut state = slot.state.as_mut().filter(|_| !last.replayed);
            if let Some(state) = &mut state {
                move_on(&*deps.bus, state, &events, &placed);
            }
            pending.ticket.succeed(Appended { conversation, seq: last.seq, ts: last.ts });
            let Some(state) = state else { continue };
            for (event, placement) in events.iter().zip(&placed).filter(|(event, _)| event.logged) {
                let Placement { seq, ts, erased, .. } = *placement;
                let delivery = Delivery { conversation, seq, ts, event, erased, origin };
                if state.is_channel() {
                    deliver::shared_event(&*deps.bus, &delivery);
                } else {
                    let sees = state.members.known.iter().filter(|(_, member)| member.visible_from <= seq);
                    deliver::event(&*deps.bus, sees.map(|(user, _)| *user), &delivery);
                }
            }
            for event in &events {
                if let Change::Join { user, .. }
                | Change::Admit { user, .. }
                | Change::Leave { user }
                | Change::Remove { user } = &event.change
                {
                    deliver::audience(&*deps.bus, state, *user);
                }
            }
            let joined =
                |event: &NewEvent| matches!(event.change, Change::Join { .. } | Change::Admit { .. });
            if state.members.is_whole() && events.iter().any(joined) {
                // Who joined may hide how far they read, which is not known here.
                slot.doubt();
            }
        }
    }

    /// Somebody else appended: what the lane knew is old.
    fn decide_again(&mut self, conversation: ConversationId, decided: Vec<Decided>) {
        self.deps.metrics.conflict();
        let mut given_up = Vec::new();
        let slot = self.slot(conversation);
        slot.doubt();
        for Decided { mut pending, .. } in decided.into_iter().rev() {
            pending.conflicts += 1;
            if pending.conflicts > MAX_CONFLICTS {
                given_up.push(pending);
            } else {
                slot.queue.push_front(pending);
            }
        }
        for pending in given_up.into_iter().rev() {
            let refusal = Refusal::busy("the conversation is busy elsewhere");
            pending.ticket.note_refusal(&refusal);
            self.answer(pending, Err(refusal));
        }
    }

    fn fail(&mut self, part: InFlight, refusal: &Refusal) {
        let slot = self.slot(part.conversation);
        slot.phase = Phase::Idle;
        // Whether it stands is not always known (a lost connection): read again before the next decision.
        if slot.state.as_ref().is_some_and(ConversationState::is_channel) {
            let changes = part.decided.iter().flat_map(|decided| &decided.events);
            slot.uncertain.extend(changes.filter_map(|event| event.change.moves()));
        }
        slot.doubt();
        if !slot.uncertain.is_empty() {
            // As gathered cursors: it is read again soon, and no token covers it until then.
            self.gathering.insert(part.conversation);
        }
        self.waiting -= part.decided.len();
        for Decided { pending, .. } in part.decided {
            self.deps.metrics.refused(refusal.code());
            pending.ticket.refuse(refusal.clone());
        }
        self.make_ready(part.conversation);
    }
}

/// Applies the events of one mutation to the state. Sessions of who joins a channel listen to it from here on, those
/// of who leaves no longer: before the answer, so that nothing sent after it reaches them.
fn move_on(bus: &dyn Bus, state: &mut ConversationState, events: &[NewEvent], placed: &[Placement]) {
    for (event, placement) in events.iter().zip(placed).filter(|(_, placement)| !placement.replayed) {
        state.apply(event, placement.seq);
        if !state.is_channel() {
            continue;
        }
        match &event.change {
            Change::Join { user, .. } | Change::Admit { user, .. } => deliver::follow(bus, *user, state.id),
            Change::Leave { user } | Change::Remove { user } => deliver::unfollow(bus, *user, state.id),
            _ => {}
        }
    }
}

/// The device stands on every event; the nonce on the last, whose place is the answer.
fn name_events(events: &mut [NewEvent], pending: &Pending) {
    for event in events.iter_mut() {
        event.device = Some(pending.ticket.caller.device);
    }
    if let Some(last) = events.last_mut() {
        last.nonce.clone_from(&pending.ticket.nonce);
    }
}
