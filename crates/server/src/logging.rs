//! Logs to standard error: one line an event, for people or as JSON, and panics among them.
//!
//! A log line never carries what users wrote nor what they prove themselves with: code logs ids, counts and reasons.
//! What reaches a line all the same, from outside, cannot break it: control characters are written as escapes.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal as _, Write};
use std::panic::PanicHookInfo;
use std::str::FromStr as _;

use anyhow::{Context as _, Result};
use tracing::level_filters::LevelFilter;
use tracing::{Level, error};
use tracing_subscriber::filter::{FilterExt as _, Targets, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Filter, Identity, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry, fmt};

use crate::settings::{LogFormat, LogSettings};

/// Starts logging for the whole process, once.
pub(crate) fn start(settings: &LogSettings) -> Result<()> {
    start_with(settings, None::<Identity>)
}

/// The same, where what is logged also goes another way.
pub(crate) fn start_with(
    settings: &LogSettings,
    beside: Option<impl Layer<Registry> + Send + Sync>,
) -> Result<()> {
    let levels = Targets::from_str(&settings.level).context("log.level")?;
    let colours = settings.format == LogFormat::Human && io::stderr().is_terminal();
    let lines = Lines { colours };
    let layer = match settings.format {
        LogFormat::Human => fmt::layer().with_ansi(colours).with_writer(lines).boxed(),
        LogFormat::Json => {
            fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(lines).boxed()
        }
    };
    Registry::default()
        .with(beside)
        .with(layer.with_filter(filter(levels)))
        .try_init()
        .context("logging was started before")?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// What is logged at these levels.
fn filter<S>(levels: Targets) -> impl Filter<S> {
    // With the hint, what no level lets through costs a comparison; without it, each event of each library is looked at.
    let speaks = filter_fn(|event| may_speak(event.target(), *event.level()));
    levels.and(speaks.with_max_level_hint(LevelFilter::TRACE))
}

/// Libraries that log whole frames, headers or statements at their lower levels, tokens and messages included. They say
/// no more than this, whatever the setting.
const TALKATIVE: [&str; 6] = ["tungstenite", "tokio_tungstenite", "hyper", "hyper_util", "h2", "rustls"];

/// The library of the migrations tells of each of them at `info`, and so of a dozen at a first start.
const CHATTY: &str = "refinery_core";

fn may_speak(target: &str, level: Level) -> bool {
    let library = target.split("::").next().unwrap_or(target);
    match level {
        Level::ERROR | Level::WARN => true,
        Level::INFO => library != CHATTY,
        _ => !TALKATIVE.contains(&library) && library != CHATTY,
    }
}

/// Logs where a thread panicked. A panic's text may quote what users wrote (that of a slice index does), unless it is
/// a literal of the code: only then it is logged.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let literal =
        panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("(not shown: may quote data)");
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    error!(place, thread = thread.name(), backtrace, "panicked: {literal}");
}

/// Makes a writer for each event.
#[derive(Clone, Copy)]
struct Lines {
    /// Whether escape sequences for colours may pass. Those from outside were escaped by the formatter.
    colours: bool,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<io::Stderr>;

    fn make_writer(&'a self) -> Line<io::Stderr> {
        Line { out: io::stderr(), colours: self.colours }
    }
}

/// Writes whole events, each as exactly one line.
struct Line<W> {
    out: W,
    colours: bool,
}

impl<W: Write> Write for Line<W> {
    /// Takes the text of one event, line feed included: the formatter makes one call for each.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = event.strip_suffix(b"\n").unwrap_or(event);
        let is_plain = |byte: &u8| (0x20..0x7f).contains(byte) || (self.colours && *byte == 0x1b);
        if text.iter().all(is_plain) {
            self.out.write_all(event)?;
        } else {
            let mut line = escape(&String::from_utf8_lossy(text), self.colours);
            line.push('\n');
            self.out.write_all(line.as_bytes())?;
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Control characters and those that turn the direction of text as escapes.
fn escape(text: &str, colours: bool) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        let turns =
            matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}');
        if turns || (character.is_control() && !(colours && character == '\u{1b}')) {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(event: &str, colours: bool) -> String {
        let mut out = Vec::new();
        Line { out: &mut out, colours }.write_all(event.as_bytes()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn libraries_that_log_frames_stay_quiet() {
        for (target, level, speaks) in [
            ("tungstenite::protocol", Level::TRACE, false),
            ("hyper::proto::h1", Level::DEBUG, false),
            ("tungstenite::protocol", Level::INFO, true),
            ("hyperbole", Level::TRACE, true),
            ("refinery_core::traits", Level::INFO, false),
            ("refinery_core::traits", Level::WARN, true),
            ("loquat_domain::lanes", Level::TRACE, true),
        ] {
            assert_eq!(may_speak(target, level), speaks, "{target} at {level}");
        }
    }

    #[test]
    fn what_no_level_lets_through_is_not_looked_at() {
        for (setting, hint) in [("info", LevelFilter::INFO), ("info,loquat=debug", LevelFilter::DEBUG)] {
            let filter = filter::<Registry>(setting.parse().unwrap());
            assert_eq!(filter.max_level_hint(), Some(hint), "{setting}");
        }
    }

    #[test]
    fn an_event_is_one_line_whatever_is_in_it() {
        for (event, expected) in [
            ("plain\n", "plain\n"),
            ("two\nlines\n", "two\\u{a}lines\n"),
            ("back\r\x1b[2K\n", "back\\u{d}\\u{1b}[2K\n"),
            ("turned \u{202e}txet\n", "turned \\u{202e}txet\n"),
            ("naïve 👍\n", "naïve 👍\n"),
            ("nul\0 and next line\u{85}\n", "nul\\u{0} and next line\\u{85}\n"),
        ] {
            assert_eq!(written(event, false), expected);
        }
        assert_eq!(written("\x1b[32mINFO\x1b[0m a\nb\n", true), "\x1b[32mINFO\x1b[0m a\\u{a}b\n");
    }
}
