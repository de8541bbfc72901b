//! What comes from the SDK, made harmless.
//!
//! The engine hands out texts as their writers wrote them. They are cleaned here, once, on their way into the state,
//! so that no screen can forget to: the state never holds a control character of somebody else's.

use loquat_client::Found;
use loquat_client::view::{ConversationSummary, MessageStatus, NoticeKind, Timeline, TimelineItem};
use loquat_proto::conversation::Member;
use loquat_proto::event::MemberChange;
use loquat_proto::{
    Conversation, Device, ErrorBody, Message as Content, OwnProfile, Profile, Reaction, Role,
};

use super::social::{Asked, ContactBook, Invitation, Preview};
use crate::text::sanitise::{block, line};

/// Cleans the texts of a list entry.
#[must_use]
pub fn summary(mut summary: ConversationSummary) -> ConversationSummary {
    summary.title = line(&summary.title);
    summary.draft = summary.draft.map(|draft| block(&draft));
    if let Some(last) = &mut summary.last {
        clean_line(&mut last.sender_name);
        clean_line(&mut last.text);
        last.status.as_mut().map(clean_status);
    }
    summary
}

/// Cleans the texts of a timeline.
#[must_use]
pub fn timeline(mut timeline: Timeline) -> Timeline {
    timeline.items.retain(|item| !is_creators_joining(item));
    timeline.items.iter_mut().for_each(clean_item);
    timeline
}

/// That the creator of a group joined it says nothing that its creation does not.
fn is_creators_joining(item: &TimelineItem) -> bool {
    let TimelineItem::Notice(notice) = item else { return false };
    let NoticeKind::Member(body, _) = &notice.what else { return false };
    body.change == MemberChange::Joined && body.user == body.by && body.role == Role::Owner
}

/// Cleans the texts of a profile; a user without a display name is shown by username.
#[must_use]
pub fn profile(mut profile: Profile) -> Profile {
    profile.username = line(&profile.username);
    profile.display_name = line(&profile.display_name);
    profile.bio = line(&profile.bio);
    if profile.deleted {
        "deleted account".clone_into(&mut profile.display_name);
    } else if profile.display_name.trim().is_empty() {
        profile.display_name.clone_from(&profile.username);
    }
    profile
}

/// Cleans the texts of a member.
#[must_use]
pub fn member(mut member: Member) -> Member {
    member.profile = profile(member.profile);
    member
}

/// Cleans the texts of a conversation.
#[must_use]
pub fn whole(mut conversation: Conversation) -> Conversation {
    conversation.title = line(&conversation.title);
    conversation.description = block(&conversation.description);
    conversation.peer = conversation.peer.map(profile);
    // Nothing of it is drawn from here.
    conversation.last_message = None;
    conversation
}

/// Cleans the texts of the own profile: another client may have written them.
#[must_use]
pub fn own_profile(mut own: OwnProfile) -> OwnProfile {
    own.profile = profile(own.profile);
    clean_line(&mut own.email);
    clean_line(&mut own.phone);
    own
}

/// Cleans the texts of contacts, requests and blocks.
#[must_use]
pub fn book(book: ContactBook) -> ContactBook {
    let by_name = |profiles: Vec<Profile>| {
        let mut profiles: Vec<Profile> = profiles.into_iter().map(profile).collect();
        profiles.sort_by_cached_key(|profile| profile.display_name.to_lowercase());
        profiles
    };
    let mut requests: Vec<Asked> =
        book.requests.into_iter().map(|asked| Asked { profile: profile(asked.profile), ..asked }).collect();
    requests.sort_by_key(|asked| (!asked.is_incoming, std::cmp::Reverse(asked.at)));
    ContactBook { contacts: by_name(book.contacts), requests, blocked: by_name(book.blocked) }
}

/// Cleans the texts of a device.
#[must_use]
pub fn device(mut device: Device) -> Device {
    device.name = line(&device.name);
    device.platform = line(&device.platform);
    device
}

/// Cleans the texts of an invitation.
#[must_use]
pub fn invitation(mut invitation: Invitation) -> Invitation {
    invitation.code = line(&invitation.code);
    invitation.url = line(&invitation.url);
    invitation
}

/// Cleans the texts of a preview.
#[must_use]
pub fn preview(mut preview: Preview) -> Preview {
    preview.title = line(&preview.title);
    preview
}

/// Cleans the text of a message that stands in a list.
#[must_use]
pub fn content(mut message: Content) -> Content {
    clean_line(&mut message.text);
    message
}

/// Cleans the text of a message that was found.
#[must_use]
pub fn found(mut found: Found) -> Found {
    found.text = line(&found.text);
    found
}

/// Cleans the words in which something failed: a server's detail may be among them.
#[must_use]
pub fn reason(text: impl Into<String>) -> String {
    line(&text.into())
}

fn clean_item(item: &mut TimelineItem) {
    match item {
        TimelineItem::Message(view) => {
            view.message.text = view.message.text.take().map(|text| block(&text));
            view.message.reactions.iter_mut().for_each(clean_reaction);
            clean_line(&mut view.sender_name);
            view.status.as_mut().map(clean_status);
            if let Some(reply) = &mut view.reply {
                clean_line(&mut reply.sender_name);
                clean_line(&mut reply.text);
            }
        }
        TimelineItem::Notice(notice) => {
            clean_line(&mut notice.sender_name);
            match &mut notice.what {
                NoticeKind::Member(_, name) => clean_line(name),
                NoticeKind::Settings(settings) => {
                    clean_line(&mut settings.title);
                    clean_line(&mut settings.description);
                }
            }
        }
    }
}

fn clean_reaction(reaction: &mut Reaction) {
    reaction.emoji = line(&reaction.emoji);
}

fn clean_status(status: &mut MessageStatus) {
    if let MessageStatus::Failed(ErrorBody { detail, .. }) = status {
        *detail = line(detail);
    }
}

fn clean_line(text: &mut Option<String>) {
    if let Some(text) = text {
        *text = line(text);
    }
}
