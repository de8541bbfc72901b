//! Carries out what the state asks for.
//!
//! What the SDK does on this device is done at once and in order; what takes the network's time is spawned and answers
//! with a message.

use std::io;

use loquat_client::view::Change as QueuedChange;
use loquat_client::{Client, Error};
use loquat_proto::account::{LogIn, SignUp};
use loquat_proto::conversation::CreateConversation;
use loquat_proto::event::SettingsBody;
use loquat_proto::{Conversation, ConversationId, ErrorBody, Nonce, OwnProfile, UserId};

use super::{Runtime, browser, export, people};
use crate::app::Message;
use crate::app::effect::{Change, Device, Effect, GroupAction, Network, Terminal};
use crate::app::message::Done;
use crate::text::sanitise;
use crate::words::describe;

/// Messages that a search brings at most.
const MOST_HITS: usize = 100;

/// Whether the loop goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    GoOn,
    Quit,
}

impl Runtime {
    pub(super) async fn carry_out(&mut self, effect: Effect) -> io::Result<After> {
        match effect {
            Effect::Quit => return Ok(After::Quit),
            Effect::Terminal(Terminal::Suspend) => self.terminal.suspend()?,
            Effect::Terminal(Terminal::Title { unread }) => self.terminal.set_title(unread)?,
            Effect::Terminal(Terminal::Copy(text)) => self.terminal.copy(&text)?,
            Effect::Terminal(Terminal::OpenLink(url)) => self
                .spawn(async move { Message::Done { what: Done::Link, result: browser::open(&url).await } }),
            Effect::Terminal(Terminal::Preferences(preferences)) => {
                self.terminal.set_mouse(preferences.mouse)?;
                self.inbox.push_back(Message::Preferred(preferences));
                if let Err(error) = preferences.save(&self.directory) {
                    let text = format!("The choice is not kept: {error}");
                    self.inbox.push_back(Message::Failed(text));
                }
            }
            Effect::Device(task) => {
                self.stale.timeline |= matches!(task, Device::Open(_));
                match on_this_device(&self.client, task).await {
                    Ok(None) => {}
                    Ok(Some(news)) => self.inbox.push_back(news),
                    // A conversation or session that has just gone is no news.
                    Err(Error::NoSuchConversation | Error::SignedOut | Error::Closed) => {}
                    Err(error) => self.inbox.push_back(Message::Failed(describe(&error))),
                }
            }
            Effect::Network(task) => {
                let client = self.client.clone();
                self.spawn(async move { over_the_network(&client, task).await });
            }
        }
        Ok(After::GoOn)
    }
}

/// Does it, and says what the state is to know of it.
async fn on_this_device(client: &Client, task: Device) -> Result<Option<Message>, Error> {
    match task {
        Device::ReconnectNow => client.reconnect_now(),
        Device::Open(id) => client.open_conversation(id).await?,
        Device::Close(id) => client.close_conversation(id).await?,
        Device::LoadOlder(id) => client.load_older(id).await?,
        Device::Change { conversation, change } => change_log(client, conversation, change).await?,
        Device::Retry(nonce) => client.retry(nonce).await?,
        Device::Discard(nonce) => client.discard(nonce).await?,
        Device::SettleRefused { nonce, error } => return settle_refused(client, nonce, error).await,
        Device::MarkRead { conversation, seq } => client.mark_read(conversation, seq).await?,
        Device::Typing { conversation, on } => client.set_typing(conversation, on).await?,
        Device::SaveDraft { conversation, text } => client.set_draft(conversation, text).await?,
        Device::Watch(users) => client.watch(users).await?,
        Device::LearnProfiles(users) => return learn_profiles(client, users).await.map(Some),
        Device::Status(state) => client.set_status(state).await?,
        Device::Backfill(id) => client.backfill(id).await?,
    }
    Ok(None)
}

async fn change_log(client: &Client, conversation: ConversationId, change: Change) -> Result<(), Error> {
    match change {
        Change::Send(body) => client.send(conversation, body).await,
        Change::Edit { target, body } => client.edit(conversation, target, body).await,
        Change::Delete(target) => client.delete(conversation, target).await,
        Change::React { target, emoji, on } => client.react(conversation, target, &emoji, on).await,
        Change::Pin { target, on } => client.pin(conversation, target, on).await,
    }
    .map(|_nonce| ())
}

/// A refused message stays in the timeline, where it can be retried or dropped. A refused edit, deletion or reaction
/// has no place there: it is dropped, and the user is told.
async fn settle_refused(client: &Client, nonce: Nonce, error: ErrorBody) -> Result<Option<Message>, Error> {
    let entry = client.outbox().await?.into_iter().find(|entry| entry.nonce == nonce);
    let what = match entry.map(|entry| entry.change) {
        None | Some(QueuedChange::Send { .. }) => return Ok(None),
        Some(QueuedChange::Edit { .. }) => "The edit",
        Some(QueuedChange::Delete { .. }) => "The deletion",
        Some(QueuedChange::React { .. }) => "The reaction",
        Some(QueuedChange::Pin { .. }) => "The pin",
    };
    client.discard(nonce).await?;
    let reason = if error.detail.trim().is_empty() { error.code.title().to_owned() } else { error.detail };
    Ok(Some(Message::Failed(format!("{what} was refused: {}", sanitise::line(&reason)))))
}

