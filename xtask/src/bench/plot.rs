//! A plot of lines, as SVG: the same figures give the same bytes.

use std::fmt::Write as _;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 130.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 50.0;

/// Told apart also by those who see no colours, for they differ in lightness.
const COLOURS: [&str; 3] = ["#1b4f8a", "#d9822b", "#7a7a7a"];

/// Lines over points that stand at equal distances, as theirs grow by factors; the y axis begins at 0.
pub(super) struct Plot<'a> {
    pub(super) x: &'a str,
    pub(super) y: &'a str,
    pub(super) points: &'a [String],
    pub(super) series: Vec<Series<'a>>,
}

/// One line, with a value for each point.
pub(super) struct Series<'a> {
    pub(super) name: &'a str,
    pub(super) values: Vec<f64>,
}

impl Plot<'_> {
    pub(super) fn draw(&self) -> String {
        let values = self.series.iter().flat_map(|series| &series.values);
        let highest = values.copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
        let step = step(highest);
        let steps = (highest / step).ceil().max(1.0);
        let scale = Scale { points: self.points.len(), top: step * steps };
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
        );
        self.draw_axes(&mut svg, &scale, step, steps as u32);
        for (series, colour) in self.series.iter().zip(COLOURS.iter().cycle()) {
            draw_line(&mut svg, &scale, series, colour);
        }
        self.draw_names(&mut svg, &scale);
        svg + "</svg>\n"
    }

    fn draw_axes(&self, svg: &mut String, scale: &Scale, step: f64, steps: u32) {
        for at in 0..=steps {
            let value = step * f64::from(at);
            let y = scale.y(value);
            let end = WIDTH - RIGHT;
            let _ = writeln!(
                svg,
                "<path d=\"M{LEFT} {y:.1}H{end}\" stroke=\"#dddddd\"/>\n\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
                LEFT - 8.0,
                y + 4.0
            );
        }
        for (at, point) in self.points.iter().enumerate() {
            let (x, y) = (scale.x(at), HEIGHT - BOTTOM + 18.0);
            let _ =
                writeln!(svg, "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{point}</text>");
        }
        let middle = LEFT + (WIDTH - LEFT - RIGHT) / 2.0;
        let _ = writeln!(
            svg,
            "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n\
             <text transform=\"translate(16 {}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            HEIGHT - 12.0,
            self.x,
            HEIGHT / 2.0,
            self.y
        );
    }

    /// The name of each line at its end, moved apart where ends are close.
    fn draw_names(&self, svg: &mut String, scale: &Scale) {
        let ends = self.series.iter().zip(COLOURS.iter().cycle());
        let mut ends: Vec<_> = ends
            .filter_map(|(series, colour)| {
                let last = series.values.iter().rfind(|value| value.is_finite())?;
                Some((scale.y(*last) + 4.0, series.name, colour))
            })
            .collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut free = f64::MIN;
        for (y, name, colour) in ends {
            let (x, y) = (WIDTH - RIGHT + 10.0, y.max(free));
            let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y:.1}\" fill=\"{colour}\">{name}</text>");
            free = y + 14.0;
        }
    }
}

fn draw_line(svg: &mut String, scale: &Scale, series: &Series<'_>, colour: &str) {
    let points = series.values.iter().enumerate().filter(|(_, value)| value.is_finite());
    let points: Vec<String> =
        points.map(|(at, value)| format!("{:.1},{:.1}", scale.x(at), scale.y(*value))).collect();
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
        points.join(" ")
    );
    for point in points {
        let (x, y) = point.split_once(',').unwrap_or_default();
        let _ = writeln!(svg, "<circle cx=\"{x}\" cy=\"{y}\" r=\"3\" fill=\"{colour}\"/>");
    }
}

struct Scale {
    points: usize,
    top: f64,
}

impl Scale {
    fn x(&self, at: usize) -> f64 {
        let gaps = self.points.saturating_sub(1).max(1) as f64;
        LEFT + 10.0 + (WIDTH - LEFT - RIGHT - 20.0) * at as f64 / gaps
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / self.top
    }
}

/// A round number of which four to ten reach `highest`.
fn step(highest: f64) -> f64 {
    if highest <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf((highest / 10.0).log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|factor| factor * power);
    steps.into_iter().find(|step| highest / step <= 10.0).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_not_too_many() {
        for (highest, expected) in
            [(0.0, 1.0), (9.0, 1.0), (10.0, 1.0), (11.0, 2.0), (48_000.0, 5_000.0)]
        {
            assert_eq!(step(highest), expected, "{highest}");
        }
    }

    #[test]
    fn every_point_lies_within_the_frame_and_every_line_is_named() {
        let points = ["1".to_owned(), "10".to_owned(), "100".to_owned()];
        let series = |name, values: [f64; 3]| Series { name, values: values.to_vec() };
        let plot = Plot {
            x: "routes",
            y: "ns",
            points: &points,
            series: vec![series("bare", [0.0, 7.0, 7.0]), series("observed", [5.0, f64::NAN, 7.1])],
        };
        let svg = plot.draw();
        assert_eq!(svg, plot.draw());
        assert_eq!(svg.matches("<circle").count(), 5);
        assert!(svg.contains(">bare</text>") && svg.contains(">observed</text>"));
        for y in svg.split("cy=\"").skip(1) {
            let y: f64 = y.split('"').next().unwrap().parse().unwrap();
            assert!((TOP..=HEIGHT - BOTTOM).contains(&y), "{y}");
        }
    }
}
