//! A signed-in client for the scripting commands, and finding the conversation that they are about.

use std::time::Duration;

use loquat_client::{Client, ClientConfig, Error, Storage};
use loquat_proto::{ConversationId, OwnProfile};
use tokio::time::{Instant, sleep};

use crate::cli::Target;
use crate::runtime::{open_client, sign_in};
use crate::settings::ConnectOptions;
use crate::words::describe;

/// Between two tries of a call that did not reach the server.
const RETRY: Duration = Duration::from_millis(250);

/// At the end the device store gets this long to finish writing.
const CLOSING_TIME: Duration = Duration::from_secs(5);

/// Why there is no session, or no conversation.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The SDK failed, or the server refused.
    #[error("{}", describe(.0))]
    Client(#[from] Error),
    /// Nobody is signed in on this device, and there is no password to do it with.
    #[error(
        "nobody is signed in on this profile: give --user and --password-file, or run `loquat chat` once"
    )]
    NobodySignedIn,
    /// Another user is signed in on this device.
    #[error("this profile belongs to {there}, not to {wanted}: take another --profile")]
    OtherUser {
        /// Who was asked for.
        wanted: String,
        /// Who is signed in.
        there: String,
    },
    /// No user has that name.
    #[error("there is no user {0:?}")]
    NoSuchUser(String),
    /// The own user is no member of such a conversation.
    #[error("there is no conversation {0} of yours")]
    NoSuchConversation(ConversationId),
    /// The server could not be reached in time.
    #[error("the server could not be reached within {} s", .0.as_secs_f32())]
    Offline(Duration),
}

impl SessionError {
    /// The exit code: 1 refused, 2 usage, 3 out of reach.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Offline(_) | Self::Client(Error::Offline(_)) => 3,
            Self::Client(Error::Refused(_)) | Self::NoSuchUser(_) | Self::NoSuchConversation(_) => 1,
            Self::Client(_) | Self::NobodySignedIn | Self::OtherUser { .. } => 2,
        }
    }
}

/// A client that somebody is signed in with.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) me: OwnProfile,
    /// Signed in for this run only, because another program has the profile's store: signed out at the end.
    is_temporary: bool,
}

impl Session {
    /// Opens the profile's store and signs in, if nobody is. Where another program has the store open and there is a
    /// password, this run gets a device of its own that is gone afterwards.
    pub(crate) async fn begin(
        options: &ConnectOptions,
        deadline: Option<Instant>,
    ) -> Result<Self, SessionError> {
        let credentials = options.user.clone().zip(options.password.clone());
        let (client, is_temporary) = match open_client(options).await {
            Ok(client) => (client, false),
            Err(Error::StoreInUse) if credentials.is_some() => (open_in_memory(options).await?, true),
            Err(error) => return Err(error.into()),
        };
        let me = match client.resume().await? {
            Some(me) => me,
            None => {
                let (user, password) = credentials.ok_or(SessionError::NobodySignedIn)?;
                until_reached(deadline, || {
                    sign_in(&client, user.clone(), password.clone(), options.sign_up && !is_temporary)
                })
                .await?
            }
        };
        if let Some(wanted) = options.user.as_ref().filter(|wanted| **wanted != me.profile.username) {
            let there = me.profile.username.clone();
            client.close().await;
            return Err(SessionError::OtherUser { wanted: wanted.clone(), there });
        }
        Ok(Self { client, me, is_temporary })
    }

    /// The conversation that is meant; the one of two with a user is made if it is not there.
    pub(crate) async fn find(
        &self,
        target: &Target,
        deadline: Option<Instant>,
    ) -> Result<ConversationId, SessionError> {
        match target {
            Target::Conversation(id) => self.known(*id, deadline).await,
            Target::User(username) => {
                if let Some(id) = self.known_direct(username).await? {
                    return Ok(id);
                }
                until_reached(deadline, || self.make_direct(username)).await
            }
        }
    }

    /// Ends the session in order.
    pub(crate) async fn end(self) {
        let ending = async {
            if self.is_temporary {
                // Out of reach the device stays listed until it is revoked: nothing is lost by that.
                let _ = self.client.log_out().await;
            }
            self.client.close().await;
        };
        let _ = tokio::time::timeout(CLOSING_TIME, ending).await;
    }

    async fn known(
        &self,
        id: ConversationId,
        deadline: Option<Instant>,
    ) -> Result<ConversationId, SessionError> {
        if self.client.conversation(id).await?.is_some() {
            return Ok(id);
        }
        caught_up(&self.client, deadline).await?;
        let known = self.client.conversation(id).await?;
        known.map(|known| known.id).ok_or(SessionError::NoSuchConversation(id))
    }

    /// The conversation with a user whose name this device knows: works out of reach, too.
    async fn known_direct(&self, username: &str) -> Result<Option<ConversationId>, SessionError> {
        for row in self.client.conversations().await? {
            let Some(peer) = row.peer else { continue };
            let profile = self.client.profile(peer).await?;
            if profile.is_some_and(|profile| profile.username == username) {
                return Ok(Some(row.id));
            }
        }
        Ok(None)
    }

    async fn make_direct(&self, username: &str) -> Result<ConversationId, SessionError> {
        let found = self.client.search_users(username).await?;
        let user = found.into_iter().find(|profile| profile.username == username);
        let user = user.ok_or_else(|| SessionError::NoSuchUser(username.to_owned()))?;
        Ok(self.client.create_direct(user.id).await?.id)
    }
}

async fn open_in_memory(options: &ConnectOptions) -> Result<Client, Error> {
    let mut config = ClientConfig::new(options.server.as_str(), Storage::Memory);
    config.client_name = concat!("loquat-tui/", env!("CARGO_PKG_VERSION")).to_owned();
    config.device.name = "Script".to_owned();
    Client::open(config).await
}

/// Waits for the first catch-up, until the deadline if there is one.
pub(crate) async fn caught_up(client: &Client, deadline: Option<Instant>) -> Result<(), SessionError> {
    let Some(deadline) = deadline else { return Ok(client.caught_up().await?) };
    let begun = Instant::now();
    match tokio::time::timeout_at(deadline, client.caught_up()).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(SessionError::Offline(begun.elapsed())),
    }
}

/// Repeats a call that does not reach the server until it does, or until the deadline.
async fn until_reached<T, E, F>(
    deadline: Option<Instant>,
    mut call: impl FnMut() -> F,
) -> Result<T, SessionError>
where
    F: Future<Output = Result<T, E>>,
    E: Into<SessionError>,
{
    let begun = Instant::now();
    loop {
        match call().await.map_err(Into::into) {
            Err(SessionError::Client(Error::Offline(_))) => {}
            result => return result,
        }
        if deadline.is_some_and(|deadline| Instant::now() + RETRY >= deadline) {
            return Err(SessionError::Offline(begun.elapsed()));
        }
        sleep(RETRY).await;
    }
}
