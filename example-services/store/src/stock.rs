use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};
use shop_domain::cart::Item;
use shop_domain::id::{OrderId, ProductId};
use shop_domain::port::{Reserved, SetLevel, StockStore, StoreError, StoreFuture};
use shop_domain::quantity::Quantity;
use shop_domain::stock::{Level, Reservation};

use crate::sqlite::Database;
use crate::sqlite::column::{count, parsed};

const MIGRATIONS: &[&str] = &["
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
"];

/// Stock on SQLite.
#[derive(Clone, Debug)]
pub struct SqliteStock(Database);

impl SqliteStock {
    /// Opens or creates the file at `path`.
    ///
    /// # Errors
    /// When it cannot be opened or is not ours.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Database::open(path, MIGRATIONS).map(Self)
    }

    /// The database, for health checks.
    #[must_use]
    pub const fn database(&self) -> &Database {
        &self.0
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
    let expires_at: Option<Option<i64>> = db
        .prepare_cached("SELECT expires_at_ms FROM reservations WHERE order_id = ?")?
        .query_row([order.as_str()], |row| row.get(0))
        .optional()?;
    let Some(expires_at) = expires_at else { return Ok(None) };
    Ok(Some(Reservation {
        order_id: order.clone(),
        items: items(db, order)?,
        // One that is confirmed never runs out.
        expires_at_ms: expires_at.map_or(u64::MAX, i64::cast_unsigned),
    }))
}

fn reserve(db: &Connection, wanted: &Reservation) -> rusqlite::Result<Reserved> {
    if let Some(reservation) = existing(db, &wanted.order_id)? {
        return Ok(Reserved::Kept(reservation));
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
    let order = wanted.order_id.as_str();
    db.prepare_cached("INSERT INTO reservations VALUES (?, ?)")?
        .execute(params![order, wanted.expires_at_ms.cast_signed()])?;
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

fn release(db: &Connection, order: &OrderId) -> rusqlite::Result<bool> {
    for Item { product_id, quantity } in items(db, order)? {
        db.prepare_cached("UPDATE stock SET reserved = reserved - ? WHERE product_id = ?")?
            .execute(params![quantity.get(), product_id.as_str()])?;
    }
    let released = db
        .prepare_cached("DELETE FROM reservations WHERE order_id = ?")?
        .execute([order.as_str()])?;
    Ok(released == 1)
}

fn confirm(db: &Connection, order: &OrderId) -> rusqlite::Result<bool> {
    db.prepare_cached("UPDATE reservations SET expires_at_ms = NULL WHERE order_id = ?")?
        .execute([order.as_str()])
        .map(|rows| rows == 1)
}

fn expired(db: &Connection, now_ms: u64, limit: usize) -> rusqlite::Result<Vec<OrderId>> {
    db.prepare_cached(
        "SELECT order_id FROM reservations
         WHERE expires_at_ms IS NOT NULL AND expires_at_ms <= ? ORDER BY expires_at_ms LIMIT ?",
    )?
    .query_map(params![now_ms.cast_signed(), limit as i64], |row| {
        parsed(row, 0, |text| OrderId::parse(text).ok())
    })?
    .collect()
}

impl StockStore for SqliteStock {
    fn level<'a>(&'a self, id: &'a ProductId) -> StoreFuture<'a, Option<Level>> {
        let id = id.clone();
        Box::pin(self.0.read("stock.level", move |db| level(db, &id)))
    }

    fn set_level<'a>(&'a self, id: &'a ProductId, quantity: u64) -> StoreFuture<'a, SetLevel> {
        let id = id.clone();
        Box::pin(self.0.write("stock.set_level", move |db| set_level(db, &id, quantity)))
    }

    fn seed<'a>(&'a self, id: &'a ProductId, quantity: u64) -> StoreFuture<'a, bool> {
        let id = id.clone();
        let seed = move |db: &Connection| {
            db.prepare_cached("INSERT OR IGNORE INTO stock (product_id, quantity) VALUES (?, ?)")?
                .execute(params![id.as_str(), quantity.cast_signed()])
                .map(|rows| rows == 1)
        };
        Box::pin(self.0.write("stock.seed", seed))
    }

    fn reserve<'a>(&'a self, reservation: &'a Reservation) -> StoreFuture<'a, Reserved> {
        let reservation = reservation.clone();
        Box::pin(self.0.write("stock.reserve", move |db| reserve(db, &reservation)))
    }

    fn release<'a>(&'a self, order: &'a OrderId) -> StoreFuture<'a, bool> {
        let order = order.clone();
        Box::pin(self.0.write("stock.release", move |db| release(db, &order)))
    }

    fn confirm<'a>(&'a self, order: &'a OrderId) -> StoreFuture<'a, bool> {
        let order = order.clone();
        Box::pin(self.0.write("stock.confirm", move |db| confirm(db, &order)))
    }

    fn expired(&self, now_ms: u64, limit: usize) -> StoreFuture<'_, Vec<OrderId>> {
        Box::pin(self.0.read("stock.expired", move |db| expired(db, now_ms, limit)))
    }
}
