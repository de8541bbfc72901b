//! `loquat tail`: messages or events, one line each, in the order of each log, none missing and none twice.
//!
//! Every conversation has its own stream of the SDK, which repairs gaps and survives reconnects; the lines of several
//! are mixed as they come.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{ErrorKind, Write};
use std::time::Duration;

use loquat_client::view::ViewChange;
use loquat_client::{Client, ClientEvent, Error};
use loquat_proto::{ConversationId, Event, EventBody, EventKind, Message, MessageBody, Seq, UserId};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::cli::{From, Lines, TailOptions};
use crate::runtime::now;
use crate::session::{Session, SessionError, caught_up};
use crate::text::sanitise;
use crate::text::time::Clock;

/// Events that wait to be printed; a stream whose event finds no room waits.
const WAITING: usize = 256;

/// A sender's name that this device does not know is waited for this long.
const NAME_PATIENCE: Duration = Duration::from_secs(5);

/// Why the tail ended otherwise than at its end.
#[derive(Debug, thiserror::Error)]
pub enum TailError {
    /// There is no session or no conversation.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// Standard output cannot be written. A closed pipe is no error: the reader has enough.
    #[error("the output cannot be written: {0}")]
    Output(#[from] std::io::Error),
}

impl std::convert::From<Error> for TailError {
    fn from(error: Error) -> Self {
        Self::Session(error.into())
    }
}

impl TailError {
    /// The exit code: 1 refused, 2 usage or output, 3 out of reach.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Session(error) => error.exit_code(),
            Self::Output(_) => 2,
        }
    }
}

