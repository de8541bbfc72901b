//! What the examples share.

use std::fmt::Debug;

use loquat_proto::{ConversationId, DeviceId, Timestamp, UserId};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub const NOW: Timestamp = 1_763_800_000_000;

pub fn ada() -> UserId {
    UserId::new(12).unwrap()
}

pub fn bob() -> UserId {
    UserId::new(13).unwrap()
}

pub fn device() -> DeviceId {
    DeviceId::new(900).unwrap()
}

pub fn harvest() -> ConversationId {
    ConversationId::new(71).unwrap()
}

pub fn nonce() -> loquat_proto::Nonce {
    "019aaaac-2600-7000-bfff-2f6d9c1e4b5a".parse().unwrap()
}

/// The value as JSON in the order of its fields, after having seen that it reads back as itself.
pub fn both_ways<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) -> String {
    let text = serde_json::to_string(value).unwrap();
    assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), value, "{text}");
    with_unknown_field::<T>(&text, value);
    serde_json::to_string_pretty(value).unwrap()
}

/// Unknown fields are ignored by both sides.
fn with_unknown_field<T: DeserializeOwned + PartialEq + Debug>(text: &str, value: &T) {
    if let Some(fields) = text.strip_prefix('{').filter(|fields| *fields != "}") {
        let newer = format!("{{\"of_a_later_version\":[1,{{}}],{fields}");
        assert_eq!(&serde_json::from_str::<T>(&newer).unwrap(), value, "{newer}");
    }
}

/// A test for each example: its snapshot has its name.
macro_rules! snapshots {
    ($($name:ident: $example:expr;)*) => {
        $(
            #[test]
            fn $name() {
                insta::assert_snapshot!(crate::common::both_ways(&$example));
            }
        )*
    };
}
pub(crate) use snapshots;
