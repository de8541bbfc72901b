//! Reads while the store cannot write.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use loquat_domain::Storage;
use loquat_proto::History;
use loquat_proto::conversation::Receipts;
use loquat_testkit::{MemoryStore, TestApp, TestSession, TestSettings, deterministic, text};

#[test]
fn reads_and_ready_go_on_while_nothing_can_be_written() {
    deterministic(async {
        let store = MemoryStore::new(1);
        let app = TestApp::start(Storage::from_one(Arc::new(store.clone())), TestSettings::default()).await;
        let (ann, bob) = (app.user("ann").await, app.user("bob").await);
        let group = app.group(ann, &[bob.user], History::Full).await.unwrap();
        let sent = app.act(ann, group, Some("n1"), text("figs")).await.unwrap();
        store.faults().refuse_writes(1000);
        let read = Receipts { delivered: None, read: Some(sent.seq) };
        app.receipts().acknowledge(bob, group, read).await.unwrap();
        // A cursor waits to be saved and cannot be; what is there can be read all the same.
        assert_eq!(app.conversations().list(bob, None, 10).await.unwrap().items.len(), 1);
        assert_eq!(app.conversations().get(bob, group).await.unwrap().head, sent.seq);
        assert!(TestSession::connect(&app, bob, None).await.is_ok());
        assert!(app.act(ann, group, Some("n2"), text("plums")).await.unwrap_err().is_retryable());
        store.faults().refuse_writes(0);
        assert_eq!(app.conversations().get(bob, group).await.unwrap().me.read, sent.seq);
    });
}
