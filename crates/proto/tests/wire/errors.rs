use loquat_proto::frame::CloseCode;
use loquat_proto::{ErrorBody, ErrorCode, Problem};

use crate::common::snapshots;

fn body(code: ErrorCode) -> ErrorBody {
    let retry_after_ms = code.is_retryable().then_some(1_500);
    ErrorBody { code, detail: "What happened this time.".to_owned(), retry_after_ms }
}

fn problem(code: ErrorCode) -> Problem {
    Problem { request_id: Some("7f3a".to_owned()), ..Problem::from(body(code)) }
}

snapshots! {
    error_bodies: ErrorCode::ALL.map(body);
    problems: ErrorCode::ALL.map(problem);
}

#[test]
fn codes_have_the_statuses_of_the_protocol() {
    let statuses = ErrorCode::ALL.map(|code| format!("{code} {}", code.status()));
    insta::assert_snapshot!(statuses.join("\n"));
}

#[test]
fn a_code_is_written_as_it_is_named() {
    for code in ErrorCode::ALL {
        assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
    }
}

#[test]
fn a_code_of_a_later_version_is_unknown() {
    let body: ErrorBody = serde_json::from_str(r#"{"code":"out_of_cheese","detail":"redo"}"#).unwrap();
    assert_eq!(body.code, ErrorCode::Unknown);
    assert!(!body.code.is_retryable());
}

#[test]
fn close_codes_are_those_of_the_protocol() {
    let codes = CloseCode::ALL.map(|close| format!("{} {}", close.code(), close.reason()));
    insta::assert_snapshot!(codes.join("\n"));
    for close in CloseCode::ALL {
        assert_eq!(CloseCode::from_code(close.code()), Some(close));
    }
    assert_eq!(CloseCode::from_code(1000), None);
}
