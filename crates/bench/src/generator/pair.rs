//! One writer and one reader in a direct conversation, driven together by one task.

use std::{
    cell::RefCell,
    collections::VecDeque,
    rc::Rc,
    task::{Context, Poll},
};

use super::{
    audit::{ReaderAudit, check_text},
    body::ack_frame,
    run::{Acks, Run, WakerSlot},
    socket::Socket,
};
use crate::{
    error::BenchError,
    scan::{self, ServerFrame},
    system::Conversation,
};

/// Frame ids of sends start here; `hello` had 1.
const FIRST_SEND_ID: u64 = 2;

/// When a pair sends.
pub(crate) enum Load {
    /// As soon as fewer than this many messages are under way.
    Closed { window: usize },
    /// At the times that a pacer puts here (nanoseconds of the run), however many are under way.
    Open(Rc<RefCell<VecDeque<u64>>>),
}

/// A message under way. It leaves when it was answered, delivered, and its receipt came back.
struct Slot {
    /// When it was sent or, in an open loop, when it should have been.
    due: u64,
    answered: bool,
}

/// The two sockets and what must become true of them.
pub(crate) struct Pair {
    run: Rc<Run>,
    slot: WakerSlot,
    writer: Socket,
    reader: Socket,
    reader_id: u64,
    /// Number of the writer, which its texts are made from.
    writer_number: u64,
    conversation: Conversation,
    load: Load,
    /// Messages under way, oldest first; the first has the number `completed`.
    slots: VecDeque<Slot>,
    completed: u64,
    audit: ReaderAudit,
    /// The furthest receipt that the writer has seen.
    receipted: u64,
}

/// What a pair is made from.
pub(crate) struct PairParts {
    pub(crate) writer: Socket,
    pub(crate) reader: Socket,
    pub(crate) reader_id: u64,
    pub(crate) writer_number: u64,
    pub(crate) conversation: Conversation,
    pub(crate) load: Load,
}

impl Pair {
    /// Joins two sockets to a driver; poll it with [`Pair::poll`].
    pub(crate) fn new(run: &Rc<Run>, parts: PairParts) -> Self {
        let head = parts.conversation.head;
        Self {
            run: Rc::clone(run),
            slot: run.waker_slot(),
            writer: parts.writer,
            reader: parts.reader,
            reader_id: parts.reader_id,
            writer_number: parts.writer_number,
            conversation: parts.conversation,
            load: parts.load,
            slots: VecDeque::new(),
            completed: 0,
            audit: ReaderAudit::new(head),
            receipted: head,
        }
    }

    /// Where a pacer wakes this pair.
    pub(crate) fn waker_slot(&self) -> WakerSlot {
        self.slot
    }

