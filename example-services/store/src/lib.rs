//! The shop's stores: SQLite, embedded, one file per service, no server; where a Redis is named,
//! carts and caches on it.
//!
//! | type | port |
//! |---|---|
//! | [`SqliteProducts`] | [`ProductStore`](shop_domain::port::ProductStore) |
//! | [`SqliteOrders`] | [`OrderStore`](shop_domain::port::OrderStore) |
//! | [`SqliteStock`] | [`StockStore`](shop_domain::port::StockStore) |
//! | [`SqliteCarts`], [`RedisCarts`] | [`CartStore`](shop_domain::port::CartStore) |
//! | [`SqliteMenu`] | [`MenuStore`](shop_domain::port::MenuStore) |
//! | [`MemoryCache`], [`RedisCache`] | [`Cache`](shop_domain::port::Cache) |
//! | [`Broker`] | queues, topics, bus and streams of [`messaging`](shop_domain::port::messaging) |
//! | [`outbox`] | [`Outbox`](shop_domain::port::Outbox), for stores whose changes are announced |
//!
//! **Durability.** The journal is a write-ahead log with `synchronous = FULL`: a write that was
//! answered has been synced to the disk, so it survives the end of the process (`kill -9`) and the
//! loss of power, as far as the disk keeps what it acknowledged. Writes that wait together share
//! one transaction and one sync, so a thousand of them cost a few syncs rather than a thousand.

mod cache;
mod carts;
mod menu;
mod messaging;
mod orders;
pub mod outbox;
mod products;
mod redis;
mod sqlite;
mod stock;

pub use cache::MemoryCache;
pub use carts::SqliteCarts;
pub use menu::SqliteMenu;
pub use messaging::{Broker, SqliteBus, SqliteQueue, SqliteStream, SqliteTopic};
pub use orders::SqliteOrders;
pub use products::SqliteProducts;
pub use redis::{RedisCache, RedisCarts, RedisPool};
pub use sqlite::Database;
pub use stock::SqliteStock;
