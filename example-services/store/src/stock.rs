use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use shop_domain::cart::Item;
use shop_domain::id::{OrderId, ProductId};
use shop_domain::order::Attempt;
use shop_domain::port::messaging::NewEvent;
use shop_domain::port::{Reserved, SetLevel, Sold, StockStore, StoreError, StoreFuture, Time};
use shop_domain::quantity::Quantity;
use shop_domain::stock::{Level, Reservation};

use crate::outbox::{self, Bell, SqliteOutbox};
use crate::sqlite::Database;
use crate::sqlite::column::{count, parsed};

const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE stock (
        product_id TEXT PRIMARY KEY,
        quantity INTEGER NOT NULL,
        reserved INTEGER NOT NULL DEFAULT 0,
        CHECK (0 <= reserved AND reserved <= quantity)
    ) STRICT, WITHOUT ROWID;

    -- A confirmed reservation has no time at which it runs out.
    CREATE TABLE reservations (
        order_id TEXT PRIMARY KEY,
        expires_at_ms INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX reservations_by_expiry ON reservations (expires_at_ms)
        WHERE expires_at_ms IS NOT NULL;

    CREATE TABLE reserved_items (
        order_id TEXT NOT NULL REFERENCES reservations ON DELETE CASCADE,
        product_id TEXT NOT NULL REFERENCES stock,
        quantity INTEGER NOT NULL CHECK (quantity > 0),
        PRIMARY KEY (order_id, product_id)
    ) STRICT, WITHOUT ROWID;
",
    "
    -- What was sold has left the shelf; the row stays, so that it leaves it once.
    ALTER TABLE reservations ADD COLUMN sold INTEGER NOT NULL DEFAULT 0;
",
    outbox::MIGRATION,
    "
    ALTER TABLE reservations ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1;
",
];

/// Stock on SQLite.
#[derive(Clone, Debug)]
pub struct SqliteStock {
    database: Database,
    bell: Bell,
}

impl SqliteStock {
    /// Opens or creates the file at `path`.
    ///
    /// # Errors
    /// When it cannot be opened or is not ours.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let database = Database::open(path, MIGRATIONS)?;
        Ok(Self { database, bell: Bell::default() })
    }

    /// The events that tell of the stock.
    #[must_use]
    pub fn outbox(&self, time: Arc<dyn Time>) -> SqliteOutbox {
        SqliteOutbox::new(self.database.clone(), self.bell.clone(), time)
    }

    /// The database, for health checks.
    #[must_use]
    pub const fn database(&self) -> &Database {
        &self.database
    }
}

fn level(db: &Connection, id: &ProductId) -> rusqlite::Result<Option<Level>> {
    db.prepare_cached("SELECT quantity, reserved FROM stock WHERE product_id = ?")?
        .query_row([id.as_str()], |row| {
            Ok(Level { product_id: id.clone(), quantity: count(row, 0)?, reserved: count(row, 1)? })
        })
        .optional()
}

