//! Making conversations, and who is in them: calls over the network. What they change comes back as events, too.

use hyper::Method;
use loquat_proto::conversation::{
    AddMembers, ChangeRole, CreateConversation, UpdateConversation, UpdatePreferences,
};
use loquat_proto::event::SettingsBody;
use loquat_proto::{Conversation, ConversationId, ConversationKind, Member, Page, Role, UserId};

use crate::account::escape;
use crate::driver::Request;
use crate::{Client, Error};

impl Client {
    /// The direct conversation with this user, made if there is none (network). It can be opened when this returns.
    ///
    /// # Errors
    /// `not_found`, `blocked`; and see [`Client::devices`].
    pub async fn create_direct(&self, user: UserId) -> Result<Conversation, Error> {
        self.create(&new(ConversationKind::Direct, vec![user], None)).await
    }

    /// A new group (network). It can be opened when this returns.
    ///
    /// # Errors
    /// `invalid`, `group_full`, `blocked`; and see [`Client::devices`].
    pub async fn create_group(&self, title: &str, members: Vec<UserId>) -> Result<Conversation, Error> {
        self.create(&new(ConversationKind::Group, members, Some(title.to_owned()))).await
    }

    /// A new conversation of any kind and with any settings (network). It can be opened when this returns.
    ///
    /// # Errors
    /// See [`Client::create_group`].
    pub async fn create(&self, wanted: &CreateConversation) -> Result<Conversation, Error> {
        let conversation: Conversation =
            self.exchange(Method::POST, "/v1/conversations", Some(wanted)).await?;
        self.told(conversation).await
    }

    /// The members, with roles and names (network).
    ///
    /// # Errors
    /// See [`Client::devices`].
    pub async fn members(&self, conversation: ConversationId) -> Result<Vec<Member>, Error> {
        let mut members = Vec::new();
        let mut path = format!("/v1/conversations/{conversation}/members?limit=200");
        loop {
            let page: Page<Member> = self.get(&path).await?;
            members.extend(page.items);
            let Some(cursor) = page.next_cursor else { return Ok(members) };
            let cursor = escape(&cursor);
            path = format!("/v1/conversations/{conversation}/members?limit=200&cursor={cursor}");
        }
    }

    /// Adds members (network).
    ///
    /// # Errors
    /// `forbidden`, `group_full`, `blocked`; and see [`Client::devices`].
    pub async fn add_members(&self, conversation: ConversationId, users: Vec<UserId>) -> Result<(), Error> {
        let path = format!("/v1/conversations/{conversation}/members");
        self.done(Method::POST, &path, Some(&AddMembers { users, nonce: None })).await
    }

    /// Removes a member (network).
    ///
    /// # Errors
    /// `forbidden`, `not_member`; and see [`Client::devices`].
    pub async fn remove_member(&self, conversation: ConversationId, user: UserId) -> Result<(), Error> {
        let path = format!("/v1/conversations/{conversation}/members/{user}");
        self.done(Method::DELETE, &path, None::<&()>).await
    }

    /// Gives a member another role (network).
    ///
    /// # Errors
    /// `forbidden`, `not_member`; and see [`Client::devices`].
    pub async fn change_role(
        &self,
        conversation: ConversationId,
        user: UserId,
        role: Role,
    ) -> Result<(), Error> {
        let path = format!("/v1/conversations/{conversation}/members/{user}");
        self.done(Method::PATCH, &path, Some(&ChangeRole { role, nonce: None })).await
    }

    /// Leaves a conversation (network).
    ///
    /// # Errors
    /// See [`Client::devices`].
    pub async fn leave(&self, conversation: ConversationId) -> Result<(), Error> {
        let path = format!("/v1/conversations/{conversation}/members/me");
        self.done(Method::DELETE, &path, None::<&()>).await
    }

    /// Changes settings of a conversation (network).
    ///
    /// # Errors
    /// `forbidden`, `invalid`; and see [`Client::devices`].
    pub async fn update_conversation(
        &self,
        conversation: ConversationId,
        settings: SettingsBody,
    ) -> Result<Conversation, Error> {
        let path = format!("/v1/conversations/{conversation}");
        let update = UpdateConversation { nonce: None, settings };
        let conversation = self.exchange(Method::PATCH, &path, Some(&update)).await?;
        self.told(conversation).await
    }

    /// Deletes a conversation with all its content, for everyone (network).
    ///
    /// # Errors
    /// `forbidden`; and see [`Client::devices`].
    pub async fn delete_conversation(&self, conversation: ConversationId) -> Result<(), Error> {
        self.done(Method::DELETE, &format!("/v1/conversations/{conversation}"), None::<&()>).await
    }

    /// Changes the own preferences of a conversation: muted, pinned, archived (network). Drafts go by
    /// [`Client::set_draft`].
    ///
    /// # Errors
    /// See [`Client::devices`].
    pub async fn set_preferences(
        &self,
        conversation: ConversationId,
        preferences: UpdatePreferences,
    ) -> Result<(), Error> {
        let path = format!("/v1/conversations/{conversation}/preferences");
        self.done(Method::PATCH, &path, Some(&preferences)).await
    }

    async fn told(&self, conversation: Conversation) -> Result<Conversation, Error> {
        let told = Box::new(conversation.clone());
        self.ask(|reply| Request::Told(told, reply)).await?;
        Ok(conversation)
    }
}

fn new(kind: ConversationKind, members: Vec<UserId>, title: Option<String>) -> CreateConversation {
    CreateConversation { kind, members, title, description: None, history: None, retention: None }
}
