//! `loquat admin seed-messages`: direct conversations between accounts that `seed` made, and messages in them, for load
//! tests of large stores.
//!
//! It makes what the service would make, by the same ports, but many in one transaction. Messages go to one
//! conversation after another in random order, so that the log of each lies scattered over the whole store, as it does
//! where people write at the same time.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use indicatif::ProgressBar;
use loquat_domain::Caller;
use loquat_domain::conversations::direct_creation;
use loquat_domain::ports::{
    Append, AppendOutcome, Change, Clock as _, Conversations as _, CreationOutcome, EventLog as _, NewEvent,
    Random as _,
};
use loquat_proto::event::EventBody;
use loquat_proto::{ConversationId, DeviceId, MessageBody, Seq, Timestamp, UserId};
use loquat_store::SqliteStore;
use serde::{Deserialize, Serialize};

use crate::cli::SeedMessagesArgs;
use crate::settings::{self, LogSettings};
use crate::storage::Store;
use crate::system::{SystemClock, SystemRandom};
use crate::{logging, progress, storage};

/// Conversations under way at a time: what is made durable together.
const CONCURRENT: usize = 2_048;
/// Messages of one transaction: so many that neighbours in an index are written together.
const BATCH: u64 = 100_000;
/// Batches made ready before they are written.
const AHEAD: usize = 2;
/// Bytes of each text.
const TEXT_BYTES: usize = 200;
/// Page cache of the writer for this, in KiB: a transaction should fit.
const CACHE_KIB: u32 = 512 * 1_024;
/// Pages of the write-ahead log between two checkpoints: a page that many batches change is copied once.
const CHECKPOINT_PAGES: u32 = 128 * 1_024;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What is read of a line that `seed` printed.
#[derive(Clone, Copy, Deserialize)]
struct Account {
    id: UserId,
    device: DeviceId,
}

/// One conversation, and one line of output.
#[derive(Serialize)]
struct Seeded {
    conversation: ConversationId,
    members: [UserId; 2],
    /// The newest `seq`; only known where messages were written.
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<Seq>,
    #[serde(skip)]
    version: u64,
    #[serde(skip)]
    devices: [DeviceId; 2],
}

