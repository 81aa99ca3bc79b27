use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};
use shop_domain::id::{OrderId, TenantId, UserId};
use shop_domain::money::Currency;
use shop_domain::notification::Contact;
use shop_domain::order::{Attempt, Order, Status, Transition};
use shop_domain::port::messaging::NewEvent;
use shop_domain::port::{
    Advanced, Begun, CLAIM_TTL, Change, Claimed, Key, OrderStore, Placement, StoreError,
    StoreFuture, Taken, Time, millis,
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
    "
    ALTER TABLE orders ADD COLUMN phone TEXT;
    ALTER TABLE orders ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1;

    -- Which order a key stands for while no attempt has succeeded.
    CREATE TABLE claims (
        tenant_id TEXT NOT NULL,
        user_id TEXT NOT NULL,
        idempotency_key TEXT NOT NULL,
        fingerprint BLOB NOT NULL,
        order_id TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        PRIMARY KEY (tenant_id, user_id, idempotency_key)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX claims_by_time ON claims (at_ms);
",
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

/// What a key is taken by, if it is.
fn taken(db: &Connection, key: &Key) -> rusqlite::Result<Option<Taken>> {
    db.prepare_cached(select!("WHERE tenant_id = ? AND user_id = ? AND idempotency_key = ?"))?
        .query_row([key.tenant_id.as_str(), key.user_id.as_str(), key.key.as_str()], |row| {
            let order = order(row)?;
            let fingerprint: Vec<u8> = row.get(8)?;
            Ok(if fingerprint != key.fingerprint.0.to_be_bytes() {
                Taken::Reused
            } else if order.status == Status::Reserving {
                Taken::InProgress
            } else {
                Taken::Repeated(order)
            })
        })
        .optional()
}

fn claim(db: &Connection, key: &Key, new: &OrderId, now_ms: u64) -> rusqlite::Result<Claimed> {
    if let Some(taken) = taken(db, key)? {
        return Ok(Claimed::Taken(taken));
    }
    let forgotten_ms = now_ms.saturating_sub(millis(CLAIM_TTL));
    db.prepare_cached("DELETE FROM claims WHERE at_ms < ?")?
        .execute([forgotten_ms.cast_signed()])?;
    // Another request under the same key is another order.
    db.prepare_cached(
        "INSERT INTO claims VALUES (?, ?, ?, ?, ?, 1, ?) ON CONFLICT DO UPDATE SET
         order_id = iif(fingerprint = excluded.fingerprint, order_id, excluded.order_id),
         attempts = iif(fingerprint = excluded.fingerprint, attempts + 1, 1),
         fingerprint = excluded.fingerprint, at_ms = excluded.at_ms
         RETURNING order_id, attempts",
    )?
    .query_row(
        params![
            key.tenant_id.as_str(),
            key.user_id.as_str(),
            key.key.as_str(),
            key.fingerprint.0.to_be_bytes(),
            new.as_str(),
            now_ms.cast_signed(),
        ],
        |row| attempt(row).map(Claimed::Attempt),
    )
}

/// An attempt: the id of its order, and its number.
fn attempt(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    let order_id = parsed(row, 0, |text| OrderId::parse(text).ok())?;
    Ok(Attempt { order_id, number: row.get(1)? })
}

fn begin(db: &Connection, placement: &Placement) -> rusqlite::Result<Begun> {
    let Placement { order, attempt, key, contact } = placement;
    if let Some(key) = key
        && let Some(taken) = taken(db, key)?
    {
        return Ok(Begun::Taken(taken));
    }
    let lines = serde_json::to_string(&order.lines)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    db.prepare_cached(
        "INSERT INTO orders (order_id, tenant_id, user_id, status, lines, total_minor, currency,
         created_at_ms, idempotency_key, fingerprint, contact, phone, attempt)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
        contact.email,
        contact.phone,
        attempt,
    ])?;
    Ok(Begun::New)
}

