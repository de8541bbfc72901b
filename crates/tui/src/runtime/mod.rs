//! The loop of `loquat chat`: feeds keys, snapshots and time into the state, carries its effects out, draws.
//!
//! It sleeps until something happens, and draws only then. Bursts (a long catch-up) are drawn at most once a frame;
//! events of the SDK only mark snapshots as stale, which are read again once a frame, so the work does not grow with
//! the number of events.

mod browser;
mod effects;
mod export;
mod people;
mod snapshots;

use std::collections::VecDeque;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossterm::event::{Event, EventStream, KeyEventKind, MouseEventKind};
use futures_util::StreamExt as _;
use loquat_client::{Client, ClientConfig, ClientEvent, Error, Storage, Subscription};
use loquat_proto::Timestamp;
use loquat_proto::account::{LogIn, SignUp};
use terminal_colorsaurus::{QueryOptions, ThemeMode, theme_mode};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use self::effects::After;
use self::snapshots::Stale;
use crate::app::{App, Message};
use crate::cli::ChatOptions;
use crate::preferences::Preferences;
use crate::screens;
use crate::settings::ConnectOptions;
use crate::terminal::Terminal;
use crate::text::time::Clock;
use crate::theme::{Background, ThemeChoice};
use crate::words::describe;

/// Frames follow each other no faster than this.
const FRAME: Duration = Duration::from_millis(16);

/// Answers of the network that wait to be taken in. A task whose answer finds no room waits.
const ANSWERS: usize = 64;

/// The terminal gets this long to say what it draws on.
const BACKGROUND_TIME: Duration = Duration::from_millis(400);

/// At the end the device store gets this long to finish writing.
const CLOSING_TIME: Duration = Duration::from_secs(3);

/// Why `loquat chat` ended otherwise than by its user's wish.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// The SDK could not start, or says who is signed in.
    #[error("{}", describe(.0))]
    Client(#[from] Error),
    /// The terminal does not obey, or there is none.
    #[error("the terminal cannot be used: {0}")]
    Terminal(#[from] std::io::Error),
    /// Another user is signed in on this device.
    #[error("this profile belongs to {there}, not to {wanted}: take another --profile")]
    OtherUser {
        /// Who was asked for.
        wanted: String,
        /// Who is signed in.
        there: String,
    },
}

/// Runs the terminal client until its user leaves.
///
/// # Errors
/// See [`ChatError`]; the terminal is given back in any case.
pub async fn chat(options: ChatOptions) -> Result<(), ChatError> {
    let client = open_client(&options.connect).await?;
    let events = client.subscribe();
    let stored = client.resume().await?;
    if let (Some(there), Some(wanted)) = (&stored, &options.connect.user)
        && there.profile.username != *wanted
    {
        let there = there.profile.username.clone();
        client.close().await;
        return Err(ChatError::OtherUser { wanted: wanted.clone(), there });
    }
    let directory = options.connect.directory.clone();
    let kept = Preferences::load(&directory);
    // A wish for no colours at all gives way only to one that was said for this run.
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let theme = options.theme.or(no_color.then_some(ThemeChoice::None)).unwrap_or(kept.theme);
    let preferences = Preferences { theme, ..kept };
    // Asked before anybody else reads what the terminal says.
    let background = if preferences.theme == ThemeChoice::Auto { background().await } else { None };
    let terminal = Terminal::enter(preferences.mouse)?;
    let (answers, arriving) = mpsc::channel(ANSWERS);
    let clock = Clock::system(now());
    let mut runtime = Runtime {
        app: App::new(clock, preferences.theme.on(background), &options.connect.server),
        client: client.clone(),
        terminal,
        directory,
        answers,
        stale: Stale::default(),
        inbox: VecDeque::new(),
        dirty: true,
        next_frame: Instant::now(),
    };
    runtime.app.preferences = preferences;
    runtime.app.background = background;
    let (width, height) = runtime.terminal.size()?;
    runtime.take(Message::Resize { width, height }).await?;
    match stored {
        Some(profile) => runtime.take(Message::SignedIn(profile.profile)).await.map(|_| ())?,
        None => runtime.begin_sign_in(options.connect),
    }
    let result = runtime.run(events, arriving).await;
    drop(runtime);
    let _ = tokio::time::timeout(CLOSING_TIME, client.close()).await;
    Ok(result?)
}

/// What the terminal draws on, if it says so within a moment (OSC 11).
async fn background() -> Option<Background> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    let asked = tokio::task::spawn_blocking(|| {
        let mut options = QueryOptions::default();
        options.timeout = BACKGROUND_TIME;
        theme_mode(options)
    });
    match asked.await.ok()?.ok()? {
        ThemeMode::Dark => Some(Background::Dark),
        ThemeMode::Light => Some(Background::Light),
    }
}

/// Opens the SDK on the device store of these options.
pub(crate) async fn open_client(options: &ConnectOptions) -> Result<Client, Error> {
    let mut config =
        ClientConfig::new(options.server.as_str(), Storage::Directory(options.directory.clone()));
    config.client_name = concat!("loquat-tui/", env!("CARGO_PKG_VERSION")).to_owned();
    config.device.name = "Terminal".to_owned();
    Client::open(config).await
}

/// Milliseconds since the Unix epoch, by the system's clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::try_from(since.as_millis()).unwrap_or(Timestamp::MAX)
}

struct Runtime {
    app: App,
    client: Client,
    terminal: Terminal,
    /// Where the user's choices are kept.
    directory: PathBuf,
    answers: mpsc::Sender<Message>,
    stale: Stale,
    /// News of effects that were carried out at once: taken in before anything else.
    inbox: VecDeque<Message>,
    dirty: bool,
    next_frame: Instant,
}

