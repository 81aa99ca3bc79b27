use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use shop_domain::port::{StoreError, StoreErrorKind};

/// Looks into the files of a shop that may be running, without changing them.
#[derive(Debug)]
pub struct Inspect;

impl Inspect {
    /// Products of which less is there than is kept, and those of which something else is kept
    /// than the reservations that were not sold add up to.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn stock(file: &Path) -> Result<(u64, u64), StoreError> {
        const NEGATIVE: &str =
            "SELECT count(*) FROM stock WHERE quantity < 0 OR reserved < 0 OR reserved > quantity";
        const UNBALANCED: &str = "
            SELECT count(*) FROM stock WHERE reserved <> (
              SELECT coalesce(sum(items.quantity), 0)
              FROM reserved_items AS items JOIN reservations USING (order_id)
              WHERE items.product_id = stock.product_id AND NOT sold)";
        Ok((number(file, NEGATIVE)?, number(file, UNBALANCED)?))
    }

    /// Orders with more than one approved charge.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn double_charges(file: &Path) -> Result<u64, StoreError> {
        number(
            file,
            "SELECT count(*) FROM (SELECT order_id FROM transactions WHERE outcome = 'approved'
             GROUP BY order_id HAVING count(*) > 1)",
        )
    }

    /// Charges that were approved.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn approved(file: &Path) -> Result<u64, StoreError> {
        number(file, "SELECT count(*) FROM transactions WHERE outcome = 'approved'")
    }

    /// How many accepted orders there are in each status.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn statuses(file: &Path) -> Result<Vec<(String, u64)>, StoreError> {
        let read = |db: &Connection| {
            db.prepare(
                "SELECT status, count(*) FROM orders WHERE status <> 'RESERVING' GROUP BY 1",
            )?
            .query_map([], |row| Ok((row.get(0)?, crate::sqlite::column::count(row, 1)?)))?
            .collect()
        };
        look(file, read)
    }

    /// Events that are not known to be on the bus.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn outbox(file: &Path) -> Result<u64, StoreError> {
        number(file, "SELECT count(*) FROM outbox")
    }
}

fn number(file: &Path, query: &str) -> Result<u64, StoreError> {
    look(file, |db| db.query_row(query, [], |row| crate::sqlite::column::count(row, 0)))
}

fn look<T>(
    file: &Path,
    read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<T, StoreError> {
    Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .and_then(|db| {
            db.busy_timeout(std::time::Duration::from_secs(5))?;
            read(&db)
        })
        .map_err(|error| StoreError::new(StoreErrorKind::Unavailable, "inspect").because(error))
}