/// Prints to standard output until the end, or with `follow` until interrupted or nobody reads any more.
///
/// # Errors
/// See [`TailError`].
pub async fn tail(options: TailOptions) -> Result<(), TailError> {
    let deadline = (!options.follow).then(|| Instant::now() + options.timeout);
    let session = Session::begin(&options.connect, deadline).await?;
    let result = tokio::select! {
        result = tail_with(&session, &options, deadline) => result,
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    session.end().await;
    match result {
        Err(TailError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

async fn tail_with(
    session: &Session,
    options: &TailOptions,
    deadline: Option<Instant>,
) -> Result<(), TailError> {
    let target = match &options.target {
        Some(target) => Some(session.find(target, deadline).await?),
        None => None,
    };
    if !options.follow {
        caught_up(&session.client, deadline).await?;
    }
    let (events, mut arriving) = mpsc::channel(WAITING);
    let mut streams = Streams {
        client: session.client.clone(),
        options,
        events: Some(events),
        tasks: JoinSet::new(),
        known: HashSet::new(),
    };
    match target {
        Some(id) => streams.start(id, options.from).await?,
        None => streams.start_all(options.from).await?,
    }
    let watches_for_new = options.follow && target.is_none();
    if !watches_for_new {
        // The channel ends with the last stream.
        streams.events = None;
    }
    let mut printer = Printer {
        client: session.client.clone(),
        lines: options.lines,
        names: HashMap::from([(session.me.profile.id, session.me.profile.username.clone())]),
        out: std::io::stdout(),
    };
    let mut changes = session.client.subscribe();
    loop {
        tokio::select! {
            event = arriving.recv() => match event {
                Some(event) => printer.print(&event).await?,
                None => return streams.end().await,
            },
            change = changes.next(), if watches_for_new => match change {
                Some(ClientEvent::View(ViewChange::Conversations) | ClientEvent::Lagged) => {
                    streams.start_all(From::After(0)).await?;
                }
                Some(ClientEvent::SignedOut) => return Err(Error::SessionEnded.into()),
                Some(_) => {}
                None => return Ok(()),
            },
        }
    }
}

/// One task for each conversation.
struct Streams<'a> {
    client: Client,
    options: &'a TailOptions,
    events: Option<mpsc::Sender<Event>>,
    tasks: JoinSet<Result<(), Error>>,
    known: HashSet<ConversationId>,
}

impl Streams<'_> {
    /// Those that have none yet.
    async fn start_all(&mut self, from: From) -> Result<(), TailError> {
        for row in self.client.conversations().await? {
            if !self.known.contains(&row.id) {
                self.start(row.id, from).await?;
            }
        }
        Ok(())
    }

    async fn start(&mut self, id: ConversationId, from: From) -> Result<(), TailError> {
        let Some(events) = self.events.clone() else { return Ok(()) };
        self.known.insert(id);
        let head = self.client.conversation(id).await?.map_or(0, |conversation| conversation.head);
        let stream = OneStream {
            client: self.client.clone(),
            id,
            head,
            from,
            follow: self.options.follow,
            messages_only: self.options.lines != Lines::Events,
            events,
        };
        self.tasks.spawn(stream.run());
        Ok(())
    }

    /// All streams have ended: with the first error, if one has.
    async fn end(mut self) -> Result<(), TailError> {
        while let Some(result) = self.tasks.join_next().await {
            if let Ok(Err(error)) = result {
                return Err(error.into());
            }
        }
        Ok(())
    }
}

/// The log of one conversation, from where it is wanted.
struct OneStream {
    client: Client,
    id: ConversationId,
    /// The newest `seq` when it began: where the stored part ends.
    head: Seq,
    from: From,
    follow: bool,
    messages_only: bool,
    events: mpsc::Sender<Event>,
}

impl OneStream {
    async fn run(self) -> Result<(), Error> {
        let (after, last) = match self.from {
            From::After(after) => (after, None),
            From::Last(count) => (0, Some(count)),
        };
        if !self.follow && after >= self.head {
            return Ok(());
        }
        let mut log = self.client.log(self.id, after).await?;
        // The last ones are known when the end is reached: until then they are kept, and older ones let go.
        let mut kept: VecDeque<Event> = VecDeque::new();
        let mut gathering = last.filter(|_| self.head > 0);
        while let Some(event) = log.next().await {
            let seq = event.seq;
            if !self.messages_only || event.kind == EventKind::Message {
                kept.push_back(event);
            }
            match gathering {
                Some(count) if seq < self.head => {
                    if kept.len() > count {
                        kept.pop_front();
                    }
                    continue;
                }
                Some(count) => {
                    kept.drain(..kept.len().saturating_sub(count));
                    gathering = None;
                }
                None => {}
            }
            for event in kept.drain(..) {
                if self.events.send(event).await.is_err() {
                    return Ok(());
                }
            }
            if !self.follow && seq >= self.head {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// A message as it is printed: as it was sent, without what happened to it later.
#[derive(Debug, Serialize)]
struct MessageLine<'a> {
    #[serde(flatten)]
    message: Message,
    username: Option<&'a str>,
}

/// An event as it is printed.
#[derive(Debug, Serialize)]
struct EventLine<'a> {
    #[serde(flatten)]
    event: &'a Event,
    username: Option<&'a str>,
}

struct Printer<W> {
    client: Client,
    lines: Lines,
    /// Usernames by id, as many as there are senders.
    names: HashMap<UserId, String>,
    out: W,
}

impl<W: Write> Printer<W> {
    async fn print(&mut self, event: &Event) -> Result<(), TailError> {
        let name = self.name(event.sender).await?;
        write_line(&mut self.out, event, name.as_deref(), self.lines)?;
        Ok(())
    }

    /// The sender's username; one that is not known is fetched by the SDK and waited for.
    async fn name(&mut self, user: UserId) -> Result<Option<String>, TailError> {
        if let Some(name) = self.names.get(&user) {
            return Ok(Some(name.clone()));
        }
        let mut changes = self.client.subscribe();
        let client = self.client.clone();
        let waiting = async move {
            loop {
                if let Some(profile) = client.profile(user).await? {
                    return Ok::<_, Error>(Some(profile.username));
                }
                loop {
                    match changes.next().await {
                        Some(ClientEvent::View(ViewChange::Profiles) | ClientEvent::Lagged) => break,
                        Some(_) => {}
                        None => return Ok(None),
                    }
                }
            }
        };
        let name = timeout(NAME_PATIENCE, waiting).await.unwrap_or(Ok(None))?;
        if let Some(name) = &name {
            self.names.insert(user, name.clone());
        }
        Ok(name)
    }
}

fn write_line(
    out: &mut impl Write,
    event: &Event,
    username: Option<&str>,
    lines: Lines,
) -> std::io::Result<()> {
    match lines {
        Lines::Events => serde_json::to_writer(&mut *out, &EventLine { event, username })?,
        Lines::Messages => {
            serde_json::to_writer(&mut *out, &MessageLine { message: as_sent(event), username })?;
        }
        Lines::Text => {
            let clock = Clock::system(now());
            let name = username.map_or_else(|| format!("user {}", event.sender), sanitise::line);
            let text =
                as_sent(event).text.map_or_else(|| "(deleted)".to_owned(), |text| sanitise::line(&text));
            write!(out, "{} {} {name}: {text}", clock.day(event.ts), clock.time_of_day(event.ts))?;
        }
    }
    out.write_all(b"\n")?;
    out.flush()
}

fn as_sent(event: &Event) -> Message {
    let body = match event.decode() {
        Ok(Some(EventBody::Message(body))) => Some(body),
        _ => None,
    };
    let deleted = body.is_none();
    let MessageBody { text, format, reply_to, mentions, attachments } = body.unwrap_or_default();
    Message {
        conversation: event.conversation,
        seq: event.seq,
        ts: event.ts,
        sender: event.sender,
        text: (!deleted).then_some(text),
        format,
        reply_to,
        mentions,
        attachments,
        edited_at: None,
        deleted,
        pinned: false,
        reactions: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"conversation":"71","seq":42,"ts":1763820360000,"sender":"2","device":"9","kind":"message",
        "body":{"text":"two\nlines \u001b[31m","format":"plain","reply_to":41,"mentions":["1"],"attachments":[]}}"#;

    fn line(json: &str, lines: Lines) -> String {
        let event: Event = serde_json::from_str(json).unwrap();
        let mut out = Vec::new();
        write_line(&mut out, &event, Some("tomas"), lines).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_message_line_is_the_message_object_with_the_username() {
        let expected = concat!(
            r#"{"conversation":"71","seq":42,"ts":1763820360000,"sender":"2","text":"two\nlines \u001b[31m","#,
            r#""format":"plain","reply_to":41,"mentions":["1"],"attachments":[],"edited_at":null,"deleted":false,"#,
            r#""pinned":false,"reactions":[],"username":"tomas"}"#,
            "\n"
        );
        assert_eq!(line(EVENT, Lines::Messages), expected);
    }

    #[test]
    fn an_event_line_is_the_event_with_the_username() {
        let printed: serde_json::Value = serde_json::from_str(&line(EVENT, Lines::Events)).unwrap();
        let mut expected: serde_json::Value = serde_json::from_str(EVENT).unwrap();
        expected["username"] = "tomas".into();
        assert_eq!(printed, expected);
    }

    #[test]
    fn a_text_line_is_one_line_and_harmless() {
        let text = line(EVENT, Lines::Text);
        assert!(text.ends_with("tomas: two lines ␛[31m\n"), "{text}");
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn an_erased_message_keeps_its_place() {
        let erased = r#"{"conversation":"71","seq":42,"ts":1,"sender":"2","kind":"message","body":null}"#;
        let printed: serde_json::Value = serde_json::from_str(&line(erased, Lines::Messages)).unwrap();
        assert_eq!((&printed["text"], &printed["deleted"]), (&serde_json::Value::Null, &true.into()));
        assert!(line(erased, Lines::Text).contains("(deleted)"));
    }
}
