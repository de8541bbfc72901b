//! The members of one group: every socket a task of its own, with a board that says what is under way.

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    rc::Rc,
    task::{Context, Poll},
};

use super::{
    audit::{ReaderAudit, WriterAudit, check_text},
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

/// What the members of a group know together.
pub(crate) struct Board {
    conversation: Conversation,
    /// Wire ids and waker slots of the members that write.
    writers: Vec<(u64, Option<WakerSlot>)>,
    /// Deliveries that make a message complete: all members but its writer.
    audience: usize,
    /// Whether writers are told what readers acknowledge.
    receipts: bool,
    /// Messages under way, oldest first; the first has the seq `complete + 1`.
    entries: VecDeque<Entry>,
    complete: u64,
    /// Messages under way of each writer.
    under_way: Vec<usize>,
    /// When each writer sent those of its messages that are not answered yet.
    sent_at: Vec<VecDeque<u64>>,
}

#[derive(Default)]
struct Entry {
    deliveries: usize,
    /// The writer, known from the answer.
    writer: Option<usize>,
}

impl Board {
    /// A board for a group whose first `writers` members write, and are told of receipts or not.
    pub(crate) fn new(
        conversation: Conversation,
        members: &[u64],
        (writers, receipts): (usize, bool),
    ) -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self {
            complete: conversation.head,
            conversation,
            writers: members.iter().take(writers).map(|id| (*id, None)).collect(),
            audience: members.len() - 1,
            receipts,
            entries: VecDeque::new(),
            under_way: vec![0; writers],
            sent_at: vec![VecDeque::new(); writers],
        }))
    }

    fn entry(&mut self, seq: u64) -> Result<&mut Entry, BenchError> {
        let index = seq
            .checked_sub(self.complete + 1)
            .ok_or_else(|| BenchError::Audit(format!("seq {seq} came again after it was complete")))?
            as usize;
        let possible: usize = self.under_way.iter().sum();
        if index >= possible {
            return Err(BenchError::Audit(format!("seq {seq} was never sent")));
        }
        if self.entries.len() <= index {
            self.entries.resize_with(index + 1, Entry::default);
        }
        Ok(&mut self.entries[index])
    }

    fn delivered(&mut self, run: &Run, seq: u64) -> Result<(), BenchError> {
        self.entry(seq)?.deliveries += 1;
        self.retire(run);
        Ok(())
    }

    fn answered(&mut self, run: &Run, seq: u64, writer: usize) -> Result<(), BenchError> {
        let entry = self.entry(seq)?;
        if entry.writer.replace(writer).is_some() {
            return Err(BenchError::Audit(format!("seq {seq} was given to two messages")));
        }
        self.retire(run);
        Ok(())
    }

    fn retire(&mut self, run: &Run) {
        while let Some(Entry { deliveries, writer: Some(writer) }) = self.entries.front()
            && *deliveries >= self.audience
        {
            let writer = *writer;
            self.entries.pop_front();
            self.complete += 1;
            self.under_way[writer] -= 1;
            run.complete();
            if let Some(slot) = self.writers[writer].1 {
                run.wake(slot);
            }
        }
    }

    fn idle(&self) -> bool {
        self.under_way.iter().all(|messages| *messages == 0)
    }
}

/// What is true of a member beyond its socket.
enum Role {
    Reader {
        audit: ReaderAudit,
    },
    Writer {
        index: usize,
        window: usize,
        sent: u64,
        answered: u64,
        audit: WriterAudit,
        receipts: HashMap<u64, u64>,
    },
}

/// One member's socket and its audit.
pub(crate) struct Member {
    run: Rc<Run>,
    board: Rc<RefCell<Board>>,
    slot: WakerSlot,
    socket: Socket,
    role: Role,
    /// Number of the next message of each writer that this member is to see.
    next_numbers: Vec<u64>,
    /// Numbers that make the texts of this group's writers; those of writer `i` come from `first_writer + i`.
    first_writer: u64,
    /// Events received in this round, to be acknowledged after it.
    unacknowledged: Vec<u64>,
}

/// What a member is made from.
pub(crate) struct MemberParts {
    pub(crate) board: Rc<RefCell<Board>>,
    pub(crate) socket: Socket,
    pub(crate) index: usize,
    pub(crate) window: usize,
    pub(crate) first_writer: u64,
}

impl Member {
    /// Joins a socket to its group. Members whose index is below the number of writers write.
    pub(crate) fn new(run: &Rc<Run>, parts: MemberParts) -> Self {
        let slot = run.waker_slot();
        let MemberParts { board, socket, index, window, first_writer } = parts;
        let (head, writers) = {
            let mut board = board.borrow_mut();
            if let Some(writer) = board.writers.get_mut(index) {
                writer.1 = Some(slot);
            }
            (board.conversation.head, board.writers.len())
        };
        let role = if index < writers {
            let audit = WriterAudit::new(head);
            Role::Writer { index, window, sent: 0, answered: 0, audit, receipts: HashMap::new() }
        } else {
            Role::Reader { audit: ReaderAudit::new(head) }
        };
        Self {
            run: Rc::clone(run),
            board,
            slot,
            socket,
            role,
            next_numbers: vec![0; writers],
            first_writer,
            unacknowledged: Vec::new(),
        }
    }

