//! The rules as tables: who may do what, by role, kind and state.

use loquat_proto::event::{EditBody, PinBody, ReactionBody, SettingsBody};
use loquat_proto::{
    ConversationId, ConversationKind, DeviceId, ErrorCode, EventKind, History, Limits, MessageBody, Role,
    UserId,
};

use super::super::state::{ConversationState, MemberState, Settings};
use super::*;
use crate::conversations::default_permissions;
use crate::ports::Change;

const OWNER: u64 = 1;
const ADMIN: u64 = 2;
const MEMBER: u64 = 3;
const GUEST: u64 = 4;
const STRANGER: u64 = 9;

fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}

fn member(role: Role, joined_at: i64) -> MemberState {
    MemberState {
        role,
        joined_at,
        visible_from: 1,
        delivered: 0,
        read: 0,
        read_receipts: true,
        last_sent: None,
    }
}

fn conversation(kind: ConversationKind) -> ConversationState {
    let roles = [(OWNER, Role::Owner), (ADMIN, Role::Admin), (MEMBER, Role::Member), (GUEST, Role::Guest)];
    ConversationState {
        id: ConversationId::new(71).unwrap(),
        kind,
        head: 10,
        version: 0,
        history: History::Full,
        settings: Settings {
            title: "Harvest".to_owned(),
            description: String::new(),
            avatar: None,
            retention: loquat_proto::Retention::Keep,
            permissions: default_permissions(kind),
            slow_mode_ms: 0,
        },
        blocked: false,
        ended: false,
        members: roles
            .into_iter()
            .map(|(id, role)| (user(id), member(role, 100 + i64::try_from(id).unwrap())))
            .collect(),
    }
}

fn target(sender: u64) -> Facts {
    let facts = TargetFacts { kind: EventKind::Message, sender: user(sender), erased: false, pinned: false };
    Facts { target: Some(facts), ..Facts::default() }
}

fn erased(sender: u64) -> Facts {
    let facts = TargetFacts { kind: EventKind::Message, sender: user(sender), erased: true, pinned: false };
    Facts { target: Some(facts), ..Facts::default() }
}

/// What becomes of an act: the changes it makes, or the code of its refusal.
fn outcome(
    state: &ConversationState,
    caller: u64,
    act: &Act,
    facts: Facts,
) -> Result<Vec<Change>, ErrorCode> {
    let caller = Caller { user: user(caller), device: DeviceId::new(1).unwrap() };
    let limits = Limits { group_members: 5, ..Limits::default() };
    let scene = Scene { state, caller, now: 1_000, limits: &limits };
    match decide(scene, act, &facts) {
        Ok(Decision::Append(events)) => Ok(events.into_iter().map(|event| event.change).collect()),
        Ok(Decision::Unchanged(_)) => Ok(Vec::new()),
        Err(refusal) => Err(refusal.code()),
    }
}

fn send() -> Act {
    Act::Send(MessageBody::text("hello"))
}

fn edit() -> Act {
    Act::Edit(EditBody { target: 5, text: "new".to_owned(), format: Default::default(), mentions: vec![] })
}

fn react(on: bool) -> Act {
    Act::React(ReactionBody { target: 5, emoji: "👍".to_owned(), on })
}

fn role(of: u64, role: Role) -> Act {
    Act::ChangeRole { user: user(of), role }
}

