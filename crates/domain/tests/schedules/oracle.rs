//! What must hold when all is quiet again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use loquat_domain::fanout::SessionId;
use loquat_domain::sync::SyncToken;
use loquat_proto::conversation::Cursor;
use loquat_proto::event::{EventBody, MemberChange};
use loquat_proto::frame::Push;
use loquat_proto::{
    ConversationId, ConversationKind, Event, EventKind, History, Nonce, Ready, Seq, ServerFrame, UserId,
};
use loquat_testkit::{Received, TestSession};

use super::ledger::{Group, Item, ItemState, MemberSpan, Published, Read, Seen, SessionLog};
use super::world::{Outcome, World};

/// What the nonces of another node begin with: its events reach nobody here by themselves.
pub const ELSEWHERE: &str = "elsewhere";

/// A time of being a member.
#[derive(Debug, Clone, Copy)]
struct Stay {
    joined: Seq,
    left: Seq,
}

/// The truth about one conversation.
struct Log {
    id: ConversationId,
    events: Vec<Event>,
    stays: BTreeMap<UserId, Vec<Stay>>,
    full_history: bool,
    /// Members of a channel come and go without an event: at the same head before it or after it.
    is_channel: bool,
}

impl Log {
    fn head(&self) -> Seq {
        self.events.len() as Seq
    }

    fn visible_from(&self, stay: Stay) -> Seq {
        if self.full_history || stay.joined == 1 { 1 } else { stay.joined }
    }

    /// Whether the user may have been sent the event at `seq`: a member after it, from `visible_from` on.
    fn may_see(&self, user: UserId, seq: Seq) -> bool {
        self.stays(user).any(|stay| seq < stay.left && seq >= self.visible_from(stay))
    }

    fn stays(&self, user: UserId) -> impl Iterator<Item = Stay> {
        self.stays.get(&user).into_iter().flatten().copied()
    }

    /// The stay that goes on.
    fn current(&self, user: UserId) -> Option<Stay> {
        self.stays(user).find(|stay| stay.left == Seq::MAX)
    }

    /// Whether a message was erased after this event, which was it or was about it: who had it by then saw its body.
    fn is_erased_after(&self, event: &Event) -> bool {
        let about = target(event).unwrap_or(event.seq);
        let later = self.events.iter().filter(|later| later.seq > event.seq);
        later.filter(|later| later.kind == EventKind::Delete).any(|later| target(later) == Some(about))
    }

    fn is_from_elsewhere(&self, seq: Seq) -> bool {
        let event = &self.events[seq as usize - 1];
        event.nonce.as_ref().is_some_and(|nonce| nonce.as_str().starts_with(ELSEWHERE))
    }
}

/// Compares what everybody saw with the logs.
pub async fn judge(world: &World, outcome: &Outcome) {
    let (groups, deleted, reads, members, published) = world.ledger.with(|notes| {
        let (reads, published) = (std::mem::take(&mut notes.reads), std::mem::take(&mut notes.published));
        (notes.groups.clone(), notes.deleted.clone(), reads, notes.members.clone(), published)
    });
    let mut logs = BTreeMap::new();
    for group in groups.into_iter().filter(|group| !deleted.contains(&group.id)) {
        logs.insert(group.id, read_log(world, group).await);
    }
    acknowledgements_hold(&logs, &outcome.items);
    for session in &outcome.sessions {
        events_come_in_order(session);
        nothing_is_shown_to_strangers(&logs, session);
    }
    for read in &reads {
        reads_stop_at_removals(&logs, read);
    }
    nothing_is_published_after_removals(&members, &published);
    hidden_reads_stay_hidden(world, &published);
    for session in &outcome.sessions {
        sessions_have_everything(world, &logs, session).await;
        tokens_claim_no_more_than_was_sent(world, &logs, session).await;
    }
    replays_change_nothing(world, &logs, &outcome.items).await;
}

async fn read_log(world: &World, group: Group) -> Log {
    let events = world.store.whole_log(group.id);
    let mut stays: BTreeMap<UserId, Vec<Stay>> = BTreeMap::new();
    let facts = world.app.storage().conversations.load(group.id).await.expect("nothing fails any more");
    let is_channel = facts.as_ref().is_some_and(|facts| facts.kind == ConversationKind::Channel);
    for stay in world.store.stays(group.id).into_iter().filter(|_| is_channel) {
        let left = stay.left.unwrap_or(Seq::MAX);
        stays.entry(stay.user).or_default().push(Stay { joined: stay.joined, left });
    }
    for (event, seq) in events.iter().zip(1..) {
        assert_eq!(event.seq, seq, "seq is contiguous from 1");
        if is_channel {
            continue;
        }
        let Ok(Some(EventBody::Member(body))) = event.decode() else { continue };
        let stays = stays.entry(body.user).or_default();
        match body.change {
            MemberChange::Joined => {
                // The settings come first, then the founders, who see from the beginning.
                let joined = if seq <= group.founders + 1 { 1 } else { seq };
                stays.push(Stay { joined, left: Seq::MAX });
            }
            MemberChange::Left | MemberChange::Removed => {
                stays.last_mut().expect("who leaves had joined").left = seq;
            }
            MemberChange::Role => {}
        }
    }
    let full_history = facts.is_some_and(|facts| facts.history == History::Full);
    Log { id: group.id, events, stays, full_history, is_channel }
}

