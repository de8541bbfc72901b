//! Two people, a conversation, and what is left of it.

use std::sync::Arc;

use loquat_domain::messages::Act;
use loquat_domain::ports::MessageWindow;
use loquat_domain::{Caller, Refusal, Storage};
use loquat_proto::conversation::{CreateConversation, Receipts};
use loquat_proto::event::SettingsBody;
use loquat_proto::frame::Push;
use loquat_proto::{Conversation, ConversationId, ConversationKind, Message, Retention, Seq};
use loquat_testkit::{MemoryStore, Received, TestApp, TestSession, TestSettings};

pub const TTL: Retention = Retention::Ttl { seconds: 60 };

pub struct World {
    pub store: MemoryStore,
    pub app: TestApp,
    pub ann: Caller,
    pub bob: Caller,
    pub id: ConversationId,
}

pub fn wish(kind: ConversationKind, others: &[Caller], retention: Retention) -> CreateConversation {
    CreateConversation {
        kind,
        members: others.iter().map(|other| other.user).collect(),
        title: None,
        description: None,
        history: None,
        retention: Some(retention),
    }
}

impl World {
    /// Workers run when they are told.
    pub async fn new(retention: Retention) -> Self {
        let store = MemoryStore::new(7);
        let storage = Storage::from_one(Arc::new(store.clone()));
        let app = TestApp::start(storage, TestSettings::default()).await;
        let (ann, bob) = (app.user("ann").await, app.user("bob").await);
        let wish = wish(ConversationKind::Group, &[bob], retention);
        let id = app.conversations().create(ann, wish, None).await.unwrap().conversation.id;
        Self { store, app, ann, bob, id }
    }

    pub async fn say(&self, caller: Caller, nonce: &str) -> Seq {
        self.app.send(caller, self.id, nonce).await.unwrap().seq
    }

    pub async fn act(&self, caller: Caller, act: Act) -> Result<Seq, Refusal> {
        self.app.act(caller, self.id, None, act).await.map(|appended| appended.seq)
    }

    pub async fn set(&self, retention: Retention) -> Result<Seq, Refusal> {
        let settings = SettingsBody { retention: Some(retention), ..SettingsBody::default() };
        self.act(self.ann, Act::Settings(settings)).await
    }

    pub async fn delivered(&self, caller: Caller, seq: Seq) {
        let receipts = Receipts { delivered: Some(seq), ..Receipts::default() };
        self.app.receipts().acknowledge(caller, self.id, receipts).await.unwrap();
    }

    /// Lets time pass and the workers do what is due.
    pub async fn after(&self, milliseconds: i64) {
        self.app.clock().advance(milliseconds);
        self.app.workers().work_off().await.unwrap();
    }

    pub async fn messages(&self) -> Vec<Message> {
        self.app.messages().window(self.bob, self.id, MessageWindow::Latest, 200).await.unwrap().items
    }

    /// The texts that are left; `None` for what is erased.
    pub async fn texts(&self) -> Vec<Option<String>> {
        self.messages().await.into_iter().map(|message| message.text).collect()
    }

    pub async fn view(&self) -> Conversation {
        self.app.conversations().get(self.bob, self.id).await.unwrap()
    }

    pub async fn connect(&self, caller: Caller, since: Option<&str>) -> TestSession {
        TestSession::connect(&self.app, caller, since).await.unwrap()
    }
}

/// The erasures that a session was told of.
pub fn told(session: &mut TestSession) -> Vec<(Seq, Seq)> {
    let erased = |received| match received {
        Received::Push(push) => match *push {
            Push::Erased { erased_to, expired_to, .. } => Some((erased_to, expired_to)),
            _ => None,
        },
        _ => None,
    };
    session.take().unwrap().into_iter().filter_map(erased).collect()
}

pub fn some(texts: &[&str]) -> Vec<Option<String>> {
    texts.iter().map(|text| (!text.is_empty()).then(|| (*text).to_owned())).collect()
}
