//! The oracle of RELIABILITY.md: what was promised, against what stands in the logs.
//!
//! Pure: it reads the ledgers and what every user was shown, and knows neither sockets nor processes. A
//! violation is a defect of the service, or of this oracle; the tests show that it fails when it should.
//!
//! Rule 6 (a replay changes nothing) is checked by [`crate::arena`], which asks again and compares.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use serde_json::Value;

use crate::event::{ConversationId, Event, UserId};
use crate::ledger::{Answer, Entry, Operation};

/// The promises, numbered as in RELIABILITY.md; the last two are from PROTOCOL.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Rule {
    /// 1: every acknowledged nonce stands exactly once, at its `seq`, as it was asked.
    Acknowledged,
    /// 2: every other nonce stands at most once, a refused one never.
    Unacknowledged,
    /// 3: `seq` is contiguous from 1.
    Contiguous,
    /// 4: all members see the same.
    SameView,
    /// 5: nobody reads while not a member, or below `visible_from`.
    Visibility,
    /// 6: a replay changes nothing.
    Replay,
    /// 7: `ready` and live events add up to a fresh fetch.
    LiveState,
    /// Sends of one socket to one conversation stand in the order sent.
    SenderOrder,
    /// A nonce is shown to its sender only.
    NoncePrivacy,
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Acknowledged => "1 acknowledged exactly once, at its seq",
            Self::Unacknowledged => "2 unacknowledged at most once",
            Self::Contiguous => "3 contiguous from 1",
            Self::SameView => "4 all members see the same",
            Self::Visibility => "5 only members, only from visible_from",
            Self::Replay => "6 a replay changes nothing",
            Self::LiveState => "7 ready and live events equal a fresh fetch",
            Self::SenderOrder => "order of one socket's sends",
            Self::NoncePrivacy => "a nonce only to its sender",
        })
    }
}

impl Rule {
    /// Every rule, in order.
    pub(crate) const ALL: [Self; 9] = [
        Self::Acknowledged,
        Self::Unacknowledged,
        Self::Contiguous,
        Self::SameView,
        Self::Visibility,
        Self::Replay,
        Self::LiveState,
        Self::SenderOrder,
        Self::NoncePrivacy,
    ];
}

/// A promise that was broken, and how.
#[derive(Debug, Clone)]
pub(crate) struct Violation {
    pub(crate) rule: Rule,
    pub(crate) detail: String,
}

/// What one user got who asked for the whole log.
#[derive(Debug, Clone)]
pub(crate) enum Shown {
    /// 404.
    Nothing,
    /// The log from `visible_from` on.
    Log { visible_from: u64, head: u64, events: Vec<Event> },
}

/// What a user's client holds of a conversation: from `ready`, fetches and pushes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Held {
    /// Everything received and kept.
    pub(crate) events: BTreeMap<u64, Event>,
    /// The `seq`s of the own requests' answers: the service need not push those.
    pub(crate) answered: BTreeSet<u64>,
    /// What the own acknowledged deletions erased.
    pub(crate) erased: BTreeSet<u64>,
}

/// One conversation after a run.
#[derive(Debug, Clone)]
pub(crate) struct Exhibit {
    pub(crate) conversation: ConversationId,
    /// Whether new members see what was before them.
    pub(crate) full_history: bool,
    /// Who was in it from the start.
    pub(crate) founders: BTreeSet<UserId>,
    /// A founder who never left: sees everything.
    pub(crate) witness: UserId,
    /// What every user was shown, members or not.
    pub(crate) shown: BTreeMap<UserId, Shown>,
    /// What every connected client holds.
    pub(crate) held: BTreeMap<UserId, Held>,
}

/// The `seq`s through which somebody was a member; `end` is the removal's own, or `None` while a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Membership {
    start: u64,
    end: Option<u64>,
}

impl Membership {
    /// Whether a member may be shown it: the removal itself, too.
    fn covers(self, seq: u64) -> bool {
        self.start <= seq && self.end.is_none_or(|end| seq <= end)
    }

    /// Whether a member must be shown it: whoever is removed learns of it by the account log.
    fn requires(self, seq: u64) -> bool {
        self.start <= seq && self.end.is_none_or(|end| seq < end)
    }
}

/// Judges everything.
pub(crate) fn judge(entries: &[Entry], exhibits: &[Exhibit]) -> Vec<Violation> {
    let mut broken = Vec::new();
    for exhibit in exhibits {
        let concerned: Vec<&Entry> =
            entries.iter().filter(|entry| entry.intent.conversation == exhibit.conversation).collect();
        let Some(Shown::Log { events, .. }) = exhibit.shown.get(&exhibit.witness) else {
            report(&mut broken, Rule::Acknowledged, exhibit, "the witness is shown nothing");
            continue;
        };
        check_contiguous(exhibit, events, &mut broken);
        check_views(exhibit, events, &mut broken);
        check_nonces(exhibit, events, &concerned, &mut broken);
        check_order(exhibit, &concerned, &mut broken);
        check_held(exhibit, events, &mut broken);
    }
    broken
}

