//! What is on offer.

use std::sync::Arc;

use shop_menu::Menu;
use shop_product::Products;
use shop_store::{SqliteMenu, SqliteProducts};

use super::health::database;
use super::{App, Parts, StartError};

pub(super) async fn product(parts: &Parts<'_>) -> Result<App, StartError> {
    let store = SqliteProducts::open(&parts.file()).map_err(parts.failed())?;
    shop_product::seed(&store).await.map_err(parts.failed())?;
    let needed = database(store.database());
    let limits = parts.settings.product_limits;
    let cache = parts.cached("product", shop_product::CACHE_TTL)?;
    let router = shop_product::app(Products { store: Arc::new(store), cache, limits });
    Ok(App::internal(router).needs(needed).time_limit(limits.timeout))
}

pub(super) async fn menu(parts: &Parts<'_>) -> Result<App, StartError> {
    let store = SqliteMenu::open(&parts.file()).map_err(parts.failed())?;
    shop_menu::seed(&store).await.map_err(parts.failed())?;
    let needed = database(store.database());
    let cache = parts.cached("menu", shop_menu::CACHE_TTL)?;
    let menu = Menu { store: Arc::new(store), cache, turns: parts.turns() };
    let longest = shop_kit::stress::Load::MAX_DURATION;
    Ok(App::internal(shop_menu::app(menu)).needs(needed).time_limit(longest))
}