fn accept(db: &Connection, attempt: &Attempt, event: &NewEvent) -> rusqlite::Result<Option<Order>> {
    let id = &attempt.order_id;
    let accepted = db
        .prepare_cached(
            "UPDATE orders SET status = 'PENDING'
             WHERE order_id = ? AND attempt = ? AND status = 'RESERVING'",
        )?
        .execute(params![id.as_str(), attempt.number])?;
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

fn contact(db: &Connection, id: &OrderId) -> rusqlite::Result<Contact> {
    let contact = db
        .prepare_cached("SELECT contact, phone FROM orders WHERE order_id = ?")?
        .query_row([id.as_str()], |row| Ok(Contact { email: row.get(0)?, phone: row.get(1)? }))
        .optional()?;
    Ok(contact.unwrap_or_default())
}

fn counts(db: &Connection) -> rusqlite::Result<Vec<(Status, u64)>> {
    db.prepare_cached(
        "SELECT status, count(*) FROM orders WHERE status <> 'RESERVING' GROUP BY status",
    )?
    .query_map([], |row| Ok((parsed(row, 0, Status::parse)?, count(row, 1)?)))?
    .collect()
}

fn abandon(db: &Connection, attempt: &Attempt) -> rusqlite::Result<bool> {
    let (id, number) = (attempt.order_id.as_str(), attempt.number);
    db.prepare_cached(
        "DELETE FROM orders WHERE order_id = ? AND attempt = ? AND status = 'RESERVING'",
    )?
    .execute(params![id, number])?;
    let accepted = db
        .prepare_cached("SELECT 1 FROM orders WHERE order_id = ? AND attempt = ?")?
        .exists(params![id, number])?;
    Ok(!accepted)
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

fn unfinished(db: &Connection, limit: usize) -> rusqlite::Result<Vec<Attempt>> {
    db.prepare_cached(
        "SELECT order_id, attempt FROM orders
         WHERE status = 'RESERVING' ORDER BY order_id LIMIT ?",
    )?
    .query_map([limit as i64], attempt)?
    .collect()
}

impl OrderStore for SqliteOrders {
    fn begin<'a>(&'a self, placement: &'a Placement) -> StoreFuture<'a, Begun> {
        let placement = placement.clone();
        Box::pin(self.database.write("orders.begin", move |db| begin(db, &placement)))
    }

    fn claim<'a>(
        &'a self,
        key: &'a Key,
        new: &'a OrderId,
        now_ms: u64,
    ) -> StoreFuture<'a, Claimed> {
        let (key, new) = (key.clone(), new.clone());
        Box::pin(self.database.write("orders.claim", move |db| claim(db, &key, &new, now_ms)))
    }

    fn accept<'a>(
        &'a self,
        attempt: &'a Attempt,
        event: &'a NewEvent,
    ) -> StoreFuture<'a, Option<Order>> {
        let (attempt, event) = (attempt.clone(), event.clone());
        Box::pin(async move {
            let accept = move |db: &Connection| accept(db, &attempt, &event);
            let accepted = self.database.write("orders.accept", accept).await?;
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

    fn contact<'a>(&'a self, id: &'a OrderId) -> StoreFuture<'a, Contact> {
        let id = id.clone();
        Box::pin(self.database.read("orders.contact", move |db| contact(db, &id)))
    }

    fn counts(&self) -> StoreFuture<'_, Vec<(Status, u64)>> {
        Box::pin(self.database.read("orders.counts", counts))
    }

    fn abandon<'a>(&'a self, attempt: &'a Attempt) -> StoreFuture<'a, bool> {
        let attempt = attempt.clone();
        Box::pin(self.database.write("orders.abandon", move |db| abandon(db, &attempt)))
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

    fn unfinished(&self, limit: usize) -> StoreFuture<'_, Vec<Attempt>> {
        Box::pin(self.database.read("orders.unfinished", move |db| unfinished(db, limit)))
    }
}
