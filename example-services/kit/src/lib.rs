//! What every service of the shop is made of.
//!
//! | module | does |
//! |---|---|
//! | [`announce`] | makes events about what a service has done |
//! | [`failure`] | turns what went wrong into a problem document |
//! | [`extract`] | reads paths, queries and bodies, and refuses what cannot be read |
//! | [`cached`] | reads through a cache |
//! | [`stress`] | works as a stress scenario asks, within bounds |
//! | [`messaging`] | works on messages, records and events, each with a record of its own |
//! | [`observe`] | observes every request |
//! | [`upstream`] | calls another service |
//! | [`serve`] | serves an app on a socket until it is told to drain |
//! | [`time`] | tells the time to what waits for it |

pub mod announce;
pub mod cached;
pub mod extract;
pub mod failure;
pub mod messaging;
pub mod observe;
pub mod serve;
pub mod stress;
pub mod time;
pub mod upstream;
