use std::path::Path;

use rusqlite::{Connection, Row, params};
use shop_domain::id::{OrderId, UserId};
use shop_domain::notification::{Channel, Notification};
use shop_domain::port::{NotificationStore, StoreError, StoreFuture};

use crate::sqlite::column::{count, parsed};
use crate::sqlite::{Database, opens};

const MIGRATIONS: &[&str] = &["
    CREATE TABLE notifications (
        number INTEGER PRIMARY KEY,
        order_id TEXT NOT NULL,
        template TEXT NOT NULL,
        user_id TEXT NOT NULL,
        channel TEXT NOT NULL,
        address TEXT NOT NULL,
        subject TEXT NOT NULL,
        body TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        UNIQUE (order_id, template)
    ) STRICT;
"];

/// Messages to customers on SQLite.
#[derive(Clone, Debug)]
pub struct SqliteNotifications(Database);

opens!(SqliteNotifications);

fn notification(row: &Row<'_>) -> rusqlite::Result<Notification> {
    Ok(Notification {
        order_id: parsed(row, 0, |text| OrderId::parse(text).ok())?,
        template: row.get(1)?,
        user_id: parsed(row, 2, |text| UserId::parse(text).ok())?,
        channel: parsed(row, 3, Channel::parse)?,
        to: row.get(4)?,
        subject: row.get(5)?,
        body: row.get(6)?,
        at_ms: count(row, 7)?,
    })
}

fn add(db: &Connection, new: &Notification) -> rusqlite::Result<bool> {
    db.prepare_cached(
        "INSERT OR IGNORE INTO notifications
         (order_id, template, user_id, channel, address, subject, body, at_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        new.order_id.as_str(),
        new.template,
        new.user_id.as_str(),
        new.channel.as_str(),
        new.to,
        new.subject,
        new.body,
        new.at_ms.cast_signed()
    ])
    .map(|rows| rows == 1)
}

fn list(
    db: &Connection,
    order: Option<&OrderId>,
    limit: usize,
) -> rusqlite::Result<Vec<Notification>> {
    db.prepare_cached(
        "SELECT order_id, template, user_id, channel, address, subject, body, at_ms
         FROM notifications WHERE ?1 IS NULL OR order_id = ?1 ORDER BY number DESC LIMIT ?2",
    )?
    .query_map(params![order.map(OrderId::as_str), limit as i64], notification)?
    .collect()
}

impl NotificationStore for SqliteNotifications {
    fn add<'a>(&'a self, notification: &'a Notification) -> StoreFuture<'a, bool> {
        let new = notification.clone();
        Box::pin(self.0.write("notifications.add", move |db| add(db, &new)))
    }

    fn list<'a>(
        &'a self,
        order: Option<&'a OrderId>,
        limit: usize,
    ) -> StoreFuture<'a, Vec<Notification>> {
        let order = order.cloned();
        Box::pin(self.0.read("notifications.list", move |db| list(db, order.as_ref(), limit)))
    }
}
