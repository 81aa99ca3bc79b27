//! The tables of jobs: time and what stands beside it, instructions, and why a target is missed.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde_json::Value;

/// What a bare route took on the machine for which the targets in nanoseconds were set.
const BARE_OF_TARGETS: f64 = 951.0;

/// What is known of every job.
pub(super) struct Jobs<'a> {
    /// Descriptions, in the order of the table.
    pub(super) described: &'a [Value],
    /// Costs by name: time, allocations, bytes.
    pub(super) costs: HashMap<&'a str, &'a Value>,
    /// Instructions by name, with link-time optimisation.
    pub(super) instructions: &'a Value,
}

impl<'a> Jobs<'a> {
    pub(super) fn new(described: &'a [Value], costs: &'a Value, instructions: &'a Value) -> Self {
        let costs = costs.as_array().into_iter().flatten();
        let costs = costs.filter_map(|cost| Some((cost["name"].as_str()?, cost))).collect();
        Self { described, costs, instructions }
    }

    /// The tables, then what explains the targets that are missed.
    pub(super) fn sections(&self) -> String {
        let slower = self.slower();
        let mut missed = Vec::new();
        let mut times = "| job | added | ceiling | target | allocations | bytes | written | behind | best rival | ratio |\n\
             |---|---|---|---|---|---|---|---|---|---|\n"
            .to_owned();
        let mut instructions =
            "| job | instructions | target | best rival | ratio |\n|---|---|---|---|---|\n"
                .to_owned();
        for job in self.described.iter().filter(|job| job["rival_of"].is_null()) {
            let row = Row { jobs: self, job, name: text(job, "name") };
            let mark = if row.misses(slower) {
                missed.push(row.explanation());
                format!(" ({})", missed.len())
            } else {
                String::new()
            };
            times += &row.times(&mark);
            instructions += &row.instructions(&mark);
        }
        let missed: String =
            missed.iter().enumerate().map(|(at, why)| format!("{}. {why}\n", at + 1)).collect();
        format!(
            "## Jobs\n\n\
             A bare route takes {slower:.2} times as long here as on the machine for which the targets in nanoseconds\n\
             were set; a time counts as missed when it is over its target by more than that.\n\n\
             {times}\n\
             A denial by tower_governor makes a clock, which asks the processor what it can do (`cpuid`), and a virtual\n\
             machine answers that by a detour of microseconds.\n\n\
             ## Instructions\n\n\
             Counted by callgrind in the thread that works, with fat LTO as above, beyond the baseline.\n\n\
             {instructions}\n\
             ## Targets that are missed\n\n{}",
            if missed.is_empty() { "None.\n".to_owned() } else { missed }
        )
    }

    /// The targets that are missed and have no explanation.
    pub(super) fn unexplained(&self) -> Vec<&'a str> {
        let slower = self.slower();
        let missed = self.described.iter().filter(|job| job["explanation"].is_null());
        let missed = missed.map(|job| Row { jobs: self, job, name: text(job, "name") });
        missed.filter(|row| row.misses(slower)).map(|row| row.name).collect()
    }

    fn slower(&self) -> f64 {
        self.costs.get("http/bare").map_or(1.0, |bare| number(bare, "nanos") / BARE_OF_TARGETS)
    }

    fn instructions_of(&self, name: &str) -> Option<f64> {
        self.instructions[name].as_f64()
    }
}

struct Row<'j, 'a> {
    jobs: &'j Jobs<'a>,
    job: &'a Value,
    name: &'a str,
}