    /// Drives both sockets as far as they go; ready once the run is over and nothing is under way.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BenchError>> {
        match self.advance(context) {
            Err(error) => Poll::Ready(Err(error)),
            Ok(()) if !self.run.sending() && self.slots.is_empty() => Poll::Ready(Ok(())),
            Ok(()) => Poll::Pending,
        }
    }

    /// Gives the sockets back when the pair is done.
    pub(crate) fn into_sockets(self) -> Vec<Socket> {
        vec![self.writer, self.reader]
    }

    fn advance(&mut self, context: &mut Context<'_>) -> Result<(), BenchError> {
        self.run.keep_waker(self.slot, context);
        let now = self.run.now();
        self.read_deliveries(context, now)?;
        self.reader.flush(context)?;
        self.read_answers(context, now)?;
        self.retire();
        self.send(now)?;
        self.writer.flush(context)
    }

    fn read_deliveries(&mut self, context: &mut Context<'_>, now: u64) -> Result<(), BenchError> {
        let before = self.audit.head();
        while let Poll::Ready(frame) = self.reader.poll_frame(context) {
            let frame = frame?;
            let Some(ServerFrame::Event { seq, text, .. }) = scan::server_frame(&frame) else { continue };
            self.audit.receive(seq)?;
            let number = seq - self.conversation.head - 1;
            check_text(seq, self.run.bodies.text(self.writer_number, number), text)?;
            let slot = number.checked_sub(self.completed).and_then(|index| self.slots.get(index as usize));
            let slot = slot.ok_or_else(|| BenchError::Audit(format!("seq {seq} was never sent")))?;
            self.run.delivered(Some(now.saturating_sub(slot.due)));
        }
        // Only now: the library writes what is queued before it reads on, one system call a frame.
        for seq in self.run.acks.cursors(before, self.audit.head()) {
            self.reader.queue(ack_frame(&self.conversation.id, seq))?;
        }
        Ok(())
    }

    fn read_answers(&mut self, context: &mut Context<'_>, now: u64) -> Result<(), BenchError> {
        while let Poll::Ready(frame) = self.writer.poll_frame(context) {
            let frame = frame?;
            match scan::server_frame(&frame) {
                Some(ServerFrame::Answer { re, seq: Some(seq) }) => self.answer(re, seq, now)?,
                Some(ServerFrame::Receipt { frame }) => self.receipt(frame)?,
                // The device that sent may see its own event; it has the answer already.
                Some(ServerFrame::Event { .. } | ServerFrame::Presence { .. } | ServerFrame::Other) => {}
                Some(ServerFrame::Answer { .. } | ServerFrame::Refusal { .. }) | None => {
                    let frame = String::from_utf8_lossy(&frame);
                    return Err(BenchError::Protocol(format!("a send was answered with {frame}")));
                }
            }
        }
        Ok(())
    }

    fn answer(&mut self, re: u64, seq: u64, now: u64) -> Result<(), BenchError> {
        let number = re.wrapping_sub(FIRST_SEND_ID);
        let slot = number.checked_sub(self.completed).and_then(|index| self.slots.get_mut(index as usize));
        let slot = slot
            .filter(|slot| !slot.answered)
            .ok_or_else(|| BenchError::Audit(format!("frame {re} was answered twice or never sent")))?;
        // Nobody else writes here, so the log must number the messages exactly as they were sent.
        let due = self.conversation.head + 1 + number;
        if seq != due {
            return Err(BenchError::Audit(format!(
                "message {number} was answered with seq {seq}, not {due}"
            )));
        }
        slot.answered = true;
        self.run.answered(now.saturating_sub(slot.due));
        Ok(())
    }

    fn receipt(&mut self, frame: &[u8]) -> Result<(), BenchError> {
        for (user, delivered) in scan::receipt_items(frame) {
            if user != self.reader_id {
                continue;
            }
            if delivered < self.receipted || delivered > self.audit.head() {
                let (last, head) = (self.receipted, self.audit.head());
                return Err(BenchError::Audit(format!(
                    "receipt {delivered} after {last}, with {head} delivered"
                )));
            }
            self.receipted = delivered;
        }
        Ok(())
    }

    /// Frees the slots of messages that are answered, delivered and receipted.
    fn retire(&mut self) {
        let confirmed = if self.run.acks == Acks::Off { self.audit.head() } else { self.receipted };
        while self.slots.front().is_some_and(|slot| slot.answered)
            && self.conversation.head + self.completed < confirmed
        {
            self.slots.pop_front();
            self.completed += 1;
            self.run.complete();
        }
    }

    fn send(&mut self, now: u64) -> Result<(), BenchError> {
        if !self.run.sending() {
            return Ok(());
        }
        while let Some(due) = self.next_due(now) {
            let number = self.completed + self.slots.len() as u64;
            let text = self.run.bodies.text(self.writer_number, number);
            let frame = self.run.bodies.send_frame(number + FIRST_SEND_ID, &self.conversation.id, text);
            self.writer.queue(frame)?;
            self.slots.push_back(Slot { due, answered: false });
        }
        Ok(())
    }

    fn next_due(&self, now: u64) -> Option<u64> {
        match &self.load {
            Load::Closed { window } => (self.slots.len() < *window).then_some(now),
            Load::Open(schedule) => schedule.borrow_mut().pop_front(),
        }
    }
}
