//! The options of `loquat chat`, `loquat send` and `loquat tail`, for the binary to flatten into its own.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};
use loquat_proto::{ConversationId, Seq};

use crate::settings::{ConnectOptions, Environment, SettingsError};
use crate::theme::ThemeChoice;

/// Where to connect, and as whom.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub struct ConnectArgs {
    /// Where the server is [default: http://127.0.0.1:8080].
    #[arg(long, value_name = "URL", env = "LOQUAT_SERVER")]
    pub server: Option<String>,
    /// Which of several accounts on this machine: each profile is a device with its own data [default: the user's
    /// name, or `default`].
    #[arg(long, value_name = "NAME", env = "LOQUAT_PROFILE", conflicts_with = "data")]
    pub profile: Option<String>,
    /// Where this device keeps its data [default: $XDG_DATA_HOME/loquat/PROFILE].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Who signs in, where nobody is on this device yet.
    #[arg(long, value_name = "USERNAME", env = "LOQUAT_USER")]
    pub user: Option<String>,
    /// A file with the password; else the variable LOQUAT_PASSWORD.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Make the account, where it is not there yet.
    #[arg(long)]
    pub sign_up: bool,
    /// Settings [default: $XDG_CONFIG_HOME/loquat/client.toml, if it is there].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl ConnectArgs {
    fn resolve(self) -> Result<ConnectOptions, SettingsError> {
        ConnectOptions::resolve(self, &Environment::of_process())
    }
}

/// The terminal client.
#[derive(Debug, Clone, Args)]
pub struct ChatArgs {
    /// Colours: those chosen here last, unless it is said.
    #[arg(long, value_enum, value_name = "THEME", env = "LOQUAT_THEME")]
    pub theme: Option<ThemeChoice>,
    /// Where to connect, and as whom.
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// What [`chat`](crate::chat) needs to know.
#[derive(Debug, Clone)]
pub struct ChatOptions {
    /// The colours to begin with, if that was said.
    pub theme: Option<ThemeChoice>,
    /// Where to connect, and as whom.
    pub connect: ConnectOptions,
}

impl ChatArgs {
    /// Reads environment and settings file for what was not said.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub fn resolve(self) -> Result<ChatOptions, SettingsError> {
        let connect = self.connect.resolve()?;
        Ok(ChatOptions { theme: self.theme.or(connect.theme), connect })
    }
}

/// Send a message, or each line of the input as one, and wait until the server has it.
///
/// Exit codes: 0 everything is durable on the server; 1 the server refused something; 2 wrong usage or input; 3 not
/// acknowledged within --timeout (what was accepted from the input stays in this device's queue and is sent by the
/// next command of this profile, once).
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("target").required(true).args(["to", "conversation"]))]
pub struct SendArgs {
    /// To this user, in the conversation of two.
    #[arg(long, value_name = "USERNAME")]
    pub to: Option<String>,
    /// To this conversation.
    #[arg(long, value_name = "ID")]
    pub conversation: Option<ConversationId>,
    /// The message; `-` or nothing reads standard input.
    pub text: Option<String>,
    /// Send each line of the input as a message of its own; empty lines are left out.
    #[arg(long)]
    pub lines: bool,
    /// Print `{"conversation":"…","seq":…,"ts":…}` for each message, as the server answered.
    #[arg(long)]
    pub json: bool,
    /// Give up when the server acknowledges nothing for this many seconds.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub timeout: Duration,
    /// Where to connect, and as whom.
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// With whom, or where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The conversation of two with this user.
    User(String),
    /// This conversation.
    Conversation(ConversationId),
}

/// What to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// This text.
    Text(String),
    /// All of standard input as one message.
    Whole,
    /// Each line of standard input as a message.
    Lines,
}

/// What [`send`](crate::send) needs to know.
#[derive(Debug, Clone)]
pub struct SendOptions {
    /// To whom.
    pub target: Target,
    /// What.
    pub input: Input,
    /// Whether to print each acknowledgement as JSON.
    pub json: bool,
    /// How long nothing may be acknowledged before it gives up.
    pub timeout: Duration,
    /// Where to connect, and as whom.
    pub connect: ConnectOptions,
}

impl SendArgs {
    /// Reads environment and settings file for what was not said.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub fn resolve(self) -> Result<SendOptions, SettingsError> {
        let text = self.text.filter(|text| text != "-");
        let input = match (text, self.lines) {
            (Some(_), true) => return Err(SettingsError::TwoInputs),
            (Some(text), false) => Input::Text(text),
            (None, true) => Input::Lines,
            (None, false) => Input::Whole,
        };
        let target = target(self.to, self.conversation).ok_or(SettingsError::NoTarget)?;
        Ok(SendOptions {
            target,
            input,
            json: self.json,
            timeout: self.timeout,
            connect: self.connect.resolve()?,
        })
    }
}

