//! What one request costs as something grows: routes, headers, fields, dimensions, keys, tenants,
//! requests at once.

mod limits;
mod lines;
mod requests;
#[cfg(test)]
mod tests;

use crate::job::Running;

/// Something that grows.
pub struct Axis {
    /// What it counts, such as `routes`.
    pub name: &'static str,
    /// How many of it.
    pub points: &'static [u64],
    /// What is measured at each point.
    pub series: Vec<Series>,
}

/// One thing that is measured at each point of an axis.
pub struct Series {
    /// Its name beside others of the axis.
    pub name: &'static str,
    start: Box<dyn Fn(u64) -> Running>,
}

impl Series {
    fn new<R: FnMut(u64) + 'static>(
        name: &'static str,
        start: impl Fn(u64) -> R + 'static,
    ) -> Self {
        Self { name, start: Box::new(move |point| -> Running { Box::new(start(point)) }) }
    }

    /// Sets it up with so many of what grows.
    #[must_use]
    pub fn start(&self, point: u64) -> Running {
        (self.start)(point)
    }
}

/// Every axis.
#[must_use]
pub fn axes() -> Vec<Axis> {
    vec![
        requests::routes(),
        requests::headers(),
        requests::concurrent(),
        lines::fields(),
        lines::dimensions(),
        limits::keys(),
        limits::tenants(),
    ]
}

/// A series at a point, as `AXIS/SERIES/POINT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// The names of all points.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let axes = axes();
        let names = axes.iter().flat_map(|axis| {
            let series = axis.series.iter();
            series.flat_map(|series| {
                axis.points
                    .iter()
                    .map(|point| Self(format!("{}/{}/{point}", axis.name, series.name)))
            })
        });
        names.collect()
    }

    /// Sets up what the name stands for, with how many of it there are.
    #[must_use]
    pub fn start(name: &str) -> Option<(Running, u64)> {
        let (series_name, point) = name.rsplit_once('/')?;
        let (axis_name, series_name) = series_name.split_once('/')?;
        let point = point.parse().ok()?;
        let axis = axes().into_iter().find(|axis| axis.name == axis_name)?;
        let series = axis.series.iter().find(|series| series.name == series_name)?;
        Some((series.start(point), point))
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::fmt::Debug for Axis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Axis").field("name", &self.name).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Series {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Series").field("name", &self.name).finish_non_exhaustive()
    }
}
