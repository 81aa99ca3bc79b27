//! The shop's stores on SQLite, embedded: one file per service, no server.
//!
//! | type | port |
//! |---|---|
//! | [`SqliteProducts`] | [`ProductStore`](shop_domain::port::ProductStore) |
//! | [`SqliteOrders`] | [`OrderStore`](shop_domain::port::OrderStore) |
//! | [`SqliteStock`] | [`StockStore`](shop_domain::port::StockStore) |
//! | [`SqliteCarts`] | [`CartStore`](shop_domain::port::CartStore) |
//!
//! **Durability.** The journal is a write-ahead log with `synchronous = FULL`: a write that was
//! answered has been synced to the disk, so it survives the end of the process (`kill -9`) and the
//! loss of power, as far as the disk keeps what it acknowledged. Writes that wait together share
//! one transaction and one sync, so a thousand of them cost a few syncs rather than a thousand.

mod carts;
mod orders;
mod products;
mod sqlite;
mod stock;

pub use carts::SqliteCarts;
pub use orders::SqliteOrders;
pub use products::SqliteProducts;
pub use sqlite::Database;
pub use stock::SqliteStock;
