use std::path::Path;
use std::sync::Mutex;

use rusqlite::ffi;

use super::super::pragmas::{self, Purpose};
use super::super::{checkpoint, schema};
use super::*;
use crate::sql::codec::Columns as _;

struct Zeros;

impl loquat_domain::ports::Random for Zeros {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(1);
    }
}

type Reasons = Arc<Mutex<Vec<String>>>;

fn writer(path: &Path) -> (Writer, JoinHandle<()>, Reasons) {
    let reasons = Reasons::default();
    let told = reasons.clone();
    let fatal: FatalHandler = Arc::new(move |reason| told.lock().unwrap().push(reason.to_owned()));
    let mut connection = pragmas::open(path, Purpose::Write, 1024).unwrap();
    schema::migrate(&mut connection, &Zeros).unwrap();
    let (checkpoints, _) = checkpoint::start(path.to_owned(), &mut connection, 1000, fatal.clone()).unwrap();
    let connection = Connection::from(connection);
    let positions = Positions::load(&connection).unwrap();
    let nonces = NonceIndex::load(&connection, positions.last()).unwrap();
    let parts = WriterParts { connection, positions, nonces, checkpoints, fatal };
    let (writer, handle) = start(parts, 16).unwrap();
    (writer, handle, reasons)
}

fn probe(context: &mut WriteContext<'_>) -> Outcome<i64> {
    context
        .statement("UPDATE store SET probes = probes + 1 RETURNING probes")?
        .query_row([], |row| row.get(0))
}

fn failure(code: i32) -> SqlError {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), None).into()
}

#[tokio::test]
async fn a_failed_sync_stops_without_an_acknowledgement() {
    let directory = tempfile::tempdir().unwrap();
    let (writer, handle, reasons) = writer(&directory.path().join("a.db"));
    assert_eq!(writer.call(probe).await, Ok(1));
    let failing = |context: &mut WriteContext<'_>| {
        probe(context)?;
        Err::<(), _>(failure(ffi::SQLITE_IOERR_FSYNC))
    };
    let (failed, neighbour) = tokio::join!(writer.call(failing), writer.call(probe));
    assert!(matches!(failed, Err(StoreError::Unavailable(_))));
    assert!(matches!(neighbour, Err(StoreError::Unavailable(_))));
    handle.join().unwrap();
    assert!(matches!(writer.call(probe).await, Err(StoreError::Unavailable(_))), "no retry");
    let reasons = reasons.lock().unwrap().clone();
    assert_eq!(reasons.len(), 1, "{reasons:?}");
    assert!(reasons[0].contains("sync"));
}

#[tokio::test]
async fn a_failed_write_undoes_the_batch_and_the_writer_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let (writer, handle, reasons) = writer(&directory.path().join("a.db"));
    for code in [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_NOMEM] {
        let failing = move |context: &mut WriteContext<'_>| {
            probe(context)?;
            context.next_pos()?;
            Err::<(), _>(failure(code))
        };
        let failed = writer.call(failing).await;
        assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
    }
    assert_eq!(writer.call(probe).await, Ok(1), "nothing of the failed ones is there");
    let reserved = |context: &mut WriteContext<'_>| {
        let pos = context.next_pos()?;
        let kept: u64 =
            context.connection.query_row("SELECT reserved_pos FROM store", [], |row| row.int(0))?;
        Ok((pos, kept))
    };
    let (pos, kept) = writer.call(reserved).await.unwrap();
    assert!(pos <= kept, "a position is never given out without its reservation");
    writer.close();
    handle.join().unwrap();
    assert!(reasons.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_jobs_own_failure_costs_no_neighbour() {
    let directory = tempfile::tempdir().unwrap();
    let (writer, _handle, _) = writer(&directory.path().join("a.db"));
    let failing = |context: &mut WriteContext<'_>| {
        probe(context)?;
        context.statement("INSERT INTO store SELECT * FROM store")?.execute([]).map(drop)
    };
    let (before, failed, after) = tokio::join!(writer.call(probe), writer.call(failing), writer.call(probe));
    assert_eq!((before, after), (Ok(1), Ok(2)));
    assert!(matches!(failed, Err(StoreError::Corrupt(_))), "{failed:?}");
    writer.close();
}

#[tokio::test]
async fn a_panic_stops_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let (writer, handle, reasons) = writer(&directory.path().join("a.db"));
    let panicking = |_: &mut WriteContext<'_>| -> Outcome<()> { panic!("a defect") };
    assert!(writer.call(panicking).await.is_err());
    assert!(handle.join().is_err());
    assert_eq!(reasons.lock().unwrap().len(), 1);
    assert!(writer.call(probe).await.is_err());
}
