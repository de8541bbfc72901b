//! Sockets that watch one another, and a few of them that keep changing the state they show.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::BytesMut;

use super::{
    run::{Run, WakerSlot},
    socket::Socket,
};
use crate::{
    error::BenchError,
    scan::{self, ServerFrame},
};

/// Frame ids of pings start here; `hello` had 1, `watch` 2.
const FIRST_PING_ID: u64 = 3;
/// The states that take turns. Everybody begins online.
const STATES: [&str; 2] = ["online", "away"];

/// What those who change do at the moment. A change has no answer, so that a ping follows each: its answer says that the
/// change before it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Pings alone, by those whom nobody watches.
    Pings,
    /// Changes, by those whom nobody watches.
    Unwatched,
    /// Changes, by those whom others watch.
    Watched,
}

/// What is known of a user whose state others may see.
#[derive(Default)]
struct Shown {
    /// Changes made so far.
    changes: u64,
    /// How many were told of the last one.
    told: usize,
    slot: Option<WakerSlot>,
}

/// What all sockets know together.
pub(crate) struct Board {
    mode: Cell<Mode>,
    /// Places by wire id.
    places: HashMap<u64, usize>,
    shown: RefCell<Vec<Shown>>,
    told: Cell<u64>,
}

impl Board {
    /// A board for these users, none of whom has changed anything.
    pub(crate) fn new(ids: &[u64]) -> Rc<Self> {
        Rc::new(Self {
            mode: Cell::new(Mode::Pings),
            places: ids.iter().enumerate().map(|(place, id)| (*id, place)).collect(),
            shown: RefCell::new(ids.iter().map(|_| Shown::default()).collect()),
            told: Cell::new(0),
        })
    }

    /// Has others change from now on.
    pub(crate) fn set_mode(&self, run: &Run, mode: Mode) {
        self.mode.set(mode);
        run.wake_all();
    }

    /// How often somebody was told of a change so far.
    pub(crate) fn told(&self) -> u64 {
        self.told.get()
    }
}

/// The part of a socket that changes its state.
struct Changer {
    watchers: usize,
    /// Pings sent and answered.
    sent: u64,
    answered: u64,
    /// When the change under way was sent.
    since: Option<u64>,
}

/// One socket.
pub(crate) struct Watcher {
    run: Rc<Run>,
    board: Rc<Board>,
    slot: WakerSlot,
    socket: Socket,
    place: usize,
    changer: Option<Changer>,
    /// Of each watched user the changes that this socket was told of.
    seen: HashMap<usize, u64>,
}

impl Watcher {
    /// A socket of the user at this place, who watches those at `watched`. With `watchers`, it changes its state, which
    /// so many are told of.
    pub(crate) fn new(
        (run, board): (&Rc<Run>, &Rc<Board>),
        socket: Socket,
        (place, watched): (usize, impl Iterator<Item = usize>),
        watchers: Option<usize>,
    ) -> Self {
        let slot = run.waker_slot();
        board.shown.borrow_mut()[place].slot = Some(slot);
        Self {
            run: Rc::clone(run),
            board: Rc::clone(board),
            slot,
            socket,
            place,
            changer: watchers.map(|watchers| Changer { watchers, sent: 0, answered: 0, since: None }),
            seen: watched.map(|user| (user, 0)).collect(),
        }
    }

