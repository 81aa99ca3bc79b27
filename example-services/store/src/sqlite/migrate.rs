use rusqlite::{Connection, TransactionBehavior};

/// Runs the migrations that the file has not seen; `user_version` counts those it has.
pub(super) fn run(db: &mut Connection, migrations: &[&str]) -> rusqlite::Result<()> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let seen: u32 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    for (number, migration) in (1_u32..).zip(migrations) {
        if number > seen {
            transaction.execute_batch(migration)?;
            transaction.pragma_update(None, "user_version", number)?;
        }
    }
    transaction.commit()
}