#[test]
fn permissions_by_role_and_kind() {
    use ConversationKind::{Channel, Direct, Group};
    use ErrorCode::{Blocked, Forbidden, NotFound, NotMember};
    let ok = Ok(());
    let title = Act::Settings(SettingsBody { title: Some("New".to_owned()), ..SettingsBody::default() });
    let slow = Act::Settings(SettingsBody { slow_mode_ms: Some(5), ..SettingsBody::default() });
    let pin = Act::Pin(PinBody { target: 5, on: true });
    let delete = Act::Delete { target: 5 };
    let add = Act::AddMembers(vec![user(STRANGER)]);
    let remove = |id| Act::RemoveMember(user(id));
    let table = [
        (Group, MEMBER, send(), Facts::default(), ok),
        (Group, GUEST, send(), Facts::default(), Err(Forbidden)),
        (Group, STRANGER, send(), Facts::default(), Err(NotFound)),
        (Channel, ADMIN, send(), Facts::default(), ok),
        (Channel, MEMBER, send(), Facts::default(), Err(Forbidden)),
        (Group, MEMBER, edit(), target(MEMBER), ok),
        (Group, OWNER, edit(), target(MEMBER), Err(Forbidden)),
        (Group, MEMBER, edit(), erased(MEMBER), Err(ErrorCode::Conflict)),
        (Group, MEMBER, edit(), Facts::default(), Err(NotFound)),
        (Group, STRANGER, edit(), target(STRANGER), Err(NotFound)),
        (Group, MEMBER, delete.clone(), target(MEMBER), ok),
        (Group, MEMBER, delete.clone(), target(OWNER), Err(Forbidden)),
        (Group, ADMIN, delete.clone(), target(OWNER), ok),
        (Group, MEMBER, delete, erased(MEMBER), ok),
        (Group, GUEST, react(true), target(OWNER), ok),
        (Group, GUEST, react(true), erased(OWNER), Err(ErrorCode::Conflict)),
        (Group, ADMIN, pin.clone(), target(OWNER), ok),
        (Group, MEMBER, pin.clone(), target(OWNER), Err(Forbidden)),
        (Direct, MEMBER, pin, target(OWNER), ok),
        (Group, ADMIN, add.clone(), Facts::default(), ok),
        (Group, MEMBER, add.clone(), Facts::default(), Err(Forbidden)),
        (Direct, OWNER, add, Facts::default(), Err(Forbidden)),
        (Group, ADMIN, remove(MEMBER), Facts::default(), ok),
        (Group, ADMIN, remove(OWNER), Facts::default(), Err(Forbidden)),
        (Group, MEMBER, remove(GUEST), Facts::default(), Err(Forbidden)),
        (Group, ADMIN, remove(STRANGER), Facts::default(), Err(NotMember)),
        (Group, GUEST, remove(GUEST), Facts::default(), ok),
        (Direct, MEMBER, remove(MEMBER), Facts::default(), Err(Forbidden)),
        (Group, ADMIN, role(MEMBER, Role::Guest), Facts::default(), ok),
        (Group, ADMIN, role(MEMBER, Role::Admin), Facts::default(), Err(Forbidden)),
        (Group, ADMIN, role(OWNER, Role::Member), Facts::default(), Err(Forbidden)),
        (Group, OWNER, role(OWNER, Role::Member), Facts::default(), Err(ErrorCode::Conflict)),
        (Group, OWNER, role(STRANGER, Role::Member), Facts::default(), Err(NotMember)),
        (Group, ADMIN, title.clone(), Facts::default(), ok),
        (Group, MEMBER, title.clone(), Facts::default(), Err(Forbidden)),
        (Direct, OWNER, title, Facts::default(), Err(Forbidden)),
        (Group, ADMIN, slow, Facts::default(), ok),
    ];
    for (kind, caller, act, facts, expected) in table {
        let state = conversation(kind);
        let got = outcome(&state, caller, &act, facts).map(|_| ());
        assert_eq!(got, expected, "{kind:?}, caller {caller}, {act:?}");
    }
    let blocked = ConversationState { blocked: true, ..conversation(Direct) };
    let ended = ConversationState { ended: true, ..blocked.clone() };
    for act in [send(), edit(), react(true)] {
        assert_eq!(outcome(&blocked, MEMBER, &act, target(MEMBER)), Err(Blocked), "{act:?}");
        assert_eq!(outcome(&ended, MEMBER, &act, target(MEMBER)), Err(ErrorCode::Gone), "{act:?}");
    }
    assert!(outcome(&blocked, MEMBER, &Act::Delete { target: 5 }, target(MEMBER)).is_ok());
    let barred = Facts { blocked: true, ..Facts::default() };
    let add = Act::AddMembers(vec![user(STRANGER)]);
    for (caller, expected) in [(ADMIN, Blocked), (MEMBER, Forbidden), (STRANGER, NotFound)] {
        assert_eq!(outcome(&conversation(Group), caller, &add, barred.clone()), Err(expected), "{caller}");
    }
}

#[test]
fn what_is_so_already_appends_nothing() {
    let state = conversation(ConversationKind::Group);
    let stands = Placement { seq: 7, ts: 70, replayed: false };
    let reacted = Facts { reaction: Some(stands), ..target(OWNER) };
    for (act, facts) in [
        (react(true), reacted),
        (react(false), target(OWNER)),
        (role(MEMBER, Role::Member), Facts::default()),
        (Act::AddMembers(vec![user(MEMBER)]), Facts::default()),
        (Act::Pin(PinBody { target: 5, on: false }), target(OWNER)),
        (
            Act::Settings(SettingsBody { title: Some("Harvest".to_owned()), ..SettingsBody::default() }),
            Facts::default(),
        ),
    ] {
        assert_eq!(outcome(&state, OWNER, &act, facts), Ok(vec![]), "{act:?}");
    }
}

