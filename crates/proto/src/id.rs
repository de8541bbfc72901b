//! Identifiers: random positive integers below 2^51, written in JSON as decimal strings.
//!
//! Below 2^51 so that they fit the 52-bit integers of the bot interface and the exact integers of JavaScript,
//! negated ones included. Random, so that there is nothing to guess and no clock or node number to coordinate.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Ids are below this bound.
pub const ID_BOUND: u64 = 1 << 51;

/// Why a text is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidId;

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id is a decimal string of a positive integer below 2^51")
    }
}

impl std::error::Error for InvalidId {}

fn parse(text: &str) -> Result<u64, InvalidId> {
    let digits = text.as_bytes();
    let canonical = matches!(digits, [b'1'..=b'9', ..]) && digits.iter().all(u8::is_ascii_digit);
    if !canonical || digits.len() > 16 {
        return Err(InvalidId);
    }
    text.parse().ok().filter(|id| *id < ID_BOUND).ok_or(InvalidId)
}

struct IdVisitor;

impl Visitor<'_> for IdVisitor {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id: a decimal string of a positive integer below 2^51")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
        parse(text).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

macro_rules! id {
    ($(#[doc = $doc:literal])* $name:ident) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// The id with this value, if it is in range (1 up to 2^51 - 1).
            #[must_use]
            pub const fn new(value: u64) -> Option<Self> {
                if value > 0 && value < ID_BOUND { Some(Self(value)) } else { None }
            }

            /// The id as a number.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse(text).map(Self)
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "description": concat!($($doc),*, " A positive integer below 2^51, as a decimal string."),
                    "type": "string",
                    "format": "loquat-id",
                    "pattern": "^[1-9][0-9]{0,15}$",
                    "examples": ["71"]
                })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(itoa::Buffer::new().format(self.0))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(IdVisitor).map(Self)
            }
        }
    };
}

id! {
    /// A user: a person or a bot.
    UserId
}
id! {
    /// A device of a user; a log-in makes one.
    DeviceId
}
id! {
    /// A conversation: direct, group or channel.
    ConversationId
}
id! {
    /// An uploaded file.
    MediaId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_decimals_in_range_are_ids() {
        for (text, valid) in [
            ("1", true),
            ("2251799813685247", true),
            ("2251799813685248", false),
            ("0", false),
            ("", false),
            ("01", false),
            ("+1", false),
            ("-1", false),
            (" 1", false),
            ("1.0", false),
            ("99999999999999999999", false),
            ("١", false),
        ] {
            assert_eq!(text.parse::<UserId>().is_ok(), valid, "{text:?}");
        }
    }

    #[test]
    fn ids_are_strings_in_json() {
        let id = UserId::new(71).unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"71\"");
        assert_eq!(serde_json::from_str::<UserId>("\"71\"").unwrap(), id);
        assert!(serde_json::from_str::<UserId>("71").is_err());
    }
}
