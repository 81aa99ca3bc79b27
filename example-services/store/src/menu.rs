use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row, params};
use shop_domain::id::ProductId;
use shop_domain::menu::{Dish, MenuItem};
use shop_domain::money::Currency;
use shop_domain::port::{MenuStore, StoreError, StoreFuture, Written};

use crate::sqlite::column::{count, parsed};
use crate::sqlite::{Database, opens};

const MIGRATIONS: &[&str] = &["
    CREATE TABLE menu (
        item_id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        category TEXT NOT NULL,
        price_minor INTEGER NOT NULL CHECK (price_minor >= 0),
        currency TEXT NOT NULL,
        available INTEGER NOT NULL,
        version INTEGER NOT NULL CHECK (version > 0)
    ) STRICT, WITHOUT ROWID;
"];

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT item_id, name, category, price_minor, currency, available, version FROM menu ",
            $tail
        )
    };
}

/// The menu on SQLite.
#[derive(Clone, Debug)]
pub struct SqliteMenu(Database);

opens!(SqliteMenu);

fn item(row: &Row<'_>) -> rusqlite::Result<MenuItem> {
    Ok(MenuItem {
        item_id: parsed(row, 0, |text| ProductId::parse(text).ok())?,
        dish: Dish {
            name: row.get(1)?,
            category: row.get(2)?,
            price_minor: count(row, 3)?,
            currency: parsed(row, 4, Currency::parse)?,
            available: row.get(5)?,
        },
        version: count(row, 6)?,
    })
}

fn get(db: &Connection, id: &ProductId) -> rusqlite::Result<Option<MenuItem>> {
    db.prepare_cached(select!("WHERE item_id = ?"))?.query_row([id.as_str()], item).optional()
}

fn add(db: &Connection, id: &ProductId, dish: &Dish) -> rusqlite::Result<bool> {
    db.prepare_cached("INSERT OR IGNORE INTO menu VALUES (?, ?, ?, ?, ?, ?, 1)")?
        .execute(params![
            id.as_str(),
            dish.name,
            dish.category,
            dish.price_minor.cast_signed(),
            dish.currency.as_str(),
            dish.available
        ])
        .map(|rows| rows == 1)
}

/// Runs `write` if the item has `version`.
fn conditionally(
    db: &Connection,
    id: &ProductId,
    version: u64,
    write: impl FnOnce() -> rusqlite::Result<()>,
) -> rusqlite::Result<Written> {
    match get(db, id)? {
        None => Ok(Written::Missing),
        Some(item) if item.version != version => Ok(Written::Changed(item)),
        Some(item) => {
            write()?;
            Ok(Written::Done(get(db, id)?.unwrap_or(item)))
        }
    }
}

fn replace(
    db: &Connection,
    id: &ProductId,
    version: u64,
    dish: &Dish,
) -> rusqlite::Result<Written> {
    conditionally(db, id, version, || {
        db.prepare_cached(
            "UPDATE menu SET name = ?2, category = ?3, price_minor = ?4, currency = ?5,
             available = ?6, version = version + 1 WHERE item_id = ?1",
        )?
        .execute(params![
            id.as_str(),
            dish.name,
            dish.category,
            dish.price_minor.cast_signed(),
            dish.currency.as_str(),
            dish.available
        ])
        .map(drop)
    })
}

fn remove(db: &Connection, id: &ProductId, version: u64) -> rusqlite::Result<Written> {
    conditionally(db, id, version, || {
        db.prepare_cached("DELETE FROM menu WHERE item_id = ?")?.execute([id.as_str()]).map(drop)
    })
}

impl MenuStore for SqliteMenu {
    fn get<'a>(&'a self, id: &'a ProductId) -> StoreFuture<'a, Option<MenuItem>> {
        let id = id.clone();
        Box::pin(self.0.read("menu.get", move |db| get(db, &id)))
    }

    fn list<'a>(
        &'a self,
        after: Option<&'a ProductId>,
        limit: usize,
    ) -> StoreFuture<'a, Vec<MenuItem>> {
        let after = after.map_or_else(String::new, ToString::to_string);
        let list = move |db: &Connection| {
            db.prepare_cached(select!("WHERE item_id > ? ORDER BY item_id LIMIT ?"))?
                .query_map(params![after, limit as i64], item)?
                .collect()
        };
        Box::pin(self.0.read("menu.list", list))
    }

    fn add<'a>(&'a self, id: &'a ProductId, dish: &'a Dish) -> StoreFuture<'a, bool> {
        let (id, dish) = (id.clone(), dish.clone());
        Box::pin(self.0.write("menu.add", move |db| add(db, &id, &dish)))
    }

    fn replace<'a>(
        &'a self,
        id: &'a ProductId,
        version: u64,
        dish: &'a Dish,
    ) -> StoreFuture<'a, Written> {
        let (id, dish) = (id.clone(), dish.clone());
        Box::pin(self.0.write("menu.replace", move |db| replace(db, &id, version, &dish)))
    }

    fn remove<'a>(&'a self, id: &'a ProductId, version: u64) -> StoreFuture<'a, Written> {
        let id = id.clone();
        Box::pin(self.0.write("menu.remove", move |db| remove(db, &id, version)))
    }
}
