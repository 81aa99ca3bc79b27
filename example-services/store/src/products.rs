use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row, params};
use shop_domain::id::ProductId;
use shop_domain::money::Currency;
use shop_domain::port::{ProductStore, StoreError, StoreFuture};
use shop_domain::product::Product;

use crate::sqlite::column::{count, parsed};
use crate::sqlite::{Database, opens};

const MIGRATIONS: &[&str] = &["
    CREATE TABLE products (
        product_id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        price_minor INTEGER NOT NULL CHECK (price_minor >= 0),
        currency TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
"];

/// Products on SQLite.
#[derive(Clone, Debug)]
pub struct SqliteProducts(Database);

opens!(SqliteProducts);

fn product(row: &Row<'_>) -> rusqlite::Result<Product> {
    Ok(Product {
        product_id: parsed(row, 0, |text| ProductId::parse(text).ok())?,
        name: row.get(1)?,
        price_minor: count(row, 2)?,
        currency: parsed(row, 3, Currency::parse)?,
    })
}

impl ProductStore for SqliteProducts {
    fn get<'a>(&'a self, id: &'a ProductId) -> StoreFuture<'a, Option<Product>> {
        let id = id.clone();
        let get = move |db: &Connection| {
            db.prepare_cached(
                "SELECT product_id, name, price_minor, currency FROM products WHERE product_id = ?",
            )?
            .query_row([id.as_str()], product)
            .optional()
        };
        Box::pin(self.0.read("products.get", get))
    }

    fn list<'a>(
        &'a self,
        after: Option<&'a ProductId>,
        limit: usize,
    ) -> StoreFuture<'a, Vec<Product>> {
        let after = after.cloned();
        let list = move |db: &Connection| {
            db.prepare_cached(
                "SELECT product_id, name, price_minor, currency FROM products
                 WHERE product_id > ? ORDER BY product_id LIMIT ?",
            )?
            .query_map(
                params![after.as_ref().map_or("", ProductId::as_str), limit as i64],
                product,
            )?
            .collect()
        };
        Box::pin(self.0.read("products.list", list))
    }

    fn add<'a>(&'a self, product: &'a Product) -> StoreFuture<'a, bool> {
        let product = product.clone();
        let add = move |db: &Connection| {
            let Product { product_id, name, price_minor, currency } = &product;
            db.prepare_cached("INSERT OR IGNORE INTO products VALUES (?, ?, ?, ?)")?
                .execute(params![
                    product_id.as_str(),
                    name,
                    price_minor.cast_signed(),
                    currency.as_str()
                ])
                .map(|rows| rows == 1)
        };
        Box::pin(self.0.write("products.add", add))
    }
}
