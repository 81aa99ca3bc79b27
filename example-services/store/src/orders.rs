use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row, params};
use shop_domain::id::{OrderId, TenantId, UserId};
use shop_domain::money::Currency;
use shop_domain::order::{Order, Status};
use shop_domain::port::{Begun, Key, OrderStore, Placement, StoreError, StoreFuture};

use crate::sqlite::Database;
use crate::sqlite::column::{count, parsed};

const MIGRATIONS: &[&str] = &["
    CREATE TABLE orders (
        order_id TEXT PRIMARY KEY,
        tenant_id TEXT NOT NULL,
        user_id TEXT NOT NULL,
        status TEXT NOT NULL,
        lines TEXT NOT NULL,
        total_minor INTEGER NOT NULL CHECK (total_minor >= 0),
        currency TEXT NOT NULL,
        created_at_ms INTEGER NOT NULL,
        idempotency_key TEXT,
        fingerprint BLOB
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX orders_by_user ON orders (user_id, order_id);
    CREATE INDEX orders_unfinished ON orders (order_id) WHERE status = 'RESERVING';
    CREATE UNIQUE INDEX orders_by_key ON orders (tenant_id, user_id, idempotency_key)
        WHERE idempotency_key IS NOT NULL;
"];

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT order_id, tenant_id, user_id, status, lines, total_minor, currency,
             created_at_ms, fingerprint FROM orders ",
            $tail
        )
    };
}

/// Orders on SQLite.
#[derive(Clone, Debug)]
pub struct SqliteOrders(Database);

impl SqliteOrders {
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

fn order(row: &Row<'_>) -> rusqlite::Result<Order> {
    Ok(Order {
        order_id: parsed(row, 0, |text| OrderId::parse(text).ok())?,
        tenant_id: parsed(row, 1, |text| TenantId::parse(text).ok())?,
        user_id: parsed(row, 2, |text| UserId::parse(text).ok())?,
        status: parsed(row, 3, Status::parse)?,
        lines: parsed(row, 4, |text| serde_json::from_str(text).ok())?,
        total_minor: count(row, 5)?,
        currency: parsed(row, 6, Currency::parse)?,
        created_at_ms: count(row, 7)?,
    })
}

fn find(db: &Connection, key: &Key) -> rusqlite::Result<Option<Begun>> {
    db.prepare_cached(select!("WHERE tenant_id = ? AND user_id = ? AND idempotency_key = ?"))?
        .query_row([key.tenant_id.as_str(), key.user_id.as_str(), key.key.as_str()], |row| {
            let order = order(row)?;
            let fingerprint: Vec<u8> = row.get(8)?;
            Ok(if fingerprint != key.fingerprint.0.to_be_bytes() {
                Begun::KeyReused
            } else if order.status == Status::Reserving {
                Begun::InProgress
            } else {
                Begun::Repeated(order)
            })
        })
        .optional()
}

fn begin(db: &Connection, Placement { order, key }: &Placement) -> rusqlite::Result<Begun> {
    if let Some(key) = key
        && let Some(begun) = find(db, key)?
    {
        return Ok(begun);
    }
    let lines = serde_json::to_string(&order.lines)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    db.prepare_cached("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?.execute(
        params![
            order.order_id.as_str(),
            order.tenant_id.as_str(),
            order.user_id.as_str(),
            Status::Reserving.as_str(),
            lines,
            order.total_minor.cast_signed(),
            order.currency.as_str(),
            order.created_at_ms.cast_signed(),
            key.as_ref().map(|key| key.key.as_str()),
            key.as_ref().map(|key| key.fingerprint.0.to_be_bytes()),
        ],
    )?;
    Ok(Begun::New)
}

fn accept(db: &Connection, id: &OrderId) -> rusqlite::Result<Option<Order>> {
    let accepted = db
        .prepare_cached(
            "UPDATE orders SET status = 'PENDING' WHERE order_id = ? AND status = 'RESERVING'",
        )?
        .execute([id.as_str()])?;
    if accepted == 0 { Ok(None) } else { get(db, id) }
}

fn abandon(db: &Connection, id: &OrderId) -> rusqlite::Result<bool> {
    db.prepare_cached("DELETE FROM orders WHERE order_id = ? AND status = 'RESERVING'")?
        .execute([id.as_str()])?;
    Ok(get(db, id)?.is_none())
}

fn get(db: &Connection, id: &OrderId) -> rusqlite::Result<Option<Order>> {
    db.prepare_cached(select!("WHERE order_id = ? AND status <> 'RESERVING'"))?
        .query_row([id.as_str()], order)
        .optional()
}

fn list(
    db: &Connection,
    user: &UserId,
    before: Option<&OrderId>,
    limit: usize,
) -> rusqlite::Result<Vec<Order>> {
    // No id sorts after a tilde, which ids do not contain.
    let before = before.map_or("~", OrderId::as_str);
    db.prepare_cached(select!(
        "WHERE user_id = ? AND order_id < ? AND status <> 'RESERVING'
         ORDER BY order_id DESC LIMIT ?"
    ))?
    .query_map(params![user.as_str(), before, limit as i64], order)?
    .collect()
}

fn unfinished(db: &Connection, limit: usize) -> rusqlite::Result<Vec<OrderId>> {
    db.prepare_cached(
        "SELECT order_id FROM orders WHERE status = 'RESERVING' ORDER BY order_id LIMIT ?",
    )?
    .query_map([limit as i64], |row| parsed(row, 0, |text| OrderId::parse(text).ok()))?
    .collect()
}

impl OrderStore for SqliteOrders {
    fn begin<'a>(&'a self, placement: &'a Placement) -> StoreFuture<'a, Begun> {
        let placement = placement.clone();
        Box::pin(self.0.write("orders.begin", move |db| begin(db, &placement)))
    }

    fn find<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Option<Begun>> {
        let key = key.clone();
        Box::pin(self.0.read("orders.find", move |db| find(db, &key)))
    }

    fn accept<'a>(&'a self, id: &'a OrderId) -> StoreFuture<'a, Option<Order>> {
        let id = id.clone();
        Box::pin(self.0.write("orders.accept", move |db| accept(db, &id)))
    }

    fn abandon<'a>(&'a self, id: &'a OrderId) -> StoreFuture<'a, bool> {
        let id = id.clone();
        Box::pin(self.0.write("orders.abandon", move |db| abandon(db, &id)))
    }

    fn get<'a>(&'a self, id: &'a OrderId) -> StoreFuture<'a, Option<Order>> {
        let id = id.clone();
        Box::pin(self.0.read("orders.get", move |db| get(db, &id)))
    }

    fn list<'a>(
        &'a self,
        user: &'a UserId,
        before: Option<&'a OrderId>,
        limit: usize,
    ) -> StoreFuture<'a, Vec<Order>> {
        let (user, before) = (user.clone(), before.cloned());
        let list = move |db: &Connection| list(db, &user, before.as_ref(), limit);
        Box::pin(self.0.read("orders.list", list))
    }

    fn unfinished(&self, limit: usize) -> StoreFuture<'_, Vec<OrderId>> {
        Box::pin(self.0.read("orders.unfinished", move |db| unfinished(db, limit)))
    }
}