#[test]
fn a_replay_comes_before_every_rule_but_membership_of_the_log() {
    let state = conversation(ConversationKind::Group);
    let first = Placement { seq: 3, ts: 30, replayed: true };
    let facts = Facts { replay: Some(first), ..Facts::default() };
    let caller = Caller { user: user(STRANGER), device: DeviceId::new(1).unwrap() };
    let scene = Scene { state: &state, caller, now: 0, limits: &Limits::default() };
    assert_eq!(decide(scene, &Act::Delete { target: 5 }, &facts), Ok(Decision::Unchanged(Some(first))));
}

#[test]
fn an_owner_who_leaves_is_inherited_by_the_oldest_of_the_highest_role() {
    let mut state = conversation(ConversationKind::Group);
    let leave = Act::RemoveMember(user(OWNER));
    let heir = |state: &ConversationState| outcome(state, OWNER, &leave, Facts::default()).unwrap();
    let inherits = |id| Change::Role { user: user(id), role: Role::Owner };
    let leaves = Change::Leave { user: user(OWNER) };
    assert_eq!(heir(&state), [inherits(ADMIN), leaves.clone()]);
    state.members.remove(&user(ADMIN));
    state.members.insert(user(6), member(Role::Member, 50));
    assert_eq!(heir(&state), [inherits(6), leaves.clone()]);
    state.members.retain(|id, _| *id == user(OWNER));
    assert_eq!(heir(&state), [leaves]);
}

#[test]
fn ownership_is_handed_over_in_one_step() {
    let state = conversation(ConversationKind::Group);
    let handed = outcome(&state, OWNER, &role(MEMBER, Role::Owner), Facts::default()).unwrap();
    let roles = [(OWNER, Role::Admin), (MEMBER, Role::Owner)];
    assert_eq!(handed, roles.map(|(id, role)| Change::Role { user: user(id), role }));
}

#[test]
fn a_group_is_full_at_its_limit() {
    let state = conversation(ConversationKind::Group);
    let add = |ids: &[u64]| Act::AddMembers(ids.iter().map(|id| user(*id)).collect());
    assert!(outcome(&state, OWNER, &add(&[7]), Facts::default()).is_ok());
    assert_eq!(outcome(&state, OWNER, &add(&[7, 8]), Facts::default()), Err(ErrorCode::GroupFull));
    // Who is there already takes no further place.
    assert!(outcome(&state, OWNER, &add(&[7, MEMBER, GUEST]), Facts::default()).is_ok());
}

#[test]
fn the_past_is_hidden_from_who_joined_later() {
    let mut state = conversation(ConversationKind::Group);
    state.members.get_mut(&user(MEMBER)).unwrap().visible_from = 6;
    for act in [edit(), react(true), Act::Delete { target: 5 }] {
        assert_eq!(outcome(&state, MEMBER, &act, target(MEMBER)), Err(ErrorCode::NotFound), "{act:?}");
    }
    let reply = |seq| Act::Send(MessageBody { reply_to: Some(seq), ..MessageBody::text("yes") });
    assert_eq!(outcome(&state, MEMBER, &reply(5), Facts::default()), Err(ErrorCode::Invalid));
    assert!(outcome(&state, MEMBER, &reply(6), Facts::default()).is_ok());
    assert_eq!(outcome(&state, MEMBER, &reply(11), Facts::default()), Err(ErrorCode::Invalid));
}

#[test]
fn mentions_are_of_members_and_never_of_oneself() {
    let state = conversation(ConversationKind::Group);
    let mention = |ids: &[u64]| {
        Act::Send(MessageBody {
            mentions: ids.iter().map(|id| user(*id)).collect(),
            ..MessageBody::text("@you")
        })
    };
    let told = outcome(&state, MEMBER, &mention(&[MEMBER, OWNER]), Facts::default()).unwrap();
    assert_eq!(told, [Change::Message { mentions: vec![user(OWNER)] }]);
    assert_eq!(outcome(&state, MEMBER, &mention(&[STRANGER]), Facts::default()), Err(ErrorCode::NotMember));
}

#[test]
fn slow_mode_holds_members_but_not_admins() {
    let mut state = conversation(ConversationKind::Group);
    state.settings.slow_mode_ms = 500;
    for (id, last_sent, expected) in [
        (MEMBER, None, true),
        (MEMBER, Some(400), true),
        (MEMBER, Some(600), false),
        // The clock jumped back: no longer than the pause itself.
        (MEMBER, Some(9_000), false),
        (ADMIN, Some(999), true),
    ] {
        state.members.get_mut(&user(id)).unwrap().last_sent = last_sent;
        assert_eq!(outcome(&state, id, &send(), Facts::default()).is_ok(), expected, "{id} {last_sent:?}");
    }
}
