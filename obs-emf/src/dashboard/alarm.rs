use serde_json::{Map, Value, json};

use super::tier::Tier;
use super::{DROPPED, Watch};
use crate::request::{ENVIRONMENT, SERVICE};

/// A burn rate: how many times faster than allowed the error budget is used up, in two windows.
///
/// The values are those of the
/// [SRE workbook](https://sre.google/workbook/alerting-on-slos/#6-multiwindow-multi-burn-rate-alerts).
struct Burn {
    id: &'static str,
    tier: Tier,
    rate: f64,
    long_seconds: u32,
    short_seconds: u32,
}

const BURNS: [Burn; 2] = [
    Burn { id: "Fast", tier: Tier::Critical, rate: 14.4, long_seconds: 3_600, short_seconds: 300 },
    Burn { id: "Slow", tier: Tier::Warning, rate: 6.0, long_seconds: 21_600, short_seconds: 1_800 },
];

impl Watch {
    /// The names of the alarms that a person looks at.
    pub(super) fn alarm_names(&self) -> Vec<String> {
        let mut names = vec![
            self.name("availability-warning"),
            self.name("availability-critical"),
            self.name("latency-warning"),
            self.name("latency-critical"),
            self.name("metrics-dropped"),
        ];
        names.extend(BURNS.iter().map(|burn| self.name(&format!("burn-{}", burn.id))));
        names.push(self.name("service"));
        names
    }

    pub(super) fn alarm_arn(&self, name: &str) -> String {
        let super::Place { partition, region, account } = &self.place;
        format!("arn:{partition}:cloudwatch:{region}:{account}:alarm:{name}")
    }

    /// Alarms in two tiers, burn rates, and one over all that says whether the service is well.
    pub(super) fn alarms(&self) -> Map<String, Value> {
        let mut alarms = Map::new();
        let budget = 100.0 - self.availability;
        for (tier, times, factor) in [(Tier::Warning, 1.0, 1.0), (Tier::Critical, 5.0, 2.0)] {
            let (id, lower) = (tier.name(), tier.name().to_lowercase());
            let name = self.name(&format!("availability-{lower}"));
            let alarm = self.availability_alarm(&name, 100.0 - budget * times);
            alarms.insert(format!("Availability{id}"), notifying(tier, alarm));
            let name = self.name(&format!("latency-{lower}"));
            let alarm = self.latency_alarm(&name, factor);
            alarms.insert(format!("Latency{id}"), notifying(tier, alarm));
        }
        for burn in &BURNS {
            for (window, seconds) in [("Long", burn.long_seconds), ("Short", burn.short_seconds)] {
                let name = self.name(&format!("burn-{}-{window}", burn.id));
                let limit = burn.rate * budget;
                let alarm = self.burn_alarm(&name, limit, seconds);
                alarms.insert(format!("Burn{}{window}", burn.id), alarm);
            }
            let rule = ["Long", "Short"].map(|window| {
                format!("ALARM(\"{}\")", self.name(&format!("burn-{}-{window}", burn.id)))
            });
            let parts = ["Long", "Short"].map(|window| format!("Burn{}{window}", burn.id));
            let name = self.name(&format!("burn-{}", burn.id));
            let both = composite(&name, &rule.join(" AND "), &parts);
            alarms.insert(format!("Burn{}", burn.id), notifying(burn.tier, both));
        }
        let rule = ["availability-critical", "latency-critical", "burn-Fast"]
            .map(|what| format!("ALARM(\"{}\")", self.name(what)));
        let parts = ["AvailabilityCritical", "LatencyCritical", "BurnFast"].map(str::to_owned);
        let service = composite(&self.name("service"), &rule.join(" OR "), &parts);
        alarms.insert("ServiceUnwell".to_owned(), service);
        alarms.insert("MetricsDropped".to_owned(), notifying(Tier::Warning, self.dropped_alarm()));
        alarms.extend(self.rejected_alarms());
        alarms
    }

    fn availability_alarm(&self, name: &str, limit: f64) -> Value {
        alarm(
            name,
            json!({
                "AlarmDescription": format!("less than {limit} % of the requests went without a fault"),
                "ComparisonOperator": "LessThanThreshold",
                "Threshold": limit,
                "EvaluationPeriods": 5,
                "DatapointsToAlarm": 3,
                "Metrics": self.rate("100 - (m2/m1*100)", 60),
            }),
        )
    }

