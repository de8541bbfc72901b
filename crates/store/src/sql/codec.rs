//! How the domain's values stand in columns: ids and `seq` as integers, enumerations as the integers listed here.
//!
//! The integers are part of the schema: a new variant takes a new one, none is ever given another meaning.

use super::driver::Row;
use loquat_domain::ports::JobState;
use loquat_proto::account::{FindBy, LastSeenAudience};
use loquat_proto::{
    AccountEventKind, ConversationId, ConversationKind, DeviceId, EventKind, History, Retention, Role,
    UserId, UserKind,
};
use serde_json::Value;
use serde_json::value::RawValue;

use super::error::{Outcome, SqlError, corrupt};

/// A value that stands in an INTEGER column.
pub(crate) trait Integer: Sized {
    /// As it is stored.
    fn sql(self) -> i64;
    /// As it was stored; `None` for what cannot have been.
    fn from_sql(stored: i64) -> Option<Self>;
}

impl Integer for u64 {
    // Counters and positions; they do not reach 2^63.
    fn sql(self) -> i64 {
        i64::try_from(self).unwrap_or(i64::MAX)
    }

    fn from_sql(stored: i64) -> Option<Self> {
        Self::try_from(stored).ok()
    }
}

impl Integer for bool {
    fn sql(self) -> i64 {
        i64::from(self)
    }

    fn from_sql(stored: i64) -> Option<Self> {
        Some(stored != 0)
    }
}

macro_rules! ids {
    ($($id:ident),*) => {$(
        impl Integer for $id {
            fn sql(self) -> i64 {
                self.get().sql()
            }

            fn from_sql(stored: i64) -> Option<Self> {
                u64::from_sql(stored).and_then(Self::new)
            }
        }
    )*};
}

ids!(UserId, DeviceId, ConversationId);

macro_rules! enumeration {
    ($kind:ident { $($variant:ident = $code:literal),* $(,)? }) => {
        impl Integer for $kind {
            fn sql(self) -> i64 {
                match self {
                    $(Self::$variant => $code,)*
                }
            }

            fn from_sql(stored: i64) -> Option<Self> {
                match stored {
                    $($code => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

enumeration!(EventKind {
    Unknown = 0, Message = 1, Edit = 2, Delete = 3, Reaction = 4, Member = 5, Settings = 6, Pin = 7,
});
enumeration!(AccountEventKind {
    Unknown = 0, ConversationJoined = 1, ConversationLeft = 2, ContactRequest = 3, ContactAdded = 4,
    ContactRemoved = 5, Blocked = 6, Unblocked = 7, Profile = 8, Settings = 9, DeviceAdded = 10,
    DeviceRemoved = 11, Preferences = 12, Read = 13,
});
enumeration!(ConversationKind { Direct = 1, Group = 2, Channel = 3 });
enumeration!(History { Full = 1, Joined = 2 });
enumeration!(Role { Guest = 1, Member = 2, Admin = 3, Owner = 4 });
enumeration!(JobState { Waiting = 1, Running = 2, Dead = 3 });
enumeration!(UserKind { Person = 1, Bot = 2 });
enumeration!(LastSeenAudience { Everyone = 1, Contacts = 2, Nobody = 3 });

/// What SQL texts say for [`EventKind::Message`].
pub(crate) const MESSAGE: i64 = 1;

/// A retention as two columns: the mode, and the seconds of `ttl`.
pub(crate) fn retention_columns(retention: Retention) -> (i64, i64) {
    match retention {
        Retention::Keep => (1, 0),
        Retention::Ttl { seconds } => (2, seconds.sql()),
        Retention::UntilDelivered => (3, 0),
    }
}

pub(crate) fn retention(mode: i64, seconds: u64) -> Outcome<Retention> {
    match mode {
        1 => Ok(Retention::Keep),
        2 => Ok(Retention::Ttl { seconds }),
        3 => Ok(Retention::UntilDelivered),
        _ => Err(corrupt(format!("no retention has the code {mode}"))),
    }
}

const FINDABLE: [(FindBy, i64); 3] = [(FindBy::Username, 1), (FindBy::Email, 2), (FindBy::Phone, 4)];

pub(crate) fn find_by_bits(find_by: &[FindBy]) -> i64 {
    FINDABLE.iter().filter(|(by, _)| find_by.contains(by)).map(|(_, bit)| bit).sum()
}

pub(crate) fn find_by(bits: i64) -> Vec<FindBy> {
    FINDABLE.iter().filter(|(_, bit)| bits & bit != 0).map(|(by, _)| *by).collect()
}

/// Reading columns of a row.
pub(crate) trait Columns {
    /// An id, counter or enumeration.
    fn int<T: Integer>(&self, column: usize) -> Outcome<T>;
    /// The same where NULL is an answer.
    fn optional<T: Integer>(&self, column: usize) -> Outcome<Option<T>>;
    /// JSON text as a value.
    fn json(&self, column: usize) -> Outcome<Value>;
    /// JSON text as it is; `None` for NULL.
    fn raw_json(&self, column: usize) -> Outcome<Option<Box<RawValue>>>;
}

impl Columns for Row<'_> {
    fn int<T: Integer>(&self, column: usize) -> Outcome<T> {
        let stored = self.get(column)?;
        T::from_sql(stored).ok_or_else(|| unknown::<T>(stored))
    }

    fn optional<T: Integer>(&self, column: usize) -> Outcome<Option<T>> {
        let stored: Option<i64> = self.get(column)?;
        stored.map(|stored| T::from_sql(stored).ok_or_else(|| unknown::<T>(stored))).transpose()
    }

    fn json(&self, column: usize) -> Outcome<Value> {
        let text = self.text(column)?.ok_or_else(|| corrupt(format!("column {column} is NULL")))?;
        serde_json::from_str(text).map_err(|error| corrupt(error.to_string()))
    }

    fn raw_json(&self, column: usize) -> Outcome<Option<Box<RawValue>>> {
        let text: Option<String> = self.get(column)?;
        text.map(|text| RawValue::from_string(text).map_err(|error| corrupt(error.to_string()))).transpose()
    }
}

fn unknown<T>(stored: i64) -> SqlError {
    corrupt(format!("{stored} is no {}", std::any::type_name::<T>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_comes_back() {
        fn comes_back<T: Integer + Copy + PartialEq + std::fmt::Debug>(values: &[T]) {
            for value in values {
                assert_eq!(T::from_sql(value.sql()), Some(*value));
            }
        }
        comes_back(&[0_u64, 1, 1 << 51]);
        comes_back(&[Role::Guest, Role::Member, Role::Admin, Role::Owner]);
        comes_back(&[EventKind::Message, EventKind::Pin, EventKind::Unknown]);
        comes_back(&[UserId::new(1).unwrap(), UserId::new(loquat_proto::id::ID_BOUND - 1).unwrap()]);
        assert_eq!(EventKind::Message.sql(), MESSAGE);
        assert_eq!(UserId::from_sql(0), None);
        assert_eq!(u64::from_sql(-1), None);
        assert_eq!(Role::from_sql(9), None);
        for value in [Retention::Keep, Retention::Ttl { seconds: 60 }, Retention::UntilDelivered] {
            let (mode, seconds) = retention_columns(value);
            assert_eq!(retention(mode, u64::from_sql(seconds).unwrap()).unwrap(), value);
        }
        assert_eq!(
            find_by(find_by_bits(&[FindBy::Phone, FindBy::Username])),
            [FindBy::Username, FindBy::Phone]
        );
    }
}
