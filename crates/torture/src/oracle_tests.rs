//! The oracle fails when it should: each case breaks one promise of a history that keeps them all.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Exhibit, Held, Rule, Shown, judge};
use crate::event::{ConversationId, Event, UserId};
use crate::ledger::{Answer, Entry, Intent, Operation, SocketOrder};

fn user(name: &str) -> UserId {
    UserId(name.to_owned())
}

fn event(seq: u64, sender: &str, kind: &str, body: Value) -> Event {
    let nonce = Some(format!("n{seq}"));
    Event {
        seq,
        ts: 1_000 + i64::try_from(seq).expect("small"),
        sender: user(sender),
        nonce,
        kind: kind.into(),
        body,
    }
}

/// What `viewer` is shown of the log.
fn view(log: &[Event], viewer: &str, visible_from: u64) -> Shown {
    let seen = log.iter().filter(|event| event.seq >= visible_from).map(|event| {
        let own = event.sender == user(viewer);
        Event { nonce: event.nonce.clone().filter(|_| own), ..event.clone() }
    });
    let head = log.last().map_or(0, |event| event.seq);
    Shown::Log { visible_from, head, events: seen.collect() }
}

/// A history in which every promise is kept: ann and bob founded, cid joined at 3, dan was removed at 5.
#[derive(Clone)]
struct History {
    entries: Vec<Entry>,
    exhibit: Exhibit,
}

fn entry(sender: &str, seq: u64, operation: Operation, answer: Answer) -> Entry {
    let intent = Intent {
        nonce: format!("n{seq}"),
        conversation: ConversationId("7".into()),
        operation,
        order: Some(SocketOrder { socket: 1, index: seq }),
    };
    Entry { user: user(sender), intent, answer }
}

fn log() -> Vec<Event> {
    vec![
        event(1, "ann", "message", json!({"text": "one"})),
        event(2, "bob", "message", Value::Null),
        event(3, "ann", "member", json!({"user": "cid", "change": "joined"})),
        event(4, "bob", "delete", json!({"target": 2})),
        event(5, "ann", "member", json!({"user": "dan", "change": "removed"})),
        event(6, "ann", "edit", json!({"target": 1, "text": "uno"})),
        event(7, "cid", "message", json!({"text": "seven"})),
    ]
}

fn kept() -> History {
    let log = log();
    let send = |text: &str| Operation::Send { text: text.into() };
    let entries = vec![
        entry("ann", 1, send("one"), Answer::Done(Some(1))),
        entry("bob", 2, send("two"), Answer::Done(Some(2))),
        entry("ann", 3, Operation::Add { user: user("cid") }, Answer::Done(None)),
        entry("bob", 4, Operation::Delete { target: 2 }, Answer::Done(Some(4))),
        entry("ann", 5, Operation::Remove { user: user("dan") }, Answer::None),
        entry("ann", 6, Operation::Edit { target: 1, text: "uno".into() }, Answer::Done(Some(6))),
        entry("cid", 7, send("seven"), Answer::None),
        entry("dan", 8, send("never"), Answer::Refused("not_found".into())),
    ];
    let shown = BTreeMap::from([
        (user("ann"), view(&log, "ann", 1)),
        (user("bob"), view(&log, "bob", 1)),
        (user("cid"), view(&log, "cid", 3)),
        (user("dan"), Shown::Nothing),
    ]);
    // Bob got the second message before it was erased, and never its own deletion, only the answer.
    let mut bob: BTreeMap<u64, Event> = log.iter().map(|event| (event.seq, event.clone())).collect();
    bob.insert(2, event(2, "bob", "message", json!({"text": "two"})));
    bob.remove(&1);
    bob.remove(&4);
    let dan = log.iter().take(5).map(|event| (event.seq, event.clone())).collect();
    let held = BTreeMap::from([
        (user("bob"), Held { events: bob, answered: BTreeSet::from([1, 4]), erased: BTreeSet::from([2]) }),
        (user("dan"), Held { events: dan, ..Held::default() }),
    ]);
    let exhibit = Exhibit {
        conversation: ConversationId("7".into()),
        full_history: false,
        founders: ["ann", "bob", "dan"].map(user).into(),
        witness: user("ann"),
        shown,
        held,
    };
    History { entries, exhibit }
}

impl History {
    fn events(&mut self, viewer: &str) -> &mut Vec<Event> {
        match self.exhibit.shown.get_mut(&user(viewer)) {
            Some(Shown::Log { events, .. }) => events,
            _ => panic!("{viewer} is shown nothing"),
        }
    }

    fn held(&mut self, viewer: &str) -> &mut Held {
        self.exhibit.held.get_mut(&user(viewer)).expect("is connected")
    }

    /// Changes the log in everybody's eyes.
    fn rewrite(&mut self, change: impl Fn(&mut Vec<Event>)) {
        for viewer in ["ann", "bob", "cid"] {
            change(self.events(viewer));
        }
        self.exhibit.held.clear();
    }

    fn broken(&self) -> BTreeSet<Rule> {
        let broken = judge(&self.entries, std::slice::from_ref(&self.exhibit));
        broken.into_iter().map(|violation| violation.rule).collect()
    }
}

#[test]
fn a_history_that_keeps_every_promise_passes() {
    let broken = judge(&kept().entries, &[kept().exhibit]);
    assert!(broken.is_empty(), "{broken:#?}");
}

type Break = fn(&mut History);

