//! Who listens to which channel on this node.
//!
//! A channel's members are too many to be addressed one by one: its lane publishes one frame to its topic, and each
//! node hands it to the sessions that listen. Sessions follow the channels that their user is a member of when they
//! begin, as the directory says, and whatever the lanes tell afterwards. A reading of the directory may be older than
//! what a lane told meanwhile: what was left while it was read is not followed.

use std::hash::BuildHasher as _;
use std::sync::Arc;

use bytes::Bytes;
use loquat_proto::{ConversationId, UserId};
use parking_lot::RwLock;
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::{Registry, Session, SessionId};
use crate::ports::{Signal, Topic};

const SHARDS: usize = 16;

/// Who gets another frame instead, or none.
type Others = [(UserId, Option<Bytes>)];
type Listeners = FxHashMap<SessionId, Arc<Session>>;

/// Sessions by the channels that they listen to.
pub(super) struct Channels {
    shards: [RwLock<FxHashMap<ConversationId, Listeners>>; SHARDS],
}

impl Default for Channels {
    fn default() -> Self {
        Self { shards: std::array::from_fn(|_| RwLock::default()) }
    }
}

impl Channels {
    fn shard(&self, conversation: ConversationId) -> &RwLock<FxHashMap<ConversationId, Listeners>> {
        let hash = FxBuildHasher.hash_one(conversation) >> 58;
        &self.shards[usize::try_from(hash).unwrap_or(0) % SHARDS]
    }

    fn add(&self, conversation: ConversationId, session: &Arc<Session>) {
        let mut shard = self.shard(conversation).write();
        shard.entry(conversation).or_default().insert(session.id(), session.clone());
    }

    fn remove(&self, conversation: ConversationId, session: SessionId) {
        let mut shard = self.shard(conversation).write();
        let Some(listeners) = shard.get_mut(&conversation) else { return };
        listeners.remove(&session);
        if listeners.is_empty() {
            shard.remove(&conversation);
        }
    }

    fn deliver(
        &self,
        conversation: ConversationId,
        (frame, instead, except): (&Bytes, &Others, Option<u64>),
    ) {
        let shard = self.shard(conversation).read();
        let Some(listeners) = shard.get(&conversation) else { return };
        for session in listeners.values().filter(|session| except != Some(session.id().0)) {
            match instead.iter().find(|(user, _)| *user == session.caller().user) {
                None => session.deliver(frame.clone()),
                Some((_, Some(other))) => session.deliver(other.clone()),
                Some((_, None)) => {}
            }
        }
    }
}

impl Registry {
    /// The user's channels are about to be read for this session: from now on it is noted what the user leaves.
    pub(crate) fn begin_following(&self, session: &Session) {
        session.topics().lock().left = Some(Vec::new());
    }

    /// The channels were read: the session listens to them from now on, but for those left since.
    pub(crate) fn follow_all(&self, session: &Arc<Session>, channels: &[ConversationId]) {
        let mut topics = session.topics().lock();
        let left = topics.left.take().unwrap_or_default();
        for conversation in channels.iter().filter(|conversation| !left.contains(conversation)) {
            if !topics.ended && !topics.followed.contains(conversation) {
                topics.followed.push(*conversation);
                self.channels().add(*conversation, session);
                self.bus().join(Topic::Conversation(*conversation));
            }
        }
    }

    pub(super) fn follow(&self, session: &Arc<Session>, conversation: ConversationId) {
        let mut topics = session.topics().lock();
        if topics.ended || topics.followed.contains(&conversation) {
            return;
        }
        topics.followed.push(conversation);
        self.channels().add(conversation, session);
        self.bus().join(Topic::Conversation(conversation));
    }

    pub(super) fn unfollow(&self, session: &Session, conversation: ConversationId) {
        let mut topics = session.topics().lock();
        if let Some(left) = &mut topics.left {
            left.push(conversation);
        }
        let Some(place) = topics.followed.iter().position(|followed| *followed == conversation) else {
            return;
        };
        topics.followed.swap_remove(place);
        self.channels().remove(conversation, session.id());
        self.bus().leave(Topic::Conversation(conversation));
    }

    /// The session ends: it listens to nothing any more.
    pub(super) fn unfollow_all(&self, session: &Session) {
        let mut topics = session.topics().lock();
        topics.ended = true;
        for conversation in std::mem::take(&mut topics.followed) {
            self.channels().remove(conversation, session.id());
            self.bus().leave(Topic::Conversation(conversation));
        }
    }