    /// Drives the socket as far as it goes; ready once the run is over and this member has all it must have.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BenchError>> {
        match self.advance(context) {
            Err(error) => Poll::Ready(Err(error)),
            Ok(()) if !self.run.sending() && self.finished() => Poll::Ready(Ok(())),
            Ok(()) => Poll::Pending,
        }
    }

    /// Gives the socket back when the member is done.
    pub(crate) fn into_sockets(self) -> Vec<Socket> {
        vec![self.socket]
    }

    fn advance(&mut self, context: &mut Context<'_>) -> Result<(), BenchError> {
        self.run.keep_waker(self.slot, context);
        let now = self.run.now();
        while let Poll::Ready(frame) = self.socket.poll_frame(context) {
            self.handle(&frame?, now)?;
        }
        self.acknowledge()?;
        self.send(now)?;
        self.socket.flush(context)
    }

    fn handle(&mut self, frame: &[u8], now: u64) -> Result<(), BenchError> {
        match (scan::server_frame(frame), &mut self.role) {
            (Some(ServerFrame::Event { seq, sender, text }), _) => self.event(seq, sender, text),
            (Some(ServerFrame::Answer { re, seq: Some(seq) }), Role::Writer { .. }) => {
                self.answer(re, seq, now)
            }
            (Some(ServerFrame::Receipt { frame }), Role::Writer { receipts, .. }) => {
                for (user, delivered) in scan::receipt_items(frame) {
                    let known = receipts.entry(user).or_default();
                    *known = delivered.max(*known);
                }
                Ok(())
            }
            (Some(ServerFrame::Receipt { .. } | ServerFrame::Presence { .. } | ServerFrame::Other), _) => {
                Ok(())
            }
            (Some(ServerFrame::Answer { .. } | ServerFrame::Refusal { .. }) | None, _) => {
                Err(BenchError::Protocol(format!("unexpected frame {}", String::from_utf8_lossy(frame))))
            }
        }
    }

    fn event(&mut self, seq: u64, sender: u64, text: Option<&[u8]>) -> Result<(), BenchError> {
        let mut board = self.board.borrow_mut();
        let writer = board.writers.iter().position(|(id, _)| *id == sender);
        let writer = writer
            .ok_or_else(|| BenchError::Audit(format!("seq {seq} comes from {sender}, who never wrote")))?;
        match &mut self.role {
            // The device that sent may see its own event; it has the answer already.
            Role::Writer { index, .. } if *index == writer => return Ok(()),
            Role::Writer { audit, .. } => audit.received(seq)?,
            Role::Reader { audit } => audit.receive(seq)?,
        }
        let number = self.next_numbers[writer];
        self.next_numbers[writer] += 1;
        check_text(seq, self.run.bodies.text(self.first_writer + writer as u64, number), text)?;
        self.run.delivered(None);
        board.delivered(&self.run, seq)?;
        drop(board);
        self.unacknowledged.push(seq);
        Ok(())
    }

    /// Acknowledges what came in this round. Not earlier: the library writes what is queued before it
    /// reads on, one system call a frame.
    fn acknowledge(&mut self) -> Result<(), BenchError> {
        let skipped = match self.run.acks {
            Acks::Each => 0,
            Acks::Batch => self.unacknowledged.len().saturating_sub(1),
            Acks::Off => self.unacknowledged.len(),
        };
        for seq in self.unacknowledged.drain(..).skip(skipped) {
            self.socket.queue(ack_frame(&self.board.borrow().conversation.id, seq))?;
        }
        Ok(())
    }

    fn answer(&mut self, re: u64, seq: u64, now: u64) -> Result<(), BenchError> {
        let Role::Writer { index, sent, answered, audit, .. } = &mut self.role else { return Ok(()) };
        if re != *answered + FIRST_SEND_ID || *answered == *sent {
            return Err(BenchError::Audit(format!("frame {re} was answered twice or out of order")));
        }
        *answered += 1;
        audit.answered(seq)?;
        let mut board = self.board.borrow_mut();
        if let Some(sent_at) = board.sent_at[*index].pop_front() {
            self.run.answered(now.saturating_sub(sent_at));
        }
        board.answered(&self.run, seq, *index)
    }

    fn send(&mut self, now: u64) -> Result<(), BenchError> {
        let Role::Writer { index, window, sent, .. } = &mut self.role else { return Ok(()) };
        let mut board = self.board.borrow_mut();
        while self.run.sending() && board.under_way[*index] < *window {
            let text = self.run.bodies.text(self.first_writer + *index as u64, *sent);
            self.socket.queue(self.run.bodies.send_frame(
                *sent + FIRST_SEND_ID,
                &board.conversation.id,
                text,
            ))?;
            *sent += 1;
            board.under_way[*index] += 1;
            board.sent_at[*index].push_back(now);
        }
        Ok(())
    }

    /// Whether nothing is under way, this member has the whole log and, where receipts flow, a writer has
    /// seen those of every member that only reads.
    fn finished(&self) -> bool {
        let board = self.board.borrow();
        if !board.idle() {
            return false;
        }
        match &self.role {
            Role::Reader { audit } => audit.head() == board.complete,
            Role::Writer { audit, receipts, .. } => {
                let only_read = |user: &u64| board.writers.iter().all(|(writer, _)| writer != user);
                let receipted = receipts
                    .iter()
                    .filter(|(user, delivered)| only_read(user) && **delivered >= board.complete)
                    .count();
                let readers = board.audience + 1 - board.writers.len();
                audit.finish(board.complete).is_ok() && (!board.receipts || receipted == readers)
            }
        }
    }
}
