//! One way to speak to either engine, so that the statements and what is done with them are there once.
//!
//! The names are those of `rusqlite`, and so are the statements: plain SQL with numbered parameters (`?1`). For
//! PostgreSQL a statement is translated when it is prepared (see [`super::dialect`]). Integers, texts and blobs
//! are all there is; booleans and enumerations are integers on the way in.

use smallvec::SmallVec;

use super::error::{Outcome, SqlError, corrupt};
use crate::postgres::session::Session;

/// A value on its way in. `None` is NULL, of a type that is known all the same.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// An integer.
    Int(Option<i64>),
    /// A text.
    Text(Option<&'a str>),
    /// Bytes.
    Blob(Option<&'a [u8]>),
}

/// What can be bound to a parameter.
pub trait AsValue {
    /// The value.
    fn value(&self) -> Value<'_>;
}

/// What can be missing: the NULL of its type.
pub trait Nullable {
    /// NULL.
    const NULL: Value<'static>;
}

macro_rules! bindable {
    ($($type:ty => $variant:ident: |$this:ident| $value:expr;)*) => {$(
        impl AsValue for $type {
            fn value(&self) -> Value<'_> {
                let $this = self;
                Value::$variant(Some($value))
            }
        }

        impl Nullable for $type {
            const NULL: Value<'static> = Value::$variant(None);
        }
    )*};
}

bindable! {
    i64 => Int: |this| *this;
    str => Text: |this| this;
    String => Text: |this| this;
    Vec<u8> => Blob: |this| this;
    [u8; 16] => Blob: |this| this;
    [u8; 32] => Blob: |this| this;
}

impl<T: AsValue + ?Sized> AsValue for &T {
    fn value(&self) -> Value<'_> {
        (**self).value()
    }
}

impl<T: Nullable + ?Sized> Nullable for &T {
    const NULL: Value<'static> = T::NULL;
}

impl<T: AsValue + Nullable> AsValue for Option<T> {
    fn value(&self) -> Value<'_> {
        self.as_ref().map_or(T::NULL, AsValue::value)
    }
}

/// The values of one execution.
pub type Values<'a> = SmallVec<[Value<'a>; 16]>;

/// All parameters of a statement.
pub trait Params {
    /// Their values, in order.
    fn values(&self) -> Values<'_>;
}

impl Params for &[&dyn AsValue] {
    fn values(&self) -> Values<'_> {
        self.iter().map(|value| value.value()).collect()
    }
}

impl Params for [&dyn AsValue; 0] {
    fn values(&self) -> Values<'_> {
        Values::new()
    }
}

macro_rules! arrays {
    ($($length:literal),*) => {$(
        impl<T: AsValue> Params for [T; $length] {
            fn values(&self) -> Values<'_> {
                self.iter().map(AsValue::value).collect()
            }
        }
    )*};
}

arrays!(1, 2, 3, 4, 5, 6, 7, 8);

/// Parameters of different types.
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$(&$value as &dyn $crate::sql::driver::AsValue),*] as &[&dyn $crate::sql::driver::AsValue]
    };
}
pub(crate) use params;

