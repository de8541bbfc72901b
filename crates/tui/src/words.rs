//! Errors of the SDK in words for the user.

use loquat_client::Error;
use loquat_proto::ErrorCode;

use crate::text::sanitise;

/// What happened, in one line without control characters.
#[must_use]
pub fn describe(error: &Error) -> String {
    match error {
        Error::Offline(_) => "The server cannot be reached".to_owned(),
        Error::Refused(problem) => {
            let text = if problem.detail.trim().is_empty() { problem.code.title() } else { &problem.detail };
            match (problem.code, problem.retry_after_ms) {
                (ErrorCode::RateLimited, Some(wait)) => {
                    format!("Too many requests: try again in {} s", wait.div_ceil(1_000))
                }
                // Nothing else is answered so to who types: a session that has ended is another error.
                (ErrorCode::Unauthorized, _) => "The name or the password is wrong".to_owned(),
                _ => capitalised(&sanitise::line(text)),
            }
        }
        Error::StoreInUse => {
            "This profile is in use by another loquat: close that one, or take another --profile".to_owned()
        }
        other => capitalised(&sanitise::line(&other.to_string())),
    }
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

#[cfg(test)]
mod tests {
    use loquat_proto::{ErrorBody, Problem};

    use super::*;

    fn refused(code: ErrorCode, detail: &str, retry_after_ms: Option<u64>) -> Error {
        Error::Refused(Box::new(Problem::from(ErrorBody { code, detail: detail.to_owned(), retry_after_ms })))
    }

    #[test]
    fn a_refusal_speaks_for_itself_and_cannot_inject() {
        for (error, words) in [
            (refused(ErrorCode::Conflict, "the name is taken", None), "The name is taken"),
            (refused(ErrorCode::GroupFull, "", None), "The group is full"),
            (
                refused(ErrorCode::Unauthorized, "the credentials are missing or not valid", None),
                "The name or the password is wrong",
            ),
            (refused(ErrorCode::Invalid, "bad \u{1b}[2J", None), "Bad ␛[2J"),
            (
                refused(ErrorCode::RateLimited, "slow down", Some(1_500)),
                "Too many requests: try again in 2 s",
            ),
            (Error::Offline("connection refused".to_owned()), "The server cannot be reached"),
        ] {
            assert_eq!(describe(&error), words);
        }
    }
}