    /// Takes what the bus carries to a conversation.
    pub(crate) fn receive_shared(&self, conversation: ConversationId, signal: &Signal) {
        match signal {
            Signal::Shared { frame, instead, except } => {
                self.channels().deliver(conversation, (frame, instead, *except));
            }
            Signal::Deleted => {
                let listeners = self.channels().shard(conversation).write().remove(&conversation);
                for session in listeners.unwrap_or_default().into_values() {
                    self.unfollow(&session, conversation);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use loquat_proto::{DeviceId, Limits};

    use super::*;
    use crate::Caller;
    use crate::fanout::{OutboundLimits, SessionObserver};
    use crate::ports::Bus;
    use crate::ports::{Random, StoreError};

    struct Nobody;

    #[async_trait::async_trait]
    impl Bus for Nobody {
        fn publish(&self, _: Topic, _: &Signal) {}
        fn join(&self, _: Topic) {}
        fn leave(&self, _: Topic) {}
        async fn check(&self) -> Result<(), StoreError> {
            Ok(())
        }
    }

    impl SessionObserver for Nobody {
        fn closed(&self, _: &Arc<Session>) {}
    }

    struct Counter(std::sync::atomic::AtomicU8);

    impl Random for Counter {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        }
    }

    fn registry() -> Registry {
        let limits = Limits::default();
        let random = Arc::new(Counter(1.into()));
        Registry::new(Arc::new(Nobody), Arc::new(Nobody), random, (&limits, OutboundLimits::default()))
    }

    fn caller(user: u64) -> Caller {
        Caller { user: UserId::new(user).unwrap(), device: DeviceId::new(user).unwrap() }
    }

    fn channel(id: u64) -> ConversationId {
        ConversationId::new(id).unwrap()
    }

    fn shared(text: &'static str) -> Signal {
        Signal::Shared { frame: Bytes::from_static(text.as_bytes()), instead: Vec::new(), except: None }
    }

    /// What waits in an open session.
    async fn frames(session: &Session) -> Vec<Bytes> {
        session.push(Bytes::from_static(b"end"));
        let mut frames = Vec::new();
        session.drain_into(&mut frames).await.unwrap();
        frames.pop();
        frames
    }

    #[tokio::test]
    async fn what_is_left_while_the_list_is_read_is_not_followed() {
        let registry = registry();
        let session = registry.open(caller(1)).unwrap();
        session.release_empty();
        registry.begin_following(&session);
        // The list was read with both; then the user left one, and joined a third.
        registry.receive(caller(1).user, &Signal::Unfollow { conversation: channel(71) });
        registry.receive(caller(1).user, &Signal::Follow { conversation: channel(73) });
        registry.follow_all(&session, &[channel(71), channel(72), channel(73)]);
        for (conversation, text) in [(71, "left"), (72, "stayed"), (73, "joined")] {
            registry.receive_shared(channel(conversation), &shared(text));
        }
        assert_eq!(frames(&session).await, ["stayed", "joined"]);
        registry.receive(caller(1).user, &Signal::Unfollow { conversation: channel(72) });
        registry.receive_shared(channel(72), &shared("later"));
        assert!(frames(&session).await.is_empty());
    }

    #[tokio::test]
    async fn each_listener_gets_its_own_frame_once() {
        let registry = registry();
        let sessions = [1, 1, 2, 3].map(|user| registry.open(caller(user)).unwrap());
        for session in &sessions {
            session.release_empty();
            registry.begin_following(session);
            registry.follow_all(session, &[channel(71), channel(71)]);
            registry.follow(session, channel(71));
        }
        let own = Bytes::from_static(b"own");
        let signal = Signal::Shared {
            frame: Bytes::from_static(b"shared"),
            instead: vec![(caller(1).user, Some(own)), (caller(2).user, None)],
            except: Some(sessions[0].id().0),
        };
        registry.receive_shared(channel(71), &signal);
        let mut got = Vec::new();
        for session in &sessions {
            got.push(frames(session).await);
        }
        assert_eq!(
            got,
            [vec![], vec![Bytes::from_static(b"own")], vec![], vec![Bytes::from_static(b"shared")]]
        );
    }

    #[tokio::test]
    async fn who_ends_and_what_is_deleted_is_forgotten() {
        let registry = registry();
        let sessions = [1, 2].map(|user| registry.open(caller(user)).unwrap());
        for session in &sessions {
            registry.begin_following(session);
            registry.follow_all(session, &[channel(71), channel(72)]);
        }
        registry.close(&sessions[0]);
        registry.follow(&sessions[0], channel(73));
        assert!(registry.channels().shard(channel(73)).read().is_empty(), "an ended session follows nothing");
        registry.receive_shared(channel(71), &Signal::Deleted);
        assert_eq!(sessions[1].topics().lock().followed, [channel(72)]);
        registry.close(&sessions[1]);
        assert!(registry.channels().shards.iter().all(|shard| shard.read().is_empty()));
    }
}