/// A value on its way out.
#[derive(Debug, Clone, Copy)]
pub enum Field<'r> {
    /// NULL.
    Null,
    /// An integer or a boolean.
    Int(i64),
    /// A text.
    Text(&'r str),
    /// Bytes.
    Blob(&'r [u8]),
}

/// What a column can be read as; `None` for a value of another type.
pub trait FromField: Sized {
    /// The value.
    fn from_field(field: Field<'_>) -> Option<Self>;
}

impl FromField for i64 {
    fn from_field(field: Field<'_>) -> Option<Self> {
        if let Field::Int(value) = field { Some(value) } else { None }
    }
}

impl FromField for u32 {
    fn from_field(field: Field<'_>) -> Option<Self> {
        i64::from_field(field).and_then(|value| Self::try_from(value).ok())
    }
}

impl FromField for bool {
    fn from_field(field: Field<'_>) -> Option<Self> {
        i64::from_field(field).map(|value| value != 0)
    }
}

impl FromField for String {
    fn from_field(field: Field<'_>) -> Option<Self> {
        if let Field::Text(value) = field { Some(value.to_owned()) } else { None }
    }
}

impl FromField for Vec<u8> {
    fn from_field(field: Field<'_>) -> Option<Self> {
        if let Field::Blob(value) = field { Some(value.to_vec()) } else { None }
    }
}

impl<const N: usize> FromField for [u8; N] {
    fn from_field(field: Field<'_>) -> Option<Self> {
        if let Field::Blob(value) = field { value.try_into().ok() } else { None }
    }
}

impl<T: FromField> FromField for Option<T> {
    fn from_field(field: Field<'_>) -> Option<Self> {
        if let Field::Null = field { Some(None) } else { T::from_field(field).map(Some) }
    }
}

/// The number of a column.
pub trait Column {
    /// From 0.
    fn number(&self) -> usize;
}

impl Column for usize {
    fn number(&self) -> usize {
        *self
    }
}

/// A row of an answer.
#[derive(Clone, Copy)]
pub enum Row<'r> {
    /// Of SQLite.
    Sqlite(&'r rusqlite::Row<'r>),
    /// Of PostgreSQL.
    Postgres(&'r tokio_postgres::Row),
}

impl<'r> Row<'r> {
    /// A column's value.
    pub fn get<C: Column, T: FromField>(&self, column: C) -> Outcome<T> {
        let number = column.number();
        T::from_field(self.field(number)?)
            .ok_or_else(|| corrupt(format!("column {number} is no {}", std::any::type_name::<T>())))
    }

    /// A text without a copy; `None` for NULL.
    pub fn text(&self, column: usize) -> Outcome<Option<&'r str>> {
        match self.field(column)? {
            Field::Null => Ok(None),
            Field::Text(text) => Ok(Some(text)),
            Field::Int(_) | Field::Blob(_) => Err(corrupt(format!("column {column} is no text"))),
        }
    }

    fn field(&self, column: usize) -> Outcome<Field<'r>> {
        use rusqlite::types::ValueRef;
        match self {
            Self::Sqlite(row) => Ok(match row.get_ref(column)? {
                ValueRef::Null => Field::Null,
                ValueRef::Integer(value) => Field::Int(value),
                ValueRef::Text(text) => {
                    Field::Text(std::str::from_utf8(text).map_err(|error| corrupt(error.to_string()))?)
                }
                ValueRef::Blob(bytes) => Field::Blob(bytes),
                ValueRef::Real(_) => return Err(corrupt(format!("column {column} is a float"))),
            }),
            Self::Postgres(row) => Ok(row.try_get::<_, Option<Field<'r>>>(column)?.unwrap_or(Field::Null)),
        }
    }
}

/// A connection of either engine.
pub enum Connection {
    /// To a file.
    Sqlite(rusqlite::Connection),
    /// To a server.
    Postgres(Box<Session>),
}

impl Connection {
    /// A statement that is prepared once for each connection.
    pub(crate) fn prepare_cached(&self, sql: &str) -> Outcome<CachedStatement<'_>> {
        Ok(CachedStatement(match self {
            Self::Sqlite(connection) => Prepared::Sqlite(connection.prepare_cached(sql)?),
            Self::Postgres(session) => Prepared::Postgres(session, sql.to_owned()),
        }))
    }

    /// The first row of an answer.
    pub(crate) fn query_row<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Outcome<T>,
    ) -> Outcome<T> {
        self.prepare_cached(sql)?.query_row(params, read)
    }

    /// Statements without parameters.
    pub(crate) fn execute_batch(&self, sql: &str) -> Outcome<()> {
        match self {
            Self::Sqlite(connection) => Ok(connection.execute_batch(sql)?),
            Self::Postgres(session) => session.batch(sql),
        }
    }

    /// SQLite's connection, for what only SQLite has.
    pub(crate) const fn sqlite(&self) -> Option<&rusqlite::Connection> {
        match self {
            Self::Sqlite(connection) => Some(connection),
            Self::Postgres(_) => None,
        }
    }

    /// Whether no transaction is open, as far as SQLite says: it ends one by itself when the disk is full.
    pub(crate) fn is_autocommit(&self) -> bool {
        self.sqlite().is_some_and(rusqlite::Connection::is_autocommit)
    }

    /// The position up to which this snapshot has every change. `before` is what the engine said before it began.
    pub(crate) fn position(&self, before: u64) -> Outcome<u64> {
        match self {
            Self::Sqlite(_) => Ok(before),
            Self::Postgres(session) => session.settled_position(),
        }
    }
}

