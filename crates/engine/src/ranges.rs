//! What is held of a log: ranges of `seq` without gaps.

use std::collections::BTreeMap;

use loquat_proto::Seq;
use serde::{Deserialize, Serialize};

/// A set of `seq`s as disjoint ranges that do not touch, both ends included.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(Seq, Seq)>", into = "Vec<(Seq, Seq)>")]
pub struct Ranges(BTreeMap<Seq, Seq>);

impl From<Vec<(Seq, Seq)>> for Ranges {
    fn from(pairs: Vec<(Seq, Seq)>) -> Self {
        let mut ranges = Self::default();
        for (first, last) in pairs {
            ranges.insert(first, last);
        }
        ranges
    }
}

impl From<Ranges> for Vec<(Seq, Seq)> {
    fn from(ranges: Ranges) -> Self {
        ranges.0.into_iter().collect()
    }
}

impl Ranges {
    /// Adds `first..=last`; nothing if that is empty.
    pub fn insert(&mut self, first: Seq, last: Seq) {
        if first > last {
            return;
        }
        let (mut first, mut last) = (first, last);
        let touched = self.0.range(..=last.saturating_add(1)).rev();
        let touched: Vec<(Seq, Seq)> =
            touched.take_while(|(_, end)| end.saturating_add(1) >= first).map(|(s, e)| (*s, *e)).collect();
        for (start, end) in touched {
            self.0.remove(&start);
            first = first.min(start);
            last = last.max(end);
        }
        self.0.insert(first, last);
    }

    /// Whether it is held.
    #[must_use]
    pub fn contains(&self, seq: Seq) -> bool {
        self.range_of(seq).is_some()
    }

    /// The range that holds it.
    #[must_use]
    pub fn range_of(&self, seq: Seq) -> Option<(Seq, Seq)> {
        let (first, last) = self.0.range(..=seq).next_back()?;
        (*last >= seq).then_some((*first, *last))
    }

    /// The newest range.
    #[must_use]
    pub fn newest(&self) -> Option<(Seq, Seq)> {
        self.0.last_key_value().map(|(first, last)| (*first, *last))
    }

    /// The newest `seq` held; 0 if none is.
    #[must_use]
    pub fn top(&self) -> Seq {
        self.newest().map_or(0, |(_, last)| last)
    }

    /// The last `seq` held without a gap from `from` on; `from - 1` if that one is missing.
    #[must_use]
    pub fn reach(&self, from: Seq) -> Seq {
        self.range_of(from).map_or(from.saturating_sub(1), |(_, last)| last)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_are_a_set(inserted in prop::collection::vec((1_u64..60, 0_u64..8), 0..30)) {
            let mut ranges = Ranges::default();
            let mut model = BTreeSet::new();
            for (first, length) in inserted {
                ranges.insert(first, first + length);
                model.extend(first..=first + length);
            }
            for seq in 0..80 {
                prop_assert_eq!(ranges.contains(seq), model.contains(&seq));
                let reach = (seq..).take_while(|next| model.contains(next)).last();
                prop_assert_eq!(ranges.reach(seq), reach.unwrap_or(seq.saturating_sub(1)));
            }
            prop_assert_eq!(ranges.top(), model.last().copied().unwrap_or(0));
            let pairs = Vec::from(ranges.clone());
            prop_assert!(pairs.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "{:?}", pairs);
            prop_assert_eq!(Ranges::from(pairs), ranges);
        }
    }
}
