use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};
use shop_domain::id::{OrderId, UserId};
use shop_domain::loyalty::{Accrual, Balance, Tier};
use shop_domain::port::{LoyaltyStore, StoreError, StoreFuture};

use crate::sqlite::column::{count, parsed};
use crate::sqlite::{Database, opens};

const MIGRATIONS: &[&str] = &["
    CREATE TABLE ledger (
        order_id TEXT PRIMARY KEY,
        user_id TEXT NOT NULL,
        points INTEGER NOT NULL CHECK (points >= 0),
        at_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX ledger_by_user ON ledger (user_id, at_ms);

    CREATE TABLE balances (
        user_id TEXT PRIMARY KEY,
        points INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
"];

/// Points on SQLite.
#[derive(Clone, Debug)]
pub struct SqliteLoyalty(Database);

opens!(SqliteLoyalty);

fn accrue(db: &Connection, accrual: &Accrual) -> rusqlite::Result<bool> {
    let Accrual { order_id, user_id, points, at_ms } = accrual;
    let new =
        db.prepare_cached("INSERT OR IGNORE INTO ledger VALUES (?, ?, ?, ?)")?.execute(params![
            order_id.as_str(),
            user_id.as_str(),
            points.cast_signed(),
            at_ms.cast_signed()
        ])?;
    if new == 0 {
        return Ok(false);
    }
    db.prepare_cached(
        "INSERT INTO balances VALUES (?1, ?2) ON CONFLICT DO UPDATE SET points = points + ?2",
    )?
    .execute(params![user_id.as_str(), points.cast_signed()])?;
    Ok(true)
}

fn balance(db: &Connection, user: &UserId) -> rusqlite::Result<Balance> {
    let points = db
        .prepare_cached("SELECT points FROM balances WHERE user_id = ?")?
        .query_row([user.as_str()], |row| count(row, 0))
        .optional()?
        .unwrap_or_default();
    Ok(Balance { user_id: user.clone(), points, tier: Tier::of(points) })
}

fn entries(db: &Connection, user: &UserId, limit: usize) -> rusqlite::Result<Vec<Accrual>> {
    db.prepare_cached(
        "SELECT order_id, user_id, points, at_ms FROM ledger WHERE user_id = ?
         ORDER BY at_ms DESC, order_id DESC LIMIT ?",
    )?
    .query_map(params![user.as_str(), limit as i64], |row| {
        Ok(Accrual {
            order_id: parsed(row, 0, |text| OrderId::parse(text).ok())?,
            user_id: parsed(row, 1, |text| UserId::parse(text).ok())?,
            points: count(row, 2)?,
            at_ms: count(row, 3)?,
        })
    })?
    .collect()
}

fn recalculate(db: &Connection) -> rusqlite::Result<(u64, u64)> {
    let wrong = db
        .prepare_cached(
            "SELECT count(*) FROM
               (SELECT user_id, sum(points) AS points FROM ledger GROUP BY user_id) AS sums
             FULL JOIN balances USING (user_id)
             WHERE sums.points IS NOT balances.points",
        )?
        .query_row([], |row| count(row, 0))?;
    if wrong > 0 {
        db.execute("DELETE FROM balances", [])?;
        db.execute("INSERT INTO balances SELECT user_id, sum(points) FROM ledger GROUP BY 1", [])?;
    }
    let all = db.query_row("SELECT count(*) FROM balances", [], |row| count(row, 0))?;
    Ok((all, wrong))
}

impl LoyaltyStore for SqliteLoyalty {
    fn accrue<'a>(&'a self, accrual: &'a Accrual) -> StoreFuture<'a, bool> {
        let accrual = accrual.clone();
        Box::pin(self.0.write("loyalty.accrue", move |db| accrue(db, &accrual)))
    }

    fn balance<'a>(&'a self, user: &'a UserId) -> StoreFuture<'a, Balance> {
        let user = user.clone();
        Box::pin(self.0.read("loyalty.balance", move |db| balance(db, &user)))
    }

    fn entries<'a>(&'a self, user: &'a UserId, limit: usize) -> StoreFuture<'a, Vec<Accrual>> {
        let user = user.clone();
        Box::pin(self.0.read("loyalty.entries", move |db| entries(db, &user, limit)))
    }

    fn recalculate(&self) -> StoreFuture<'_, (u64, u64)> {
        Box::pin(self.0.write("loyalty.recalculate", recalculate))
    }
}
