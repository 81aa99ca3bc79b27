//! A check that says neither how the dependency is nor what is wrong with it.

use obs_health::Dependency;

fn main() {
    let _database = Dependency::required("database", async || 7);
}
