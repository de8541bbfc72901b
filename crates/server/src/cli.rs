//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use loquat_tui::cli::{ChatArgs, SendArgs, TailArgs};

use crate::admin::{AuditArgs, Common, ConversationsCommand, DevicesCommand, UsersCommand};
use crate::admin_export::{ExportArgs, VerifyExportArgs};
use crate::admin_jobs::JobsCommand;
use crate::settings::{Flag, Sources};

/// An open chat platform in one binary.
#[derive(Debug, Parser)]
#[command(name = "loquat", version, propagate_version = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the service
    ///
    /// Without any setting it listens on 127.0.0.1:8080 and keeps its data in ./data. Settings come from flags, then
    /// LOQUAT_… environment variables, then the file of --config; `loquat config` shows them.
    Serve(ServeArgs),
    /// Watch a running service: connections, rates, latencies, queues, storage
    Top(TopArgs),
    /// Copy the data of a running or stopped service to a file
    Backup(BackupArgs),
    /// Make a data folder from a backup
    Restore(RestoreArgs),
    /// Look after a service, whether it runs or not
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Chat in this terminal
    Chat(ChatArgs),
    Send(SendArgs),
    Tail(TailArgs),
    /// Show the settings in force, with what they mean and where they come from
    ///
    /// The output is itself a settings file: `loquat config > loquat.toml` writes down what is in force.
    Config(ConfigArgs),
    /// Check whether a service can run here, or runs well, and say what to do
    ///
    /// Takes the flags of `loquat serve`. Exit status: 0 all is well, 3 warnings, 1 problems.
    Doctor(DoctorArgs),
}

/// Flags of `loquat serve`.
#[derive(Debug, Default, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// Address and port for clients
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// How clients reach the service from outside
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Address and port of GET /metrics; empty for none
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics_listen: Option<String>,
    /// human or json
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// error, warn, info, debug, trace or off; also by module: info,loquat_gateway=debug
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Any setting, as in limits.group_members=50; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,
}

/// Flags of `loquat config`.
#[derive(Debug, Default, Args)]
pub(crate) struct ConfigArgs {
    /// Settings or groups, as in limits or log.level; all if none is named
    #[arg(value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// Only what somebody chose
    #[arg(long)]
    pub(crate) chosen: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

/// Flags of `loquat doctor`.
#[derive(Debug, Default, Args)]
pub(crate) struct DoctorArgs {
    /// Check every index and compare every conversation with its log, which takes minutes for millions of events
    #[arg(long)]
    pub(crate) full: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

/// Flags of `loquat top`.
#[derive(Debug, Default, Args)]
pub(crate) struct TopArgs {
    /// Where the metrics are, such as http://127.0.0.1:9464 [default: those of the service on the data folder]
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Print the figures of one second as JSON, and end
    #[arg(long)]
    pub(crate) once: bool,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

/// Where the data is, for every command that works on it.
#[derive(Debug, Default, Args)]
pub(crate) struct PlaceArgs {
    /// Settings file (TOML)
    #[arg(long, value_name = "FILE", env = "LOQUAT_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// Folder of everything that lasts [default: ./data]
    #[arg(long, value_name = "FOLDER")]
    data: Option<String>,
}

/// Flags of `loquat backup`.
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The file to make; it must not exist
    pub(crate) destination: PathBuf,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

/// Flags of `loquat restore`.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup
    pub(crate) source: PathBuf,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AdminCommand {
    /// Make accounts for load tests, all with one password, and print their tokens as JSON lines
    Seed(SeedArgs),
    /// Make direct conversations between accounts that `seed` made and write messages into them, for load tests
    SeedMessages(SeedMessagesArgs),
    /// Accounts: list, show, disable, enable, reset a password, delete
    #[command(subcommand)]
    Users(UsersCommand),
    /// Conversations: list, show, repair
    #[command(subcommand)]
    Conversations(ConversationsCommand),
    /// Devices: list, revoke
    #[command(subcommand)]
    Devices(DevicesCommand),
    /// Count what there is
    Stats(Common),
    /// List what operators did, newest first
    Audit(AuditArgs),
    /// What workers have to do, and dead letters
    #[command(subcommand)]
    Jobs(JobsCommand),
    /// Write everything of a user to an archive; works beside a running service
    Export(ExportArgs),
    /// Check that such an archive is whole
    VerifyExport(VerifyExportArgs),
}

/// Flags of `loquat admin seed`.
#[derive(Debug, Args)]
pub(crate) struct SeedArgs {
    /// How many accounts
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) users: u32,
    /// What their usernames begin with; a number follows
    #[arg(long, default_value = "bench")]
    pub(crate) prefix: String,
    /// Seconds that the printed access tokens are accepted for
    #[arg(long, value_name = "SECONDS", default_value_t = 86_400, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) token_seconds: u64,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

/// Flags of `loquat admin seed-messages`.
#[derive(Debug, Args)]
pub(crate) struct SeedMessagesArgs {
    /// What `loquat admin seed` printed
    #[arg(long, value_name = "FILE")]
    pub(crate) accounts: PathBuf,
    /// How many conversations there are to be; those that are there already are used
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) conversations: u32,
    /// How many messages of 200 bytes to write into them, in random order
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) messages: u64,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

impl ServeArgs {
    /// Where the settings of `serve` come from.
    pub(crate) fn sources(&self) -> Sources {
        let mut sources = self.place.sources();
        let named = [
            ("--listen", "listen", &self.listen),
            ("--public-url", "public_url", &self.public_url),
            ("--metrics-listen", "metrics.listen", &self.metrics_listen),
            ("--log-format", "log.format", &self.log_format),
            ("--log-level", "log.level", &self.log_level),
        ];
        sources
            .flags
            .extend(named.into_iter().filter_map(|(name, key, value)| flag(name, key, value.as_ref())));
        sources.flags.extend(self.set.iter().filter_map(|(key, value)| flag("--set", key, Some(value))));
        sources
    }
}

impl PlaceArgs {
    /// Where the settings come from, of a command that has no other flags for them.
    pub(crate) fn sources(&self) -> Sources {
        Sources {
            file: self.config.clone(),
            environment: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
                })
                .collect(),
            flags: flag("--data", "data", self.data.as_ref()).into_iter().collect(),
        }
    }
}