impl<'a> Row<'_, 'a> {
    fn cost(&self) -> Option<&'a Value> {
        self.jobs.costs.get(self.name).copied()
    }

    fn misses(&self, slower: f64) -> bool {
        let is_slow = self.cost().zip(self.job["target_ns"].as_f64());
        let is_slow = is_slow.is_some_and(|(cost, target)| number(cost, "nanos") > target * slower);
        let is_long = self.jobs.instructions_of(self.name);
        let is_long = is_long.zip(self.job["target_instructions"].as_f64());
        is_slow || is_long.is_some_and(|(counted, target)| counted > target)
    }

    fn explanation(&self) -> String {
        let why = self.job["explanation"].as_str().unwrap_or("not explained");
        format!("{}: {why}", self.name)
    }

    fn rivals(&self) -> impl Iterator<Item = &'a str> {
        let rivals = self.jobs.described.iter();
        rivals.filter(|job| job["rival_of"] == self.name).map(|job| text(job, "name"))
    }

    fn times(&self, mark: &str) -> String {
        let Some(cost) = self.cost() else { return String::new() };
        let nanos = number(cost, "nanos");
        let measured = self.rivals().filter_map(|name| Some((name, self.jobs.costs.get(name)?)));
        let best =
            measured.min_by(|(_, a), (_, b)| number(a, "nanos").total_cmp(&number(b, "nanos")));
        let mut row = format!(
            "| {} | {nanos:.0} ns | {} | {}{mark} | {:.1} | {:.0} |",
            self.name,
            unit(&self.job["ceiling_ns"], " ns"),
            unit(&self.job["target_ns"], " ns"),
            number(cost, "allocations"),
            number(cost, "bytes"),
        );
        let _ =
            write!(row, " {} | {} |", unit(&cost["written"], ""), unit(&cost["background"], " ns"));
        let _ = match best {
            Some((name, rival)) => writeln!(
                row,
                " {}: {:.0} ns, {:.1} allocations{} | {:.1} |",
                name.trim_start_matches("rival/"),
                number(rival, "nanos"),
                number(rival, "allocations"),
                elsewhere(rival),
                number(rival, "nanos") / nanos
            ),
            None => writeln!(row, " | |"),
        };
        row
    }

    fn instructions(&self, mark: &str) -> String {
        let Some(counted) = self.jobs.instructions_of(self.name) else { return String::new() };
        let rivals = self.rivals();
        let best = rivals
            .filter_map(|name| Some((name, self.jobs.instructions_of(name)?)))
            .min_by(|(_, a), (_, b)| a.total_cmp(b));
        let rival = best.map_or_else(
            || " | |".to_owned(),
            |(name, rival)| {
                let name = name.trim_start_matches("rival/");
                format!(" {name}: {rival:.0} | {:.1} |", rival / counted)
            },
        );
        let target = unit(&self.job["target_instructions"], "");
        format!("| {} | {counted:.0} | {target}{mark} |{rival}\n", self.name)
    }
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

fn number(value: &Value, name: &str) -> f64 {
    value[name].as_f64().unwrap_or(f64::NAN)
}

/// What a rival writes, and has other threads do, if that is worth telling.
fn elsewhere(rival: &Value) -> String {
    let (written, behind) = (number(rival, "written"), number(rival, "background"));
    let mut text = String::new();
    if written >= 1.0 {
        let _ = write!(text, ", {written:.0} written");
    }
    if behind > number(rival, "nanos") / 10.0 {
        let _ = write!(text, ", {behind:.0} ns behind");
    }
    text
}

/// A number with its unit, `-` where there is none.
fn unit(value: &Value, unit: &str) -> String {
    value.as_f64().map_or_else(|| "-".to_owned(), |number| format!("{number:.0}{unit}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn described() -> Vec<Value> {
        vec![
            json!({ "name": "http/bare" }),
            json!({
                "name": "ours", "target_ns": 100, "target_instructions": 1_000,
                "explanation": "it does more",
            }),
            json!({ "name": "other", "target_ns": 100 }),
            json!({ "name": "rival/theirs", "rival_of": "ours" }),
        ]
    }

    fn costs(ours: f64) -> Value {
        json!([
            { "name": "http/bare", "nanos": 951.0 * 2.0 },
            { "name": "ours", "nanos": ours, "allocations": 1.0, "bytes": 2.0, "written": 3.0 },
            { "name": "other", "nanos": 300.0, "allocations": 1.0, "bytes": 2.0 },
            {
                "name": "rival/theirs", "nanos": 600.0, "allocations": 9.0, "written": 4.0,
                "background": 61.0,
            },
        ])
    }

    #[test]
    fn a_target_is_missed_by_what_the_machine_does_not_account_for() {
        let (described, instructions) =
            (described(), json!({ "ours": 900, "rival/theirs": 1_800 }));
        let costs = costs(200.0);
        let jobs = Jobs::new(&described, &costs, &instructions);
        let sections = jobs.sections();
        assert!(
            sections.contains(
                "| ours | 200 ns | - | 100 ns | 1.0 | 2 | 3 | - | \
             theirs: 600 ns, 9.0 allocations, 4 written, 61 ns behind | 3.0 |"
            ),
            "{sections}"
        );
        assert!(sections.contains("| ours | 900 | 1000 | theirs: 1800 | 2.0 |"), "{sections}");
        assert!(sections.contains("1. other: not explained"), "{sections}");
        assert_eq!(jobs.unexplained(), ["other"]);
    }

    #[test]
    fn what_explains_a_target_is_told_only_when_it_is_missed() {
        let described = described();
        let (costs, long) = (costs(100.0), json!({ "ours": 1_001 }));
        let jobs = Jobs::new(&described, &costs, &long);
        assert!(jobs.sections().contains("1. ours: it does more"));
        assert!(jobs.sections().contains("| ours | 1001 | 1000 (1) |"));
        let short = json!({ "ours": 1_000 });
        assert!(!Jobs::new(&described, &costs, &short).sections().contains("it does more"));
    }
}