/// Acknowledged: exactly once, where the answer says. Refused: never. In the order in which it was sent.
fn acknowledgements_hold(logs: &BTreeMap<ConversationId, Log>, items: &[Item]) {
    let mut places: BTreeMap<(ConversationId, UserId, Nonce), Vec<Seq>> = BTreeMap::new();
    for log in logs.values() {
        for event in &log.events {
            if let Some(nonce) = &event.nonce {
                places.entry((log.id, event.sender, nonce.clone())).or_default().push(event.seq);
            }
        }
    }
    let mut newest: HashMap<(ConversationId, SessionId), Seq> = HashMap::new();
    for item in items.iter().filter(|item| logs.contains_key(&item.conversation)) {
        let user = item.caller.user;
        let stands =
            places.get(&(item.conversation, user, item.nonce.clone())).map_or(&[][..], Vec::as_slice);
        assert!(stands.len() <= 1, "{:?} stands at {stands:?}", item.nonce);
        match &item.state {
            ItemState::Acknowledged(appended) => match stands {
                [seq] => {
                    assert_eq!(appended.seq, *seq, "{:?} stands where its answer says", item.nonce);
                    // What was refused for good by one session may pass by the next.
                    let [session] = item.sessions[..] else { continue };
                    let before = newest.insert((item.conversation, session), *seq);
                    assert!(
                        before < Some(*seq),
                        "{:?} at {seq} was sent after what stands at {before:?}: {items:#?}",
                        item.nonce
                    );
                }
                _ => assert!(
                    !matches!(item.act, loquat_domain::messages::Act::Send(_)),
                    "{:?} was acknowledged and does not stand in the log",
                    item.nonce
                ),
            },
            ItemState::Refused(error) => {
                assert!(stands.is_empty(), "{:?} was refused: {error:?}", item.nonce);
            }
            state => panic!("{:?} was never answered: {state:?}", item.nonce),
        }
    }
}

/// Each session gets the events of a conversation in order, each once.
fn events_come_in_order(session: &SessionLog) {
    let mut newest: BTreeMap<ConversationId, Seq> = BTreeMap::new();
    for seen in &session.seen[session.own..] {
        let Seen::Event(event) = seen else { continue };
        let before = newest.insert(event.conversation, event.seq);
        assert!(before < Some(event.seq), "{} came after {before:?} in {}", event.seq, event.conversation);
    }
}

fn nothing_is_shown_to_strangers(logs: &BTreeMap<ConversationId, Log>, session: &SessionLog) {
    let user = session.caller.user;
    for seen in &session.seen[session.own..] {
        match seen {
            Seen::Event(event) => {
                let Some(log) = logs.get(&event.conversation) else { continue };
                let (seq, truth) = (event.seq, &log.events[event.seq as usize - 1]);
                assert!(log.may_see(user, seq), "{user} was sent {seq} of {}: {:?}", log.id, log.stays);
                let own = truth.sender == user;
                let nonce = truth.nonce.clone().filter(|_| own);
                let body = truth.body.as_ref().map(|body| body.get());
                let shown = event.body.as_ref().map(|body| body.get());
                assert!(body == shown || log.is_erased_after(event), "{event:?} stands as {truth:?}");
                assert_eq!(event.nonce, nonce, "nonces are for their senders");
            }
            Seen::Ready(ready) => {
                for view in &ready.changed {
                    let Some(log) = logs.get(&view.id) else { continue };
                    assert_snapshot(log, user, view.head, view.visible_from);
                    let members = log.stays.values().flatten();
                    let there =
                        members.filter(|stay| stay.joined <= view.head && view.head < stay.left).count();
                    if !log.is_channel {
                        assert_eq!(view.member_count, there as u64, "a view is of one moment");
                    }
                }
            }
            _ => {}
        }
    }
}