/// The signals that end the client in order.
struct Ends {
    terminate: Signal,
    hang_up: Signal,
    interrupt: Signal,
}

impl Ends {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

impl Runtime {
    async fn run(
        &mut self,
        mut events: Subscription,
        mut arriving: mpsc::Receiver<Message>,
    ) -> std::io::Result<()> {
        let mut keys = EventStream::new();
        let mut ends = Ends::new()?;
        loop {
            let after = tokio::select! {
                key = keys.next() => match key {
                    Some(event) => self.terminal_event(event?).await?,
                    None => return Ok(()),
                },
                event = events.next() => match event {
                    Some(event) => self.client_event(event).await?,
                    None => return Ok(()),
                },
                Some(answer) = arriving.recv() => self.take(answer).await?,
                () = tokio::time::sleep_until(self.next_wake().into()) => self.wake().await?,
                () = ends.wait() => return Ok(()),
            };
            if after == After::Quit {
                return Ok(());
            }
        }
    }

    /// When the loop must go on by itself: for the next frame if there is something to draw, else for a deadline.
    fn next_wake(&self) -> Instant {
        if self.dirty || self.stale.any() {
            return self.next_frame;
        }
        let wait = self.app.next_deadline().saturating_sub(now()).clamp(1, 60_000);
        Instant::now() + Duration::from_millis(u64::try_from(wait).unwrap_or(1))
    }

    async fn wake(&mut self) -> std::io::Result<After> {
        if !(self.dirty || self.stale.any()) {
            return self.take(Message::Tick).await;
        }
        let after = self.refresh().await?;
        if std::mem::take(&mut self.dirty) {
            // Deadlines that passed while frames were due are not waited for again.
            self.app.clock.now = now();
            let app = &self.app;
            self.terminal.draw(|frame| screens::view(app, frame))?;
        }
        self.next_frame = Instant::now() + FRAME;
        Ok(after)
    }

    async fn terminal_event(&mut self, event: Event) -> std::io::Result<After> {
        let message = match event {
            Event::Key(key) if key.kind == KeyEventKind::Release => return Ok(After::GoOn),
            Event::Key(key) => Message::Key(key),
            Event::Paste(text) => Message::Paste(text),
            Event::Resize(width, height) => Message::Resize { width, height },
            Event::FocusGained => Message::Focus(true),
            Event::FocusLost => Message::Focus(false),
            Event::Mouse(event) => match event.kind {
                MouseEventKind::Down(_) | MouseEventKind::ScrollUp | MouseEventKind::ScrollDown => {
                    Message::Mouse(event)
                }
                _ => return Ok(After::GoOn),
            },
        };
        self.take(message).await
    }

    async fn client_event(&mut self, event: ClientEvent) -> std::io::Result<After> {
        match event {
            ClientEvent::View(change) => {
                match self.stale.note(change, self.app.open.as_ref().map(|open| open.id)) {
                    Some(message) => self.take(message).await,
                    None => Ok(After::GoOn),
                }
            }
            ClientEvent::Connection(_) => {
                self.stale.connection = true;
                Ok(After::GoOn)
            }
            ClientEvent::SignedOut => self.take(Message::SignedOut).await,
            ClientEvent::Lagged => {
                self.stale = Stale::all();
                Ok(After::GoOn)
            }
        }
    }

    /// Takes a message in and carries its effects out, with what follows at once from them.
    async fn take(&mut self, message: Message) -> std::io::Result<After> {
        self.inbox.push_back(message);
        while let Some(message) = self.inbox.pop_front() {
            if matches!(message, Message::SignedIn(_)) {
                self.stale = Stale::all();
            }
            let effects = self.app.update(now(), message);
            self.dirty = true;
            for effect in effects {
                if self.carry_out(effect).await? == After::Quit {
                    return Ok(After::Quit);
                }
            }
        }
        Ok(After::GoOn)
    }

    /// Nobody is signed in: with what the options give, or by asking.
    fn begin_sign_in(&mut self, options: ConnectOptions) {
        let user = options.user.unwrap_or_default();
        self.app.login.ask(&user, options.sign_up);
        let Some(password) = options.password.filter(|_| !user.is_empty()) else { return };
        let client = self.client.clone();
        let sign_up = options.sign_up;
        self.spawn(async move {
            let result = sign_in(&client, user, password, sign_up).await;
            match result {
                Ok(profile) => Message::SignedIn(profile.profile),
                Err(error) => Message::SignInFailed(describe(&error)),
            }
        });
    }

    /// Does something that takes the network's time; its answer comes as a message.
    fn spawn(&self, task: impl Future<Output = Message> + Send + 'static) {
        let answers = self.answers.clone();
        tokio::spawn(async move {
            // Without a receiver the client is being closed, and nobody wants the answer.
            let _ = answers.send(task.await).await;
        });
    }
}

/// Signs in, or up where that is asked for; an account that is there already is logged in to.
pub(crate) async fn sign_in(
    client: &Client,
    username: String,
    password: loquat_proto::account::Secret,
    sign_up: bool,
) -> Result<loquat_proto::OwnProfile, Error> {
    let credentials =
        LogIn { login: username.clone(), password: password.clone(), device: None, cookie: false };
    if !sign_up {
        return client.log_in(credentials).await;
    }
    let account = SignUp {
        username,
        password,
        display_name: None,
        email: None,
        phone: None,
        device: None,
        cookie: false,
    };
    match client.sign_up(account).await {
        // "Make the account, where it is not there yet": a script can be run twice.
        Err(taken) if taken.code() == Some(loquat_proto::ErrorCode::Conflict) => {
            client.log_in(credentials).await.map_err(|_| taken)
        }
        result => result,
    }
}
