//! The engine's bounds and intervals, and the time that it is given.

use loquat_proto::Timestamp;

/// The time of an input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Now {
    /// Wall time, for people and for nonces.
    pub wall: Timestamp,
    /// Milliseconds on a clock that never goes back, from any start: for everything that waits.
    pub monotonic_ms: u64,
}

/// Bounds and intervals. The defaults suit people and bots; tests shorten them.
#[derive(Debug, Clone)]
pub struct Options {
    /// The name given in `hello`.
    pub client_name: String,
    /// The version given in `hello`.
    pub client_version: String,
    /// Whether every log is fetched whole. Otherwise the newest page of a log that was missed for long comes first,
    /// and the rest when the user scrolls to it.
    pub full_history: bool,
    /// Events asked for at once, 1 to 200.
    pub page: u32,
    /// A gap of at most this many events below the head is closed from below; a wider one is jumped over.
    pub lazy_gap: u64,
    /// Fetches in flight at a time, over all conversations.
    pub fetches: usize,
    /// REST calls in flight at a time.
    pub requests: usize,
    /// Changes in flight at a time in one conversation.
    pub in_flight: usize,
    /// Changes in the queue. When it is full, a new change is refused ([`CommandError::OutboxFull`]).
    ///
    /// [`CommandError::OutboxFull`]: crate::CommandError::OutboxFull
    pub outbox: usize,
    /// Events held back in one conversation until a gap is filled. When full, the farthest is dropped, to be fetched.
    pub held: usize,
    /// Timelines kept in memory. When full, the one opened longest ago is closed.
    pub open: usize,
    /// Entries of one timeline in memory. When full, the oldest half leaves, to be loaded again.
    pub window: usize,
    /// How long a gap that live events show may close by itself before it is fetched, in milliseconds.
    pub gap_patience_ms: u64,
    /// The least time between two acknowledgements of one conversation, in milliseconds.
    pub ack_interval_ms: u64,
    /// How long an answer may take before the socket counts as broken, in milliseconds.
    pub answer_timeout_ms: u64,
    /// How long a draft rests before it is sent to the server, in milliseconds.
    pub draft_rest_ms: u64,
    /// How long changed summaries and drafts wait until they are stored, in milliseconds.
    pub store_rest_ms: u64,
    /// The longest wait before a refused change is tried again, in milliseconds.
    pub retry_cap_ms: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            client_name: "loquat-engine".to_owned(),
            client_version: env!("CARGO_PKG_VERSION").to_owned(),
            full_history: false,
            page: 100,
            lazy_gap: 300,
            fetches: 4,
            requests: 4,
            in_flight: 8,
            outbox: 10_000,
            held: 256,
            open: 8,
            window: 1_000,
            gap_patience_ms: 100,
            ack_interval_ms: 100,
            answer_timeout_ms: 30_000,
            draft_rest_ms: 2_000,
            store_rest_ms: 500,
            retry_cap_ms: 30_000,
        }
    }
}