/// Whoever reads a snapshot with this head is a member at this head.
fn assert_snapshot(log: &Log, user: UserId, head: Seq, visible_from: Seq) {
    // In a channel, who joins at this head sees from the next event on.
    let reach = if log.is_channel { head + 1 } else { head.max(1) };
    let mut stays = log.stays(user).filter(|stay| stay.joined <= reach && head < stay.left);
    let fits = stays.any(|stay| log.visible_from(stay) == visible_from);
    assert!(fits, "{user} read {} at {head} from {visible_from}: {:?}", log.id, log.stays);
}

fn reads_stop_at_removals(logs: &BTreeMap<ConversationId, Log>, read: &Read) {
    let Some(log) = logs.get(&read.conversation) else { return };
    let page = &read.page;
    assert_snapshot(log, read.user, page.head, page.visible_from);
    assert!(page.items.iter().all(|event| event.seq >= page.visible_from && event.seq <= page.head));
}

/// After a removal is acknowledged, nothing of the conversation goes to the removed, until somebody asks to let them
/// in again: no event, no typing, no receipt.
fn nothing_is_published_after_removals(members: &[MemberSpan], published: &[Published]) {
    for removal in members.iter().filter(|change| !change.enters && change.span.done.is_some()) {
        let about = format!("\"conversation\":\"{}\"", removal.conversation);
        for frame in
            published.iter().filter(|frame| frame.user == removal.user && frame.frame.contains(&about))
        {
            assert!(!is_leak(members, removal, frame), "sent to who was removed: {frame:?} {removal:?}");
        }
    }
}

fn is_leak(members: &[MemberSpan], removal: &MemberSpan, frame: &Published) -> bool {
    let same =
        |change: &&MemberSpan| change.user == removal.user && change.conversation == removal.conversation;
    let mut entries = members.iter().filter(same).filter(|change| change.enters);
    let is_out = entries.all(|entry| {
        entry.span.done.is_some_and(|done| done < removal.span.asked) || entry.span.asked > frame.at
    });
    removal.span.done.is_some_and(|done| done < frame.at) && is_out
}

fn hidden_reads_stay_hidden(world: &World, published: &[Published]) {
    for Published { user: to, frame, .. } in published {
        if !frame.starts_with("{\"op\":\"receipt\"") {
            continue;
        }
        let Ok(ServerFrame::Push(push)) = ServerFrame::parse(frame) else { panic!("{frame}") };
        let Push::Receipt { items, .. } = *push else { panic!("{frame}") };
        for cursor in items {
            let hidden = world.hides_reads.contains(&cursor.user) && *to != cursor.user;
            assert!(!hidden || cursor.read == 0, "{to} was told how far {} has read", cursor.user);
        }
    }
}

/// What a session knew of one conversation at some point of its life.
#[derive(Debug, Clone, Default)]
struct Known {
    /// Of `ready`; `None` where it did not tell of the conversation.
    head: Option<Seq>,
    sent: BTreeSet<Seq>,
    cursors: BTreeMap<UserId, Cursor>,
}

impl Known {
    fn lacks(&self, log: &Log, user: UserId) -> Option<Seq> {
        let stay = log.current(user)?;
        let from = self.head.filter(|head| *head >= stay.joined).map_or(stay.joined, |head| head + 1);
        (from..=log.head()).find(|seq| !self.sent.contains(seq) && !log.is_from_elsewhere(*seq))
    }
}

/// What a session knew after the first `upto` things that it saw.
fn known(session: &SessionLog, upto: usize) -> BTreeMap<ConversationId, Known> {
    let mut known: BTreeMap<ConversationId, Known> = BTreeMap::new();
    for seen in &session.seen[..upto] {
        match seen {
            Seen::Ready(ready) => {
                for view in &ready.changed {
                    let known = known.entry(view.id).or_default();
                    known.head = Some(view.head);
                    known.cursors = view.cursors.iter().map(|cursor| (cursor.user, *cursor)).collect();
                }
            }
            Seen::Event(event) => {
                let known = known.entry(event.conversation).or_default();
                known.sent.insert(event.seq);
                if known.head.is_none_or(|head| event.seq > head) {
                    follow_members(known, event);
                }
            }
            Seen::Acknowledged { conversation, seq, .. } => {
                known.entry(*conversation).or_default().sent.insert(*seq);
            }
            Seen::Receipt { conversation, items } => {
                let known = known.entry(*conversation).or_default();
                for item in items {
                    let cursor = known.cursors.entry(item.user).or_insert(*item);
                    cursor.delivered = cursor.delivered.max(item.delivered);
                    cursor.read = cursor.read.max(item.read);
                }
            }
            Seen::Account(_) | Seen::Tick(_) => {}
        }
    }
    known
}