fn report(broken: &mut Vec<Violation>, rule: Rule, exhibit: &Exhibit, detail: impl fmt::Display) {
    broken.push(Violation { rule, detail: format!("conversation {}: {detail}", exhibit.conversation) });
}

fn check_contiguous(exhibit: &Exhibit, events: &[Event], broken: &mut Vec<Violation>) {
    for (event, expected) in events.iter().zip(1..) {
        if event.seq != expected {
            let detail = format!("seq {} stands where {expected} should", event.seq);
            report(broken, Rule::Contiguous, exhibit, detail);
            return;
        }
    }
}

/// Through which parts of the log somebody was a member.
fn memberships(exhibit: &Exhibit, events: &[Event], user: &UserId) -> Vec<Membership> {
    let mut parts = Vec::new();
    if exhibit.founders.contains(user) {
        parts.push(Membership { start: 1, end: None });
    }
    for event in events.iter().filter(|event| event.kind == "member") {
        if event.body["user"].as_str() != Some(&user.0) {
            continue;
        }
        let open = parts.last_mut().filter(|part: &&mut Membership| part.end.is_none());
        match (event.body["change"].as_str(), open) {
            (Some("joined"), None) => parts.push(Membership { start: event.seq, end: None }),
            (Some("left" | "removed"), Some(part)) => part.end = Some(event.seq),
            _ => {}
        }
    }
    parts
}

/// Rules 4 and 5, and that nonces are private.
fn check_views(exhibit: &Exhibit, log: &[Event], broken: &mut Vec<Violation>) {
    for (user, shown) in &exhibit.shown {
        let parts = memberships(exhibit, log, user);
        let member = parts.last().is_some_and(|part| part.end.is_none());
        match shown {
            Shown::Nothing if member => {
                report(broken, Rule::Visibility, exhibit, format!("member {user} is shown nothing"));
            }
            Shown::Log { .. } if !member => {
                report(
                    broken,
                    Rule::Visibility,
                    exhibit,
                    format!("{user} is no member and is shown the log"),
                );
            }
            Shown::Log { visible_from, head, events } => {
                let detail = expected_start(exhibit, log, user, &parts, *visible_from);
                if let Some(detail) = detail {
                    report(broken, Rule::Visibility, exhibit, detail);
                }
                if events.iter().any(|event| event.seq < *visible_from) {
                    let detail = format!("{user} is shown events below visible_from {visible_from}");
                    report(broken, Rule::Visibility, exhibit, detail);
                }
                check_same(exhibit, log, (user, *visible_from, *head), events, broken);
            }
            Shown::Nothing => {}
        }
    }
}

/// Whether `visible_from` is what joining fixed.
fn expected_start(
    exhibit: &Exhibit,
    log: &[Event],
    user: &UserId,
    parts: &[Membership],
    visible_from: u64,
) -> Option<String> {
    let part = parts.last()?;
    let founder = exhibit.founders.contains(user) && parts.len() == 1;
    let joined = |event: &&Event| {
        event.kind == "member"
            && event.body["user"].as_str() == Some(&user.0)
            && event.body["change"].as_str() == Some("joined")
    };
    let right = if exhibit.full_history {
        visible_from == 1
    } else if founder {
        // The founding itself may be logged as joins.
        visible_from <= log.iter().find(joined).map_or(1, |event| event.seq)
    } else {
        visible_from == part.start
    };
    (!right).then(|| format!("{user} has visible_from {visible_from}, joined at {}", part.start))
}

fn check_same(
    exhibit: &Exhibit,
    log: &[Event],
    (user, visible_from, head): (&UserId, u64, u64),
    events: &[Event],
    broken: &mut Vec<Violation>,
) {
    let expected: Vec<&Event> = log.iter().filter(|event| event.seq >= visible_from).collect();
    let last = log.last().map_or(0, |event| event.seq);
    if head != last {
        let detail = format!("{user} is told head {head}, the log ends at {last}");
        report(broken, Rule::SameView, exhibit, detail);
    }
    if events.len() != expected.len() {
        let detail = format!("{user} is shown {} events of {}", events.len(), expected.len());
        report(broken, Rule::SameView, exhibit, detail);
    }
    if let Some((seen, other)) = events.iter().zip(&expected).find(|(seen, expected)| !seen.same(expected)) {
        let detail = format!("{user} sees {} for {}", seen.brief(), other.brief());
        report(broken, Rule::SameView, exhibit, detail);
    }
    let foreign = |event: &&Event| event.nonce.is_some() && event.sender != *user;
    if let Some(event) = events.iter().find(foreign) {
        report(broken, Rule::NoncePrivacy, exhibit, format!("{user} sees the nonce of seq {}", event.seq));
    }
}

