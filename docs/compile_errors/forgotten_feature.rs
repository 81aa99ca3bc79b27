//! A module whose feature is not on.
//~ the item is gated behind the `load-shed` feature

use obs_tower::load_shed::LoadShedLayer;

fn main() {
    let _layer: Option<LoadShedLayer> = None;
}
