//! `loquat top`: a running service on one screen, over its metrics listener.
//!
//! [`scrape`] fetches and reads, [`figures`] turns scrapes into rates and quantiles, [`view`] draws. Once a second; while
//! the service does not answer the last figures stay, dimmed, with why.

mod figures;
mod scrape;
mod view;

use std::io::{self, Write as _};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::DefaultTerminal;

use crate::admin;
use crate::cli::TopArgs;
use crate::settings;
use figures::History;
use scrape::Scrape;

/// Between two scrapes.
const EVERY: Duration = Duration::from_secs(1);

/// How often keys are looked for.
const KEYS: Duration = Duration::from_millis(100);

/// What is known of the service.
struct Screen {
    address: String,
    history: History,
    /// Why the newest scrape failed, and since when they do.
    lost: Option<(String, Instant)>,
    paused: bool,
}

/// Shows the dashboard until `q`, or the figures once.
pub(crate) fn run(arguments: &TopArgs) -> Result<()> {
    let address = address(arguments)?;
    if arguments.once {
        return once(&address);
    }
    let mut terminal = ratatui::try_init().context("top needs a terminal; `--once` prints JSON")?;
    let shown = watch(&mut terminal, address);
    ratatui::restore();
    shown
}

/// Where the metrics are: as told, as the running service says, or as the settings have it.
fn address(arguments: &TopArgs) -> Result<String> {
    if let Some(url) = &arguments.url {
        let rest = url.strip_prefix("http://").unwrap_or(url);
        return Ok(rest.split('/').next().unwrap_or(rest).to_owned());
    }
    let settings = settings::load(&arguments.place.sources())?.settings;
    // Whoever may not ask the service can still be told its address by a flag or the settings.
    if let Ok(Some(connection)) = admin::running(&settings.data) {
        return connection
            .greeting()
            .metrics
            .clone()
            .context("the service runs without metrics: set metrics.listen and restart it");
    }
    let listen = settings.metrics.listen.0.context("metrics.listen is empty: name the listener by --url")?;
    Ok(listen.to_string())
}

/// Two scrapes a second apart, as JSON.
fn once(address: &str) -> Result<()> {
    let mut history = History::default();
    history.push(Scrape::fetch(address).with_context(|| format!("no metrics at http://{address}/metrics"))?);
    thread::sleep(EVERY);
    history.push(Scrape::fetch(address)?);
    let mut out = io::stdout().lock();
    writeln!(out, "{:#}", serde_json::to_value(&history.figures)?)?;
    Ok(out.flush()?)
}

fn watch(terminal: &mut DefaultTerminal, address: String) -> Result<()> {
    let scrapes = fetch_on(address.clone())?;
    let mut screen = Screen { address, history: History::default(), lost: None, paused: false };
    loop {
        terminal.draw(|frame| view::draw(frame, &screen))?;
        loop {
            if event::poll(KEYS)? {
                match event::read()? {
                    Event::Key(key) if key.kind == KeyEventKind::Press => match key.code {
                        KeyCode::Char('q') | KeyCode::Esc => return Ok(()),
                        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Ok(()),
                        KeyCode::Char('p' | ' ') => {
                            screen.paused = !screen.paused;
                            break;
                        }
                        _ => {}
                    },
                    Event::Resize(..) => break,
                    _ => {}
                }
            }
            match scrapes.try_recv() {
                Ok(scrape) => {
                    take(&mut screen, scrape);
                    break;
                }
                Err(mpsc::TryRecvError::Empty) => {}
                Err(mpsc::TryRecvError::Disconnected) => return Ok(()),
            }
        }
    }
}

/// Takes a scrape or its failure in.
fn take(screen: &mut Screen, scrape: Result<Scrape>) {
    match scrape {
        Ok(scrape) => {
            screen.lost = None;
            if !screen.paused {
                screen.history.push(scrape);
            }
        }
        Err(error) => {
            let since = screen.lost.as_ref().map_or_else(Instant::now, |(_, since)| *since);
            screen.lost = Some((format!("{error:#}"), since));
        }
    }
}

/// Scrapes on a thread of its own, so that keys are heard while the service does not answer. The newest result waits.
fn fetch_on(address: String) -> Result<Receiver<Result<Scrape>>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::Builder::new().name("top-scraper".into()).spawn(move || {
        loop {
            let started = Instant::now();
            if sender.send(Scrape::fetch(&address)).is_err() {
                return;
            }
            thread::sleep(EVERY.saturating_sub(started.elapsed()));
        }
    })?;
    Ok(receiver)
}
