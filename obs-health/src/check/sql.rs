use sqlx::{Connection, Database, Pool};

use super::{Check, CheckFuture, Observation};

/// Takes a connection out of a pool and pings the database over it.
///
/// A pool that is used up fails the check as an unreachable database does: no request would get a
/// connection either.
///
/// ```
/// use obs_health::Dependency;
/// use obs_health::check::SqlCheck;
///
/// fn database(pool: sqlx::PgPool) -> Dependency {
///     Dependency::required("database", SqlCheck::new(pool))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct SqlCheck<DB: Database> {
    pool: Pool<DB>,
}

impl<DB: Database> SqlCheck<DB> {
    /// A check through `pool`.
    #[must_use]
    pub fn new(pool: Pool<DB>) -> Self {
        Self { pool }
    }
}

impl<DB: Database> Check for SqlCheck<DB> {
    fn check(&self) -> CheckFuture {
        let pool = self.pool.clone();
        Box::pin(async move {
            let pinged = async { pool.acquire().await?.ping().await };
            Observation::from(pinged.await)
        })
    }

    fn component_type(&self) -> &'static str {
        "datastore"
    }
}