impl From<rusqlite::Connection> for Connection {
    fn from(connection: rusqlite::Connection) -> Self {
        Self::Sqlite(connection)
    }
}

enum Prepared<'c> {
    Sqlite(rusqlite::CachedStatement<'c>),
    Postgres(&'c Session, String),
}

/// A prepared statement.
pub struct CachedStatement<'c>(Prepared<'c>);

impl CachedStatement<'_> {
    /// Does it: how many rows it changed.
    pub(crate) fn execute(&mut self, params: impl Params) -> Outcome<usize> {
        let values = params.values();
        match &mut self.0 {
            Prepared::Sqlite(statement) => Ok(statement.execute(rusqlite::params_from_iter(&values))?),
            Prepared::Postgres(session, sql) => session.execute(sql, &values),
        }
    }

    /// Whether it answers a row.
    pub(crate) fn exists(&mut self, params: impl Params) -> Outcome<bool> {
        let values = params.values();
        match &mut self.0 {
            Prepared::Sqlite(statement) => Ok(statement.exists(rusqlite::params_from_iter(&values))?),
            Prepared::Postgres(session, sql) => Ok(!session.query(sql, &values)?.is_empty()),
        }
    }

    /// The first row of its answer.
    ///
    /// # Errors
    /// [`SqlError::NoRow`], if there is none.
    pub(crate) fn query_row<T>(
        &mut self,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Outcome<T>,
    ) -> Outcome<T> {
        let mut rows = self.query(params)?;
        match rows.next()? {
            Some(row) => read(&row),
            None => Err(SqlError::NoRow),
        }
    }

    /// Its answer, read row by row.
    pub(crate) fn query_map<T>(
        &mut self,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>) -> Outcome<T>,
    ) -> Outcome<std::vec::IntoIter<Outcome<T>>> {
        let mut rows = self.query(params)?;
        let mut answer = Vec::new();
        while let Some(row) = rows.next()? {
            answer.push(read(&row));
        }
        Ok(answer.into_iter())
    }

    /// Its answer.
    pub(crate) fn query(&mut self, params: impl Params) -> Outcome<Rows<'_>> {
        let values = params.values();
        Ok(match &mut self.0 {
            Prepared::Sqlite(statement) => {
                Rows::Sqlite(statement.query(rusqlite::params_from_iter(&values))?)
            }
            Prepared::Postgres(session, sql) => Rows::Postgres(session.query(sql, &values)?, 0),
        })
    }
}

/// An answer.
pub(crate) enum Rows<'s> {
    /// Read on from the file as it is asked for.
    Sqlite(rusqlite::Rows<'s>),
    /// All rows, and how many were read.
    Postgres(Vec<tokio_postgres::Row>, usize),
}

impl Rows<'_> {
    /// The next row.
    pub(crate) fn next(&mut self) -> Outcome<Option<Row<'_>>> {
        match self {
            Self::Sqlite(rows) => Ok(rows.next()?.map(Row::Sqlite)),
            Self::Postgres(rows, read) => {
                let row = rows.get(*read).map(Row::Postgres);
                *read += 1;
                Ok(row)
            }
        }
    }
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        use rusqlite::types::{ToSqlOutput, ValueRef};
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Int(Some(value)) => ValueRef::Integer(*value),
            Self::Text(Some(text)) => ValueRef::Text(text.as_bytes()),
            Self::Blob(Some(bytes)) => ValueRef::Blob(bytes),
            Self::Int(None) | Self::Text(None) | Self::Blob(None) => ValueRef::Null,
        }))
    }
}

/// An answer that may have no row.
pub(crate) trait OptionalExtension<T> {
    /// `None`, where there is none.
    fn optional(self) -> Outcome<Option<T>>;
}

impl<T> OptionalExtension<T> for Outcome<T> {
    fn optional(self) -> Outcome<Option<T>> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(SqlError::NoRow) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
