//! The rules, applied in the order in which CloudWatch meets them.

use std::collections::{BTreeMap, BTreeSet};

use obs_core::clock::Timestamp;

use super::{Json, LineReport, Point, Rule, SeriesId};

const TWO_WEEKS_MILLIS: u64 = 14 * 24 * 3_600_000;
const TWO_HOURS_MILLIS: u64 = 2 * 3_600_000;
const INSIGHTS_FIELDS: usize = 200;

/// Written out here and not taken from the encoder, so that a slip there shows.
const UNITS: &str = "Seconds Microseconds Milliseconds Bytes Kilobytes Megabytes Gigabytes \
    Terabytes Bits Kilobits Megabits Gigabits Terabits Percent Count Bytes/Second \
    Kilobytes/Second Megabytes/Second Gigabytes/Second Terabytes/Second Bits/Second \
    Kilobits/Second Megabits/Second Gigabits/Second Terabits/Second Count/Second None";

pub(super) fn document(root: &Json, now: Option<Timestamp>, report: &mut LineReport) {
    if !matches!(root, Json::Object(_)) {
        report.find(Rule::E1, "not an object");
        return;
    }
    repeated_members(root, "the root", report);
    let Some(metadata) = root.get("_aws") else { return };
    let Some(directives) = metadata.get("CloudWatchMetrics") else {
        if !matches!(metadata, Json::Object(_)) {
            report.find(Rule::E3, "_aws is not an object");
        }
        return;
    };
    report.has_metrics = true;
    repeated_members(metadata, "_aws", report);
    let timestamp = timestamp(metadata.get("Timestamp"), now, report);
    let Some(directives) = directives.items() else {
        report.find(Rule::E3, "CloudWatchMetrics is not an array");
        return;
    };
    for entry in directives {
        directive(root, entry, timestamp, report);
    }
    insights_order(root, report);
}

fn repeated_members(object: &Json, place: &str, report: &mut LineReport) {
    let mut seen = BTreeSet::new();
    for (name, _) in object.members() {
        if !seen.insert(name) {
            report.find(Rule::E19, format!("{place} has {name:?} twice"));
        }
    }
}

fn timestamp(value: Option<&Json>, now: Option<Timestamp>, report: &mut LineReport) -> u64 {
    let Some(Json::Number(_, Some(millis))) = value else {
        report.find(Rule::E4, "Timestamp is not an unsigned integer");
        return 0;
    };
    if let Some(now) = now.map(Timestamp::unix_millis) {
        if *millis < now.saturating_sub(TWO_WEEKS_MILLIS) {
            report.find(Rule::E4, format!("{millis} is more than two weeks old"));
        } else if *millis > now.saturating_add(TWO_HOURS_MILLIS) {
            report.find(Rule::E4, format!("{millis} is more than two hours ahead"));
        }
    }
    *millis
}

fn directive(root: &Json, directive: &Json, timestamp: u64, report: &mut LineReport) {
    repeated_members(directive, "a directive", report);
    let namespace = directive.get("Namespace").and_then(Json::text);
    let sets = directive.get("Dimensions").and_then(Json::items);
    let metrics = directive.get("Metrics").and_then(Json::items);
    let (Some(namespace), Some(sets), Some(metrics)) = (namespace, sets, metrics) else {
        report.find(Rule::E5, "a directive lacks Namespace, Dimensions or Metrics");
        return;
    };
    if !is_good_text(namespace, 255)
        || namespace.starts_with([':'])
        || namespace.starts_with("AWS/")
    {
        report.find(Rule::E6, format!("namespace {namespace:?}"));
    }
    if sets.is_empty() {
        report.find(Rule::E7, "Dimensions is empty; no dimensions are written [[]]");
    }
    if metrics.len() > 100 {
        report.find(Rule::E11, format!("{} metrics", metrics.len()));
    }
    let sets: Vec<_> = sets.iter().map(|set| dimension_set(root, set, report)).collect();
    for (index, set) in sets.iter().enumerate() {
        if sets[..index].contains(set) {
            report.find(Rule::E10, format!("{:?}", set.keys()));
        }
    }
    let mut resolutions = BTreeMap::new();
    for definition in metrics {
        metric(root, definition, &mut resolutions, report, |name, unit, resolution, values| {
            let point = |dimensions: &BTreeMap<String, String>| Point {
                series: SeriesId {
                    namespace: namespace.to_owned(),
                    name: name.to_owned(),
                    dimensions: dimensions.clone(),
                },
                unit: unit.to_owned(),
                resolution,
                timestamp,
                values: values.clone(),
            };
            sets.iter().map(point).collect()
        });
    }
}

