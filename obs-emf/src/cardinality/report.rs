use crate::declare::Shape;

/// The most series that declarations can make, for a check in CI.
///
/// ```
/// use obs_core::metric::Unit;
/// use obs_emf::Shape;
/// use obs_emf::cardinality::SeriesReport;
///
/// let shape = Shape::builder("Shop")
///     .dimension_set(["Route"])
///     .bound("Route", 20)
///     .metric(("Latency", Unit::Milliseconds))
///     .metric(("Faults", Unit::Count))
///     .build()?;
/// let report = SeriesReport::of([("requests", &shape)]);
/// assert_eq!(report.total(), Some(40));
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeriesReport(Vec<(String, Option<u64>)>);

impl SeriesReport {
    /// The report of these declarations, each with a name to find it by.
    pub fn of<'s>(shapes: impl IntoIterator<Item = (&'s str, &'s Shape)>) -> Self {
        let line = |(name, shape): (&str, &Shape)| (name.to_owned(), shape.series_bound());
        Self(shapes.into_iter().map(line).collect())
    }

    /// Adds the series that metrics have, such as [`EmfRecorder::series_by_metric`] tells: all
    /// there will be of a service that asks for its handles when it starts.
    ///
    /// ```
    /// use obs_emf::cardinality::SeriesReport;
    ///
    /// let report = SeriesReport::default().of_metrics([("Placed".to_owned(), 2)]);
    /// assert_eq!(report.total(), Some(2));
    /// ```
    ///
    /// [`EmfRecorder::series_by_metric`]: crate::recorder::EmfRecorder::series_by_metric
    #[must_use]
    pub fn of_metrics(mut self, series: impl IntoIterator<Item = (String, u64)>) -> Self {
        self.0.extend(series.into_iter().map(|(name, series)| (name, Some(series))));
        self
    }

    /// The series of each declaration; `None` where a dimension has no bound.
    ///
    /// ```
    /// use obs_core::metric::Unit;
    /// use obs_emf::Shape;
    /// use obs_emf::cardinality::SeriesReport;
    ///
    /// let shape = Shape::builder("Shop").dimension_set(["Tenant"]).metric(("Items", Unit::Count)).build()?;
    /// let report = SeriesReport::of([("orders", &shape)]);
    /// // Nobody said how many tenants there can be.
    /// assert_eq!(report.lines().collect::<Vec<_>>(), [("orders", None)]);
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn lines(&self) -> impl Iterator<Item = (&str, Option<u64>)> {
        self.0.iter().map(|(name, series)| (name.as_str(), *series))
    }

    /// The series of all declarations; `None` if one of them has a dimension without a bound.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.0.iter().try_fold(0_u64, |sum, line| Some(sum.saturating_add(line.1?)))
    }
}

#[cfg(test)]
mod tests {
    use obs_core::metric::Unit;

    use super::*;

    #[test]
    fn a_declaration_without_a_bound_has_no_total() {
        let shape = Shape::builder("Shop").dimension_set(["Tenant"]);
        let shape = shape.metric(("Latency", Unit::Milliseconds)).build().unwrap();
        assert_eq!(SeriesReport::of([("requests", &shape)]).total(), None);
    }
}