/// Fills a data folder that no service uses meanwhile.
pub(crate) fn run(arguments: &SeedMessagesArgs) -> Result<()> {
    let mut settings = settings::load(&arguments.place.sources())?.settings;
    logging::start(&LogSettings { level: "warn".to_owned(), ..settings.log })?;
    settings.storage.writer_cache_kib = settings.storage.writer_cache_kib.max(CACHE_KIB);
    settings.storage.checkpoint_pages = settings.storage.checkpoint_pages.max(CHECKPOINT_PAGES);
    let accounts = accounts(&arguments.accounts)?;
    let pairs = pairs(accounts.len()).take(arguments.conversations as usize).collect::<Vec<_>>();
    if pairs.len() < arguments.conversations as usize {
        bail!("{} accounts have {} pairs, not {}", accounts.len(), pairs.len(), arguments.conversations);
    }
    let store = storage::open(&settings).context("`admin seed-messages` needs the data folder for itself")?;
    let Store::Embedded(store) = store else {
        bail!("`admin seed-messages` fills the embedded storage alone (setting `storage.url`)");
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let made = runtime.block_on(async {
        let mut seeded = conversations(&store, &accounts, &pairs).await?;
        if arguments.messages > 0 {
            messages(&store, &mut seeded, arguments.messages).await?;
        }
        print(&seeded)
    });
    store.close();
    made
}

/// The accounts in a file of what `seed` printed.
fn accounts(path: &Path) -> Result<Vec<Account>> {
    let lines = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let parse = |(number, line)| {
        serde_json::from_str(line).with_context(|| {
            format!("line {} of {} is none that `loquat admin seed` printed", number + 1, path.display())
        })
    };
    lines.lines().enumerate().map(parse).collect()
}

/// Every pair of `0..count` once, in rounds in which everybody has one partner (the circle method of tournaments); of
/// an odd number the last one stays alone. So the first conversations have no member in common.
fn pairs(count: usize) -> impl Iterator<Item = (usize, usize)> {
    let even = count - count % 2;
    let circle = even.saturating_sub(1);
    (0..circle).flat_map(move |round| {
        (0..even / 2).map(move |place| match place {
            0 => (circle, round),
            _ => ((round + place) % circle, (round + circle - place) % circle),
        })
    })
}

/// Makes the conversations of these pairs, or finds them.
async fn conversations(
    store: &SqliteStore,
    accounts: &[Account],
    pairs: &[(usize, usize)],
) -> Result<Vec<Seeded>> {
    // In the order of their ids the store writes neighbours together.
    let mut ids: Vec<u64> = pairs.iter().map(|_| SystemRandom.id()).collect();
    ids.sort_unstable();
    let bar = progress::counter(pairs.len() as u64, "conversations");
    let seeded = stream::iter(pairs.iter().zip(ids))
        .map(|((one, other), id)| conversation(store, (accounts[*one], accounts[*other]), id))
        .buffered(CONCURRENT)
        .inspect_ok(|_| bar.inc(1))
        .try_collect()
        .await?;
    bar.finish_and_clear();
    Ok(seeded)
}

async fn conversation(
    store: &SqliteStore,
    (one, other): (Account, Account),
    mut candidate: u64,
) -> Result<Seeded> {
    let caller = Caller { user: one.id, device: one.device };
    loop {
        let id = ConversationId::new(candidate).context("an id is out of range")?;
        let creation = direct_creation(caller, other.id, id, SystemClock.now());
        let conversation = match store.create(creation).await? {
            CreationOutcome::Created { .. } => id,
            CreationOutcome::Existing(existing) => existing,
            CreationOutcome::Blocked => bail!("{} and {} do not talk to one another", one.id, other.id),
            CreationOutcome::IdTaken => {
                candidate = SystemRandom.id();
                continue;
            }
        };
        return Ok(Seeded {
            conversation,
            members: [one.id, other.id],
            head: None,
            version: 0,
            devices: [one.device, other.device],
        });
    }
}

/// Writes messages into random ones of these conversations.
async fn messages(store: &SqliteStore, seeded: &mut [Seeded], count: u64) -> Result<()> {
    let facts: Vec<_> = stream::iter(seeded.iter().map(|seeded| seeded.conversation).collect::<Vec<_>>())
        .map(|conversation| store.load(conversation))
        .buffered(CONCURRENT)
        .try_collect()
        .await?;
    for (seeded, facts) in seeded.iter_mut().zip(facts) {
        let facts = facts.with_context(|| format!("conversation {} is gone", seeded.conversation))?;
        (seeded.head, seeded.version) = (Some(facts.head), facts.version);
    }
    let bar = progress::counter(count, "messages");
    let sizes = (0..count.div_ceil(BATCH)).map(|batch| BATCH.min(count - batch * BATCH));
    stream::iter(sizes)
        .map(|size| (size, batch(seeded, size)))
        .map(async |(size, appends)| write(store, appends?, (size, &bar)).await)
        .buffered(AHEAD)
        .try_collect::<()>()
        .await?;
    bar.finish_and_clear();
    Ok(())
}

async fn write(store: &SqliteStore, appends: Vec<Append>, (size, bar): (u64, &ProgressBar)) -> Result<()> {
    let outcomes = store.append_many(appends).await?;
    if outcomes.iter().any(|outcome| !matches!(outcome, AppendOutcome::Appended { .. })) {
        bail!("a conversation changed meanwhile");
    }
    bar.inc(size);
    Ok(())
}

/// So many messages, each to a random conversation.
fn batch(seeded: &mut [Seeded], size: u64) -> Result<Vec<Append>> {
    /// Random bytes of a message: which conversation, which member, nonce, text.
    const EACH: usize = 8 + 1 + 16 + TEXT_BYTES;
    let mut random = vec![0; EACH * size as usize];
    SystemRandom.fill(&mut random);
    let now = SystemClock.now();
    let count = seeded.len() as u64;
    let mut appends = Vec::with_capacity(size as usize);
    for bytes in random.chunks_exact(EACH) {
        let (choice, rest) = bytes.split_at(8);
        let choice = choice.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
        appends.push(message(&mut seeded[(choice % count) as usize], rest, now)?);
    }
    Ok(appends)
}

/// The next message of a conversation.
fn message(seeded: &mut Seeded, random: &[u8], ts: Timestamp) -> Result<Append> {
    let (member, nonce, letters) = (usize::from(random[0] & 1), &random[1..17], &random[17..]);
    let expected_head = seeded.head.unwrap_or(0);
    seeded.head = Some(expected_head + 1);
    // It says where it stands, so that whoever reads it can check that.
    let mut text = format!("{}/{} ", seeded.conversation, expected_head + 1);
    let left = TEXT_BYTES.saturating_sub(text.len());
    text.extend(letters.iter().take(left).map(|byte| char::from(BASE64[usize::from(byte & 63)])));
    let nonce: String = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
    let body = EventBody::Message(MessageBody::text(text));
    let event = NewEvent {
        device: Some(seeded.devices[member]),
        nonce: Some(nonce.parse().context("a nonce is malformed")?),
        ..NewEvent::new(seeded.members[member], ts, &body, Change::Message { mentions: Vec::new() })
    };
    Ok(Append {
        conversation: seeded.conversation,
        expected_head,
        expected_version: seeded.version,
        events: vec![event],
    })
}

fn print(seeded: &[Seeded]) -> Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for line in seeded {
        serde_json::to_writer(&mut out, line)?;
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn everybody_meets_everybody_once_and_one_at_a_time() {
        for (count, expected) in [(0, 0), (1, 0), (2, 1), (3, 1), (4, 6), (9, 28), (10, 45)] {
            let pairs: Vec<_> = pairs(count).collect();
            let distinct: HashSet<_> =
                pairs.iter().map(|(one, other)| (one.min(other), one.max(other))).collect();
            assert_eq!((pairs.len(), distinct.len()), (expected, expected), "{count}");
            for round in pairs.chunks((count / 2).max(1)) {
                let members: HashSet<_> = round.iter().flat_map(|(one, other)| [one, other]).collect();
                assert_eq!(members.len(), round.len() * 2, "{count}: {round:?}");
            }
        }
    }
}
