use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};
use shop_domain::id::{OrderId, TenantId, UserId};
use shop_domain::money::Currency;
use shop_domain::order::{Order, Status, Transition};
use shop_domain::port::messaging::NewEvent;
use shop_domain::port::{
    Advanced, Begun, Change, Key, OrderStore, Placement, StoreError, StoreFuture, Time,
};

use crate::outbox::{self, Bell, SqliteOutbox};
use crate::sqlite::Database;
use crate::sqlite::column::{count, parsed};

const MIGRATIONS: &[&str] = &[
    "
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
",
    "
    ALTER TABLE orders ADD COLUMN contact TEXT;
    ALTER TABLE orders ADD COLUMN reason TEXT;
    ALTER TABLE orders ADD COLUMN tracking_id TEXT;
    CREATE INDEX orders_by_status ON orders (status);

    CREATE TABLE transitions (
        order_id TEXT NOT NULL,
        number INTEGER NOT NULL,
        from_status TEXT NOT NULL,
        to_status TEXT NOT NULL,
        reason TEXT,
        at_ms INTEGER NOT NULL,
        PRIMARY KEY (order_id, number)
    ) STRICT, WITHOUT ROWID;
",
    outbox::MIGRATION,
];

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT order_id, tenant_id, user_id, status, lines, total_minor, currency,
             created_at_ms, fingerprint, reason, tracking_id FROM orders ",
            $tail
        )
    };
}

/// Orders on SQLite.
#[derive(Clone, Debug)]
pub struct SqliteOrders {
    database: Database,
    bell: Bell,
}

impl SqliteOrders {
    /// Opens or creates the file at `path`.
    ///
    /// # Errors
    /// When it cannot be opened or is not ours.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let database = Database::open(path, MIGRATIONS)?;
        Ok(Self { database, bell: Bell::default() })
    }

    /// The events that tell of the orders.
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
        reason: row.get(9)?,
        tracking_id: row.get(10)?,
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

fn begin(db: &Connection, placement: &Placement) -> rusqlite::Result<Begun> {
    let Placement { order, key, contact } = placement;
    if let Some(key) = key
        && let Some(begun) = find(db, key)?
    {
        return Ok(begun);
    }
    let lines = serde_json::to_string(&order.lines)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    db.prepare_cached(
        "INSERT INTO orders (order_id, tenant_id, user_id, status, lines, total_minor, currency,
         created_at_ms, idempotency_key, fingerprint, contact)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
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
        contact,
    ])?;
    Ok(Begun::New)
}

fn accept(db: &Connection, id: &OrderId, event: &NewEvent) -> rusqlite::Result<Option<Order>> {
    let accepted = db
        .prepare_cached(
            "UPDATE orders SET status = 'PENDING' WHERE order_id = ? AND status = 'RESERVING'",
        )?
        .execute([id.as_str()])?;
    if accepted == 0 {
        return Ok(None);
    }
    let step = Transition {
        from: Status::Reserving,
        to: Status::Pending,
        reason: None,
        at_ms: event.time_ms,
    };
    note(db, id, &step)?;
    outbox::append(db, event)?;
    get(db, id)
}

fn advance(db: &Connection, change: &Change) -> rusqlite::Result<Advanced> {
    let Change { order_id, from, to, reason, tracking_id, at_ms, event } = change;
    let Some(order) = get(db, order_id)? else { return Ok(Advanced::Missing) };
    if order.status == *to {
        return Ok(Advanced::Already(order));
    }
    if order.status != *from || !from.may_become(*to) {
        return Ok(Advanced::Illegal(order));
    }
    db.prepare_cached(
        "UPDATE orders SET status = ?2, reason = coalesce(?3, reason),
         tracking_id = coalesce(?4, tracking_id) WHERE order_id = ?1",
    )?
    .execute(params![order_id.as_str(), to.as_str(), reason, tracking_id])?;
    let step = Transition { from: *from, to: *to, reason: reason.clone(), at_ms: *at_ms };
    note(db, order_id, &step)?;
    outbox::append(db, event)?;
    Ok(get(db, order_id)?.map_or(Advanced::Missing, Advanced::Done))
}

