//! A set of byte ranges: which parts of a file were written and not yet synced.

use std::collections::BTreeMap;

/// Disjoint, non-adjacent, half-open ranges of bytes.
#[derive(Debug, Default)]
pub(crate) struct Ranges {
    /// Start to end.
    spans: BTreeMap<u64, u64>,
}

impl Ranges {
    /// Adds `start..end`, joining what it touches. Nothing happens when it is empty.
    pub(crate) fn add(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        let (mut start, mut end) = (start, end);
        while let Some((&other_start, &other_end)) = self.spans.range(..=end).next_back() {
            if other_end < start {
                break;
            }
            start = start.min(other_start);
            end = end.max(other_end);
            self.spans.remove(&other_start);
        }
        self.spans.insert(start, end);
    }

    /// Removes and returns every range, in order.
    pub(crate) fn take(&mut self) -> Vec<(u64, u64)> {
        std::mem::take(&mut self.spans).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Ranges;

    type Spans = &'static [(u64, u64)];

    #[test]
    fn ranges_join_what_they_touch() {
        let cases: &[(Spans, Spans)] = &[
            (&[], &[]),
            (&[(5, 5), (7, 6)], &[]),
            (&[(0, 10), (10, 20)], &[(0, 20)]),
            (&[(10, 20), (0, 10)], &[(0, 20)]),
            (&[(0, 10), (11, 20)], &[(0, 10), (11, 20)]),
            (&[(0, 1), (2, 3), (4, 5), (1, 4)], &[(0, 5)]),
            (&[(0, 100), (20, 30)], &[(0, 100)]),
            (&[(20, 30), (0, 100)], &[(0, 100)]),
            (&[(50, 60), (10, 20), (15, 55)], &[(10, 60)]),
        ];
        for (added, expected) in cases {
            let mut ranges = Ranges::default();
            for &(start, end) in *added {
                ranges.add(start, end);
            }
            assert_eq!(ranges.take(), *expected, "{added:?}");
            assert!(ranges.take().is_empty(), "taking empties the set");
        }
    }
}