/// Rules 1 and 2.
fn check_nonces(exhibit: &Exhibit, log: &[Event], entries: &[&Entry], broken: &mut Vec<Violation>) {
    let mut places: HashMap<(&UserId, &str), Vec<u64>> = HashMap::new();
    for (user, shown) in &exhibit.shown {
        let Shown::Log { events, .. } = shown else { continue };
        for event in events.iter().filter(|event| event.sender == *user) {
            if let Some(nonce) = &event.nonce {
                places.entry((user, nonce)).or_default().push(event.seq);
            }
        }
    }
    let by_seq: HashMap<u64, &Event> = log.iter().map(|event| (event.seq, event)).collect();
    let erased: BTreeSet<u64> =
        log.iter().filter(|event| event.kind == "delete").filter_map(Event::target).collect();
    for entry in entries {
        let key = (&entry.user, entry.intent.nonce.as_str());
        let stands = places.get(&key).map_or(&[][..], Vec::as_slice);
        // Only a member is shown its own nonces, and only from its visible_from on.
        let visible_from = match exhibit.shown.get(&entry.user) {
            Some(Shown::Log { visible_from, .. }) => Some(*visible_from),
            _ => None,
        };
        let nonce = &entry.intent.nonce;
        match &entry.answer {
            Answer::Done(seq) => {
                let found = check_done(entry, *seq, stands, visible_from);
                let event =
                    seq.map_or_else(|| stands.first().copied(), Some).and_then(|seq| by_seq.get(&seq));
                // What is already so is answered with the present state, whoever made it so.
                let own = entry.intent.operation.always_appends() || !stands.is_empty();
                let content = event.filter(|_| own).and_then(|event| check_content(entry, event, &erased));
                let wrong = found.or(content);
                if let Some(wrong) = wrong {
                    report(
                        broken,
                        Rule::Acknowledged,
                        exhibit,
                        format!("{nonce} of {}: {wrong}", entry.user),
                    );
                } else if event.is_none() && entry.intent.operation.always_appends() && seq.is_some() {
                    let detail =
                        format!("{nonce} of {}: acknowledged at {seq:?}, not in the log", entry.user);
                    report(broken, Rule::Acknowledged, exhibit, detail);
                }
            }
            Answer::None if stands.len() > 1 => {
                report(broken, Rule::Unacknowledged, exhibit, format!("{nonce} stands at {stands:?}"));
            }
            Answer::Refused(code) if !stands.is_empty() => {
                let detail = format!("{nonce} was refused ({code}) and stands at {stands:?}");
                report(broken, Rule::Unacknowledged, exhibit, detail);
            }
            Answer::None | Answer::Refused(_) => {}
        }
    }
}

/// Whether an acknowledged nonce stands where it should.
fn check_done(entry: &Entry, seq: Option<u64>, stands: &[u64], visible_from: Option<u64>) -> Option<String> {
    let must_show = visible_from.is_some_and(|start| seq.is_some_and(|seq| seq >= start));
    match (seq, stands) {
        (_, [_, _, ..]) => Some(format!("stands {} times, at {stands:?}", stands.len())),
        (Some(seq), [only]) if *only != seq => Some(format!("acknowledged at {seq}, stands at {only}")),
        (Some(seq), []) if must_show && entry.intent.operation.always_appends() => {
            Some(format!("acknowledged at {seq}, lost"))
        }
        _ => None,
    }
}

/// Whether the event is what was asked for.
fn check_content(entry: &Entry, event: &Event, erased: &BTreeSet<u64>) -> Option<String> {
    let operation = &entry.intent.operation;
    if event.sender != entry.user || event.kind != operation.kind() {
        return Some(format!("seq {} is a {} of {}", event.seq, event.kind, event.sender));
    }
    let text_of = |subject: u64, text: &str| {
        if event.body.is_null() {
            (!erased.contains(&subject)).then(|| format!("seq {} was erased by nobody", event.seq))
        } else {
            (event.body["text"] != text).then(|| format!("seq {} has another text", event.seq))
        }
    };
    let differs =
        |wrong: bool| wrong.then(|| format!("seq {} is about something else: {}", event.seq, event.body));
    match operation {
        Operation::Send { text } => text_of(event.seq, text),
        Operation::Edit { target, text } => text_of(*target, text),
        Operation::Delete { target } => differs(event.target() != Some(*target)),
        Operation::React { target, emoji, on } => differs(
            !event.body.is_null()
                && (event.target() != Some(*target)
                    || event.body["emoji"] != **emoji
                    || event.body["on"] != *on),
        ),
        Operation::Add { user } | Operation::Remove { user } => differs(event.body["user"] != *user.0),
    }
}

