//! The shop's stores: SQLite, embedded, one file per service, no server; where a Redis is named,
//! carts and caches on it.
//!
//! | type | port |
//! |---|---|
//! | [`SqliteProducts`] | [`ProductStore`](shop_domain::port::ProductStore) |
//! | [`SqliteOrders`] | [`OrderStore`](shop_domain::port::OrderStore) |
//! | [`SqliteStock`] | [`StockStore`](shop_domain::port::StockStore) |
//! | [`SqliteCarts`], [`RedisCarts`] | [`CartStore`](shop_domain::port::CartStore) |
//! | [`SqlitePayments`] | [`PaymentStore`](shop_domain::port::PaymentStore) |
//! | [`SqliteShipments`] | [`ShipmentStore`](shop_domain::port::ShipmentStore) |
//! | [`SqliteLoyalty`] | [`LoyaltyStore`](shop_domain::port::LoyaltyStore) |
//! | [`SqliteNotifications`] | [`NotificationStore`](shop_domain::port::NotificationStore) |
//! | [`SqliteAnalytics`] | [`AnalyticsStore`](shop_domain::port::AnalyticsStore) |
//! | [`SqliteMenu`] | [`MenuStore`](shop_domain::port::MenuStore) |
//! | [`MemoryCache`], [`RedisCache`] | [`Cache`](shop_domain::port::Cache) |
//! | [`Broker`] | queues, topics, bus and streams of [`messaging`](shop_domain::port::messaging) |
//! | [`outbox`] | [`Outbox`](shop_domain::port::Outbox), for stores whose changes are announced |
//!
//! **Durability.** The journal is a write-ahead log with `synchronous = FULL`: a write that was
//! answered has been synced to the disk, so it survives the end of the process (`kill -9`) and the
//! loss of power, as far as the disk keeps what it acknowledged. Writes that wait together share
//! one transaction and one sync, so a thousand of them cost a few syncs rather than a thousand.

mod analytics;
mod cache;
mod carts;
mod inspect;
mod loyalty;
mod menu;
mod messaging;
mod notifications;
mod orders;
pub mod outbox;
mod payments;
mod products;
mod redis;
mod shipments;
mod sqlite;
mod stock;

pub use analytics::SqliteAnalytics;
pub use cache::MemoryCache;
pub use carts::SqliteCarts;
pub use inspect::Inspect;
pub use loyalty::SqliteLoyalty;
pub use menu::SqliteMenu;
pub use messaging::{Bells, Broker, Listener, SqliteBus, SqliteQueue, SqliteStream, SqliteTopic};
pub use notifications::SqliteNotifications;
pub use orders::SqliteOrders;
pub use payments::SqlitePayments;
pub use products::SqliteProducts;
pub use redis::{RedisCache, RedisCarts, RedisPool};
pub use shipments::SqliteShipments;
pub use sqlite::Database;
pub use stock::SqliteStock;
