use std::collections::BTreeMap;

use obs_core::clock::Clock;
use obs_core::config::ConfigError;
use obs_core::metric::Recorder;
use shop_domain::cart::{Cart, Item, MAX_ITEMS};
use shop_domain::id::{ProductId, UserId};
use shop_domain::port::{CartStore, StoreError, StoreErrorKind, StoreFuture};
use shop_domain::quantity::Quantity;
use tracing::Instrument;

use super::RedisPool;

/// Adds with `HINCRBY`; what breaks a bound is taken back before anyone sees it, because a script
/// runs alone. Answers the cart, or nothing.
const ADD: &str = "\
local pieces = redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2])
if pieces > tonumber(ARGV[3]) or redis.call('HLEN', KEYS[1]) > tonumber(ARGV[4]) then
  if pieces == tonumber(ARGV[2]) then
    redis.call('HDEL', KEYS[1], ARGV[1])
  else
    redis.call('HINCRBY', KEYS[1], ARGV[1], -ARGV[2])
  end
  return false
end
return redis.call('HGETALL', KEYS[1])";

/// Carts on Redis: one hash per cart, from product to number of pieces.
#[derive(Clone, Debug)]
pub struct RedisCarts(RedisPool);

impl RedisCarts {
    /// Carts on the server at `url`; needs no connection yet.
    ///
    /// # Errors
    /// [`ConfigError`] when the URL cannot be read.
    pub fn new(url: &str, clock: &Clock, recorder: &dyn Recorder) -> Result<Self, ConfigError> {
        RedisPool::new(url, clock, recorder).map(Self)
    }

    /// The connections, for health checks.
    #[must_use]
    pub const fn pool(&self) -> &RedisPool {
        &self.0
    }
}

fn key(user: &UserId) -> String {
    format!("cart:{user}")
}

/// The hash as a cart, products by id.
fn cart(user: &UserId, pieces: BTreeMap<String, i64>) -> Result<Cart, StoreError> {
    let item = |(id, pieces): (String, i64)| {
        let product_id = ProductId::parse(&id).ok()?;
        Some(Item { product_id, quantity: Quantity::new(pieces).ok()? })
    };
    let items = pieces.into_iter().map(item).collect::<Option<_>>();
    let items = items.ok_or_else(|| StoreError::new(StoreErrorKind::Corrupt, "carts.get"))?;
    Ok(Cart { user_id: user.clone(), items })
}

impl CartStore for RedisCarts {
    fn add<'a>(&'a self, user: &'a UserId, item: &'a Item) -> StoreFuture<'a, Option<Cart>> {
        let mut command = redis::cmd("EVAL");
        command.arg(ADD).arg(1).arg(key(user));
        command.arg(item.product_id.as_str()).arg(item.quantity.get());
        command.arg(Quantity::MAX).arg(MAX_ITEMS);
        let add = async move {
            let pieces: Option<BTreeMap<String, i64>> = self.0.run("carts.add", &command).await?;
            pieces.map(|pieces| cart(user, pieces)).transpose()
        };
        Box::pin(add.instrument(tracing::info_span!("redis.AddItem")))
    }

    fn get<'a>(&'a self, user: &'a UserId) -> StoreFuture<'a, Cart> {
        let mut command = redis::cmd("HGETALL");
        command.arg(key(user));
        let get = async move { cart(user, self.0.run("carts.get", &command).await?) };
        Box::pin(get.instrument(tracing::info_span!("redis.GetCart")))
    }

    fn clear<'a>(&'a self, user: &'a UserId) -> StoreFuture<'a, ()> {
        let mut command = redis::cmd("DEL");
        command.arg(key(user));
        let clear = async move { self.0.run("carts.clear", &command).await };
        Box::pin(clear.instrument(tracing::info_span!("redis.ClearCart")))
    }
}
