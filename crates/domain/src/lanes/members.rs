//! What a lane knows of a conversation's members: all of them, or, of a channel, those it had to do with.

use loquat_proto::UserId;
use rustc_hash::{FxHashMap, FxHashSet};

use super::state::MemberState;

/// Members by user. Of direct conversations and groups everyone is known. A channel may have more members than a lane
/// should hold or load: of its members those are known that were asked for, the others are read when they matter, and
/// what was read may be forgotten at any time.
#[derive(Debug, Clone, Default)]
pub(super) struct Members {
    pub(super) known: FxHashMap<UserId, MemberState>,
    /// Of a channel: how many there are, and what else is known.
    large: Option<Box<Large>>,
}

#[derive(Debug, Clone, Default)]
struct Large {
    count: usize,
    /// Users known to be no members.
    strangers: FxHashSet<UserId>,
    /// Whether members are being read.
    reading: bool,
    /// Whose membership changed since that reading began: what it finds of them may be old.
    changed: FxHashSet<UserId>,
}

impl Members {
    /// Of a channel with so many members, none of them known yet.
    pub fn of_channel(count: u64) -> Self {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        Self { known: FxHashMap::default(), large: Some(Box::new(Large { count, ..Large::default() })) }
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.large.as_ref().map_or(self.known.len(), |large| large.count)
    }

    /// Whether everyone is known.
    pub const fn is_whole(&self) -> bool {
        self.large.is_none()
    }

    /// Whether it is known if this user is a member, and what.
    pub fn is_known(&self, user: UserId) -> bool {
        match &self.large {
            None => true,
            Some(large) => self.known.contains_key(&user) || large.strangers.contains(&user),
        }
    }

    /// What is known of a member; `None` for who is none. Of a channel, ask for those only who are known.
    pub fn get(&self, user: UserId) -> Option<&MemberState> {
        self.known.get(&user)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, user: UserId) -> Option<&mut MemberState> {
        self.known.get_mut(&user)
    }

    /// Whether this user, of whom it is known, is a member.
    pub fn contains(&self, user: UserId) -> bool {
        self.known.contains_key(&user)
    }

    /// A new member. In a channel the next who asks reads what there is to know.
    pub fn join(&mut self, user: UserId, member: MemberState) {
        match &mut self.large {
            None => drop(self.known.insert(user, member)),
            Some(large) => {
                large.count += 1;
                self.forget_one(user);
            }
        }
    }

    /// A member less.
    pub fn leave(&mut self, user: UserId) {
        match &mut self.large {
            None => drop(self.known.remove(&user)),
            Some(large) => {
                large.count = large.count.saturating_sub(1);
                self.forget_one(user);
            }
        }
    }

    /// Another role.
    pub fn set_role(&mut self, user: UserId, role: loquat_proto::Role) {
        if let Some(member) = self.known.get_mut(&user) {
            member.role = role;
        }
        self.note_change(user);
    }

    /// Another choice about read receipts.
    pub fn show_reads(&mut self, user: UserId, shown: bool) {
        if let Some(member) = self.known.get_mut(&user) {
            member.read_receipts = shown;
        }
        self.note_change(user);
    }

    fn forget_one(&mut self, user: UserId) {
        self.known.remove(&user);
        if let Some(large) = &mut self.large {
            large.strangers.remove(&user);
        }
        self.note_change(user);
    }

    fn note_change(&mut self, user: UserId) {
        if let Some(large) = self.large.as_mut().filter(|large| large.reading) {
            large.changed.insert(user);
        }
    }

    /// Whether members may be read now: one reading at a time.
    pub fn begin_reading(&mut self) -> bool {
        let Some(large) = self.large.as_mut().filter(|large| !large.reading) else { return false };
        large.reading = true;
        large.changed.clear();
        true
    }

    /// The reading failed.
    pub fn end_reading(&mut self) {
        if let Some(large) = &mut self.large {
            large.reading = false;
        }
    }

    /// What was read of these users; those not among `found` are no members. Returns how many are remembered more.
    pub fn learn(&mut self, asked: &[UserId], found: impl Iterator<Item = (UserId, MemberState)>) -> usize {
        self.end_reading();
        let Some(large) = &mut self.large else { return 0 };
        let before = self.known.len() + large.strangers.len();
        for (user, member) in found.filter(|(user, _)| !large.changed.contains(user)) {
            self.known.entry(user).or_insert(member);
        }
        for user in asked {
            if !self.known.contains_key(user) && !large.changed.contains(user) {
                large.strangers.insert(*user);
            }
        }
        self.known.len() + large.strangers.len() - before
    }

    /// Forgets what can be read again, but for those to be kept. Returns how many are remembered still.
    pub fn forget(&mut self, keep: &FxHashSet<UserId>) -> usize {
        let Some(large) = &mut self.large else { return 0 };
        large.strangers = FxHashSet::default();
        self.known.retain(|user, _| keep.contains(user));
        self.known.shrink_to_fit();
        self.known.len()
    }
}

/// Everyone, of a conversation that is no channel.
impl FromIterator<(UserId, MemberState)> for Members {
    fn from_iter<I: IntoIterator<Item = (UserId, MemberState)>>(members: I) -> Self {
        Self { known: members.into_iter().collect(), large: None }
    }
}

#[cfg(test)]
mod tests {
    use loquat_proto::Role;

    use super::*;

    fn user(id: u64) -> UserId {
        UserId::new(id).unwrap()
    }

    fn member() -> MemberState {
        MemberState::joining(Role::Member, 1, (1, 0))
    }

    #[test]
    fn of_a_channel_only_those_asked_for_are_known() {
        let mut members = Members::of_channel(100_000);
        assert!(!members.is_known(user(1)));
        assert!(members.begin_reading() && !members.begin_reading(), "one reading at a time");
        let learnt = members.learn(&[user(1), user(2)], [(user(1), member())].into_iter());
        assert_eq!((learnt, members.len()), (2, 100_000));
        assert!(members.is_known(user(1)) && members.is_known(user(2)) && !members.is_known(user(3)));
        assert!(members.contains(user(1)) && !members.contains(user(2)));
        let keep = [user(1)].into_iter().collect();
        assert_eq!(members.forget(&keep), 1);
        assert!(members.is_known(user(1)) && !members.is_known(user(2)));
        assert_eq!(members.forget(&FxHashSet::default()), 0);
        assert_eq!(members.len(), 100_000);
    }

    #[test]
    fn what_changes_while_it_is_read_is_read_again() {
        let mut members = Members::of_channel(1);
        assert!(members.begin_reading());
        members.join(user(2), member());
        members.leave(user(1));
        // Read before both changes.
        members.learn(&[user(1), user(2), user(3)], [(user(1), member())].into_iter());
        assert!(!members.is_known(user(1)) && !members.is_known(user(2)) && members.is_known(user(3)));
        assert_eq!(members.len(), 1);
        assert!(members.begin_reading());
        members.learn(&[user(1), user(2)], [(user(2), member())].into_iter());
        assert!(members.contains(user(2)) && members.is_known(user(1)) && !members.contains(user(1)));
    }

    #[test]
    fn of_a_group_everyone_is_known() {
        let mut members: Members = [(user(1), member())].into_iter().collect();
        assert!(members.is_whole() && members.is_known(user(9)) && !members.begin_reading());
        members.join(user(2), member());
        assert_eq!((members.len(), members.forget(&FxHashSet::default())), (2, 0));
        members.leave(user(1));
        assert!(members.contains(user(2)) && members.len() == 1);
    }
}