    /// Drives the socket as far as it goes; ready once the run is over and nothing of it is under way.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BenchError>> {
        match self.advance(context) {
            Err(error) => Poll::Ready(Err(error)),
            Ok(()) if !self.run.sending() && self.finished() => Poll::Ready(Ok(())),
            Ok(()) => Poll::Pending,
        }
    }

    /// Gives the socket back when it is done.
    pub(crate) fn into_sockets(self) -> Vec<Socket> {
        vec![self.socket]
    }

    fn finished(&self) -> bool {
        let shown = self.board.shown.borrow();
        let idle = self.changer.as_ref().is_none_or(|changer| changer.since.is_none());
        idle && self.seen.iter().all(|(user, seen)| shown[*user].changes == *seen)
    }

    fn advance(&mut self, context: &mut Context<'_>) -> Result<(), BenchError> {
        self.run.keep_waker(self.slot, context);
        while let Poll::Ready(frame) = self.socket.poll_frame(context) {
            let frame = frame?;
            match scan::server_frame(&frame) {
                Some(ServerFrame::Presence { user, state }) => self.be_told(user, state)?,
                Some(ServerFrame::Answer { re, .. }) => self.answer(re)?,
                Some(ServerFrame::Other) => {}
                _ => {
                    let frame = String::from_utf8_lossy(&frame);
                    return Err(BenchError::Protocol(format!("unexpected frame {frame}")));
                }
            }
        }
        self.change()?;
        self.socket.flush(context)
    }

    fn be_told(&mut self, user: u64, state: &[u8]) -> Result<(), BenchError> {
        let place = self.board.places.get(&user).copied();
        let seen = place.and_then(|place| self.seen.get_mut(&place).map(|seen| (place, seen)));
        let (place, seen) = seen.ok_or_else(|| {
            BenchError::Audit(format!("a socket was told of {user}, whom it never watched"))
        })?;
        let shown = &mut self.board.shown.borrow_mut()[place];
        *seen += 1;
        if *seen != shown.changes || state != state_after(*seen).as_bytes() {
            let state = String::from_utf8_lossy(state);
            return Err(BenchError::Audit(format!(
                "told that {user} is {state}, as number {seen}, after {} changes",
                shown.changes
            )));
        }
        shown.told += 1;
        self.board.told.set(self.board.told.get() + 1);
        self.run.delivered(None);
        if let Some(slot) = shown.slot {
            self.run.wake(slot);
        }
        Ok(())
    }

    fn answer(&mut self, re: u64) -> Result<(), BenchError> {
        let changer = self
            .changer
            .as_mut()
            .filter(|changer| changer.answered < changer.sent && re == FIRST_PING_ID + changer.answered);
        let changer = changer
            .ok_or_else(|| BenchError::Audit(format!("frame {re} was answered twice or never sent")))?;
        changer.answered += 1;
        Ok(())
    }

    /// Completes the change that was answered and told to all, and makes the next one.
    fn change(&mut self) -> Result<(), BenchError> {
        let Some(changer) = &mut self.changer else { return Ok(()) };
        let mode = self.board.mode.get();
        let shown = &mut self.board.shown.borrow_mut()[self.place];
        if let Some(since) = changer.since
            && changer.answered == changer.sent
            && shown.told >= changer.watchers
        {
            changer.since = None;
            self.run.answered(self.run.now().saturating_sub(since));
            self.run.complete();
        }
        let acts = (mode == Mode::Watched) == (changer.watchers > 0);
        if changer.since.is_some() || !acts || !self.run.sending() {
            return Ok(());
        }
        if mode != Mode::Pings {
            shown.changes += 1;
            shown.told = 0;
            let state = state_after(shown.changes);
            self.socket.queue(frame(format!(r#"{{"op":"status","state":"{state}"}}"#)))?;
        }
        self.socket.queue(frame(format!(r#"{{"op":"ping","id":{}}}"#, FIRST_PING_ID + changer.sent)))?;
        changer.sent += 1;
        changer.since = Some(self.run.now());
        Ok(())
    }
}

fn state_after(changes: u64) -> &'static str {
    STATES[(changes % 2) as usize]
}

fn frame(text: String) -> BytesMut {
    BytesMut::from(text.as_str())
}

/// A frame with the id 2 that has a socket watch these users.
pub(crate) fn watch_frame<'a>(users: impl Iterator<Item = &'a str>) -> (u64, BytesMut) {
    let users: Vec<String> = users.map(|user| format!("\"{user}\"")).collect();
    (2, frame(format!(r#"{{"op":"watch","id":2,"users":[{}]}}"#, users.join(","))))
}

#[cfg(test)]
mod tests;
