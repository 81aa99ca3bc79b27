//! A module whose feature is not on.

use obs_tower::load_shed::LoadShedLayer;

fn main() {
    let _layer: Option<LoadShedLayer> = None;
}