/// Adds a step to the history of an order.
fn note(db: &Connection, id: &OrderId, step: &Transition) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO transitions
         SELECT ?1, coalesce(max(number), 0) + 1, ?2, ?3, ?4, ?5
         FROM transitions WHERE order_id = ?1",
    )?
    .execute(params![
        id.as_str(),
        step.from.as_str(),
        step.to.as_str(),
        step.reason,
        step.at_ms.cast_signed()
    ])
    .map(drop)
}

fn history(db: &Connection, id: &OrderId) -> rusqlite::Result<Vec<Transition>> {
    db.prepare_cached(
        "SELECT from_status, to_status, reason, at_ms FROM transitions
         WHERE order_id = ? ORDER BY number",
    )?
    .query_map([id.as_str()], |row| {
        Ok(Transition {
            from: parsed(row, 0, Status::parse)?,
            to: parsed(row, 1, Status::parse)?,
            reason: row.get(2)?,
            at_ms: count(row, 3)?,
        })
    })?
    .collect()
}

fn contact(db: &Connection, id: &OrderId) -> rusqlite::Result<Option<String>> {
    let contact = db
        .prepare_cached("SELECT contact FROM orders WHERE order_id = ?")?
        .query_row([id.as_str()], |row| row.get(0))
        .optional()?;
    Ok(contact.flatten())
}

fn counts(db: &Connection) -> rusqlite::Result<Vec<(Status, u64)>> {
    db.prepare_cached(
        "SELECT status, count(*) FROM orders WHERE status <> 'RESERVING' GROUP BY status",
    )?
    .query_map([], |row| Ok((parsed(row, 0, Status::parse)?, count(row, 1)?)))?
    .collect()
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
        Box::pin(self.database.write("orders.begin", move |db| begin(db, &placement)))
    }

    fn find<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Option<Begun>> {
        let key = key.clone();
        Box::pin(self.database.read("orders.find", move |db| find(db, &key)))
    }

    fn accept<'a>(
        &'a self,
        id: &'a OrderId,
        event: &'a NewEvent,
    ) -> StoreFuture<'a, Option<Order>> {
        let (id, event) = (id.clone(), event.clone());
        Box::pin(async move {
            let accepted =
                self.database.write("orders.accept", move |db| accept(db, &id, &event)).await?;
            self.bell.ring();
            Ok(accepted)
        })
    }

    fn advance<'a>(&'a self, change: &'a Change) -> StoreFuture<'a, Advanced> {
        let change = change.clone();
        Box::pin(async move {
            let advanced =
                self.database.write("orders.advance", move |db| advance(db, &change)).await?;
            self.bell.ring();
            Ok(advanced)
        })
    }

    fn history<'a>(&'a self, id: &'a OrderId) -> StoreFuture<'a, Vec<Transition>> {
        let id = id.clone();
        Box::pin(self.database.read("orders.history", move |db| history(db, &id)))
    }

    fn contact<'a>(&'a self, id: &'a OrderId) -> StoreFuture<'a, Option<String>> {
        let id = id.clone();
        Box::pin(self.database.read("orders.contact", move |db| contact(db, &id)))
    }

    fn counts(&self) -> StoreFuture<'_, Vec<(Status, u64)>> {
        Box::pin(self.database.read("orders.counts", counts))
    }

    fn abandon<'a>(&'a self, id: &'a OrderId) -> StoreFuture<'a, bool> {
        let id = id.clone();
        Box::pin(self.database.write("orders.abandon", move |db| abandon(db, &id)))
    }

    fn get<'a>(&'a self, id: &'a OrderId) -> StoreFuture<'a, Option<Order>> {
        let id = id.clone();
        Box::pin(self.database.read("orders.get", move |db| get(db, &id)))
    }

    fn list<'a>(
        &'a self,
        user: &'a UserId,
        before: Option<&'a OrderId>,
        limit: usize,
    ) -> StoreFuture<'a, Vec<Order>> {
        let (user, before) = (user.clone(), before.cloned());
        let list = move |db: &Connection| list(db, &user, before.as_ref(), limit);
        Box::pin(self.database.read("orders.list", list))
    }

    fn unfinished(&self, limit: usize) -> StoreFuture<'_, Vec<OrderId>> {
        Box::pin(self.database.read("orders.unfinished", move |db| unfinished(db, limit)))
    }
}
