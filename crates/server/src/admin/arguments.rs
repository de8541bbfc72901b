//! The command line of `loquat admin`.

use clap::{Args, Subcommand, ValueEnum};
use loquat_domain::ports::AccountState;
use loquat_proto::{ConversationId, ConversationKind, DeviceId, UserId};

use crate::cli::PlaceArgs;

/// What every command takes.
#[derive(Debug, Default, Args)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How much of a list.
#[derive(Debug, Args)]
pub(crate) struct Paging {
    /// Entries at most
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(crate) limit: u16,
}

/// An account's state as a flag.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum State {
    Active,
    Disabled,
    Deleted,
}

impl From<State> for AccountState {
    fn from(state: State) -> Self {
        match state {
            State::Active => Self::Active,
            State::Disabled => Self::Disabled,
            State::Deleted => Self::Deleted,
        }
    }
}

/// A conversation's kind as a flag.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Kind {
    Direct,
    Group,
    Channel,
}

impl From<Kind> for ConversationKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Direct => Self::Direct,
            Kind::Group => Self::Group,
            Kind::Channel => Self::Channel,
        }
    }
}

/// One user.
#[derive(Debug, Args)]
pub(crate) struct UserArgs {
    /// Username or id; `@` before a username of digits only
    pub(crate) user: String,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UsersCommand {
    /// List accounts by id
    List {
        /// Those whose username begins with this
        #[arg(long, value_name = "TEXT")]
        prefix: Option<String>,
        /// Those in this state
        #[arg(long)]
        state: Option<State>,
        /// Those after this id
        #[arg(long, value_name = "ID")]
        after: Option<UserId>,
        #[command(flatten)]
        paging: Paging,
        #[command(flatten)]
        common: Common,
    },
    /// Show an account with its devices
    Show(UserArgs),
    /// Shut an account out and close its sockets at once; its content and devices stay
    Disable {
        #[command(flatten)]
        user: UserArgs,
        /// Why, for the record
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Let a disabled account in again
    Enable(UserArgs),
    /// Set another password and sign every device out
    ///
    /// The password is made by chance and printed, unless --stdin reads it from the first line of standard input.
    ResetPassword {
        #[command(flatten)]
        user: UserArgs,
        /// Read the password from standard input
        #[arg(long)]
        stdin: bool,
    },
    /// Erase an account with all that it wrote, for good
    Delete {
        #[command(flatten)]
        user: UserArgs,
        /// Yes, erase it
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConversationsCommand {
    /// List conversations by id
    List {
        /// Those with this member
        #[arg(long, value_name = "USER")]
        member: Option<String>,
        /// Those of this kind
        #[arg(long)]
        kind: Option<Kind>,
        /// Those after this id
        #[arg(long, value_name = "ID")]
        after: Option<ConversationId>,
        #[command(flatten)]
        paging: Paging,
        #[command(flatten)]
        common: Common,
    },
    /// Show a conversation, and what of it does not agree with its log; never what was written
    Show {
        /// Its id
        conversation: ConversationId,
        #[command(flatten)]
        common: Common,
    },
    /// Compute anew what is derived of the log: numbers, head, cursors, counts, reactions, pins
    Repair {
        /// Its id
        #[arg(required_unless_present = "all")]
        conversation: Option<ConversationId>,
        /// Every conversation
        #[arg(long, conflicts_with = "conversation")]
        all: bool,
        /// Say what is wrong and change nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum DevicesCommand {
    /// List devices by id
    List {
        /// Those of this user
        #[arg(long, value_name = "USER")]
        user: Option<String>,
        /// Those after this id
        #[arg(long, value_name = "ID")]
        after: Option<DeviceId>,
        #[command(flatten)]
        paging: Paging,
        #[command(flatten)]
        common: Common,
    },
    /// Sign a device out and close its sockets at once
    Revoke {
        /// Its id
        device: DeviceId,
        #[command(flatten)]
        common: Common,
    },
}

/// Flags of `loquat admin audit`.
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// Those before this one
    #[arg(long, value_name = "ID")]
    pub(crate) before: Option<u64>,
    #[command(flatten)]
    pub(crate) paging: Paging,
    #[command(flatten)]
    pub(crate) common: Common,
}
