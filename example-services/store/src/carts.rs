use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};
use shop_domain::cart::{Cart, Item, MAX_ITEMS};
use shop_domain::id::{ProductId, UserId};
use shop_domain::port::{CartStore, StoreError, StoreFuture};
use shop_domain::quantity::Quantity;

use crate::sqlite::column::parsed;
use crate::sqlite::{Database, opens};

const MIGRATIONS: &[&str] = &["
    CREATE TABLE cart_items (
        user_id TEXT NOT NULL,
        product_id TEXT NOT NULL,
        quantity INTEGER NOT NULL CHECK (quantity > 0),
        PRIMARY KEY (user_id, product_id)
    ) STRICT, WITHOUT ROWID;
"];

/// Carts on SQLite.
#[derive(Clone, Debug)]
pub struct SqliteCarts(Database);

opens!(SqliteCarts);

fn cart(db: &Connection, user_id: &UserId) -> rusqlite::Result<Cart> {
    let items = db
        .prepare_cached(
            "SELECT product_id, quantity FROM cart_items WHERE user_id = ? ORDER BY product_id",
        )?
        .query_map([user_id.as_str()], |row| {
            let pieces: i64 = row.get(1)?;
            Ok(Item {
                product_id: parsed(row, 0, |text| ProductId::parse(text).ok())?,
                quantity: Quantity::new(pieces)
                    .map_err(|_| rusqlite::Error::IntegralValueOutOfRange(1, pieces))?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(Cart { user_id: user_id.clone(), items })
}

fn add(db: &Connection, user_id: &UserId, item: &Item) -> rusqlite::Result<Option<Cart>> {
    let upsert = db
        .prepare_cached(
            "INSERT INTO cart_items VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET quantity = quantity + ?3 WHERE quantity + ?3 <= ?4
             RETURNING quantity",
        )?
        .query_row(
            params![user_id.as_str(), item.product_id.as_str(), item.quantity.get(), Quantity::MAX],
            |_| Ok(()),
        )
        .optional()?;
    if upsert.is_none() {
        return Ok(None);
    }
    let cart = cart(db, user_id)?;
    if cart.items.len() > MAX_ITEMS {
        db.prepare_cached("DELETE FROM cart_items WHERE user_id = ? AND product_id = ?")?
            .execute([user_id.as_str(), item.product_id.as_str()])?;
        return Ok(None);
    }
    Ok(Some(cart))
}

impl CartStore for SqliteCarts {
    fn add<'a>(&'a self, user: &'a UserId, item: &'a Item) -> StoreFuture<'a, Option<Cart>> {
        let (user, item) = (user.clone(), item.clone());
        Box::pin(self.0.write("carts.add", move |db| add(db, &user, &item)))
    }

    fn get<'a>(&'a self, user: &'a UserId) -> StoreFuture<'a, Cart> {
        let user = user.clone();
        Box::pin(self.0.read("carts.get", move |db| cart(db, &user)))
    }

    fn clear<'a>(&'a self, user: &'a UserId) -> StoreFuture<'a, ()> {
        let user = user.clone();
        let clear = move |db: &Connection| {
            db.prepare_cached("DELETE FROM cart_items WHERE user_id = ?")?
                .execute([user.as_str()])
                .map(drop)
        };
        Box::pin(self.0.write("carts.clear", clear))
    }
}