    fn latency_alarm(&self, name: &str, factor: f64) -> Value {
        let (limit, percentile) = self.latency;
        alarm(
            name,
            json!({
                "AlarmDescription": format!("p{percentile} is above {} ms", limit * factor),
                "ComparisonOperator": "GreaterThanThreshold",
                "Threshold": limit * factor,
                "EvaluationPeriods": 5,
                "DatapointsToAlarm": 3,
                "Namespace": self.namespace,
                "MetricName": "Latency",
                "Dimensions": self.dimensions(),
                "ExtendedStatistic": format!("p{percentile}"),
                "Period": 60,
            }),
        )
    }

    fn burn_alarm(&self, name: &str, limit: f64, seconds: u32) -> Value {
        alarm(
            name,
            json!({
                "AlarmDescription": format!("more than {limit} % of the requests of {seconds} s failed"),
                "ComparisonOperator": "GreaterThanThreshold",
                "Threshold": limit,
                "EvaluationPeriods": 1,
                "Metrics": self.rate("m2/m1*100", seconds),
            }),
        )
    }

    fn dropped_alarm(&self) -> Value {
        alarm(
            &self.name("metrics-dropped"),
            json!({
                "AlarmDescription": "the service could not deliver some of its metrics",
                "ComparisonOperator": "GreaterThanThreshold",
                "Threshold": 0,
                "EvaluationPeriods": 1,
                "Namespace": self.namespace,
                "MetricName": DROPPED.name,
                "Dimensions": self.dimensions(),
                "Statistic": "Sum",
                "Period": 300,
            }),
        )
    }

    /// The only word from CloudWatch about lines whose metrics it could not read.
    fn rejected_alarms(&self) -> Vec<(String, Value)> {
        let Some(log_group) = &self.log_group else { return Vec::new() };
        ["EMFParsingErrors", "EMFValidationErrors"]
            .into_iter()
            .map(|metric| {
                let value = alarm(&self.name(metric), json!({
                    "AlarmDescription": "CloudWatch rejected metrics in the lines of the service",
                    "ComparisonOperator": "GreaterThanThreshold",
                    "Threshold": 0,
                    "EvaluationPeriods": 1,
                    "Namespace": "AWS/Logs",
                    "MetricName": metric,
                    "Dimensions": [{ "Name": "LogGroupName", "Value": log_group }],
                    "Statistic": "Sum",
                    "Period": 300,
                }));
                (metric.to_owned(), notifying(Tier::Warning, value))
            })
            .collect()
    }

    fn dimensions(&self) -> Value {
        json!([
            { "Name": SERVICE, "Value": self.service },
            { "Name": ENVIRONMENT, "Value": self.environment },
        ])
    }

    /// An expression over `m1`, the requests, and `m2`, the faults.
    fn rate(&self, expression: &str, seconds: u32) -> Value {
        let metric = |id: &str, name: &str| {
            json!({
                "Id": id,
                "ReturnData": false,
                "MetricStat": {
                    "Metric": {
                        "Namespace": self.namespace,
                        "MetricName": name,
                        "Dimensions": self.dimensions(),
                    },
                    "Period": seconds,
                    "Stat": "Sum",
                },
            })
        };
        json!([
            { "Id": "rate", "Expression": expression, "ReturnData": true },
            metric("m1", "Requests"),
            metric("m2", "Faults"),
        ])
    }
}

fn alarm(name: &str, mut properties: Value) -> Value {
    if let Some(properties) = properties.as_object_mut() {
        properties.insert("AlarmName".to_owned(), json!(name));
        // A service without requests has nothing to be alarmed about.
        properties.insert("TreatMissingData".to_owned(), json!("notBreaching"));
    }
    json!({ "Type": "AWS::CloudWatch::Alarm", "Properties": properties })
}

/// The alarm, as one that notifies a tier. The parts of composite alarms notify nobody, and neither
/// does the one over all, whose parts have done so.
fn notifying(tier: Tier, mut alarm: Value) -> Value {
    alarm["Properties"]["AlarmActions"] = tier.actions();
    alarm
}

fn composite(name: &str, rule: &str, parts: &[String]) -> Value {
    json!({
        "Type": "AWS::CloudWatch::CompositeAlarm",
        "DependsOn": parts,
        "Properties": { "AlarmName": name, "AlarmRule": rule },
    })
}
