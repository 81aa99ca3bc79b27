//! A check that says neither how the dependency is nor what is wrong with it.
//~ required for `{integer}` to implement `Into<Observation>`

use obs_health::Dependency;

fn main() {
    let _database = Dependency::required("database", async || 7);
}
