use std::time::Duration;

use redis::RedisError;

use super::Unit;
use crate::store::{Grant, StoreError, StoreErrorKind};

/// An answer that the script cannot have given is an error, not a grant.
pub(super) fn read_grant(answer: &[i64], want: u64, unit: Unit) -> Result<Grant, StoreError> {
    let garbled = || StoreError::new(StoreErrorKind::Garbled);
    let numbers: Vec<u64> = answer
        .iter()
        .map(|it| u64::try_from(*it))
        .collect::<Result<_, _>>()
        .map_err(|_| garbled())?;
    let micros = |units: u64| units.saturating_mul(unit.micros);
    let (tokens, remaining, wait, grants, of) = match numbers[..] {
        [tokens, remaining, wait, grants] => (tokens, remaining, wait, grants, None),
        [tokens, remaining, wait, grants, start, left] => {
            (tokens, remaining, wait, grants, Some((start, left)))
        }
        _ => return Err(garbled()),
    };
    if tokens > want {
        return Err(garbled());
    }
    Ok(Grant {
        tokens,
        remaining,
        wait: Duration::from_micros(micros(wait)),
        grants,
        window: of.map_or(0, |(start, _)| micros(start).saturating_mul(1_000)),
        valid_for: of.map_or(Duration::MAX, |(_, left)| Duration::from_micros(micros(left))),
    })
}

pub(super) fn read_error(error: RedisError) -> StoreError {
    let kind = if error.is_timeout() {
        StoreErrorKind::Timeout
    } else if error.is_io_error() || error.is_connection_dropped() || error.is_cluster_error() {
        StoreErrorKind::Unavailable
    } else {
        match error.kind() {
            redis::ErrorKind::Parse | redis::ErrorKind::UnexpectedReturnType => {
                StoreErrorKind::Garbled
            }
            redis::ErrorKind::ClusterConnectionNotFound => StoreErrorKind::Unavailable,
            _ => StoreErrorKind::Rejected,
        }
    };
    StoreError::because(kind, error)
}