/// Cursors begin and end with memberships.
fn follow_members(known: &mut Known, event: &Event) {
    let Ok(Some(EventBody::Member(body))) = event.decode() else { return };
    match body.change {
        MemberChange::Joined => {
            let start = event.seq - 1;
            known.cursors.insert(body.user, Cursor { user: body.user, delivered: start, read: start });
        }
        MemberChange::Left | MemberChange::Removed => drop(known.cursors.remove(&body.user)),
        MemberChange::Role => {}
    }
}

/// `ready` and live events make up the same as a fresh fetch.
async fn sessions_have_everything(world: &World, logs: &BTreeMap<ConversationId, Log>, session: &SessionLog) {
    if !session.open {
        return;
    }
    let all = known(session, session.seen.len());
    for log in logs.values() {
        nothing_is_missing(world, log, (session, &all), "the end").await;
    }
}

/// What the session knew of this conversation is all that a fresh fetch tells.
async fn nothing_is_missing(
    world: &World,
    log: &Log,
    (session, all): (&SessionLog, &BTreeMap<ConversationId, Known>),
    when: &str,
) {
    let user = session.caller.user;
    let Some(stay) = log.current(user) else { return };
    let known = all.get(&log.id).cloned().unwrap_or_default();
    assert_eq!(known.lacks(log, user), None, "{user} was not sent all of {} at {when}: {known:?}", log.id);
    let fresh = world.app.conversations().get(session.caller, log.id).await.expect("a member reads");
    assert_eq!(fresh.head, log.head());
    // Who joined meanwhile fetches the cursors of those who were there before; of who joins a channel nobody is told.
    if log.is_channel || known.head.is_none_or(|head| head < stay.joined) {
        return;
    }
    for cursor in fresh.cursors {
        let mut held =
            known.cursors.get(&cursor.user).copied().unwrap_or(Cursor { delivered: 0, read: 0, ..cursor });
        if world.hides_reads.contains(&cursor.user) && cursor.user != user {
            held.read = 0;
        }
        assert_eq!(held, cursor, "{user} knows the cursors in {} at {when}", log.id);
    }
}

/// Whoever comes back with a token is told of every conversation of which something was not sent before the token.
async fn tokens_claim_no_more_than_was_sent(
    world: &World,
    logs: &BTreeMap<ConversationId, Log>,
    session: &SessionLog,
) {
    for (index, seen) in session.seen.iter().enumerate().skip(session.own) {
        let Seen::Tick(token) = seen else { continue };
        account_events_up_to_the_token_were_sent(&session.seen[..index], token);
        let ready = resume(world, session, token).await;
        let told: BTreeSet<ConversationId> = ready.changed.iter().map(|view| view.id).collect();
        let all = known(session, index);
        for log in logs.values().filter(|log| !told.contains(&log.id)) {
            nothing_is_missing(world, log, (session, &all), token).await;
        }
    }
}

async fn resume(world: &World, session: &SessionLog, token: &str) -> Ready {
    let again = TestSession::connect(&world.app, session.caller, Some(token)).await;
    let received = again.expect("nothing fails any more").take().expect("it is open");
    match received.into_iter().next() {
        Some(Received::Ready(ready)) => *ready,
        other => panic!("ready comes first, not {other:?}"),
    }
}

fn account_events_up_to_the_token_were_sent(seen: &[Seen], token: &str) {
    let account = |token: &str| token.parse::<SyncToken>().expect("a token of ours").account;
    let mut sent = 0;
    let mut live = BTreeSet::new();
    for one in seen {
        match one {
            Seen::Ready(ready) => sent = account(&ready.since),
            Seen::Account(pos) => drop(live.insert(*pos)),
            _ => {}
        }
    }
    let missing = (sent + 1..=account(token)).find(|pos| !live.contains(pos));
    assert_eq!(missing, None, "{token} claims an account event that was not sent");
}

/// Everything once more: the first results, and not one event more.
async fn replays_change_nothing(world: &World, logs: &BTreeMap<ConversationId, Log>, items: &[Item]) {
    for item in items {
        let (Some(log), ItemState::Acknowledged(first)) = (logs.get(&item.conversation), &item.state) else {
            continue;
        };
        let stands = log
            .events
            .iter()
            .any(|event| event.sender == item.caller.user && event.nonce.as_ref() == Some(&item.nonce));
        // What changed nothing was not remembered.
        if stands {
            let again =
                world.app.act(item.caller, item.conversation, Some(item.nonce.as_str()), item.act.clone());
            assert_eq!(again.await.as_ref(), Ok(first), "a replay of {:?}", item.nonce);
        }
    }
    for log in logs.values() {
        assert_eq!(world.store.whole_log(log.id).len(), log.events.len(), "replays append nothing");
    }
}

fn target(event: &Event) -> Option<Seq> {
    event.decode().ok().flatten().and_then(|body| body.target())
}
