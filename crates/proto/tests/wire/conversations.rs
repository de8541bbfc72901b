use loquat_proto::conversation::{
    AddMembers, ChangeRole, CreateConversation, Cursor, OwnMembership, Receipts, Typing, UpdateConversation,
    UpdatePreferences,
};
use loquat_proto::event::SettingsBody;
use loquat_proto::invite::CreateInvite;
use loquat_proto::{
    Conversation, ConversationKind, History, Invite, InvitePreview, Member, Permissions, Retention, Role,
};

use crate::accounts::profile;
use crate::common::{NOW, ada, bob, harvest, nonce, snapshots};
use crate::messages::message;

pub fn permissions() -> Permissions {
    Permissions { post: Role::Member, invite: Role::Admin, edit_info: Role::Admin, pin: Role::Admin }
}

pub fn group() -> Conversation {
    Conversation {
        id: harvest(),
        kind: ConversationKind::Group,
        title: "Harvest".to_owned(),
        description: "Who picks when".to_owned(),
        avatar: Some("7".to_owned()),
        owner: Some(ada()),
        member_count: 3,
        head: 42,
        visible_from: 1,
        history: History::Full,
        created_at: NOW,
        last_activity: NOW + 1,
        last_message: Some(message()),
        retention: Retention::Keep,
        erased_to: 0,
        expired_to: 0,
        permissions: permissions(),
        slow_mode_ms: 5_000,
        peer: None,
        me: OwnMembership {
            role: Role::Member,
            delivered: 42,
            read: 40,
            unread: 2,
            mentions: 1,
            muted_until: Some(NOW + 2),
            pinned: true,
            archived: false,
            draft: Some("half a".to_owned()),
        },
        cursors: vec![Cursor { user: ada(), delivered: 42, read: 41 }],
    }
}

fn direct() -> Conversation {
    let me = OwnMembership {
        role: Role::Member,
        delivered: 0,
        read: 0,
        unread: 0,
        mentions: 0,
        muted_until: None,
        pinned: false,
        archived: true,
        draft: None,
    };
    Conversation {
        kind: ConversationKind::Direct,
        title: String::new(),
        description: String::new(),
        avatar: None,
        owner: None,
        member_count: 2,
        head: 0,
        visible_from: 3,
        history: History::Joined,
        last_message: None,
        slow_mode_ms: 0,
        peer: Some(profile()),
        me,
        cursors: Vec::new(),
        ..group()
    }
}

fn member() -> Member {
    Member { user: ada(), profile: profile(), role: Role::Owner, joined_at: NOW, delivered: 42, read: 41 }
}

fn create() -> CreateConversation {
    CreateConversation {
        kind: ConversationKind::Channel,
        members: vec![ada(), bob()],
        title: Some("Harvest".to_owned()),
        description: Some("Who picks when".to_owned()),
        history: Some(History::Joined),
        retention: Some(Retention::UntilDelivered),
    }
}

pub fn settings() -> SettingsBody {
    SettingsBody {
        title: Some("Harvest 2".to_owned()),
        description: Some(String::new()),
        avatar: Some(None),
        retention: Some(Retention::Ttl { seconds: 86_400 }),
        permissions: Some(permissions()),
        slow_mode_ms: Some(0),
    }
}

fn preferences() -> UpdatePreferences {
    UpdatePreferences {
        muted_until: Some(Some(NOW)),
        pinned: Some(true),
        archived: Some(false),
        draft: Some(Some("half a".to_owned())),
    }
}

fn invite() -> Invite {
    Invite {
        code: "pZ0nX4c7Tq2mL8vWb1sKdA".to_owned(),
        url: "https://chat.example/join/pZ0nX4c7Tq2mL8vWb1sKdA".to_owned(),
        uses: 3,
        max_uses: Some(10),
        expires_at: Some(NOW + 86_400_000),
        conversation: harvest(),
        creator: ada(),
        created_at: NOW,
    }
}

fn preview() -> InvitePreview {
    InvitePreview {
        title: "Harvest".to_owned(),
        kind: ConversationKind::Channel,
        member_count: 5_000,
        conversation: None,
    }
}

snapshots! {
    create_invite: CreateInvite { max_uses: Some(10), expires_in: Some(86_400), nonce: Some(nonce()) };
    an_invite: invite();
    an_invite_without_bounds: Invite { uses: 0, max_uses: None, expires_at: None, ..invite() };
    invite_preview: preview();
    invite_preview_of_a_member: InvitePreview { conversation: Some(harvest()), ..preview() };
    conversation_group: group();
    conversation_direct: direct();
    a_member: member();
    kinds: [ConversationKind::Direct, ConversationKind::Group, ConversationKind::Channel];
    histories: [History::Full, History::Joined];
    roles: [Role::Guest, Role::Member, Role::Admin, Role::Owner];
    retentions: [Retention::Keep, Retention::Ttl { seconds: 60 }, Retention::UntilDelivered];
    create_conversation: create();
    update_conversation: UpdateConversation { nonce: Some(nonce()), settings: settings() };
    add_members: AddMembers { users: vec![bob()], nonce: Some(nonce()) };
    change_role: ChangeRole { role: Role::Admin, nonce: None };
    receipts: Receipts { delivered: Some(42), read: Some(41) };
    receipts_of_one_cursor: Receipts { delivered: None, read: Some(41) };
    typing: Typing { on: true };
    update_preferences: preferences();
    update_preferences_clears: UpdatePreferences {
        muted_until: Some(None),
        draft: Some(None),
        ..UpdatePreferences::default()
    };
}

#[test]
fn roles_are_ordered_from_the_least() {
    assert!(Role::Guest < Role::Member && Role::Member < Role::Admin && Role::Admin < Role::Owner);
}

#[test]
fn a_creation_needs_only_its_kind() {
    let create: CreateConversation = serde_json::from_str(r#"{"kind":"group"}"#).unwrap();
    assert_eq!((create.kind, create.members, create.title), (ConversationKind::Group, Vec::new(), None));
}

#[test]
fn an_update_tells_absent_from_null() {
    let update: UpdateConversation = serde_json::from_str(r#"{"title":"x"}"#).unwrap();
    assert_eq!(update.settings, SettingsBody { title: Some("x".to_owned()), ..SettingsBody::default() });
    let update: UpdateConversation = serde_json::from_str(r#"{"avatar":null}"#).unwrap();
    assert_eq!(update.settings.avatar, Some(None));
    assert!(serde_json::from_str::<UpdateConversation>("{}").unwrap().settings.is_empty());
}
