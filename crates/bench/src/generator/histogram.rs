//! A latency histogram with bounded relative error, after HdrHistogram (log-linear buckets).

/// Buckets within each power of two: a relative error of at most 1/128, under 0.8 %.
const SUB_BUCKET_BITS: u32 = 7;
const SUB_BUCKETS: usize = 1 << SUB_BUCKET_BITS;
/// Powers of two covered above the linear part; with nanoseconds this reaches past 100 s.
const DOUBLINGS: usize = 31;

/// Counts of values (nanoseconds) in log-linear buckets. Values past the end fall into the last bucket.
#[derive(Clone)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; SUB_BUCKETS * (DOUBLINGS + 1)], total: 0 }
    }
}

impl Histogram {
    /// Counts one value.
    pub(crate) fn record(&mut self, nanoseconds: u64) {
        self.counts[bucket_of(nanoseconds)] += 1;
        self.total += 1;
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.counts.fill(0);
        self.total = 0;
    }

    /// The least bucket's upper bound, in microseconds, that `quantile` (0 to 1) of the values do not
    /// exceed; `None` where nothing was counted.
    pub(crate) fn quantile_us(&self, quantile: f64) -> Option<f64> {
        let rank = ((self.total as f64 * quantile).ceil() as u64).max(1);
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        Some(upper_bound(bucket) as f64 / 1000.0)
    }
}

fn bucket_of(value: u64) -> usize {
    if value < SUB_BUCKETS as u64 {
        return value as usize;
    }
    let exponent = value.ilog2() - SUB_BUCKET_BITS;
    let sub_bucket = (value >> exponent) as usize - SUB_BUCKETS;
    let bucket = SUB_BUCKETS * (exponent as usize + 1) + sub_bucket;
    bucket.min(SUB_BUCKETS * (DOUBLINGS + 1) - 1)
}

/// The greatest value of a bucket.
fn upper_bound(bucket: usize) -> u64 {
    match (bucket / SUB_BUCKETS).checked_sub(1) {
        None => bucket as u64,
        Some(exponent) => (((SUB_BUCKETS + bucket % SUB_BUCKETS) as u64 + 1) << exponent) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_contiguous_and_precise() {
        let mut previous = 0;
        for value in (0..100_000).chain((17..36).map(|power| 1u64 << power)) {
            let bucket = bucket_of(value);
            assert!(bucket == previous || bucket == previous + 1 || value > 100_000, "gap at {value}");
            previous = bucket;
            let bound = upper_bound(bucket);
            assert!(bound >= value, "{value} lies above its bucket");
            assert!((bound - value) as f64 <= value as f64 / 128.0, "{value} is off by {}", bound - value);
        }
    }

    #[test]
    fn quantiles_match_a_sorted_list() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile_us(0.5), None);
        for value in 1..=1000u64 {
            histogram.record(value * 1000);
        }
        for (quantile, expected) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0), (1.0, 1000.0)] {
            let found = histogram.quantile_us(quantile).unwrap();
            assert!((found - expected).abs() / expected < 0.01, "{quantile}: {found}");
        }
        histogram.clear();
        assert_eq!(histogram.quantile_us(1.0), None);
    }

    #[test]
    fn huge_values_are_counted_in_the_last_bucket() {
        let mut histogram = Histogram::default();
        histogram.record(u64::MAX);
        assert!(histogram.quantile_us(1.0).unwrap() > 100_000_000.0);
    }
}
