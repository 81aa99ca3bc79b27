use futures_util::future::try_join_all;
use shop_domain::id::ProductId;
use shop_domain::menu::Dish;
use shop_domain::money::Currency;
use shop_domain::port::{MenuStore, StoreError};

/// How many portions of each seeded item there are at first.
pub const SEEDED_QUANTITY: u64 = 1_000;

/// What is on the menu at first: name, category and price in euro cents.
const CATALOGUE: [(&str, &str, u64); 6] = [
    ("Espresso", "coffee", 240),
    ("Flat white", "coffee", 390),
    ("Filter coffee", "coffee", 320),
    ("Matcha latte", "tea", 450),
    ("Almond croissant", "pastry", 360),
    ("Banana bread", "pastry", 340),
];

/// What is on the menu at first, `menu-001` and on.
pub fn seeded() -> impl Iterator<Item = (ProductId, Dish)> {
    (1..).zip(CATALOGUE).filter_map(|(number, (name, category, price_minor))| {
        let item_id = ProductId::parse(&format!("menu-{number:03}")).ok()?;
        let dish = Dish {
            name: name.to_owned(),
            category: category.to_owned(),
            price_minor,
            currency: Currency::EUR,
            available: true,
        };
        Some((item_id, dish))
    })
}

/// Stores what is on the menu at first, unless it is there.
///
/// # Errors
/// When the store fails.
pub async fn seed(store: &dyn MenuStore) -> Result<(), StoreError> {
    // At once: writes that wait together share one sync.
    let items: Vec<_> = seeded().collect();
    try_join_all(items.iter().map(|(item_id, dish)| store.add(item_id, dish))).await.map(drop)
}