#[test]
fn every_broken_promise_is_found() {
    let cases: &[(&str, Rule, Break)] = &[
        ("an acknowledged send is lost", Rule::Acknowledged, |history| {
            history.rewrite(|events| {
                for event in events.iter_mut().filter(|event| event.seq == 1) {
                    *event = self::event(1, "bob", "message", json!({"text": "other"}));
                    event.nonce = None;
                }
            });
        }),
        ("the end of the log is lost", Rule::Acknowledged, |history| {
            history.rewrite(|events| events.retain(|event| event.seq < 6));
        }),
        ("an acknowledged send stands elsewhere", Rule::Acknowledged, |history| {
            history.entries[0].answer = Answer::Done(Some(6));
        }),
        ("an acknowledged send is doubled", Rule::Acknowledged, |history| {
            history.rewrite(|events| {
                let mut again = self::event(8, "ann", "message", json!({"text": "one"}));
                again.nonce = Some("n1".into());
                events.push(again);
            });
        }),
        ("an acknowledged text is changed", Rule::Acknowledged, |history| {
            history.entries[0].intent.operation = Operation::Send { text: "else".into() };
        }),
        ("a message is erased by nobody", Rule::Acknowledged, |history| {
            history.rewrite(|events| {
                events.iter_mut().filter(|event| event.seq == 1).for_each(|event| event.body = Value::Null);
            });
        }),
        ("an unanswered send is doubled", Rule::Unacknowledged, |history| {
            history.rewrite(|events| {
                let mut again = self::event(8, "cid", "message", json!({"text": "seven"}));
                again.nonce = Some("n7".into());
                events.push(again);
            });
        }),
        ("a refused send stands", Rule::Unacknowledged, |history| {
            history.entries[6].answer = Answer::Refused("forbidden".into());
        }),
        ("a gap", Rule::Contiguous, |history| {
            history.rewrite(|events| events.retain(|event| event.seq != 5));
        }),
        ("a seq twice", Rule::Contiguous, |history| {
            history.rewrite(|events| {
                let last = events.last().expect("an event").clone();
                events.push(last);
            });
        }),
        ("members see different texts", Rule::SameView, |history| {
            history.events("cid").last_mut().expect("an event").body = json!({"text": "eight"});
        }),
        ("a member misses an event", Rule::SameView, |history| {
            history.events("bob").pop();
        }),
        ("a removed member still reads", Rule::Visibility, |history| {
            history.exhibit.shown.insert(user("dan"), view(&log(), "dan", 1));
        }),
        ("a member is locked out", Rule::Visibility, |history| {
            history.exhibit.shown.insert(user("cid"), Shown::Nothing);
        }),
        ("history shown from before the join", Rule::Visibility, |history| {
            history.exhibit.shown.insert(user("cid"), view(&log(), "cid", 1));
        }),
        ("an event below visible_from", Rule::Visibility, |history| {
            history.events("cid").insert(0, self::event(2, "bob", "message", Value::Null));
        }),
        ("a removed member is pushed an event", Rule::Visibility, |history| {
            history.held("dan").events.insert(6, log()[5].clone());
        }),
        ("a connected client never got an event", Rule::LiveState, |history| {
            history.held("bob").events.remove(&7);
        }),
        ("a client was pushed something else", Rule::LiveState, |history| {
            let other = self::event(7, "cid", "message", json!({"text": "other"}));
            history.held("bob").events.insert(7, other);
        }),
        ("a client was pushed what was then lost", Rule::LiveState, |history| {
            history.held("bob").events.insert(8, self::event(8, "ann", "message", json!({"text": "x"})));
        }),
        ("one socket's sends are reordered", Rule::SenderOrder, |history| {
            history.entries[1].user = user("ann");
            history.entries[1].intent.order = Some(SocketOrder { socket: 1, index: 0 });
        }),
        ("somebody else's nonce is shown", Rule::NoncePrivacy, |history| {
            history.events("bob")[0].nonce = Some("n1".into());
        }),
    ];
    for (name, rule, change) in cases {
        let mut history = kept();
        change(&mut history);
        assert!(history.broken().contains(rule), "{name}: found only {:?}", history.broken());
    }
}

#[test]
fn what_is_already_so_may_be_acknowledged_without_an_event() {
    let mut history = kept();
    let react = Operation::React { target: 1, emoji: "👍".into(), on: true };
    history.entries.push(entry("bob", 9, react, Answer::Done(Some(7))));
    assert!(history.broken().is_empty());
}

/// Cid got the eighth message; ann erased it while cid was out, or at home.
fn erased_by_ann(cid_is_out: bool) -> History {
    let mut log = log();
    log.push(event(8, "ann", "message", Value::Null));
    if cid_is_out {
        log.push(event(9, "ann", "member", json!({"user": "cid", "change": "removed"})));
        log.push(event(10, "ann", "delete", json!({"target": 8})));
        log.push(event(11, "ann", "member", json!({"user": "cid", "change": "joined"})));
    } else {
        log.push(event(9, "ann", "delete", json!({"target": 8})));
    }
    let mut held: BTreeMap<u64, Event> = log.iter().map(|event| (event.seq, event.clone())).collect();
    held.insert(8, event(8, "ann", "message", json!({"text": "eight"})));
    held.remove(&2);
    held.remove(&if cid_is_out { 10 } else { 9 });
    let mut history = kept();
    let viewers = ["ann", "bob", "cid"].map(|viewer| (user(viewer), view(&log, viewer, 1)));
    history.exhibit.shown.extend(viewers);
    history.exhibit.full_history = true;
    history.exhibit.held = BTreeMap::from([(
        user("cid"),
        Held { events: held, answered: BTreeSet::from([9]), ..Held::default() },
    )]);
    history
}

#[test]
fn who_was_out_when_a_message_was_erased_may_hold_it() {
    assert!(!erased_by_ann(true).broken().contains(&Rule::LiveState));
    assert!(erased_by_ann(false).broken().contains(&Rule::LiveState));
}