fn dimension_set(root: &Json, set: &Json, report: &mut LineReport) -> BTreeMap<String, String> {
    let Some(names) = set.items() else {
        report.find(Rule::E8, "a dimension set is not an array");
        return BTreeMap::new();
    };
    if names.len() > 30 {
        report.find(Rule::E8, format!("a set of {} dimensions", names.len()));
    }
    let mut dimensions = BTreeMap::new();
    for name in names {
        let name = name.text().unwrap_or_default();
        if !is_good_text(name, 250) || name.starts_with(':') {
            report.find(Rule::E8, format!("dimension name {name:?}"));
            continue;
        }
        match root.get(name) {
            Some(Json::Text(value)) if is_good_text(value, 1024) => {
                if dimensions.insert(name.to_owned(), value.clone()).is_some() {
                    report.find(Rule::E8, format!("{name:?} is in a set twice"));
                }
            }
            Some(value) => report.find(Rule::E9, format!("{name:?} is {value:?}")),
            None => report.find(Rule::E9, format!("{name:?} is not in the root")),
        }
    }
    dimensions
}

fn metric<'j>(
    root: &'j Json,
    definition: &'j Json,
    resolutions: &mut BTreeMap<&'j str, u8>,
    report: &mut LineReport,
    points: impl FnOnce(&str, &str, u8, Vec<(f64, f64)>) -> Vec<Point>,
) {
    let name = definition.get("Name").and_then(Json::text).unwrap_or_default();
    if !is_good_text(name, 255) {
        report.find(Rule::E12, format!("metric name {name:?}"));
        return;
    }
    let unit = match definition.get("Unit") {
        None => "None",
        Some(unit) => unit.text().unwrap_or_default(),
    };
    if !UNITS.split_whitespace().any(|known| known == unit) {
        report.find(Rule::E17, format!("{name}: unit {unit:?}"));
    }
    let resolution = match definition.get("StorageResolution").map(|value| value.number()) {
        None => 60,
        Some(Some(1.0)) => 1,
        Some(Some(60.0)) => 60,
        Some(_) => {
            report.find(Rule::E18, format!("{name}: storage resolution"));
            60
        }
    };
    if let Some(other) = resolutions.insert(name, resolution) {
        let rule = if other == resolution { Rule::E19 } else { Rule::E18 };
        report.find(rule, format!("{name} is defined twice"));
    }
    let Some(target) = root.get(name) else {
        report.find(Rule::E16, format!("{name} is not in the root"));
        return;
    };
    if let Some(values) = values(name, target, report) {
        let made = points(name, unit, resolution, values);
        report.points.extend(made);
    }
}

fn values(name: &str, target: &Json, report: &mut LineReport) -> Option<Vec<(f64, f64)>> {
    let values = match target {
        Json::Number(value, _) => vec![(*value, 1.0)],
        Json::Array(items) => {
            let numbers: Option<Vec<_>> =
                items.iter().map(|item| Some((item.number()?, 1.0))).collect();
            match numbers {
                Some(numbers) if (1..=100).contains(&numbers.len()) => numbers,
                _ => {
                    let message = format!("{name} is not an array of 1 to 100 numbers");
                    report.find(Rule::E13, message);
                    return None;
                }
            }
        }
        Json::Object(_) => match counted(target) {
            Some(values) => values,
            None => {
                report.find(Rule::E14, format!("{name}: Values and Counts"));
                return None;
            }
        },
        _ => {
            report.find(Rule::E13, format!("{name} is not a number"));
            return None;
        }
    };
    let limit = 2_f64.powi(360);
    for &(value, _) in &values {
        let magnitude = value.abs();
        if magnitude > limit || (magnitude != 0.0 && magnitude < limit.recip()) {
            report.find(Rule::E15, format!("{name} has {value:e}"));
        }
    }
    Some(values)
}

fn counted(target: &Json) -> Option<Vec<(f64, f64)>> {
    let numbers = |name| -> Option<Vec<f64>> {
        target.get(name)?.items()?.iter().map(Json::number).collect()
    };
    let (values, counts) = (numbers("Values")?, numbers("Counts")?);
    let good = values.len() == counts.len()
        && (1..=100).contains(&values.len())
        && counts.iter().all(|&count| count > 0.0);
    good.then(|| values.into_iter().zip(counts).collect())
}

/// Logs Insights counts each element of an array, so long values must not come before fields.
fn insights_order(root: &Json, report: &mut LineReport) {
    let metrics: BTreeSet<&str> =
        report.points.iter().map(|point| point.series.name.as_str()).collect();
    let mut fields = 0;
    let mut late = None;
    for (name, value) in root.members() {
        if fields > INSIGHTS_FIELDS && !metrics.contains(name.as_str()) {
            late = Some(name.clone());
            break;
        }
        fields += leaves(value);
    }
    if let Some(name) = late {
        report.find(Rule::E21, format!("{name:?} comes after {fields} fields"));
    }
}

fn leaves(value: &Json) -> usize {
    match value {
        Json::Array(items) => items.iter().map(leaves).sum(),
        Json::Object(members) => members.iter().map(|(_, value)| leaves(value)).sum(),
        _ => 1,
    }
}

/// 1 to `most` printable ASCII characters, not all of them blank.
fn is_good_text(text: &str, most: usize) -> bool {
    let printable = text.chars().all(|char| (' '..='~').contains(&char));
    printable && !text.trim().is_empty() && text.len() <= most
}
