//! REST calls: at most a few at a time, the same one never twice at a time, and what their answers mean.

use std::collections::{BTreeMap, VecDeque};

use loquat_proto::{Conversation, ConversationId, ErrorCode, Member, Page, Profile, UserId};

use crate::effect::{Effect, Method, RequestFailure, RequestId, RestRequest};
use crate::engine::Engine;
use crate::timers::Timer;
use crate::{Now, store::Operation};

/// Calls that wait. More are dropped: what they would tell is asked for again when it is needed.
const WAITING: usize = 1_000;

/// What a call is for. Equal calls are one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    /// A page of the listing with this number, from this cursor.
    Listing(u64, Option<String>),
    /// One conversation.
    Conversation(ConversationId),
    /// A page of the members of a conversation, for their names.
    Members(ConversationId, Option<String>),
    /// One user's name.
    Profile(UserId),
    /// Saving this draft.
    Draft(ConversationId, Option<String>),
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    waiting: VecDeque<(Call, RestRequest)>,
    in_flight: BTreeMap<RequestId, (Call, RestRequest)>,
    last: u64,
    listings: u64,
}

impl Requests {
    pub(crate) fn next_listing(&mut self) -> u64 {
        self.listings += 1;
        self.listings
    }
}

impl Engine {
    /// The answer to a REST call: its body, or why there is none.
    pub fn answered(&mut self, now: Now, id: RequestId, result: Result<&str, RequestFailure>) {
        self.input(now, |engine| {
            let Some((call, request)) = engine.requests.in_flight.remove(&id) else { return };
            match result {
                // An answer that is not understood is treated like none: asking again would bring the same.
                Ok(body) => engine.request_done(call, body).unwrap_or_default(),
                Err(failure) => engine.request_failed(call, request, &failure),
            }
        });
    }

    /// Queues a call unless the same is under way.
    pub(crate) fn request(&mut self, call: Call, request: RestRequest) {
        let requests = &mut self.requests;
        let mut under_way = requests.waiting.iter().chain(requests.in_flight.values());
        if under_way.any(|(known, _)| *known == call) || requests.waiting.len() >= WAITING {
            return;
        }
        requests.waiting.push_back((call, request));
    }

    pub(crate) fn pump_requests(&mut self) {
        if !self.is_up() || self.timers.is_set(Timer::Requests) {
            return;
        }
        while self.requests.in_flight.len() < self.options.requests {
            let Some((call, request)) = self.requests.waiting.pop_front() else { return };
            self.requests.last += 1;
            let id = RequestId(self.requests.last);
            self.requests.in_flight.insert(id, (call, request.clone()));
            self.effect(Effect::Request { id, request });
        }
    }

    pub(crate) fn list_page(&mut self, number: u64, cursor: Option<&str>) {
        let path = with_cursor("/v1/conversations?limit=200", cursor);
        self.request(Call::Listing(number, cursor.map(str::to_owned)), get(path));
    }

    /// Asks for a conversation as the server sees it.
    pub(crate) fn refresh_summary(&mut self, conversation: ConversationId) {
        self.request(Call::Conversation(conversation), get(format!("/v1/conversations/{conversation}")));
    }

    pub(crate) fn list_members(&mut self, conversation: ConversationId, cursor: Option<&str>) {
        let path = with_cursor(&format!("/v1/conversations/{conversation}/members?limit=200"), cursor);
        self.request(Call::Members(conversation, cursor.map(str::to_owned)), get(path));
    }

    /// Learns a user's name unless it is known.
    pub(crate) fn learn(&mut self, user: UserId) {
        if !self.people.profiles.contains_key(&user) {
            self.request(Call::Profile(user), get(format!("/v1/users/{user}")));
        }
    }

    /// Names that come with a conversation, and those that its line in the list needs.
    pub(crate) fn learn_from(&mut self, conversation: &Conversation) {
        if let Some(peer) = &conversation.peer {
            self.know(peer.clone());
        }
        if let Some(last) = &conversation.last_message {
            self.learn(last.sender);
        }
    }

    /// Takes a profile over.
    pub(crate) fn know(&mut self, profile: Profile) {
        if self.people.profiles.get(&profile.id) == Some(&profile) {
            return;
        }
        self.changes.profiles = true;
        self.changes.conversations = true;
        self.writes.push(Operation::PutProfile(Box::new(profile.clone())));
        self.people.profiles.insert(profile.id, profile);
    }

    fn request_done(&mut self, call: Call, body: &str) -> Result<(), serde_json::Error> {
        match call {
            Call::Listing(number, _) => {
                let page: Page<Conversation> = serde_json::from_str(body)?;
                self.page_listed(number, page);
            }
            Call::Conversation(_) => self.merge(serde_json::from_str(body)?),
            Call::Members(conversation, _) => {
                let page: Page<Member> = serde_json::from_str(body)?;
                page.items.into_iter().for_each(|member| self.know(member.profile));
                if let Some(cursor) = page.next_cursor {
                    self.list_members(conversation, Some(&cursor));
                }
                self.changes.timelines.insert(conversation);
            }
            Call::Profile(_) => {
                self.know(serde_json::from_str(body)?);
                self.changes.timelines.extend(self.rooms.keys());
            }
            Call::Draft(conversation, draft) => self.draft_saved(conversation, &draft),
        }
        Ok(())
    }

    fn request_failed(&mut self, call: Call, request: RestRequest, failure: &RequestFailure) {
        match failure {
            RequestFailure::Problem(error) if error.code.is_retryable() => {
                let wait = error.retry_after_ms.unwrap_or(1_000).max(100);
                self.timers.set(Timer::Requests, self.now.monotonic_ms + wait);
                self.requests.waiting.push_front((call, request));
            }
            RequestFailure::Problem(error) => {
                if let (Call::Conversation(conversation), ErrorCode::NotFound) = (call, error.code) {
                    self.forget_conversation(conversation);
                }
            }
            // Without a network the socket breaks, too; after `ready` the calls go on.
            RequestFailure::Offline => {
                self.timers.set(Timer::Requests, self.now.monotonic_ms + 1_000);
                self.requests.waiting.push_front((call, request));
            }
        }
    }
}

fn get(path: String) -> RestRequest {
    RestRequest { method: Method::Get, path, body: None, idempotency_key: None }
}

/// Cursors are opaque: whatever is not unreserved (RFC 3986, section 2.3) is escaped.
fn with_cursor(path: &str, cursor: Option<&str>) -> String {
    let Some(cursor) = cursor else { return path.to_owned() };
    let mut escaped = String::with_capacity(cursor.len());
    for byte in cursor.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("{path}&cursor={escaped}")
}
