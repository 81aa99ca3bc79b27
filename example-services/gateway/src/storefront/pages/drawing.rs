use maud::{Markup, html};

use crate::storefront::asking::Offer;
use crate::storefront::assets::DRAWINGS;

/// Words of a name, or the part of the menu, and the drawing that goes with them.
const KNOWN: [(&str, &str); 13] = [
    ("machine", "machine"),
    ("grinder", "grinder"),
    ("kettle", "kettle"),
    ("filters", "filter"),
    ("jug", "jug"),
    ("blend", "bag"),
    ("origin", "bag"),
    ("croissant", "croissant"),
    ("bread", "bread"),
    ("pastry", "croissant"),
    ("tea", "leaf"),
    ("coffee", "cup"),
    ("cup", "cup"),
];

/// A drawing of an offer. It tells nothing that the name does not, so it is not read aloud.
pub(super) fn drawing(offer: &Offer) -> Markup {
    let words = format!("{} {}", offer.name, offer.category).to_lowercase();
    let known = KNOWN.into_iter().find(|(word, _)| words.contains(word));
    let name = known.map_or("box", |(_, name)| name);
    html! {
        svg.drawing viewBox="0 0 64 64" aria-hidden="true" focusable="false" {
            use href={ (DRAWINGS.address()) "#" (name) } {}
        }
    }
}
