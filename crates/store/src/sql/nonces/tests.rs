use proptest::prelude::*;

use super::*;

const HIGH_IN_TESTS: usize = 100;

fn conversation(number: u64) -> ConversationId {
    ConversationId::new(number + 1).unwrap()
}

fn sender() -> UserId {
    UserId::new(77).unwrap()
}

fn nonce(number: u64) -> Nonce {
    format!("{number:x}").parse().unwrap()
}

/// A store of events alone, with the index beside it.
struct Store {
    connection: Connection,
    index: NonceIndex,
    pos: u64,
    seqs: [u64; 3],
}

impl Store {
    fn new() -> Self {
        let connection = Connection::from(rusqlite::Connection::open_in_memory().unwrap());
        for schema in [
            include_str!("../../../migrations/sqlite/V1__initial.sql"),
            include_str!("../../../migrations/sqlite/V5__channels.sql"),
        ] {
            connection.execute_batch(schema).unwrap();
        }
        let store = "INSERT INTO store VALUES (1, 1, ?1, 0, 0, 0)";
        connection.prepare_cached(store).unwrap().execute([[9_u8; 16]]).unwrap();
        let mut index = NonceIndex::load(&connection, 0).unwrap();
        index.high = HIGH_IN_TESTS;
        Self { connection, index, pos: 0, seqs: [0; 3] }
    }

    fn find(&self, place: usize, number: u64) -> Lookup {
        let mut lookup = NonceLookup::new(&self.connection).unwrap();
        lookup.find(&self.index, conversation(place as u64), (sender(), &nonce(number))).unwrap()
    }

    fn known(&self, place: usize, number: u64) -> Option<u64> {
        match self.find(place, number) {
            Lookup::Known(placement) => Some(placement.seq),
            Lookup::New(_) => None,
        }
    }

    fn append(&mut self, place: usize, number: u64) -> Option<u64> {
        let Lookup::New(hash) = self.find(place, number) else { return None };
        self.pos += 1;
        self.seqs[place] += 1;
        let seq = self.seqs[place];
        self.connection
            .prepare_cached(
                "INSERT INTO events (pos, conversation_id, seq, ts, sender, kind, number, nonce)
                 VALUES (?1, ?2, ?3, 0, 77, 1, ?3, ?4)",
            )
            .unwrap()
            .execute(params![
                self.pos.sql(),
                conversation(place as u64).sql(),
                seq.sql(),
                nonce(number).as_str()
            ])
            .unwrap();
        self.index.add((conversation(place as u64).sql(), hash, seq.sql()));
        Some(seq)
    }

    fn begin(&self) {
        self.connection.execute_batch("BEGIN").unwrap();
    }

    fn commit(&mut self) {
        self.index.settle(&self.connection, self.pos).unwrap();
        self.connection.execute_batch("COMMIT").unwrap();
        self.index.committed();
    }

    fn in_table(&self) -> usize {
        let count: i64 =
            self.connection.query_row("SELECT COUNT(*) FROM nonces", [], |row| row.get(0)).unwrap();
        usize::try_from(count).unwrap()
    }

    fn restart(&mut self) {
        self.index = NonceIndex::load(&self.connection, self.pos).unwrap();
        self.index.high = HIGH_IN_TESTS;
    }
}

#[test]
fn memory_stays_bounded_and_a_start_reads_little() {
    let mut store = Store::new();
    for number in 0..2000 {
        store.begin();
        store.append(0, number * 31).unwrap();
        store.commit();
        assert!(store.index.waiting.len() <= HIGH_IN_TESTS + SLICE);
    }
    assert!(store.in_table() >= 2000 - HIGH_IN_TESTS - SLICE);
    store.restart();
    assert!(store.index.waiting.len() <= 4 * (HIGH_IN_TESTS + SLICE), "{}", store.index.waiting.len());
    store.begin();
    let pos = store.pos;
    store.index.settle_all(&store.connection, pos).unwrap();
    store.connection.execute_batch("COMMIT").unwrap();
    store.index.committed();
    store.restart();
    assert_eq!(store.index.waiting.len(), 0, "a start after an orderly end reads nothing");
    assert_eq!(store.in_table(), 2000);
    assert_eq!(store.known(0, 31 * 1234), Some(1235));
}

#[test]
fn a_collision_is_told_by_the_event() {
    let mut store = Store::new();
    let first = store.append(0, 1).unwrap();
    // Another nonce's event under the same hash, and an entry without an event.
    let Lookup::New(_) = store.find(0, 2) else { panic!("new") };
    let hash = store.index.hash(sender(), nonce(2).as_str());
    store.index.add((conversation(0).sql(), hash, first.sql()));
    store.index.add((conversation(0).sql(), hash, 99));
    assert_eq!(store.known(0, 2), None);
    let second = store.append(0, 2).unwrap();
    assert_eq!((store.known(0, 1), store.known(0, 2)), (Some(first), Some(second)));
}

#[test]
fn a_deleted_conversation_is_forgotten() {
    let mut store = Store::new();
    store.append(0, 1).unwrap();
    store.append(1, 1).unwrap();
    store.index.forget(conversation(0));
    assert_eq!((store.known(0, 1), store.known(1, 1)), (None, Some(1)));
}

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<(usize, u64)>),
    AppendAndRollBack(Vec<(usize, u64)>),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let appends = || prop::collection::vec((0..3_usize, 0..600_u64), 1..120);
    prop_oneof![
        6 => appends().prop_map(Step::Append),
        2 => appends().prop_map(Step::AppendAndRollBack),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_committed_is_known_and_nothing_else(steps in prop::collection::vec(step(), 1..30)) {
        let mut store = Store::new();
        let mut model = std::collections::HashMap::new();
        for step in steps {
            match step {
                Step::Append(appends) => {
                    store.begin();
                    for (place, number) in appends {
                        let seq = store.append(place, number);
                        prop_assert_eq!(seq.is_some(), !model.contains_key(&(place, number)));
                        if let Some(seq) = seq {
                            model.insert((place, number), seq);
                        }
                    }
                    store.commit();
                }
                Step::AppendAndRollBack(appends) => {
                    let (pos, seqs) = (store.pos, store.seqs);
                    store.begin();
                    for (place, number) in appends {
                        store.append(place, number);
                    }
                    let last = store.pos;
                    store.index.settle(&store.connection, last).unwrap();
                    store.connection.execute_batch("ROLLBACK").unwrap();
                    store.index.rolled_back();
                    (store.pos, store.seqs) = (pos, seqs);
                }
                Step::Restart => store.restart(),
            }
        }
        for place in 0..3 {
            for number in 0..600 {
                prop_assert_eq!(store.known(place, number), model.get(&(place, number)).copied());
            }
        }
    }
}
