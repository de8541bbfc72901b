//! A map that never holds more than it may.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem;

/// A map of at most `capacity` entries that forgets what was not used for the longest time, half at a time: entries
/// live in a young and an old generation; use moves an entry into the young one; when that holds half of the capacity,
/// it becomes the old one, and what was still in the old one is forgotten. Every operation takes constant time.
///
/// Keys may come from strangers: the hasher is the standard library's keyed one.
pub(crate) struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    half: usize,
}

impl<K: Eq + Hash, V> Generations<K, V> {
    /// A map of at most `capacity` entries, at least two.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half: (capacity / 2).max(1) }
    }

    /// The value under this key, which counts as used.
    pub(crate) fn get(&mut self, key: &K) -> Option<&V> {
        if let Some((key, value)) = self.old.remove_entry(key) {
            self.insert(key, value);
        }
        self.young.get(key)
    }

    /// Puts a value under a key, in place of the one before.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.old.remove(&key);
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.rotate();
        }
        self.young.insert(key, value);
    }

    /// Takes a value out.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        self.young.remove(key).or_else(|| self.old.remove(key))
    }

    /// Forgets whatever was not used since the rotation before.
    pub(crate) fn rotate(&mut self) {
        self.old = mem::take(&mut self.young);
    }

    /// Entries held.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_used_outlives_what_is_not() {
        let mut map = Generations::new(8);
        for key in 0..100 {
            map.insert(key, key);
            assert_eq!(map.get(&0), Some(&0), "used in every round, kept after {key}");
            assert!(map.len() <= 8);
        }
        assert_eq!(map.get(&50), None);
        assert_eq!(map.get(&99), Some(&99));
    }

    #[test]
    fn two_rotations_forget_what_was_not_used_between() {
        let mut map = Generations::new(8);
        map.insert("used", 1);
        map.insert("idle", 2);
        map.rotate();
        assert_eq!(map.get(&"used"), Some(&1));
        map.rotate();
        assert_eq!(map.get(&"used"), Some(&1));
        assert_eq!(map.get(&"idle"), None);
    }

    proptest! {
        #[test]
        fn never_wrong_never_over_capacity(operations in prop::collection::vec((0u8..4, 0u8..32, any::<u8>()), 0..400)) {
            let mut map = Generations::new(10);
            let mut model = HashMap::new();
            for (operation, key, value) in operations {
                match operation {
                    0 | 1 => {
                        map.insert(key, value);
                        model.insert(key, value);
                    }
                    2 => {
                        map.remove(&key);
                        model.remove(&key);
                    }
                    _ => {}
                }
                if let Some(held) = map.get(&key) {
                    prop_assert_eq!(Some(held), model.get(&key));
                }
                prop_assert!(map.len() <= 10);
            }
        }
    }
}
