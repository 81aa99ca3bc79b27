//! Reading columns whose type SQLite does not have.

use rusqlite::types::Type;
use rusqlite::{Error, Row};

/// A text that `parse` must understand.
pub(crate) fn parsed<T>(
    row: &Row<'_>,
    index: usize,
    parse: impl FnOnce(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    let text = row.get_ref(index)?.as_str()?;
    parse(text).ok_or_else(|| {
        Error::FromSqlConversionFailure(index, Type::Text, "not what was written there".into())
    })
}

/// A number that is never negative.
pub(crate) fn count(row: &Row<'_>, index: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(index)?;
    u64::try_from(value).map_err(|_| Error::IntegralValueOutOfRange(index, value))
}
