use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};
use shop_domain::id::{OrderId, UserId};
use shop_domain::port::{ShipmentStore, StoreError, StoreFuture};
use shop_domain::shipment::Shipment;

use crate::sqlite::column::{count, parsed};
use crate::sqlite::{Database, opens};

const MIGRATIONS: &[&str] = &["
    CREATE TABLE shipments (
        order_id TEXT PRIMARY KEY,
        user_id TEXT NOT NULL,
        carrier TEXT NOT NULL,
        tracking_id TEXT NOT NULL UNIQUE,
        at_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
"];

/// Shipments on SQLite.
#[derive(Clone, Debug)]
pub struct SqliteShipments(Database);

opens!(SqliteShipments);

fn get(db: &Connection, order: &OrderId) -> rusqlite::Result<Option<Shipment>> {
    db.prepare_cached(
        "SELECT order_id, user_id, carrier, tracking_id, at_ms FROM shipments WHERE order_id = ?",
    )?
    .query_row([order.as_str()], |row| {
        Ok(Shipment {
            order_id: parsed(row, 0, |text| OrderId::parse(text).ok())?,
            user_id: parsed(row, 1, |text| UserId::parse(text).ok())?,
            carrier: row.get(2)?,
            tracking_id: row.get(3)?,
            at_ms: count(row, 4)?,
        })
    })
    .optional()
}

fn add(db: &Connection, new: &Shipment) -> rusqlite::Result<Shipment> {
    db.prepare_cached("INSERT OR IGNORE INTO shipments VALUES (?, ?, ?, ?, ?)")?.execute(
        params![
            new.order_id.as_str(),
            new.user_id.as_str(),
            new.carrier,
            new.tracking_id,
            new.at_ms.cast_signed()
        ],
    )?;
    get(db, &new.order_id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
}

impl ShipmentStore for SqliteShipments {
    fn add<'a>(&'a self, shipment: &'a Shipment) -> StoreFuture<'a, Shipment> {
        let new = shipment.clone();
        Box::pin(self.0.write("shipments.add", move |db| add(db, &new)))
    }

    fn get<'a>(&'a self, order: &'a OrderId) -> StoreFuture<'a, Option<Shipment>> {
        let order = order.clone();
        Box::pin(self.0.read("shipments.get", move |db| get(db, &order)))
    }
}
