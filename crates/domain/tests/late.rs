//! What is decided while a message is there, and stands in the log after retention has erased it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use loquat_domain::Storage;
use loquat_domain::messages::Act;
use loquat_domain::ports::{EventRange, Horizons, Retentions as _};
use loquat_proto::event::EditBody;
use loquat_proto::frame::Push;
use loquat_proto::message::Format;
use loquat_proto::{Event, History};
use loquat_testkit::{MemoryStore, Received, TestApp, TestSession, TestSettings, deterministic, text};

/// The edit as the reader was told of it, and as it stands, where the message is erased so many turns after the edit
/// was asked for; `None` where the edit was refused.
async fn edited(turns: usize) -> Option<[Event; 2]> {
    let store = MemoryStore::new(1);
    let app = TestApp::start(Storage::from_one(Arc::new(store.clone())), TestSettings::default()).await;
    let (ann, bob) = (app.user("ann").await, app.user("bob").await);
    let group = app.group(ann, &[bob.user], History::Full).await.unwrap();
    let target = app.act(ann, group, Some("n1"), text("figs")).await.unwrap().seq;
    let mut writer = TestSession::connect(&app, ann, None).await.unwrap();
    let mut reader = TestSession::connect(&app, bob, None).await.unwrap();
    let edit = EditBody { target, text: "plums".into(), format: Format::Plain, mentions: Vec::new() };
    store.faults().yield_up_to(8);
    let submitted = writer.submit(group, None, Act::Edit(edit));
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
    store.faults().yield_up_to(0);
    store.erase_up_to(group, Horizons { erased_to: target, expired_to: target }).await.unwrap();
    writer.outcome(submitted).await.unwrap().ok()?;
    let told = loop {
        let Received::Push(push) = reader.next().await.unwrap() else { continue };
        if let Push::Event { event } = *push {
            break event;
        }
    };
    let page = app.messages().events(bob, group, EventRange::After(target), 1).await.unwrap();
    Some([told, page.items.into_iter().next().unwrap()])
}

#[test]
fn what_comes_too_late_is_told_as_it_stands() {
    let outcomes: Vec<_> = (0..20).map(|turns| deterministic(edited(turns))).collect();
    let late = |outcome: &Option<[Event; 2]>| outcome.as_ref().is_some_and(|[told, _]| told.body.is_none());
    assert!(outcomes.iter().any(late), "none came too late: {outcomes:?}");
    for [told, stands] in outcomes.iter().flatten() {
        // An edit that was in time was told whole, and erased with its message.
        assert!(stands.body.is_none(), "{stands:?}");
        assert_eq!(told.seq, stands.seq);
    }
}