fn set_level(db: &Connection, id: &ProductId, quantity: u64) -> rusqlite::Result<SetLevel> {
    let changed = db
        .prepare_cached(
            "INSERT INTO stock (product_id, quantity) VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET quantity = ?2 WHERE reserved <= ?2",
        )?
        .execute(params![id.as_str(), quantity.cast_signed()])?;
    let level = level(db, id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    Ok(if changed == 1 { SetLevel::Set(level) } else { SetLevel::BelowReserved(level) })
}

fn items(db: &Connection, order: &OrderId) -> rusqlite::Result<Vec<Item>> {
    db.prepare_cached(
        "SELECT product_id, quantity FROM reserved_items WHERE order_id = ? ORDER BY product_id",
    )?
    .query_map([order.as_str()], |row| {
        let pieces: i64 = row.get(1)?;
        Ok(Item {
            product_id: parsed(row, 0, |text| ProductId::parse(text).ok())?,
            quantity: Quantity::new(pieces)
                .map_err(|_| rusqlite::Error::IntegralValueOutOfRange(1, pieces))?,
        })
    })?
    .collect()
}

fn existing(db: &Connection, order: &OrderId) -> rusqlite::Result<Option<Reservation>> {
    let found: Option<(Option<i64>, u32)> = db
        .prepare_cached("SELECT expires_at_ms, attempt FROM reservations WHERE order_id = ?")?
        .query_row([order.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((expires_at, number)) = found else { return Ok(None) };
    Ok(Some(Reservation {
        attempt: Attempt { order_id: order.clone(), number },
        items: items(db, order)?,
        // One that is confirmed never runs out.
        expires_at_ms: expires_at.map_or(u64::MAX, i64::cast_unsigned),
    }))
}

fn reserve(db: &Connection, wanted: &Reservation) -> rusqlite::Result<Reserved> {
    if let Some(reservation) = existing(db, &wanted.attempt.order_id)? {
        if reservation.attempt == wanted.attempt {
            return Ok(Reserved::Kept(reservation));
        }
        if reservation.attempt.number > wanted.attempt.number || !withdraw(db, &wanted.attempt)? {
            return Ok(Reserved::Superseded);
        }
    }
    // All conditions first: then nothing has to be undone.
    for item in &wanted.items {
        let Some(level) = level(db, &item.product_id)? else {
            return Ok(Reserved::Unknown(item.product_id.clone()));
        };
        if level.available() < u64::from(item.quantity.get()) {
            return Ok(Reserved::TooLittle(level));
        }
    }
    let (order, number) = (wanted.attempt.order_id.as_str(), wanted.attempt.number);
    db.prepare_cached(
        "INSERT INTO reservations (order_id, expires_at_ms, attempt) VALUES (?, ?, ?)",
    )?
    .execute(params![order, wanted.expires_at_ms.cast_signed(), number])?;
    for Item { product_id, quantity } in &wanted.items {
        db.prepare_cached("UPDATE stock SET reserved = reserved + ? WHERE product_id = ?")?
            .execute(params![quantity.get(), product_id.as_str()])?;
        db.prepare_cached("INSERT INTO reserved_items VALUES (?, ?, ?)")?.execute(params![
            order,
            product_id.as_str(),
            quantity.get()
        ])?;
    }
    Ok(Reserved::Kept(wanted.clone()))
}

fn is_sold(db: &Connection, order: &OrderId) -> rusqlite::Result<Option<bool>> {
    db.prepare_cached("SELECT sold FROM reservations WHERE order_id = ?")?
        .query_row([order.as_str()], |row| row.get(0))
        .optional()
}

fn release(db: &Connection, order: &OrderId) -> rusqlite::Result<bool> {
    let Some(sold) = is_sold(db, order)? else { return Ok(false) };
    let back = if sold {
        "UPDATE stock SET quantity = quantity + ? WHERE product_id = ?"
    } else {
        "UPDATE stock SET reserved = reserved - ? WHERE product_id = ?"
    };
    for Item { product_id, quantity } in items(db, order)? {
        db.prepare_cached(back)?.execute(params![quantity.get(), product_id.as_str()])?;
    }
    db.prepare_cached("DELETE FROM reservations WHERE order_id = ?")?
        .execute([order.as_str()])
        .map(|rows| rows == 1)
}

fn withdraw(db: &Connection, attempt: &Attempt) -> rusqlite::Result<bool> {
    let is_its = db
        .prepare_cached(
            "SELECT 1 FROM reservations WHERE order_id = ? AND attempt <= ? AND sold = 0",
        )?
        .exists(params![attempt.order_id.as_str(), attempt.number])?;
    if is_its { release(db, &attempt.order_id) } else { Ok(false) }
}

fn sell(db: &Connection, order: &OrderId, event: &NewEvent) -> rusqlite::Result<Sold> {
    match is_sold(db, order)? {
        None => return Ok(Sold::Nothing),
        Some(true) => return Ok(Sold::Already),
        Some(false) => {}
    }
    let mut levels = Vec::new();
    for Item { product_id, quantity } in items(db, order)? {
        db.prepare_cached(
            "UPDATE stock SET quantity = quantity - ?1, reserved = reserved - ?1
             WHERE product_id = ?2",
        )?
        .execute(params![quantity.get(), product_id.as_str()])?;
        let level = level(db, &product_id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        let mut event = event.clone();
        let before = level.quantity + u64::from(quantity.get());
        for (member, value) in [
            ("event_id", serde_json::Value::from(format!("{order}-{product_id}-sold"))),
            ("subject", product_id.as_str().into()),
            ("product_id", product_id.as_str().into()),
            ("before", before.into()),
            ("after", level.quantity.into()),
        ] {
            event.detail.insert(member.to_owned(), value);
        }
        outbox::append(db, &event)?;
        levels.push(level);
    }
    db.prepare_cached("UPDATE reservations SET sold = 1, expires_at_ms = NULL WHERE order_id = ?")?
        .execute([order.as_str()])?;
    Ok(Sold::Now(levels))
}

fn restock(db: &Connection, id: &ProductId, pieces: u64) -> rusqlite::Result<Option<Level>> {
    let rows = db
        .prepare_cached(
            "UPDATE stock SET quantity = quantity + ?2
             WHERE product_id = ?1 AND quantity + ?2 <= ?3",
        )?
        .execute(params![id.as_str(), pieces.cast_signed(), Level::MAX_QUANTITY.cast_signed()])?;
    if rows == 0 { Ok(None) } else { level(db, id) }
}

fn confirm(db: &Connection, attempt: &Attempt) -> rusqlite::Result<bool> {
    db.prepare_cached(
        "UPDATE reservations SET expires_at_ms = NULL WHERE order_id = ? AND attempt = ?",
    )?
    .execute(params![attempt.order_id.as_str(), attempt.number])
    .map(|rows| rows == 1)
}

fn expired(db: &Connection, now_ms: u64, limit: usize) -> rusqlite::Result<Vec<Attempt>> {
    db.prepare_cached(
        "SELECT order_id, attempt FROM reservations
         WHERE expires_at_ms IS NOT NULL AND expires_at_ms <= ? ORDER BY expires_at_ms LIMIT ?",
    )?
    .query_map(params![now_ms.cast_signed(), limit as i64], |row| {
        let order_id = parsed(row, 0, |text| OrderId::parse(text).ok())?;
        Ok(Attempt { order_id, number: row.get(1)? })
    })?
    .collect()
}

impl StockStore for SqliteStock {
    fn level<'a>(&'a self, id: &'a ProductId) -> StoreFuture<'a, Option<Level>> {
        let id = id.clone();
        Box::pin(self.database.read("stock.level", move |db| level(db, &id)))
    }

    fn set_level<'a>(&'a self, id: &'a ProductId, quantity: u64) -> StoreFuture<'a, SetLevel> {
        let id = id.clone();
        Box::pin(self.database.write("stock.set_level", move |db| set_level(db, &id, quantity)))
    }

    fn seed<'a>(&'a self, id: &'a ProductId, quantity: u64) -> StoreFuture<'a, bool> {
        let id = id.clone();
        let seed = move |db: &Connection| {
            db.prepare_cached("INSERT OR IGNORE INTO stock (product_id, quantity) VALUES (?, ?)")?
                .execute(params![id.as_str(), quantity.cast_signed()])
                .map(|rows| rows == 1)
        };
        Box::pin(self.database.write("stock.seed", seed))
    }

    fn reserve<'a>(&'a self, reservation: &'a Reservation) -> StoreFuture<'a, Reserved> {
        let reservation = reservation.clone();
        Box::pin(self.database.write("stock.reserve", move |db| reserve(db, &reservation)))
    }

    fn release<'a>(&'a self, order: &'a OrderId) -> StoreFuture<'a, bool> {
        let order = order.clone();
        Box::pin(self.database.write("stock.release", move |db| release(db, &order)))
    }

    fn withdraw<'a>(&'a self, attempt: &'a Attempt) -> StoreFuture<'a, bool> {
        let attempt = attempt.clone();
        Box::pin(self.database.write("stock.withdraw", move |db| withdraw(db, &attempt)))
    }

    fn sell<'a>(&'a self, order: &'a OrderId, event: &'a NewEvent) -> StoreFuture<'a, Sold> {
        let (order, event) = (order.clone(), event.clone());
        Box::pin(async move {
            let sold =
                self.database.write("stock.sell", move |db| sell(db, &order, &event)).await?;
            self.bell.ring();
            Ok(sold)
        })
    }

    fn restock<'a>(&'a self, id: &'a ProductId, pieces: u64) -> StoreFuture<'a, Option<Level>> {
        let id = id.clone();
        // Beyond the most that a shelf holds there is nothing to add up.
        let pieces = pieces.min(Level::MAX_QUANTITY + 1);
        Box::pin(self.database.write("stock.restock", move |db| restock(db, &id, pieces)))
    }

    fn confirm<'a>(&'a self, attempt: &'a Attempt) -> StoreFuture<'a, bool> {
        let attempt = attempt.clone();
        Box::pin(self.database.write("stock.confirm", move |db| confirm(db, &attempt)))
    }

    fn expired(&self, now_ms: u64, limit: usize) -> StoreFuture<'_, Vec<Attempt>> {
        Box::pin(self.database.read("stock.expired", move |db| expired(db, now_ms, limit)))
    }
}
