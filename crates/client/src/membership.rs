//! Making conversations, and who is in them: calls over the network. What they change comes back as events, too.

use hyper::Method;
use loquat_proto::conversation::{
    AddMembers, ChangeRole, CreateConversation, UpdateConversation, UpdatePreferences,
};
use loquat_proto::event::SettingsBody;
use loquat_proto::invite::CreateInvite;
use loquat_proto::{
    Conversation, ConversationId, ConversationKind, Invite, InvitePreview, Member, Message, Page, Role,
    UserId,
};
use serde::de::DeserializeOwned;

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

    /// A new channel, in which admins write (network). It can be opened when this returns.
    ///
    /// # Errors
    /// See [`Client::create_group`].
    pub async fn create_channel(&self, title: &str, members: Vec<UserId>) -> Result<Conversation, Error> {
        self.create(&new(ConversationKind::Channel, members, Some(title.to_owned()))).await
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
        self.all_of(&format!("/v1/conversations/{conversation}/members")).await
    }

    /// One page of members, by id (network): `cursor` is the `next_cursor` of the page before. For channels, whose
    /// members may be many.
    ///
    /// # Errors
    /// See [`Client::devices`].
    pub async fn members_page(
        &self,
        conversation: ConversationId,
        cursor: Option<&str>,
    ) -> Result<Page<Member>, Error> {
        let cursor = cursor.map_or_else(String::new, |cursor| format!("&cursor={}", escape(cursor)));
        self.get(&format!("/v1/conversations/{conversation}/members?limit=200{cursor}")).await
    }

    /// Every page of a list.
    async fn all_of<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Error> {
        let mut items = Vec::new();
        let mut page_path = format!("{path}?limit=200");
        loop {
            let page: Page<T> = self.get(&page_path).await?;
            items.extend(page.items);
            let Some(cursor) = page.next_cursor else { return Ok(items) };
            page_path = format!("{path}?limit=200&cursor={}", escape(&cursor));
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

    /// Makes an invitation (network).
    ///
    /// # Errors
    /// `forbidden`, `invalid`, `too_large`; and see [`Client::devices`].
    pub async fn create_invite(
        &self,
        conversation: ConversationId,
        wanted: &CreateInvite,
    ) -> Result<Invite, Error> {
        let path = format!("/v1/conversations/{conversation}/invites");
        self.exchange(Method::POST, &path, Some(wanted)).await
    }

    /// The invitations that work, the newest first (network).
    ///
    /// # Errors
    /// `forbidden`; and see [`Client::devices`].
    pub async fn invites(&self, conversation: ConversationId) -> Result<Vec<Invite>, Error> {
        self.all_of(&format!("/v1/conversations/{conversation}/invites")).await
    }

    /// Makes an invitation useless (network).
    ///
    /// # Errors
    /// `forbidden`, `not_found`; and see [`Client::devices`].
    pub async fn revoke_invite(&self, conversation: ConversationId, code: &str) -> Result<(), Error> {
        let path = format!("/v1/conversations/{conversation}/invites/{}", escape(code));
        self.done(Method::DELETE, &path, None::<&()>).await
    }

    /// Where an invitation leads (network).
    ///
    /// # Errors
    /// `not_found`, `gone`; and see [`Client::devices`].
    pub async fn preview_invite(&self, code: &str) -> Result<InvitePreview, Error> {
        self.get(&format!("/v1/invites/{}", escape(code))).await
    }

    /// Joins by an invitation (network). The conversation can be opened when this returns.
    ///
    /// # Errors
    /// `not_found`, `gone`, `forbidden` (removed before), `group_full`; and see [`Client::devices`].
    pub async fn join(&self, code: &str) -> Result<Conversation, Error> {
        let path = format!("/v1/invites/{}/join", escape(code));
        let conversation = self.exchange(Method::POST, &path, None::<&()>).await?;
        self.told(conversation).await
    }

    /// The pinned messages, the newest first (network).
    ///
    /// # Errors
    /// See [`Client::devices`].
    pub async fn pinned(&self, conversation: ConversationId) -> Result<Vec<Message>, Error> {
        self.all_of(&format!("/v1/conversations/{conversation}/pins")).await
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
