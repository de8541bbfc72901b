//! Who watches whom on this node, and who of them may see.
//!
//! Whether a watcher may see is asked when they begin to watch, and again whenever that may have changed: a contact, a
//! block, a setting, a membership. In between they are told nothing; what they missed they are told afterwards.

use std::sync::Arc;

use loquat_proto::UserId;
use parking_lot::{Mutex, RwLock};
use rustc_hash::{FxHashMap, FxHashSet};
use tokio::sync::Notify;

use crate::fanout::Session;

/// Whether a watcher may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    /// They may not, and are shown somebody who is not there.
    Hidden,
    /// They may.
    Seen,
    /// They did; it is being asked again.
    Doubtful,
}

struct Watcher {
    session: Arc<Session>,
    sight: Sight,
}

/// For which watchers of a user it is to be asked again.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Doubted {
    All,
    Some(FxHashSet<UserId>),
}

/// What a session is to be told after it was asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// How things are.
    Show,
    /// That nobody is there.
    Hide,
}

/// See the module. Bounded by the sessions and by what each may watch; doubts by the users who are watched.
#[derive(Default)]
pub(super) struct Watchers {
    watched: RwLock<FxHashMap<UserId, Vec<Watcher>>>,
    doubted: Mutex<FxHashMap<UserId, Doubted>>,
    news: Notify,
}

impl Watchers {
    /// Whether the session did not watch the user yet.
    pub fn add(&self, user: UserId, session: &Arc<Session>, sees: bool) -> bool {
        let sight = if sees { Sight::Seen } else { Sight::Hidden };
        let mut watched = self.watched.write();
        let watchers = watched.entry(user).or_default();
        let known = watchers.iter_mut().find(|watcher| Arc::ptr_eq(&watcher.session, session));
        if let Some(watcher) = known {
            if watcher.sight != Sight::Doubtful {
                watcher.sight = sight;
            }
            return false;
        }
        watchers.push(Watcher { session: session.clone(), sight });
        true
    }

    /// Whether the session did watch the user.
    pub fn remove(&self, user: UserId, session: &Arc<Session>) -> bool {
        let mut watched = self.watched.write();
        let Some(watchers) = watched.get_mut(&user) else { return false };
        let place = watchers.iter().position(|watcher| Arc::ptr_eq(&watcher.session, session));
        if let Some(place) = place {
            watchers.swap_remove(place);
        }
        if watchers.is_empty() {
            watched.remove(&user);
        }
        place.is_some()
    }

    /// Calls with every session that sees the user.
    pub fn each_who_sees(&self, user: UserId, mut tell: impl FnMut(&Session)) {
        let watched = self.watched.read();
        let watchers = watched.get(&user).into_iter().flatten();
        for watcher in watchers.filter(|watcher| watcher.sight == Sight::Seen) {
            tell(&watcher.session);
        }
    }

    /// From now on it is uncertain whether this watcher (or any) may see the user: until it is known they are told
    /// nothing.
    pub fn doubt(&self, user: UserId, watcher: Option<UserId>) {
        let mut watched = self.watched.write();
        let concerned = watched.get_mut(&user).into_iter().flatten();
        let mut any = false;
        for one in concerned.filter(|one| watcher.is_none_or(|watcher| one.session.caller().user == watcher))
        {
            any = true;
            if one.sight == Sight::Seen {
                one.sight = Sight::Doubtful;
            }
        }
        if !any {
            return;
        }
        // Under the lock of `watched`: a settlement under way sees it.
        let mut doubted = self.doubted.lock();
        match (doubted.get_mut(&user), watcher) {
            (Some(Doubted::All), _) => {}
            (Some(Doubted::Some(watchers)), Some(watcher)) => drop(watchers.insert(watcher)),
            (_, None) => drop(doubted.insert(user, Doubted::All)),
            (None, Some(watcher)) => {
                doubted.insert(user, Doubted::Some(FxHashSet::from_iter([watcher])));
            }
        }
        self.news.notify_one();
    }

    /// Waits for doubts.
    pub async fn doubts(&self) {
        self.news.notified().await;
    }

    /// Takes the doubts: users, each with the watchers of whom it is to be asked whether they may see.
    pub fn take_doubts(&self) -> Vec<(UserId, Vec<UserId>)> {
        let watched = self.watched.read();
        let doubted = std::mem::take(&mut *self.doubted.lock());
        let concerned = |(user, doubted): (UserId, Doubted)| {
            let watchers = watched.get(&user)?.iter().map(|watcher| watcher.session.caller().user);
            let watchers: FxHashSet<UserId> = watchers.filter(|watcher| doubted.concerns(*watcher)).collect();
            Some((user, watchers.into_iter().collect()))
        };
        doubted.into_iter().filter_map(concerned).collect()
    }

    /// What was asked is known: tells the sessions to which it is news. Where it has become uncertain again meanwhile,
    /// they wait on.
    pub fn settle(&self, user: UserId, watcher: UserId, sees: bool, mut tell: impl FnMut(&Session, Verdict)) {
        let mut watched = self.watched.write();
        if self.doubted.lock().get(&user).is_some_and(|doubted| doubted.concerns(watcher)) {
            return;
        }
        let concerned = watched.get_mut(&user).into_iter().flatten();
        for one in concerned.filter(|one| one.session.caller().user == watcher) {
            match (one.sight, sees) {
                (Sight::Hidden | Sight::Doubtful, true) => tell(&one.session, Verdict::Show),
                (Sight::Doubtful | Sight::Seen, false) => tell(&one.session, Verdict::Hide),
                (Sight::Seen, true) | (Sight::Hidden, false) => {}
            }
            one.sight = if sees { Sight::Seen } else { Sight::Hidden };
        }
    }
}

impl Doubted {
    fn concerns(&self, watcher: UserId) -> bool {
        match self {
            Self::All => true,
            Self::Some(watchers) => watchers.contains(&watcher),
        }
    }
}
