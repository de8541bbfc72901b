use loquat_proto::account::{
    ChangePassword, Connect, DeleteAccount, DeviceInfo, FindBy, LastSeenAudience, LogIn, PrivacyChange,
    Refresh, Secret, SignUp, UpdateProfile,
};
use loquat_proto::presence::{Heartbeat, HeartbeatAnswer};
use loquat_proto::{Device, OwnProfile, Presence, PresenceState, Privacy, Profile, Session, UserKind};
use serde_json::json;

use crate::common::{NOW, ada, bob, device, snapshots};

pub fn profile() -> Profile {
    Profile {
        id: ada(),
        username: "ada".to_owned(),
        display_name: "Ada 🍋".to_owned(),
        bio: "Counts.".to_owned(),
        avatar: Some("5".to_owned()),
        kind: UserKind::Person,
        deleted: false,
    }
}

fn deleted() -> Profile {
    let (username, display_name, bio) = (String::new(), String::new(), String::new());
    Profile { id: bob(), username, display_name, bio, avatar: None, kind: UserKind::Bot, deleted: true }
}

fn own() -> OwnProfile {
    let privacy = Privacy {
        last_seen: LastSeenAudience::Contacts,
        read_receipts: false,
        find_by: vec![FindBy::Username, FindBy::Email, FindBy::Phone],
    };
    OwnProfile {
        profile: profile(),
        email: Some("ada@example.org".to_owned()),
        phone: Some("+15550100".to_owned()),
        settings: json!({"theme": "dark"}),
        privacy,
    }
}

fn own_device() -> Device {
    let (name, platform) = ("Laptop".to_owned(), "linux".to_owned());
    Device { id: device(), name, platform, created_at: NOW, last_seen: Some(NOW + 1), current: true }
}

fn session(refresh_token: Option<Secret>) -> Session {
    let access_token = Secret("header.payload.signature".to_owned());
    Session { user: own(), device: own_device(), access_token, refresh_token, expires_in: 900 }
}

fn password() -> Secret {
    Secret("correct horse".to_owned())
}

fn sign_up_with(device: Option<DeviceInfo>) -> SignUp {
    SignUp {
        username: "ada".to_owned(),
        password: password(),
        display_name: Some("Ada".to_owned()),
        email: Some("ada@example.org".to_owned()),
        phone: Some("+15550100".to_owned()),
        device,
        cookie: true,
    }
}

fn named_device() -> DeviceInfo {
    DeviceInfo { name: "Laptop".to_owned(), platform: "linux".to_owned() }
}

fn update() -> UpdateProfile {
    UpdateProfile {
        display_name: Some("Ada".to_owned()),
        bio: Some(String::new()),
        avatar: Some(Some("6".to_owned())),
        settings: Some(json!({})),
        privacy: Some(Privacy { last_seen: LastSeenAudience::Nobody, ..Privacy::default() }.into()),
    }
}

snapshots! {
    profile_of_a_person: profile();
    profile_of_a_deleted_bot: deleted();
    own_profile: own();
    privacy_as_it_is_at_first: Privacy::default();
    a_device: own_device();
    session_with_a_refresh_token: session(Some(Secret("refresh".to_owned())));
    session_with_a_cookie: session(None);
    sign_up: sign_up_with(Some(named_device()));
    log_in: LogIn { login: "ada".to_owned(), password: password(), device: Some(named_device()), cookie: false };
    refresh: Refresh { refresh_token: Some(Secret("refresh".to_owned())) };
    refresh_by_cookie: Refresh { refresh_token: None };
    change_password: ChangePassword { current: password(), new: Secret("battery staple".to_owned()) };
    delete_account: DeleteAccount { password: password() };
    update_profile: update();
    update_profile_takes_the_avatar_away: UpdateProfile { avatar: Some(None), ..UpdateProfile::default() };
    update_privacy_in_part: UpdateProfile {
        privacy: Some(PrivacyChange { read_receipts: Some(false), ..PrivacyChange::default() }),
        ..UpdateProfile::default()
    };
    connect: Connect {
        url: "wss://chat.example.org/v1/ws".to_owned(),
        ticket: Secret("ticket".to_owned()),
        expires_in: 30,
        node: "a1".to_owned(),
    };
    presence: Presence { user: bob(), state: PresenceState::Away, last_seen: Some(NOW) };
    presence_hidden: Presence { user: bob(), state: PresenceState::Offline, last_seen: None };
    heartbeat: Heartbeat { state: PresenceState::Online };
    heartbeat_answer: HeartbeatAnswer { expires_in_ms: 30_000 };
}

#[test]
fn what_is_optional_may_be_left_out() {
    let login: LogIn = serde_json::from_str(r#"{"login":"ada","password":"correct horse"}"#).unwrap();
    assert_eq!((login.device, login.cookie), (None, false));
    let account: SignUp = serde_json::from_str(r#"{"username":"ada","password":"correct horse"}"#).unwrap();
    assert_eq!((account.email, account.cookie), (None, false));
    let update: UpdateProfile = serde_json::from_str(r#"{"avatar":null}"#).unwrap();
    assert_eq!(update, UpdateProfile { avatar: Some(None), ..UpdateProfile::default() });
}

#[test]
fn secrets_are_not_printed() {
    let printed = format!("{:?}", session(Some(Secret("refresh".to_owned()))));
    assert!(!printed.contains("payload") && !printed.contains("\"refresh\""), "{printed}");
}
