//! Carts and caches on Redis.

mod cache;
mod carts;
mod pool;

pub use cache::RedisCache;
pub use carts::RedisCarts;
pub use pool::RedisPool;