fn check_order(exhibit: &Exhibit, entries: &[&Entry], broken: &mut Vec<Violation>) {
    let mut sockets: HashMap<(&UserId, u64), Vec<(u64, u64)>> = HashMap::new();
    for entry in entries.iter().filter(|entry| matches!(entry.intent.operation, Operation::Send { .. })) {
        if let (Some(order), Answer::Done(Some(seq))) = (entry.intent.order, &entry.answer) {
            sockets.entry((&entry.user, order.socket)).or_default().push((order.index, *seq));
        }
    }
    for ((user, socket), mut sends) in sockets {
        sends.sort_unstable();
        if let Some(pair) = sends.windows(2).find(|pair| pair[0].1 >= pair[1].1) {
            let detail = format!("socket {socket} of {user}: (frame, seq) {:?} then {:?}", pair[0], pair[1]);
            report(broken, Rule::SenderOrder, exhibit, detail);
        }
    }
}

/// Rule 7, and rule 5 for what was pushed.
fn check_held(exhibit: &Exhibit, log: &[Event], broken: &mut Vec<Violation>) {
    let fresh = apply_deletions(log.iter().cloned(), &BTreeSet::new());
    let deletions: BTreeMap<u64, u64> = log
        .iter()
        .filter(|event| event.kind == "delete")
        .filter_map(|event| event.target().map(|target| (target, event.seq)))
        .collect();
    for (user, held) in &exhibit.held {
        let parts = memberships(exhibit, log, user);
        let member_at = |seq: u64| parts.iter().any(|part| part.covers(seq));
        let could_see = |seq: u64| {
            // With full history a member may hold what was before its time.
            let last_seen = parts.iter().map(|part| part.end.unwrap_or(u64::MAX)).max().unwrap_or(0);
            member_at(seq) || (exhibit.full_history && seq <= last_seen)
        };
        if let Some(seq) = held.events.keys().find(|seq| !could_see(**seq)) {
            report(broken, Rule::Visibility, exhibit, format!("{user} was sent seq {seq}, no member then"));
        }
        // What is below can no longer be fetched by those who missed it.
        let Some(Shown::Log { visible_from, .. }) = exhibit.shown.get(user) else { continue };
        let required = |seq: u64| seq >= *visible_from && parts.iter().any(|part| part.requires(seq));
        let mine = apply_deletions(held.events.values().cloned(), &held.erased);
        // Who was out when a message was erased learns of it by fetching what came meanwhile.
        let heard_of = |erased: u64| deletions.get(&erased).is_none_or(|deletion| required(*deletion));
        for (seq, event) in &fresh {
            match mine.get(seq) {
                Some(own)
                    if !own.same(event)
                        && heard_of(subject(if own.body.is_null() { event } else { own })) =>
                {
                    let detail = format!("{user} holds {} for {}", own.brief(), event.brief());
                    report(broken, Rule::LiveState, exhibit, detail);
                }
                None if required(*seq) && !held.answered.contains(seq) => {
                    report(broken, Rule::LiveState, exhibit, format!("{user} never got seq {seq}"));
                }
                _ => {}
            }
        }
        if let Some(seq) = mine.keys().find(|seq| !fresh.contains_key(seq)) {
            report(
                broken,
                Rule::LiveState,
                exhibit,
                format!("{user} holds seq {seq}, which is not in the log"),
            );
        }
    }
}

/// Whether the event is about another one, with whose erasure its body goes, too.
fn is_about(event: &Event) -> bool {
    matches!(event.kind.as_str(), "edit" | "reaction" | "pin")
}

/// The message with whose erasure the event's body goes.
fn subject(event: &Event) -> u64 {
    if is_about(event) { event.target().unwrap_or(event.seq) } else { event.seq }
}

/// What a client makes of a log: a deletion erases its target, and what is about it.
fn apply_deletions(events: impl Iterator<Item = Event>, own: &BTreeSet<u64>) -> BTreeMap<u64, Event> {
    let mut all: BTreeMap<u64, Event> = events.map(|event| (event.seq, event)).collect();
    let mut erased: BTreeSet<u64> =
        all.values().filter(|event| event.kind == "delete").filter_map(Event::target).collect();
    erased.extend(own);
    for event in all.values_mut() {
        // The service may forget reactions and pins of an erased message, too.
        if (event.kind == "message" || is_about(event)) && erased.contains(&subject(event)) {
            event.body = Value::Null;
        }
    }
    all
}

#[cfg(test)]
#[path = "oracle_tests.rs"]
mod tests;
