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
        life: 0,
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
    let stands = Placement { seq: 7, ts: 70, replayed: false, erased: false };
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
    let first = Placement { seq: 3, ts: 30, replayed: true, erased: false };
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
    state.members.known.remove(&user(ADMIN));
    state.members.known.insert(user(6), member(Role::Member, 50));
    assert_eq!(heir(&state), [inherits(6), leaves.clone()]);
    state.members.known.retain(|id, _| *id == user(OWNER));
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
    state.members.known.get_mut(&user(MEMBER)).unwrap().visible_from = 6;
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
        state.members.known.get_mut(&user(id)).unwrap().last_sent = last_sent;
        assert_eq!(outcome(&state, id, &send(), Facts::default()).is_ok(), expected, "{id} {last_sent:?}");
    }
}

/// A channel of which the lane knows these members.
fn channel(known: &[(u64, Role)]) -> ConversationState {
    let mut state = conversation(ConversationKind::Channel);
    state.members = super::super::members::Members::of_channel(100_000);
    assert!(state.members.begin_reading());
    let asked: Vec<UserId> = [OWNER, ADMIN, MEMBER, GUEST, STRANGER].map(user).to_vec();
    let found = known.iter().map(|(id, role)| (user(*id), member(*role, 1)));
    state.members.learn(&asked, found);
    state
}

#[test]
fn joins_and_leaves_of_channels_are_not_logged_roles_are() {
    let state = channel(&[(OWNER, Role::Owner), (ADMIN, Role::Admin), (MEMBER, Role::Member)]);
    let logged = |caller: u64, act: &Act, facts: &Facts| {
        let caller = Caller { user: user(caller), device: DeviceId::new(1).unwrap() };
        let scene = Scene { state: &state, caller, now: 1, limits: &Limits::default() };
        match decide(scene, act, facts) {
            Ok(Decision::Append(events)) => events.iter().map(|event| event.logged).collect(),
            other => panic!("{other:?}"),
        }
    };
    let nothing = Facts::default();
    let heir = Facts { heir: Some(user(ADMIN)), ..Facts::default() };
    let cases: [(u64, Act, &Facts, &[bool]); 5] = [
        (ADMIN, Act::AddMembers(vec![user(GUEST), user(STRANGER)]), &nothing, &[false, false]),
        (ADMIN, Act::RemoveMember(user(MEMBER)), &nothing, &[false]),
        (MEMBER, Act::RemoveMember(user(MEMBER)), &nothing, &[false]),
        (OWNER, role(MEMBER, Role::Guest), &nothing, &[true]),
        (OWNER, Act::RemoveMember(user(OWNER)), &heir, &[true, false]),
    ];
    for (caller, act, facts, expected) in cases {
        let got: Vec<bool> = logged(caller, &act, facts);
        assert_eq!(got, expected, "{act:?}");
    }
}

#[test]
fn only_an_owner_who_leaves_a_channel_asks_for_the_heir() {
    let state = channel(&[(OWNER, Role::Owner), (MEMBER, Role::Member)]);
    let asks = |state: &ConversationState, id: u64| {
        question(state, user(id), (&Act::RemoveMember(user(id)), None)).unwrap().heir_of
    };
    assert_eq!((asks(&state, OWNER), asks(&state, MEMBER)), (Some(user(OWNER)), None));
    assert_eq!(asks(&conversation(ConversationKind::Group), OWNER), None);
}

#[test]
fn everyone_whom_an_act_is_about_is_asked_for() {
    let mention = MessageBody { mentions: vec![user(7)], ..MessageBody::text("@you") };
    for (act, expected) in [
        (Act::Send(mention), vec![1, 7]),
        (Act::AddMembers(vec![user(8), user(9)]), vec![1, 8, 9]),
        (Act::RemoveMember(user(5)), vec![1, 5]),
        (role(6, Role::Admin), vec![1, 6]),
        (Act::Delete { target: 5 }, vec![1]),
        (Act::Join { code: "x".to_owned() }, vec![1]),
    ] {
        let people: Vec<u64> = people(user(1), &act).iter().map(|user| user.get()).collect();
        assert_eq!(people, expected, "{act:?}");
    }
}

fn invitation(max_uses: Option<u64>, uses: u64, expires_at: Option<i64>) -> Facts {
    let invite = crate::ports::InviteRecord {
        code: "code".to_owned(),
        conversation: ConversationId::new(71).unwrap(),
        creator: user(OWNER),
        created_at: 0,
        expires_at,
        max_uses,
        uses,
    };
    let invitation = Invitation {
        invite,
        revoked: false,
        kind: ConversationKind::Group,
        title: String::new(),
        member_count: 4,
        joined: false,
        barred: false,
    };
    Facts { invitation: Some(invitation), ..Facts::default() }
}

#[test]
fn an_invitation_lets_in_whom_it_may() {
    let state = conversation(ConversationKind::Group);
    let join = Act::Join { code: "code".to_owned() };
    let admitted = |facts: Facts| outcome(&state, STRANGER, &join, facts).map(|changes| changes.len());
    assert_eq!(admitted(invitation(None, 9, None)), Ok(1));
    assert_eq!(admitted(invitation(Some(2), 1, Some(1_001))), Ok(1));
    assert_eq!(admitted(invitation(Some(2), 2, None)), Err(ErrorCode::Gone));
    assert_eq!(admitted(invitation(None, 0, Some(1_000))), Err(ErrorCode::Gone), "now is 1,000");
    assert_eq!(admitted(Facts::default()), Err(ErrorCode::NotFound));
    let changed = |change: fn(&mut Invitation)| {
        let mut facts = invitation(None, 0, None);
        change(facts.invitation.as_mut().unwrap());
        admitted(facts)
    };
    assert_eq!(changed(|found| found.revoked = true), Err(ErrorCode::Gone));
    assert_eq!(changed(|found| found.barred = true), Err(ErrorCode::Forbidden));
    assert_eq!(
        changed(|found| found.invite.conversation = ConversationId::new(72).unwrap()),
        Err(ErrorCode::NotFound)
    );
    // A member stays one, whatever the invitation says.
    assert_eq!(outcome(&state, MEMBER, &join, Facts::default()), Ok(vec![]));
}
