//! Where lines go: a queue bounded in bytes, one writer thread, and a ledger of every line's fate.
//!
//! [`Output::write`] never blocks and never fails. It copies the line into the queue; a thread of
//! its own takes what has gathered and hands it to the destination in writes of whole lines, at
//! most 64 KiB each. When the destination is slower than the service, lines are refused by
//! [`Class`], debug lines first and errors last, and counted by [`DropReason`] in the [`Ledger`].
//!
//! ```
//! use std::time::Duration;
//! use obs_core::output::{Class, Output};
//!
//! let (output, captured) = Output::captured();
//! output.write(Class::Info, b"{\"message\":\"hello\"}\n");
//! assert!(output.shutdown(Duration::from_secs(5)));
//! assert_eq!(captured.text(), "{\"message\":\"hello\"}\n");
//! assert_eq!(output.ledger().written, 1);
//! ```
//!
//! # Cost
//! A write takes one uncontended lock and one copy and does not allocate once the queue has
//! reached its working size. It wakes the writer thread only when that has been idle for a while
//! or when the high-water mark is crossed; otherwise the writer looks by itself, each
//! [`flush_interval`](OutputBuilder::flush_interval).
//!
//! # Faults
//! | the destination … | what happens |
//! |---|---|
//! | takes part of a write | the rest is written next |
//! | is interrupted, or would block | it is tried again |
//! | fails (closed pipe, full disk) | the lines it did not take whole are counted as lost; the next lines are tried |
//! | stops in the middle of a line and fails | a line feed precedes the next line, so that this stays whole |
//! | never returns | the queue fills, lines are refused by class; a shutdown leaves the thread behind |

mod builder;
mod capture;
mod class;
mod enqueue;
mod file;
mod lane;
mod ledger;
mod pretty;
mod queue;
#[cfg(test)]
mod tests;
mod writer;

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

pub use builder::OutputBuilder;
pub use capture::Capture;
pub use class::{Class, DropReason};
pub use file::RotatingFile;
use lane::Lane;
pub use ledger::Ledger;
pub use pretty::Pretty;

use crate::clock::Clock;

/// How long the last handle waits for what is still queued when it is dropped.
const DROP_LIMIT: Duration = Duration::from_secs(1);

/// A handle to one or several destinations for lines; clones share them.
///
/// Dropping the last handle shuts the output down and waits for at most one second.
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::output::{Class, Output};
///
/// let (output, capture) = Output::captured();
/// output.write(Class::Info, b"{\"message\":\"started\"}\n");
/// assert!(output.flush(Duration::from_secs(1)));
/// assert_eq!(capture.lines(), [r#"{"message":"started"}"#]);
///
/// // Anything that takes bytes can be a destination, and lines can go to several.
/// let file = Output::writer(std::io::sink());
/// assert_eq!(file.ledgers().len(), 1);
/// assert!(file.shutdown(Duration::from_secs(1)));
/// assert_eq!(file.last_error(), None);
/// ```
#[derive(Clone, Debug)]
pub struct Output(Arc<Lanes>);

#[derive(Debug)]
struct Lanes(Box<[Arc<Lane>]>);

impl Output {
    /// The standard output of the process, with default settings.
    ///
    /// Each write holds the lock of [`std::io::stdout`], so that lines of this output and of
    /// `println!` do not mix.
    #[must_use]
    pub fn stdout() -> Self {
        Self::writer(std::io::stdout())
    }

    /// One destination, with default settings.
    ///
    /// It should not keep bytes back: a line counts as written once `write` and `flush` have
    /// returned.
    #[must_use]
    pub fn writer(destination: impl Write + Send + 'static) -> Self {
        Self::from_lanes(vec![Arc::new(Lane::new(
            builder::DEFAULT_SETTINGS,
            Box::new(destination),
        ))])
    }

    /// An output that keeps its lines in memory, with the handle to read them.
    #[must_use]
    pub fn captured() -> (Self, Capture) {
        let capture = Capture::default();
        (Self::writer(capture.clone()), capture)
    }

    /// Starts to describe an output.
    #[must_use]
    pub fn builder() -> OutputBuilder {
        OutputBuilder::default()
    }

    fn from_lanes(lanes: Vec<Arc<Lane>>) -> Self {
        Self(Arc::new(Lanes(lanes.into_boxed_slice())))
    }

    /// Hands in one line; a line feed is added if it has none.
    ///
    /// Returns at once whatever the destination does. After a [`shutdown`](Self::shutdown) that
    /// kept its deadline the calling thread writes the line itself, because no other would.
    ///
    /// Says why the line is lost, if a destination has no room for it or was left behind by a
    /// shutdown; that is in its ledger too.
    #[inline]
    pub fn write(&self, class: Class, line: &[u8]) -> Option<DropReason> {
        // Each of them gets the line, whatever the others say.
        self.0.0.iter().fold(None, |lost, lane| lane.write(class, line).or(lost))
    }

    /// Books `lines` lines that were left out on purpose.
    ///
    /// ```
    /// use obs_core::output::{Class, DropReason, Output};
    ///
    /// let output = Output::builder().destination(std::io::sink()).build()?;
    /// output.sampled_out(2);
    /// output.dropped(Class::Debug, DropReason::RateLimited, 1);
    /// assert_eq!((output.ledger().created, output.ledger().sampled_out), (3, 2));
    ///
    /// // What a service uses when nothing else is said.
    /// let _stdout = Output::stdout();
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn sampled_out(&self, lines: u64) {
        for lane in &self.0.0 {
            lane.sampled_out(lines);
        }
    }

    /// Books `lines` lines that were lost before they reached the queue.
    pub fn dropped(&self, class: Class, reason: DropReason, lines: u64) {
        for lane in &self.0.0 {
            lane.dropped(class, reason, lines);
        }
    }

    /// Waits until everything handed in before this call has found its fate, for at most `limit`.
    ///
    /// Blocks the calling thread. `false` when time was up first.
    #[must_use = "false means that lines still wait"]
    pub fn flush(&self, limit: Duration) -> bool {
        self.for_each_within(limit, Lane::flush)
    }

    /// Writes out what waits and stops, within `limit`.
    ///
    /// Blocks the calling thread. When time is up, or the destination is stuck, what is left is
    /// counted as lost and the writer thread is left behind; that is the answer `false`. Further
    /// calls do nothing and give the same answer.
    pub fn shutdown(&self, limit: Duration) -> bool {
        for lane in &self.0.0 {
            lane.close();
        }
        self.for_each_within(limit, Lane::join)
    }

    /// The ledger of the first destination.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.0.0.first().map(|lane| lane.ledger()).unwrap_or_default()
    }

    /// The ledgers of all destinations, in the order in which they were added.
    #[must_use]
    pub fn ledgers(&self) -> Vec<Ledger> {
        self.0.0.iter().map(|lane| lane.ledger()).collect()
    }

    /// The last error of a destination, as text.
    #[must_use]
    pub fn last_error(&self) -> Option<String> {
        self.0.0.iter().find_map(|lane| lane.lock().last_error.clone())
    }

    fn for_each_within(&self, limit: Duration, step: impl Fn(&Lane, Duration) -> bool) -> bool {
        let clock = Clock::system();
        let end = clock.now() + limit;
        let mut all = true;
        for lane in &self.0.0 {
            all &= step(lane, end - clock.now());
        }
        all
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        for lane in &self.0 {
            lane.close();
        }
        for lane in &self.0 {
            lane.join(DROP_LIMIT);
        }
    }
}
