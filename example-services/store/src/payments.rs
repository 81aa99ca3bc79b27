use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row, params};
use shop_domain::id::{OrderId, UserId};
use shop_domain::money::Currency;
use shop_domain::payment::{Method, Outcome, Transaction};
use shop_domain::port::{PaymentStore, StoreError, StoreFuture};

use crate::sqlite::column::{count, parsed};
use crate::sqlite::{Database, opens};

const MIGRATIONS: &[&str] = &["
    CREATE TABLE methods (
        order_id TEXT PRIMARY KEY,
        brand TEXT NOT NULL,
        last4 TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- One per order: every outcome ends the payment.
    CREATE TABLE transactions (
        order_id TEXT PRIMARY KEY,
        transaction_id TEXT NOT NULL UNIQUE,
        user_id TEXT NOT NULL,
        amount_minor INTEGER NOT NULL CHECK (amount_minor >= 0),
        currency TEXT NOT NULL,
        outcome TEXT NOT NULL,
        reason TEXT,
        fraud_score INTEGER NOT NULL,
        brand TEXT,
        last4 TEXT,
        at_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
"];

/// Payments on SQLite.
#[derive(Clone, Debug)]
pub struct SqlitePayments(Database);

opens!(SqlitePayments);

fn transaction(row: &Row<'_>) -> rusqlite::Result<Transaction> {
    let (brand, last4): (Option<String>, Option<String>) = (row.get(8)?, row.get(9)?);
    Ok(Transaction {
        order_id: parsed(row, 0, |text| OrderId::parse(text).ok())?,
        transaction_id: row.get(1)?,
        user_id: parsed(row, 2, |text| UserId::parse(text).ok())?,
        amount_minor: count(row, 3)?,
        currency: parsed(row, 4, Currency::parse)?,
        outcome: parsed(row, 5, Outcome::parse)?,
        reason: row.get(6)?,
        fraud_score: row.get(7)?,
        method: brand.zip(last4).map(|(brand, last4)| Method { brand, last4 }),
        at_ms: count(row, 10)?,
    })
}

fn by_order(db: &Connection, order: &OrderId) -> rusqlite::Result<Option<Transaction>> {
    db.prepare_cached(
        "SELECT order_id, transaction_id, user_id, amount_minor, currency, outcome, reason,
         fraud_score, brand, last4, at_ms FROM transactions WHERE order_id = ?",
    )?
    .query_row([order.as_str()], transaction)
    .optional()
}

fn append(db: &Connection, new: &Transaction) -> rusqlite::Result<Transaction> {
    db.prepare_cached(
        "INSERT OR IGNORE INTO transactions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        new.order_id.as_str(),
        new.transaction_id,
        new.user_id.as_str(),
        new.amount_minor.cast_signed(),
        new.currency.as_str(),
        new.outcome.as_str(),
        new.reason,
        new.fraud_score,
        new.method.as_ref().map(|method| &method.brand),
        new.method.as_ref().map(|method| &method.last4),
        new.at_ms.cast_signed()
    ])?;
    by_order(db, &new.order_id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
}

impl PaymentStore for SqlitePayments {
    fn set_method<'a>(&'a self, order: &'a OrderId, method: &'a Method) -> StoreFuture<'a, ()> {
        let (order, method) = (order.clone(), method.clone());
        let set = move |db: &Connection| {
            db.prepare_cached("INSERT OR IGNORE INTO methods VALUES (?, ?, ?)")?
                .execute([order.as_str(), &method.brand, &method.last4])
                .map(drop)
        };
        Box::pin(self.0.write("payments.set_method", set))
    }

    fn method<'a>(&'a self, order: &'a OrderId) -> StoreFuture<'a, Option<Method>> {
        let order = order.clone();
        let get = move |db: &Connection| {
            db.prepare_cached("SELECT brand, last4 FROM methods WHERE order_id = ?")?
                .query_row([order.as_str()], |row| {
                    Ok(Method { brand: row.get(0)?, last4: row.get(1)? })
                })
                .optional()
        };
        Box::pin(self.0.read("payments.method", get))
    }

    fn append<'a>(&'a self, transaction: &'a Transaction) -> StoreFuture<'a, Transaction> {
        let new = transaction.clone();
        Box::pin(self.0.write("payments.append", move |db| append(db, &new)))
    }

    fn by_order<'a>(&'a self, order: &'a OrderId) -> StoreFuture<'a, Vec<Transaction>> {
        let order = order.clone();
        let get = move |db: &Connection| Ok(by_order(db, &order)?.into_iter().collect());
        Box::pin(self.0.read("payments.by_order", get))
    }
}
