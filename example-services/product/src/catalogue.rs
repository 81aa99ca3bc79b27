use futures_util::future::try_join_all;
use shop_domain::id::ProductId;
use shop_domain::money::Currency;
use shop_domain::port::{ProductStore, StoreError};
use shop_domain::product::Product;

/// How many pieces of each seeded product are on the shelf at first.
pub const SEEDED_QUANTITY: u64 = 1_000;

/// What is on offer at first: name and price in euro cents.
const CATALOGUE: [(&str, u64); 8] = [
    ("Espresso cup", 1_290),
    ("Milk jug", 2_450),
    ("Hand grinder", 8_900),
    ("Pour-over kettle", 6_450),
    ("Paper filters, 100", 690),
    ("House blend, 1 kg", 2_390),
    ("Single origin, 250 g", 1_150),
    ("Espresso machine", 74_900),
];

/// The products that are on offer at first, `prod-001` and on.
pub fn seeded() -> impl Iterator<Item = Product> {
    (1..).zip(CATALOGUE).filter_map(|(number, (name, price_minor))| {
        let product_id = ProductId::parse(&format!("prod-{number:03}")).ok()?;
        Some(Product { product_id, name: name.to_owned(), price_minor, currency: Currency::EUR })
    })
}

/// Stores the products that are on offer at first, unless they are there.
///
/// # Errors
/// When the store fails.
pub async fn seed(store: &dyn ProductStore) -> Result<(), StoreError> {
    // At once: writes that wait together share one sync.
    let products: Vec<_> = seeded().collect();
    try_join_all(products.iter().map(|product| store.add(product))).await.map(drop)
}
