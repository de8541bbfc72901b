//! That no row is without its test.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use loquat_gateway::{Route, ops, routes};
use loquat_proto::{CloseCode, ErrorCode, Limits};

/// The pushes of the protocol.
const PUSHES: [&str; 9] =
    ["event", "receipt", "erased", "typing", "presence", "account", "tick", "drain", "error"];

/// The kinds of account events.
const ACCOUNT_EVENTS: [&str; 13] = [
    "conversation_joined",
    "conversation_left",
    "contact_request",
    "contact_added",
    "contact_removed",
    "blocked",
    "unblocked",
    "profile",
    "settings",
    "device_added",
    "device_removed",
    "preferences",
    "read",
];

/// Every test of this crate's `tests` folder.
fn tests(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let marked = text.split("#[tokio::test").skip(1).chain(text.split("#[test]").skip(1));
            let names = marked.filter_map(|rest| rest.split_once("fn ")?.1.split('(').next());
            found.extend(names.map(str::to_owned));
        }
    }
}

/// `PATCH /v1/conversations/{conversation}/members/{user}` is `patch_conversation_members_user`.
fn name_of(route: &Route) -> String {
    let path = route.template().replace("/v1/conversations/{conversation}", "/conversation");
    let path = path.trim_start_matches("/v1").replace(['{', '}'], "").replace(['/', '-', '.'], "_");
    let path = path.trim_start_matches('_').trim_end_matches('_').replace("__", "_");
    format!("{}_{path}", route.method().as_str().to_lowercase())
}

#[test]
fn every_row_has_a_test_of_its_name() {
    let mut found = BTreeSet::new();
    tests(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), &mut found);
    let calls = routes().map(name_of);
    let frames = ops().map(|op| format!("frame_{}", op.name()));
    let pushes = PUSHES.map(|push| format!("push_{push}"));
    let account = ACCOUNT_EVENTS.map(|kind| format!("account_event_{kind}"));
    let errors = ErrorCode::ALL.map(|code| format!("code_{}", code.as_str()));
    let limits = serde_json::to_value(Limits::default()).unwrap();
    let limits: Vec<_> = limits.as_object().unwrap().keys().map(|key| format!("limits_{key}")).collect();
    let closes = CloseCode::ALL.map(|code| format!("close_{}", code.code()));
    let rows = calls.chain(frames).chain(pushes).chain(account).chain(errors).chain(limits).chain(closes);
    let missing: Vec<_> = rows.filter(|row| !found.contains(row)).collect();
    assert!(missing.is_empty(), "rows without a test of their name: {missing:#?}");
}
