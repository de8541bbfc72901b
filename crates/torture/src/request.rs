//! One mutation, as a frame or as a REST call, and what its answer means.

use serde_json::{Value, json};

use crate::api::{Call, Reply};
use crate::ledger::{Answer, Intent, Operation};

/// The frame that asks for it; `None` for what only REST has.
pub(crate) fn frame(intent: &Intent) -> Option<Value> {
    let (conversation, nonce) = (&intent.conversation.0, &intent.nonce);
    let frame = match &intent.operation {
        Operation::Send { text } => json!({"op": "send", "body": {"text": text}}),
        Operation::Edit { target, text } => json!({"op": "edit", "target": target, "text": text}),
        Operation::Delete { target } => json!({"op": "delete", "target": target}),
        Operation::React { target, emoji, on } => {
            json!({"op": "react", "target": target, "emoji": emoji, "on": on})
        }
        Operation::Add { .. } | Operation::Remove { .. } => return None,
    };
    let mut frame = frame;
    frame["conversation"] = json!(conversation);
    frame["nonce"] = json!(nonce);
    Some(frame)
}

/// The REST call that asks for it.
pub(crate) fn call(intent: &Intent) -> Call {
    let base = format!("/v1/conversations/{}", intent.conversation);
    let nonce = &intent.nonce;
    match &intent.operation {
        Operation::Send { text } => {
            Call::post(format!("{base}/messages")).json(&json!({"nonce": nonce, "text": text}))
        }
        Operation::Edit { target, text } => {
            Call::patch(format!("{base}/messages/{target}")).json(&json!({"nonce": nonce, "text": text}))
        }
        Operation::Delete { target } => Call::delete(format!("{base}/messages/{target}")).key(nonce),
        Operation::React { target, emoji, on } => {
            let path = format!("{base}/messages/{target}/reactions/{}", percent_encode(emoji));
            if *on { Call::put(path).key(nonce) } else { Call::delete(path).key(nonce) }
        }
        Operation::Add { user } => {
            Call::post(format!("{base}/members")).json(&json!({"users": [user.0], "nonce": nonce}))
        }
        Operation::Remove { user } => Call::delete(format!("{base}/members/{user}")).key(nonce),
    }
}

fn percent_encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// What an answer means, and the delay it asks for, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) answer: Answer,
    /// The error code; empty for a success.
    pub(crate) code: String,
    pub(crate) retry_after_ms: Option<u64>,
}

impl Verdict {
    fn done(body: &Value) -> Self {
        Self { answer: Answer::Done(body["seq"].as_u64()), code: String::new(), retry_after_ms: None }
    }

    /// `unavailable` and `rate_limited` ask for a retry: whether it happened is not said.
    fn refused(error: &Value) -> Self {
        let code = error["code"].as_str().unwrap_or("none").to_owned();
        let retryable = matches!(code.as_str(), "unavailable" | "rate_limited");
        let answer = if retryable { Answer::None } else { Answer::Refused(code.clone()) };
        Self { answer, code, retry_after_ms: error["retry_after_ms"].as_u64() }
    }

    /// Of a frame.
    pub(crate) fn of_frame(answer: &Value) -> Self {
        match answer.get("ok") {
            Some(body) => Self::done(body),
            None => Self::refused(&answer["error"]),
        }
    }

    /// Of a REST call.
    pub(crate) fn of_reply(reply: &Reply) -> Self {
        if reply.is_success() { Self::done(&reply.body) } else { Self::refused(&reply.body) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ConversationId;

    #[test]
    fn answers_are_understood() {
        let cases = [
            (json!({"re": 1, "ok": {"conversation": "7", "seq": 4, "ts": 1}}), Answer::Done(Some(4)), None),
            (json!({"re": 1, "ok": {}}), Answer::Done(None), None),
            (json!({"re": 1, "error": {"code": "unavailable", "retry_after_ms": 9}}), Answer::None, Some(9)),
            (json!({"re": 1, "error": {"code": "not_found"}}), Answer::Refused("not_found".into()), None),
        ];
        for (answer, expected, delay) in cases {
            let verdict = Verdict::of_frame(&answer);
            assert_eq!((verdict.answer, verdict.retry_after_ms), (expected, delay), "{answer}");
        }
    }

    #[test]
    fn membership_has_no_frame() {
        let intent = |operation| Intent {
            nonce: "n".into(),
            conversation: ConversationId("7".into()),
            operation,
            order: None,
        };
        assert_eq!(frame(&intent(Operation::Add { user: crate::event::UserId("1".into()) })), None);
        let delete = frame(&intent(Operation::Delete { target: 3 })).expect("has a frame");
        assert_eq!(delete, json!({"op": "delete", "target": 3, "conversation": "7", "nonce": "n"}));
        assert_eq!(percent_encode("👍"), "%F0%9F%91%8D");
    }
}
