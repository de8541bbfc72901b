#![allow(unused_variables, unused_imports, clippy::all)]
//! The handle of the client.
use crate::{ClientConfig, ConnectionState, Error, Subscription};
use loquat_engine::view::*;
use loquat_proto::account::*;
use loquat_proto::conversation::*;
use loquat_proto::event::*;
use loquat_proto::message::*;
use loquat_proto::*;
/// A cheap handle.
#[derive(Clone, Debug)]
pub struct Client {}
impl Client {
    /// See API.md.
    pub async fn open(config: ClientConfig) -> Result<Self, Error> {
        todo!()
    }
    /// See API.md.
    pub async fn resume(&self) -> Result<Option<OwnProfile>, Error> {
        todo!()
    }
    /// See API.md.
    pub async fn sign_up(&self, account: SignUp) -> Result<OwnProfile, Error> {
        todo!()
    }
    /// See API.md.
    pub async fn log_in(&self, credentials: LogIn) -> Result<OwnProfile, Error> {
        todo!()
    }
    /// See API.md.
    pub async fn log_out(&self) -> Result<(), Error> {
        todo!()
    }
    /// See API.md.
    pub async fn close(&self) {
        todo!()
    }
    /// See API.md.
    pub fn me(&self) -> Option<OwnProfile> {
        todo!()
    }
    /// See API.md.
    pub fn subscribe(&self) -> Subscription {
        todo!()
    }
    /// See API.md.
    pub fn connection(&self) -> ConnectionState {
        todo!()
    }
    /// See API.md.
    pub fn reconnect_now(&self) {
        todo!()
    }
    /// See API.md.
    pub async fn caught_up(&self) -> Result<(), Error> {
        todo!()
    }
    /// See API.md.
    pub async fn conversations(&self) -> Result<Vec<ConversationSummary>, Error> {
        todo!()
    }
    /// See API.md.
    pub async fn conversation(&self, conversation: ConversationId) -> Result<Option<Conversation>, Error> {
        todo!()
    }
    /// See API.md.
    pub async fn open_conversation(&self, conversation: ConversationId) -> Result<(), Error> {
        todo!()
    }
    /// See API.md.
    pub async fn close_conversation(&self, conversation: ConversationId) -> Result<(), Error> {
        todo!()
    }
    /// See API.md.
    pub async fn timeline(&self, conversation: ConversationId) -> Result<Option<Timeline>, Error> {
        todo!()
    }
    /// See API.md.
    pub async fn load_older(&self, conversation: ConversationId) -> Result<(), Error> {
        todo!()
    }
    /// See API.md.
    pub async fn send(&self, conversation: ConversationId, body: MessageBody) -> Result<Nonce, Error> {
        todo!()
    }
    /// See API.md.
    pub async fn send_text(
        &self,
        conversation: ConversationId,
        text: impl Into<String>,
    ) -> Result<Nonce, Error> {
        todo!()
    }
    /// See API.md.
    pub async fn reply(
        &self,
        conversation: ConversationId,
        target: Seq,
        text: impl Into<String>,
    ) -> Result<Nonce, Error> {
        todo!()
    }
    /// See API.md.
    pub async fn send_and_wait(
        &self,
        conversation: ConversationId,
        body: MessageBody,
    ) -> Result<Appended, Error> {
        todo!()
    }
    /// See API.md.
    pub async fn edit(
        &self,
        conversation: ConversationId,
        target: Seq,
        body: MessageBody,
    ) -> Result<Nonce, Error> {
        todo!()
    }
    /// See API.md.
    pub async fn delete(&self, conversation: ConversationId, target: Seq) -> Result<Nonce, Error> {
        todo!()
    }
    /// See API.md.
    pub async fn react(
        &self,
        conversation: ConversationId,
        target: Seq,
        emoji: &str,
        on: bool,
    ) -> Result<Nonce, Error> {
        todo!()
    }
    /// See API.md.
    pub async fn pin(&self, conversation: ConversationId, target: Seq, on: bool) -> Result<Nonce, Error> {
        todo!()
    }
    /// See API.md.
    pub async fn outbox(&self) -> Result<Vec<OutboxEntry>, Error> {
        todo!()
    }
    /// See API.md.
    pub async fn retry(&self, nonce: Nonce) -> Result<(), Error> {
        todo!()
    }
    /// See API.md.
    pub async fn discard(&self, nonce: Nonce) -> Result<(), Error> {
        todo!()
    }
    /// See API.md.
    pub async fn flush(&self) -> Result<(), Error> {
        todo!()
    }
    /// See API.md.
    pub async fn mark_read(&self, conversation: ConversationId, seq: Seq) -> Result<(), Error> {
        todo!()
    }
    /// See API.md.
    pub async fn set_typing(&self, conversation: ConversationId, on: bool) -> Result<(), Error> {
        todo!()
    }
    /// See API.md.
    pub async fn set_draft(&self, conversation: ConversationId, text: Option<String>) -> Result<(), Error> {
        todo!()
    }
    /// See API.md.
    pub async fn watch(&self, users: Vec<UserId>) -> Result<(), Error> {
        todo!()
    }
    /// See API.md.
    pub async fn presence(&self, user: UserId) -> Result<Option<Presence>, Error> {
        todo!()
    }
    /// See API.md.
    pub async fn set_status(&self, state: PresenceState) -> Result<(), Error> {
        todo!()
    }
    /// See API.md.
    pub async fn profile(&self, user: UserId) -> Result<Option<Profile>, Error> {
        todo!()
    }
    /// See API.md.
    pub async fn create_direct(&self, user: UserId) -> Result<Conversation, Error> {
        todo!()
    }
    /// See API.md.
    pub async fn create_group(&self, title: &str, members: Vec<UserId>) -> Result<Conversation, Error> {
        todo!()
    }
    /// See API.md.
    pub async fn search_users(&self, query: &str) -> Result<Vec<Profile>, Error> {
        todo!()
    }
    /// See API.md.
    pub async fn members(&self, conversation: ConversationId) -> Result<Vec<Member>, Error> {
        todo!()
    }
    /// See API.md.
    pub async fn add_members(&self, conversation: ConversationId, users: Vec<UserId>) -> Result<(), Error> {
        todo!()
    }
    /// See API.md.
    pub async fn remove_member(&self, conversation: ConversationId, user: UserId) -> Result<(), Error> {
        todo!()
    }
    /// See API.md.
    pub async fn change_role(
        &self,
        conversation: ConversationId,
        user: UserId,
        role: Role,
    ) -> Result<(), Error> {
        todo!()
    }
    /// See API.md.
    pub async fn leave(&self, conversation: ConversationId) -> Result<(), Error> {
        todo!()
    }
    /// See API.md.
    pub async fn update_conversation(
        &self,
        conversation: ConversationId,
        settings: SettingsBody,
    ) -> Result<Conversation, Error> {
        todo!()
    }
    /// See API.md.
    pub async fn delete_conversation(&self, conversation: ConversationId) -> Result<(), Error> {
        todo!()
    }
    /// See API.md.
    pub async fn set_preferences(
        &self,
        conversation: ConversationId,
        preferences: UpdatePreferences,
    ) -> Result<(), Error> {
        todo!()
    }
    /// See API.md.
    pub async fn devices(&self) -> Result<Vec<Device>, Error> {
        todo!()
    }
    /// See API.md.
    pub async fn revoke_device(&self, device: DeviceId) -> Result<(), Error> {
        todo!()
    }
    /// See API.md.
    pub async fn change_password(&self, current: Secret, new: Secret) -> Result<(), Error> {
        todo!()
    }
    /// See API.md.
    pub async fn update_profile(&self, update: UpdateProfile) -> Result<OwnProfile, Error> {
        todo!()
    }
    /// See API.md.
    pub async fn server_info(&self) -> Result<ServerInfo, Error> {
        todo!()
    }
    /// See API.md.
    pub async fn log(&self, conversation: ConversationId, after: Seq) -> Result<LogStream, Error> {
        todo!()
    }
}
/// The log of one conversation as a stream.
#[derive(Debug)]
pub struct LogStream {}
impl LogStream {
    /// The next event; `None` once the client is closed or the conversation was left.
    pub async fn next(&mut self) -> Option<Event> {
        todo!()
    }
}
