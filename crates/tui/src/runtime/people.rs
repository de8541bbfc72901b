//! Contacts, invitations and pins, from the SDK's shapes to those of the screens.

use loquat_client::{Client, Error};
use loquat_proto::contact::Direction;
use loquat_proto::invite::CreateInvite;
use loquat_proto::{ConversationId, UserId};

use crate::app::Message;
use crate::app::effect::ContactAction;
use crate::app::message::Done;
use crate::app::social::{Asked, ContactBook, Invitation, Preview};
use crate::words::describe;

/// Contacts, requests and blocks.
pub(super) async fn book(client: &Client) -> Message {
    let load = async {
        let contacts = client.contacts().await?.into_iter().map(|contact| contact.profile).collect();
        let requests = client.contact_requests().await?;
        let requests = requests
            .into_iter()
            .map(|request| Asked {
                is_incoming: request.direction == Direction::In,
                at: request.created_at,
                profile: request.profile,
            })
            .collect();
        let blocked = client.blocks().await?.into_iter().map(|block| block.profile).collect();
        Ok::<_, Error>(ContactBook { contacts, requests, blocked })
    };
    Message::Contacts(load.await.map_err(|error| describe(&error)))
}

/// Changes how the user stands with another one.
pub(super) async fn contact(client: &Client, user: UserId, action: ContactAction) -> Message {
    let result = match action {
        ContactAction::Request => client.request_contact(user).await.map(|_| ()),
        ContactAction::Accept => client.accept_contact(user).await.map(|_| ()),
        ContactAction::Decline => client.decline_contact(user).await,
        ContactAction::Remove => client.remove_contact(user).await,
        ContactAction::Block => client.block(user).await,
        ContactAction::Unblock => client.unblock(user).await,
    };
    Message::Done { what: Done::Contacts, result: result.map_err(|error| describe(&error)) }
}

/// The invitations to a conversation.
pub(super) async fn invites(client: &Client, conversation: ConversationId) -> Message {
    let invites = client.invites(conversation).await.map(|invites| {
        invites
            .into_iter()
            .map(|invite| Invitation {
                code: invite.code,
                url: invite.url,
                uses: invite.uses,
                max_uses: invite.max_uses,
                expires_at: invite.expires_at,
            })
            .collect()
    });
    Message::Invites { conversation, invites: invites.map_err(|error| describe(&error)) }
}

/// Makes an invitation.
pub(super) async fn invite(
    client: &Client,
    conversation: ConversationId,
    (max_uses, expires_in): (Option<u64>, Option<u64>),
) -> Message {
    let wanted = CreateInvite { max_uses, expires_in, nonce: None };
    let result = client.create_invite(conversation, &wanted).await.map(|_| ());
    Message::Done { what: Done::Invites(conversation), result: result.map_err(|error| describe(&error)) }
}

/// What an invitation leads to.
pub(super) async fn preview(client: &Client, code: String) -> Message {
    let preview = client.preview_invite(&code).await.map(|preview| Preview {
        title: preview.title,
        kind: preview.kind,
        member_count: preview.member_count,
    });
    Message::Previewed { code, preview: preview.map_err(|error| describe(&error)) }
}
