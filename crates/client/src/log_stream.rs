//! A conversation's log as a stream.

use std::collections::VecDeque;

use loquat_engine::store::Query;
use loquat_engine::view::ViewChange;
use loquat_proto::{ConversationId, Event, Seq};

use crate::{Client, ClientEvent, Error, Subscription};

/// Events read from the store at once.
const PAGE: usize = 200;

/// Every event of a log above a `seq`, each once and in order, and then those that come: what `loquat tail` prints and
/// what a bot that must miss nothing works on.
#[derive(Debug)]
pub struct LogStream {
    client: Client,
    events: Subscription,
    conversation: ConversationId,
    /// The last one given or buffered.
    last: Seq,
    buffered: VecDeque<Event>,
    /// Whether the store may hold more than was read.
    look: bool,
}

impl LogStream {
    pub(crate) fn new(client: Client, events: Subscription, conversation: ConversationId, last: Seq) -> Self {
        Self { client, events, conversation, last, buffered: VecDeque::new(), look: true }
    }

    /// The next event; `None` once the client is closed or signed out, the conversation was left, or the device store
    /// failed (every other call says so then). Safe to cancel.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.buffered.pop_front() {
                return Some(event);
            }
            if self.look {
                self.read().await.ok()?;
                continue;
            }
            match self.events.next().await {
                Some(ClientEvent::View(ViewChange::LogAdvanced { conversation, .. })) => {
                    self.look = conversation == self.conversation;
                }
                Some(ClientEvent::View(ViewChange::ConversationLeft(left))) if left == self.conversation => {
                    return None;
                }
                Some(ClientEvent::Lagged) => self.look = true,
                Some(ClientEvent::SignedOut) | None => return None,
                Some(_) => {}
            }
        }
    }

    /// Reads what follows without a gap; a gap is still being fetched.
    async fn read(&mut self) -> Result<(), Error> {
        let query = Query::Events { conversation: self.conversation, after: self.last, limit: PAGE };
        let events = self.client.events(query).await?;
        self.look = events.len() == PAGE;
        for event in events {
            if event.seq != self.last + 1 {
                self.look = false;
                break;
            }
            self.last = event.seq;
            self.buffered.push_back(event);
        }
        Ok(())
    }
}