/// Print messages, one line each; with --follow also those that come.
///
/// With --json each line is the message object of the protocol as it was sent, and `username`, the sender's; with
/// --events each line is an event of the log, and `username`. Each line is flushed. In a conversation lines are in
/// the order of `seq`, none missing and none twice, over any number of reconnects.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("from").args(["since", "all", "last"]))]
pub struct TailArgs {
    /// Of the conversation of two with this user.
    #[arg(long, value_name = "USERNAME")]
    pub with: Option<String>,
    /// Of this conversation; of all of them where neither is given.
    #[arg(long, value_name = "ID", conflicts_with = "with")]
    pub conversation: Option<ConversationId>,
    /// Print JSON Lines.
    #[arg(long)]
    pub json: bool,
    /// Print every event of the log (edits, deletions, reactions, members …), as JSON Lines.
    #[arg(long)]
    pub events: bool,
    /// From the first one after this `seq` on.
    #[arg(long, value_name = "SEQ")]
    pub since: Option<Seq>,
    /// From the beginning.
    #[arg(long)]
    pub all: bool,
    /// From the last N on [default: 10].
    #[arg(long, short = 'n', value_name = "N")]
    pub last: Option<usize>,
    /// Go on with those that come, until interrupted.
    #[arg(long, short = 'f')]
    pub follow: bool,
    /// Without --follow: give up when the server cannot be reached for this many seconds (exit code 3).
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub timeout: Duration,
    /// Where to connect, and as whom.
    #[command(flatten)]
    pub connect: ConnectArgs,
}

/// Where a tail begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// After this `seq`; 0 is the beginning.
    After(Seq),
    /// With the last so many, up to 100,000.
    Last(usize),
}

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// Messages, for people.
    Text,
    /// Messages, as JSON.
    Messages,
    /// Events, as JSON.
    Events,
}

/// What [`tail`](crate::tail) needs to know.
#[derive(Debug, Clone)]
pub struct TailOptions {
    /// Of which conversation; `None` is all.
    pub target: Option<Target>,
    /// Where to begin.
    pub from: From,
    /// How to write.
    pub lines: Lines,
    /// Whether to go on.
    pub follow: bool,
    /// How long the server may be out of reach before it gives up; not with `follow`.
    pub timeout: Duration,
    /// Where to connect, and as whom.
    pub connect: ConnectOptions,
}

impl TailArgs {
    /// Reads environment and settings file for what was not said.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub fn resolve(self) -> Result<TailOptions, SettingsError> {
        let from = match (self.since, self.all, self.last) {
            (Some(seq), _, _) => From::After(seq),
            (None, true, _) => From::After(0),
            (None, false, last) => From::Last(last.unwrap_or(10).min(100_000)),
        };
        let lines = match (self.events, self.json) {
            (true, _) => Lines::Events,
            (false, true) => Lines::Messages,
            (false, false) => Lines::Text,
        };
        Ok(TailOptions {
            target: target(self.with, self.conversation),
            from,
            lines,
            follow: self.follow,
            timeout: self.timeout,
            connect: self.connect.resolve()?,
        })
    }
}

fn target(user: Option<String>, conversation: Option<ConversationId>) -> Option<Target> {
    let user = user.map(|user| Target::User(user.trim_start_matches('@').to_ascii_lowercase()));
    user.or(conversation.map(Target::Conversation))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches};

    use super::*;

    fn parse<A: Args + FromArgMatches>(line: &str) -> Result<A, clap::Error> {
        let command = A::augment_args(Command::new("loquat"));
        let matches =
            command.try_get_matches_from(std::iter::once("loquat").chain(line.split_whitespace()))?;
        A::from_arg_matches(&matches)
    }

    #[test]
    fn the_options_are_consistent() {
        ChatArgs::augment_args(Command::new("chat")).debug_assert();
        SendArgs::augment_args(Command::new("send")).debug_assert();
        TailArgs::augment_args(Command::new("tail")).debug_assert();
    }

    #[test]
    fn send_takes_one_target_and_one_input() {
        for (line, input) in [
            ("--to bob --data /x hello", Input::Text("hello".to_owned())),
            ("--to bob --data /x -", Input::Whole),
            ("--to bob --data /x", Input::Whole),
            ("--conversation 7 --data /x --lines", Input::Lines),
            ("--conversation 7 --data /x --lines -", Input::Lines),
        ] {
            assert_eq!(parse::<SendArgs>(line).unwrap().resolve().unwrap().input, input, "{line}");
        }
        for line in ["hello", "--to bob --conversation 7 hi", "--conversation 0 hi"] {
            assert!(parse::<SendArgs>(line).is_err(), "{line}");
        }
        let both = parse::<SendArgs>("--to bob --data /x --lines hi").unwrap().resolve();
        assert!(matches!(both, Err(SettingsError::TwoInputs)));
    }

    #[test]
    fn tail_begins_where_it_is_told() {
        for (line, from) in [
            ("--data /x", From::Last(10)),
            ("--data /x -n 3", From::Last(3)),
            ("--data /x --all", From::After(0)),
            ("--data /x --since 42", From::After(42)),
        ] {
            assert_eq!(parse::<TailArgs>(line).unwrap().resolve().unwrap().from, from, "{line}");
        }
        assert!(parse::<TailArgs>("--all --since 4").is_err());
    }

    #[test]
    fn a_username_is_taken_as_people_write_it() {
        let options = parse::<TailArgs>("--data /x --with @Bob").unwrap().resolve().unwrap();
        assert_eq!(options.target, Some(Target::User("bob".to_owned())));
    }
}
