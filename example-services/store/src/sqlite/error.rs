use rusqlite::{Error, ErrorCode};
use shop_domain::port::{StoreError, StoreErrorKind};

/// What SQLite's `error` means to a caller of `operation`.
pub(super) fn store_error(operation: &'static str, error: Error) -> StoreError {
    StoreError::new(kind(&error), operation).because(error)
}

fn kind(error: &Error) -> StoreErrorKind {
    match error {
        Error::FromSqlConversionFailure(..) | Error::InvalidColumnType(..) => {
            StoreErrorKind::Corrupt
        }
        error => match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreErrorKind::Throttled,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreErrorKind::Corrupt,
            _ => StoreErrorKind::Unavailable,
        },
    }
}
