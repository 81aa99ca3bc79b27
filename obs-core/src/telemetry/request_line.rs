use tracing::Level;

use super::{Telemetry, class_of};
use crate::clock::Timestamp;
use crate::log::{Ids, Line, LineHead, TailRoom, with_buffer};
use crate::output::Class;

/// What a request's line says before its fields.
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::log::{Ids, LineHead};
/// use obs_core::output::Output;
/// use obs_core::telemetry::{RequestLine, Telemetry};
///
/// const COMPLETED: LineHead = LineHead::new("request completed", "orders");
///
/// let (output, lines) = Output::captured();
/// let telemetry = Telemetry::builder("orders").output(output).build()?;
/// let head = RequestLine {
///     timestamp: telemetry.clock().wall(),
///     level: tracing::Level::INFO,
///     head: &COMPLETED,
///     ids: Ids::default(),
///     has_metrics: false,
/// };
/// telemetry.request_line(&head, |line| drop(line.u64("status", 200)), |_tail| {});
/// telemetry.flush(Duration::from_secs(1));
/// assert!(lines.text().contains(r#""status":200"#));
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RequestLine<'a> {
    /// When the request ended.
    pub timestamp: Timestamp,
    /// `INFO`, `WARN` for 4xx, `ERROR` for 5xx and panics.
    pub level: Level,
    /// `request completed`, or what else ended, and the target by which the line is filtered.
    pub head: &'a LineHead,
    /// The ids of the request.
    pub ids: Ids<'a>,
    /// Whether the tail carries metrics, which no filter may remove.
    pub has_metrics: bool,
}

impl Telemetry {
    /// Writes the line of a request.
    ///
    /// `fields` writes the fields, `tail` appends `_aws` and what follows it, as for
    /// [`Line::finish_with`]. Neither is called more than once. When the filter does not let the
    /// line through, a line with metrics is reduced to its head, its ids and the tail, and one
    /// without is not written.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use obs_core::log::{Ids, LineHead};
    /// use obs_core::output::Output;
    /// use obs_core::telemetry::{RequestLine, Telemetry};
    ///
    /// static COMPLETED: LineHead = LineHead::new("request completed", "orders");
    ///
    /// let (output, lines) = Output::captured();
    /// let telemetry = Telemetry::builder("orders").output(output).build()?;
    /// let head = RequestLine {
    ///     timestamp: telemetry.clock().wall(),
    ///     level: tracing::Level::INFO,
    ///     head: &COMPLETED,
    ///     ids: Ids::default(),
    ///     has_metrics: false,
    /// };
    /// telemetry.request_line(&head, |_line| {}, |_tail| {});
    /// telemetry.flush(Duration::from_secs(1));
    /// assert_eq!(lines.lines().len(), 1);
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn request_line(
        &self,
        head: &RequestLine<'_>,
        fields: impl FnOnce(&mut Line<'_>),
        tail: impl FnOnce(&mut Vec<u8>),
    ) {
        self.write_request_line(head, fields, |line| line.finish_with(tail));
    }

    /// As [`request_line`](Self::request_line), with tails in several parts where one line has no
    /// room for all metrics, as for [`Line::finish_with_tails`].
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use obs_core::log::{Ids, LineHead};
    /// use obs_core::output::Output;
    /// use obs_core::telemetry::{RequestLine, Telemetry};
    ///
    /// const COMPLETED: LineHead = LineHead::new("request completed", "orders");
    ///
    /// let (output, lines) = Output::captured();
    /// let telemetry = Telemetry::builder("orders").output(output).build()?;
    /// let head = RequestLine {
    ///     timestamp: telemetry.clock().wall(),
    ///     level: tracing::Level::INFO,
    ///     head: &COMPLETED,
    ///     ids: Ids::default(),
    ///     has_metrics: true,
    /// };
    /// telemetry.request_line_with_tails(&head, |_line| {}, |tail, _room| {
    ///     tail.extend_from_slice(br#","Requests":1"#);
    ///     false
    /// });
    /// telemetry.flush(Duration::from_secs(1));
    /// assert!(lines.text().contains(r#""Requests":1"#));
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn request_line_with_tails(
        &self,
        head: &RequestLine<'_>,
        fields: impl FnOnce(&mut Line<'_>),
        tail: impl FnMut(&mut Vec<u8>, TailRoom) -> bool,
    ) {
        self.write_request_line(head, fields, |line| line.finish_with_tails(tail));
    }

    fn write_request_line(
        &self,
        head: &RequestLine<'_>,
        fields: impl FnOnce(&mut Line<'_>),
        finish: impl for<'b> FnOnce(Line<'b>) -> &'b [u8],
    ) {
        let enabled = self.is_enabled(head.level, head.head.target());
        if !enabled && !head.has_metrics {
            return;
        }
        let level =
            if head.has_metrics { self.0.filter.passing(head.level) } else { head.level.into() };
        with_buffer(|buffer| {
            let format = &self.0.format;
            let mut line = Line::begin_known(buffer, format, head.timestamp, level, head.head);
            line.ids(&head.ids);
            if enabled {
                fields(&mut line);
            }
            let class = class_of(head.level).max(Class::Request);
            self.0.output.write(class, finish(line));
        });
    }
}
