mod fleet;

use serde_json::{Value, json};

use crate::clock::{ManualClock, Timestamp};
use crate::id::TraceId;

use super::api::{Statistics, Target, Targets, read_rules};
use super::rule::Rule;
use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn rule(name: &str, priority: i64, path: &str, size: u64, rate: f64) -> Value {
    json!({
        "RuleName": name, "RuleARN": format!("arn:aws:xray:::sampling-rule/{name}"),
        "ResourceARN": "*", "Priority": priority, "FixedRate": rate, "ReservoirSize": size,
        "ServiceName": "*", "ServiceType": "*", "Host": "*", "HTTPMethod": "*", "URLPath": path,
        "Version": 1, "Attributes": {},
    })
}

fn parsed(rules: &[Value]) -> Vec<Rule> {
    let records: Vec<_> = rules.iter().map(|rule| json!({ "SamplingRule": rule })).collect();
    read_rules(&json!({ "SamplingRuleRecords": records, "NextToken": null })).unwrap().0
}

/// An id that no share below one admits.
fn unlucky() -> TraceId {
    TraceId::new(u128::MAX).unwrap()
}

fn request(path: &str) -> SamplingInput<'_> {
    SamplingInput::new(unlucky(), "orders").http("GET", path, "shop.example")
}

fn target(rule: &str, rate: f64, quota: f64, until: Timestamp) -> Targets {
    let quota = Some((quota, until.unix_seconds() as f64));
    let target = Target { rule: rule.to_owned(), fixed_rate: Some(rate), quota, interval: None };
    Targets { targets: vec![target], ..Targets::default() }
}

fn sampled(rules: &Rules, path: &str, requests: usize) -> usize {
    (0..requests).filter(|_| rules.decide(&request(path))).count()
}

#[test]
fn the_first_matching_rule_by_priority_then_name_decides() {
    let manual = ManualClock::default();
    let rules = Rules::new(manual.clock(), String::new());
    rules.replace(parsed(&[
        rule("Default", 10_000, "*", 0, 0.0),
        rule("b-all", 5, "/pay*", 0, 0.0),
        rule("a-all", 5, "/PAY*", 0, 1.0),
    ]));
    assert_eq!(rules.names(), ["a-all", "b-all", "Default"]);
    assert!(rules.decide(&request("/pay/7")));
    assert!(!rules.decide(&request("/orders")));
}

#[test]
fn service_host_method_type_and_attributes_all_have_to_match() {
    let manual = ManualClock::default();
    let matching = |change: &dyn Fn(&mut Value)| {
        let mut only = rule("only", 1, "*", 0, 1.0);
        change(&mut only);
        let rules = Rules::new(manual.clock(), "AWS::ECS::Container".to_owned());
        rules.replace(parsed(&[only, rule("Default", 10_000, "*", 0, 0.0)]));
        let attributes = [("tenant", "acme")];
        rules.decide(&request("/").attributes(&attributes))
    };
    assert!(matching(&|_| {}));
    for (key, matches, differs) in [
        ("ServiceName", "ord*", "payments"),
        ("ServiceType", "AWS::ECS::*", "AWS::EC2::Instance"),
        ("Host", "*.example", "example"),
        ("HTTPMethod", "get", "POST"),
    ] {
        assert!(matching(&|rule| rule[key] = matches.into()), "{key}");
        assert!(!matching(&|rule| rule[key] = differs.into()), "{key}");
    }
    assert!(matching(&|rule| rule["Attributes"] = json!({ "tenant": "a?me" })));
    assert!(!matching(&|rule| rule["Attributes"] = json!({ "tenant": "other" })));
    assert!(!matching(&|rule| rule["Attributes"] = json!({ "user": "*" })));
    assert!(!matching(&|rule| rule["Version"] = 2.into()), "rules of other versions are left out");
}

#[test]
fn without_a_quota_one_request_each_second_is_borrowed_and_none_of_an_empty_reservoir() {
    let manual = ManualClock::default();
    let rules = Rules::new(manual.clock(), String::new());
    rules.replace(parsed(&[rule("some", 1, "/a", 10, 0.0), rule("none", 2, "*", 0, 0.0)]));
    assert_eq!(sampled(&rules, "/a", 50), 1);
    assert_eq!(sampled(&rules, "/b", 50), 0);
    manual.advance(SECOND);
    assert_eq!(sampled(&rules, "/a", 50), 1);
    let statistics = rules.statistics("client");
    let counts = |s: &Statistics| (s.rule.clone(), s.requests, s.sampled, s.borrowed);
    let expected = [("some".to_owned(), 100, 2, 2), ("none".to_owned(), 50, 0, 0)];
    assert_eq!(statistics.iter().map(counts).collect::<Vec<_>>(), expected);
}

#[test]
fn a_quota_is_spent_each_second_saved_for_one_and_over_at_its_end() {
    let manual = ManualClock::default();
    let rules = Rules::new(manual.clock(), String::new());
    rules.replace(parsed(&[rule("some", 1, "*", 10, 0.0)]));
    let until = manual.clock().wall().saturating_add(10 * SECOND);
    rules.apply(&target("some", 0.0, 4.0, until));
    assert_eq!(sampled(&rules, "/", 50), 4);
    manual.advance(SECOND / 2);
    assert_eq!(sampled(&rules, "/", 50), 2);
    manual.advance(5 * SECOND);
    assert_eq!(sampled(&rules, "/", 50), 4, "no more than one second is saved");
    rules.apply(&target("some", 0.0, 4.0, until));
    assert_eq!(sampled(&rules, "/", 50), 0, "a new grant is no second helping");
    manual.advance(5 * SECOND);
    assert_eq!(sampled(&rules, "/", 50), 1, "after its end one is borrowed");
}

#[test]
fn the_rate_of_a_target_wins_over_the_rules() {
    let manual = ManualClock::default();
    let rules = Rules::new(manual.clock(), String::new());
    rules.replace(parsed(&[rule("some", 1, "*", 0, 0.0)]));
    assert_eq!(sampled(&rules, "/", 10), 0);
    rules.apply(&target("some", 1.0, 0.0, manual.clock().wall()));
    assert_eq!(sampled(&rules, "/", 10), 10);
}

#[test]
fn without_rules_or_with_old_ones_the_fallback_holds() {
    let manual = ManualClock::default();
    let rules = Rules::new(manual.clock(), String::new());
    assert_eq!(sampled(&rules, "/", 50), 1, "one each second");
    let lucky = SamplingInput::new(TraceId::new(1).unwrap(), "orders");
    assert!(rules.decide(&lucky), "and 5 % of the others");
    rules.replace(parsed(&[rule("all", 1, "*", 0, 1.0)]));
    assert_eq!(sampled(&rules, "/", 50), 50);
    manual.advance(Duration::from_secs(3601));
    assert_eq!(sampled(&rules, "/", 50), 1);
}

#[test]
fn a_rule_that_did_not_change_keeps_its_counts_and_one_that_did_starts_anew() {
    let manual = ManualClock::default();
    let rules = Rules::new(manual.clock(), String::new());
    rules.replace(parsed(&[rule("a", 1, "/a", 1, 0.0), rule("b", 2, "/b", 1, 0.0)]));
    sampled(&rules, "/a", 3);
    sampled(&rules, "/b", 3);
    rules.replace(parsed(&[rule("a", 1, "/a", 1, 0.0), rule("b", 2, "/b", 1, 0.5)]));
    let statistics = rules.statistics("client");
    assert_eq!(statistics.len(), 1);
    assert_eq!((statistics[0].rule.as_str(), statistics[0].requests), ("a", 3));
}