fn flag(name: &'static str, key: &str, value: Option<&String>) -> Option<Flag> {
    Some(Flag { name, key: key.to_owned(), value: value?.clone() })
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Result<Command, String> {
        let words = std::iter::once("loquat").chain(line.split_whitespace());
        Cli::try_parse_from(words).map(|cli| cli.command).map_err(|error| error.to_string())
    }

    fn flags(line: &str) -> Vec<(&'static str, String, String)> {
        let Ok(Command::Serve(arguments)) = parse(line) else { panic!("{line} is not understood") };
        arguments.sources().flags.into_iter().map(|flag| (flag.name, flag.key, flag.value)).collect()
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_become_settings_where_later_ones_prevail() {
        let expected = [
            ("--data", "data", "/srv"),
            ("--listen", "listen", "[::]:80"),
            ("--public-url", "public_url", "https://a.example"),
            ("--metrics-listen", "metrics.listen", ""),
            ("--log-format", "log.format", "json"),
            ("--log-level", "log.level", "debug"),
            ("--set", "limits.text_bytes", "9"),
            ("--set", "server_name", "a=b"),
        ];
        let expected = expected.map(|(name, key, value)| (name, key.to_owned(), value.to_owned()));
        let line = "serve --set limits.text_bytes=9 --data /srv --listen [::]:80 --set server_name=a=b \
                    --public-url https://a.example --metrics-listen= --log-format json --log-level debug";
        assert_eq!(flags(line), expected);
        assert_eq!(flags("serve"), []);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (line, named) in [
            ("serve --lisen x", "'--lisen'"),
            ("serve --set limits", "expected KEY=VALUE"),
            ("backup", "<DESTINATION>"),
            ("admin seed", "--users <N>"),
            ("admin seed --users 0", "0 is not in 1..=1000000"),
            ("admin seed --users 1 --token-seconds 0", "0 is not in 1.."),
            ("admin seed-messages --conversations 1", "--accounts <FILE>"),
            ("dance", "'dance'"),
        ] {
            let error = parse(line).expect_err(line);
            assert!(error.contains(named), "{line}: {error}");
        }
    }

    #[test]
    fn help_is_as_reviewed() {
        let mut pages = String::new();
        for path in [
            "",
            "serve",
            "backup",
            "restore",
            "config",
            "doctor",
            "top",
            "admin",
            "admin seed",
            "admin seed-messages",
            "admin users",
            "admin users reset-password",
            "admin conversations repair",
            "admin devices list",
            "admin audit",
            "admin jobs list",
            "admin jobs show",
            "admin jobs requeue",
            "admin export",
            "admin verify-export",
        ] {
            let mut command = Cli::command();
            command.build();
            let page = path
                .split_whitespace()
                .fold(&mut command, |command, name| command.find_subcommand_mut(name).expect("a command"));
            pages.push_str(&format!("$ loquat {path} --help\n{}\n", page.render_long_help()));
        }
        insta::assert_snapshot!(pages);
    }
}
