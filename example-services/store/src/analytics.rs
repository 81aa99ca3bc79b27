use std::path::Path;

use rusqlite::{Connection, params};
use serde_json::{Map, Value};
use shop_domain::analytics::{Fact, Report};
use shop_domain::port::{AnalyticsStore, StoreError, StoreFuture};

use crate::sqlite::column::count;
use crate::sqlite::{Database, opens};

const MIGRATIONS: &[&str] = &["
    CREATE TABLE facts (
        event_id TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        subject TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        detail TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX facts_by_kind ON facts (kind, at_ms);
"];

/// Facts and reports on SQLite.
#[derive(Clone, Debug)]
pub struct SqliteAnalytics(Database);

opens!(SqliteAnalytics);

fn ingest(db: &Connection, facts: &[Fact]) -> rusqlite::Result<u64> {
    let mut insert = db.prepare_cached("INSERT OR IGNORE INTO facts VALUES (?, ?, ?, ?, ?)")?;
    let mut new = 0;
    for Fact { event_id, kind, subject, at_ms, detail } in facts {
        let row = params![event_id, kind, subject, at_ms.cast_signed(), detail.to_string()];
        new += insert.execute(row)? as u64;
    }
    Ok(new)
}

/// What a report asks for; the names of its columns are the members of its rows.
const fn query(report: Report) -> &'static str {
    match report {
        Report::SalesByDay => {
            "SELECT date(at_ms / 1000, 'unixepoch') AS day, count(*) AS orders,
               sum(detail ->> '$.total_minor') AS value_minor
             FROM facts WHERE kind = 'order.created' GROUP BY day ORDER BY day DESC LIMIT 100"
        }
        Report::TopProducts => {
            "SELECT line.value ->> '$.product_id' AS product_id,
               sum(line.value ->> '$.quantity') AS pieces,
               sum((line.value ->> '$.quantity') * (line.value ->> '$.unit_price_minor'))
                 AS value_minor
             FROM facts, json_each(facts.detail, '$.lines') AS line
             WHERE kind = 'order.created' GROUP BY product_id
             ORDER BY value_minor DESC, product_id LIMIT 100"
        }
        Report::Funnel => {
            "SELECT status, count(DISTINCT subject) AS orders FROM (
               SELECT subject, CASE kind WHEN 'order.created' THEN 'PENDING'
                 WHEN 'order.shipped' THEN 'SHIPPED' ELSE detail ->> '$.new_status' END AS status
               FROM facts WHERE kind IN ('order.created', 'order.updated', 'order.shipped'))
             GROUP BY status ORDER BY orders DESC, status"
        }
        Report::Departments => {
            "SELECT detail ->> '$.department' AS department, count(*) AS orders,
               sum(detail ->> '$.total_minor') AS value_minor
             FROM facts WHERE kind = 'order.created' GROUP BY department ORDER BY department"
        }
        Report::StockMoves => {
            "SELECT subject AS product_id,
               sum((detail ->> '$.before') - (detail ->> '$.after')) AS pieces
             FROM facts WHERE kind = 'inventory.updated' GROUP BY subject ORDER BY subject LIMIT 100"
        }
    }
}

fn rows(db: &Connection, report: Report) -> rusqlite::Result<Vec<Value>> {
    let mut statement = db.prepare_cached(query(report))?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    statement
        .query_map([], |row| {
            let mut object = Map::new();
            for (index, name) in names.iter().enumerate() {
                let value = match row.get_ref(index)? {
                    rusqlite::types::ValueRef::Integer(value) => value.into(),
                    rusqlite::types::ValueRef::Real(value) => value.into(),
                    rusqlite::types::ValueRef::Text(text) => {
                        String::from_utf8_lossy(text).into_owned().into()
                    }
                    _ => Value::Null,
                };
                object.insert(name.clone(), value);
            }
            Ok(Value::Object(object))
        })?
        .collect()
}

fn heavy_query(db: &Connection, made_up: u64) -> rusqlite::Result<u64> {
    db.prepare_cached(
        "WITH RECURSIVE sale (n) AS (SELECT 1 WHERE ?1 > 0 UNION ALL SELECT n + 1 FROM sale WHERE n < ?1)
         SELECT coalesce(sum(value), 0) FROM (
           SELECT n % 97 AS product, sum((n * 7919) % 1009) AS value FROM sale GROUP BY product)",
    )?
    .query_row([made_up.cast_signed()], |row| count(row, 0))
}

impl AnalyticsStore for SqliteAnalytics {
    fn ingest<'a>(&'a self, facts: &'a [Fact]) -> StoreFuture<'a, u64> {
        let facts = facts.to_vec();
        Box::pin(self.0.write("analytics.ingest", move |db| ingest(db, &facts)))
    }

    fn report(&self, report: Report) -> StoreFuture<'_, Vec<Value>> {
        Box::pin(self.0.read("analytics.report", move |db| rows(db, report)))
    }

    fn heavy_query(&self, made_up: u64) -> StoreFuture<'_, u64> {
        Box::pin(self.0.read("analytics.heavy_query", move |db| heavy_query(db, made_up)))
    }
}
