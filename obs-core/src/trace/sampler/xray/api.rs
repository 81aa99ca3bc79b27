//! The two calls of the X-Ray API, as JSON.

use std::fmt;

use serde_json::{Value, json};

use super::rule::Rule;

/// Where rules and quotas come from. Calls may block.
pub(super) trait SamplingApi: Send {
    /// [`GetSamplingRules`](https://docs.aws.amazon.com/xray/latest/api/API_GetSamplingRules.html).
    fn rules(&mut self) -> Result<Vec<Rule>, ApiError>;
    /// [`GetSamplingTargets`](https://docs.aws.amazon.com/xray/latest/api/API_GetSamplingTargets.html).
    fn targets(&mut self, statistics: &[Statistics]) -> Result<Targets, ApiError>;
}

/// What a client tells about one rule.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Statistics {
    pub(super) client_id: String,
    pub(super) rule: String,
    pub(super) requests: u64,
    pub(super) sampled: u64,
    pub(super) borrowed: u64,
    /// Seconds since the Unix epoch.
    pub(super) timestamp: u64,
}

/// What the service grants.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Targets {
    pub(super) targets: Vec<Target>,
    /// Seconds since the Unix epoch.
    pub(super) last_rule_modification: f64,
    /// Statistics were refused as the client's fault: its rules are not the service's.
    pub(super) rules_are_stale: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Target {
    pub(super) rule: String,
    pub(super) fixed_rate: Option<f64>,
    /// Requests per second, and until when, in seconds since the Unix epoch.
    pub(super) quota: Option<(f64, f64)>,
    /// Seconds until the next report.
    pub(super) interval: Option<u64>,
}

/// A call that failed.
#[derive(Debug)]
pub(super) struct ApiError(pub(super) String);

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ApiError {}

impl Statistics {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "ClientID": self.client_id,
            "RuleName": self.rule,
            "RequestCount": self.requests,
            "SampledCount": self.sampled,
            "BorrowCount": self.borrowed,
            "Timestamp": self.timestamp,
        })
    }
}

/// The rules of one page, and the token of the next. Rules this client cannot judge are left out.
pub(super) fn read_rules(page: &Value) -> Result<(Vec<Rule>, Option<String>), ApiError> {
    let records = page["SamplingRuleRecords"].as_array();
    let records = records.ok_or_else(|| ApiError("no SamplingRuleRecords".to_owned()))?;
    let rules = records.iter().filter_map(|record| Rule::read(&record["SamplingRule"])).collect();
    Ok((rules, page["NextToken"].as_str().filter(|token| !token.is_empty()).map(str::to_owned)))
}

pub(super) fn read_targets(answer: &Value) -> Result<Targets, ApiError> {
    let documents = answer["SamplingTargetDocuments"].as_array();
    let documents = documents.ok_or_else(|| ApiError("no SamplingTargetDocuments".to_owned()))?;
    let unprocessed = answer["UnprocessedStatistics"].as_array().map_or(&[][..], Vec::as_slice);
    Ok(Targets {
        targets: documents.iter().filter_map(read_target).collect(),
        last_rule_modification: answer["LastRuleModification"].as_f64().unwrap_or_default(),
        rules_are_stale: unprocessed
            .iter()
            .any(|refused| refused["ErrorCode"].as_str().is_some_and(|code| code.starts_with('4'))),
    })
}

fn read_target(document: &Value) -> Option<Target> {
    let quota = document["ReservoirQuota"].as_f64().filter(|quota| *quota >= 0.0);
    let until = document["ReservoirQuotaTTL"].as_f64();
    Some(Target {
        rule: document["RuleName"].as_str()?.to_owned(),
        fixed_rate: document["FixedRate"].as_f64().filter(|rate| (0.0..=1.0).contains(rate)),
        quota: quota.zip(until),
        interval: document["Interval"].as_u64().filter(|seconds| *seconds > 0),
    })
}