/// Those who are known on this device; the SDK fetches the others and tells when they have come.
async fn learn_profiles(client: &Client, users: Vec<UserId>) -> Result<Message, Error> {
    let mut known = Vec::new();
    for user in users {
        known.extend(client.profile(user).await?);
    }
    Ok(Message::Profiles(known))
}

async fn over_the_network(client: &Client, task: Network) -> Message {
    match task {
        Network::LogIn { login, password } => {
            let credentials = LogIn { login, password, device: None, cookie: false };
            signed_in(client.log_in(credentials).await)
        }
        Network::SignUp { username, display_name, password } => {
            let account = SignUp {
                username,
                password,
                display_name,
                email: None,
                phone: None,
                device: None,
                cookie: false,
            };
            signed_in(client.sign_up(account).await)
        }
        Network::LogOut => match client.log_out().await {
            Ok(()) => Message::SignedOut,
            Err(error) => Message::Failed(describe(&error)),
        },
        Network::Search(query) => {
            let people = client.search_users(&query).await.map_err(|error| describe(&error));
            Message::Found { query, people }
        }
        Network::LoadMembers { conversation, cursor } => {
            let page = client.members_page(conversation, cursor.as_deref()).await;
            let members = page.map_err(|error| describe(&error));
            Message::Members { conversation, from: cursor, members }
        }
        Network::CreateDirect(user) => created(client.create_direct(user).await),
        Network::CreateGroup { kind, title, members } => {
            let wanted = CreateConversation {
                kind,
                members,
                title: Some(title),
                description: None,
                history: None,
                retention: None,
            };
            created(client.create(&wanted).await)
        }
        Network::Manage { conversation, action } => {
            let result = manage(client, conversation, action).await.map_err(|error| describe(&error));
            Message::Managed { conversation, result }
        }
        Network::Preferences { conversation, update } => {
            let result = client.set_preferences(conversation, update).await.map_err(|error| describe(&error));
            Message::Managed { conversation, result }
        }
        other => over_the_network_too(client, other).await,
    }
}

/// What was asked for in popups.
async fn over_the_network_too(client: &Client, task: Network) -> Message {
    let done = |what, result: Result<(), Error>| Message::Done {
        what,
        result: result.map_err(|error| describe(&error)),
    };
    match task {
        Network::DeleteAccount(password) => match client.delete_account(password).await {
            Ok(()) => Message::SignedOut,
            Err(error) => done(Done::Password, Err(error)),
        },
        Network::SearchMessages { query, conversation } => {
            let hits = client.search_messages(&query, conversation, MOST_HITS).await;
            Message::Hits { query, conversation, hits: hits.map_err(|error| describe(&error)) }
        }
        Network::Export => export::save(client).await,
        Network::LoadContacts => people::book(client).await,
        Network::Contact { user, action } => people::contact(client, user, action).await,
        Network::LoadDevices => Message::Devices(client.devices().await.map_err(|error| describe(&error))),
        Network::RevokeDevice(device) => done(Done::Devices, client.revoke_device(device).await),
        Network::LoadInvites(conversation) => people::invites(client, conversation).await,
        Network::CreateInvite { conversation, max_uses, expires_in } => {
            people::invite(client, conversation, (max_uses, expires_in)).await
        }
        Network::RevokeInvite { conversation, code } => {
            done(Done::Invites(conversation), client.revoke_invite(conversation, &code).await)
        }
        Network::PreviewInvite(code) => people::preview(client, code).await,
        Network::Join(code) => created(client.join(&code).await),
        Network::LoadPins(conversation) => {
            let pins = client.pinned(conversation).await.map_err(|error| describe(&error));
            Message::Pins { conversation, pins }
        }
        Network::UpdateProfile(update) => match client.update_profile(*update).await {
            Ok(own) => Message::OwnProfile(Box::new(own)),
            Err(error) => done(Done::Profile, Err(error)),
        },
        Network::ChangePassword { current, new } => {
            done(Done::Password, client.change_password(current, new).await)
        }
        _ => Message::Failed("Nothing was done".to_owned()),
    }
}

async fn manage(client: &Client, conversation: ConversationId, action: GroupAction) -> Result<(), Error> {
    match action {
        GroupAction::Add(users) => client.add_members(conversation, users).await,
        GroupAction::Remove(user) => client.remove_member(conversation, user).await,
        GroupAction::ChangeRole(user, role) => client.change_role(conversation, user, role).await,
        GroupAction::Leave => client.leave(conversation).await,
        GroupAction::Delete => client.delete_conversation(conversation).await,
        GroupAction::Update(settings) => {
            client.update_conversation(conversation, *settings).await.map(|_| ())
        }
        GroupAction::SetTitle(title) => {
            let settings = SettingsBody { title: Some(title), ..SettingsBody::default() };
            client.update_conversation(conversation, settings).await.map(|_| ())
        }
    }
}

fn signed_in(result: Result<OwnProfile, Error>) -> Message {
    match result {
        Ok(profile) => Message::SignedIn(profile.profile),
        Err(error) => Message::SignInFailed(describe(&error)),
    }
}

fn created(result: Result<Conversation, Error>) -> Message {
    Message::Created(result.map(|conversation| conversation.id).map_err(|error| describe(&error)))
}
