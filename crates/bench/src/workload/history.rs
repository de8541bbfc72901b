//! Workload (e): pages of history from random places of random conversations.

use std::{cell::Cell, rc::Rc, time::Instant};

use fastrand::Rng;
use hyper::{Method, StatusCode};
use indicatif::ProgressBar;

use super::{Bench, Values, growth};
use crate::{
    error::BenchError,
    generator::{
        audit::PageAudit,
        body::TEXT_BYTES,
        run::{Acks, Drivers, Run, load},
    },
    report::Metric,
    system::{Client, Extent, GrowingStore},
};

/// Messages of a page.
const PAGE: u64 = 50;
/// Connections that read, each with one request under way.
const READERS: usize = 8;

/// Members read 50 messages upwards from a random place, over REST on kept-alive connections.
pub(super) async fn run(
    bench: &Bench,
    store: &mut GrowingStore,
    extent: Extent,
    progress: &ProgressBar,
) -> Result<Values, BenchError> {
    store.grow(extent, progress)?;
    let (process, address) = store.serve(progress).await?;
    let places = Rc::new(places(store)?);
    let run = Run::new(bench.settings.nonces, Acks::Off);
    let bytes = Rc::new(Cell::new(0));
    let mut drivers = Drivers::new();
    for _ in 0..READERS {
        let mut client = Client::connect(address).await?;
        let (run, places, bytes) = (Rc::clone(&run), Rc::clone(&places), Rc::clone(&bytes));
        drivers.spawn_local(async move {
            let mut random = Rng::new();
            while run.sending() {
                let place = &places[random.usize(..places.len())];
                let asked = Instant::now();
                let page = read_page(&mut client, place, &mut random).await?;
                run.answered(asked.elapsed().as_nanos() as u64);
                run.complete();
                bytes.set(bytes.get() + page);
            }
            Ok(Vec::new())
        });
    }
    let settings = &bench.settings;
    let plan = bench.plan_of(&process, (settings.warm_up, settings.window), progress);
    progress.set_length((settings.warm_up + settings.window).as_millis() as u64);
    load(&run, &mut drivers, &plan, tokio::time::sleep(settings.warm_up)).await?;
    bytes.set(0);
    let (measured, ()) = load(&run, &mut drivers, &plan, tokio::time::sleep(settings.window)).await?;
    let pages = measured.completed.max(1) as f64;
    let kib = bytes.get() as f64 / 1024.0 / pages;
    crate::generator::run::finish(&run, drivers, &plan).await?;
    let seconds = measured.elapsed.as_secs_f64();
    let mut values = vec![
        (Metric::PagesPerSecond, measured.completed as f64 / seconds),
        (Metric::CpuPerPage, measured.server_cpu.as_secs_f64() * 1e6 / pages),
        (Metric::KibPerPage, kib),
        (Metric::ServerLoad, 100.0 * measured.server_cpu.as_secs_f64() / seconds),
        (Metric::GeneratorLoad, 100.0 * measured.generator_cpu.as_secs_f64() / seconds),
    ];
    for (quantile, metric) in [(0.5, Metric::PageP50), (0.99, Metric::PageP99)] {
        let latency = measured.answers_latency.quantile_us(quantile);
        values.extend(latency.map(|microseconds| (metric, microseconds / 1000.0)));
    }
    values.extend(growth::extent_values(store));
    Ok(values)
}

/// A conversation to read in.
struct Place {
    conversation: String,
    /// Tokens of its members.
    tokens: [String; 2],
    head: u64,
}

/// Conversations with a page at least, without those that other workloads write their own texts into.
fn places(store: &GrowingStore) -> Result<Vec<Place>, BenchError> {
    let places: Vec<Place> = store
        .directs()
        .iter()
        .skip(growth::ACTIVE)
        .filter(|direct| direct.head >= PAGE)
        .map(|direct| Place {
            conversation: direct.id.clone(),
            tokens: direct.members.map(|member| store.accounts()[member].token.clone()),
            head: direct.head,
        })
        .collect();
    if places.is_empty() {
        return Err(BenchError::Arguments(
            "no conversation has 50 messages: raise --store-messages".to_owned(),
        ));
    }
    Ok(places)
}

/// Reads a page, checks every message of it, and returns its size.
async fn read_page(client: &mut Client, place: &Place, random: &mut Rng) -> Result<usize, BenchError> {
    let after = random.u64(..=place.head - PAGE);
    let path = format!("/v1/conversations/{}/messages?after={after}&limit={PAGE}", place.conversation);
    let token = &place.tokens[random.usize(..2)];
    let (status, body) = client.request(Method::GET, &path, Some(token), String::new()).await?;
    if status != StatusCode::OK {
        let body = String::from_utf8_lossy(&body);
        return Err(BenchError::Protocol(format!("GET {path} answered {status}: {body}")));
    }
    PageAudit { conversation: &place.conversation, text_bytes: TEXT_BYTES }
        .check(&body, after + 1..after + 1 + PAGE)?;
    Ok(body.len())
}
