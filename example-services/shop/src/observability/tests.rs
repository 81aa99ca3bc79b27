use std::collections::BTreeSet;

use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../observability")
}

fn resources() -> Vec<Value> {
    let place = Place::default();
    let mut templates = vec![alarms::template(&place)];
    templates.extend(Name::ALL.map(|service| watch(service, &place).unwrap().template()));
    let of = |template: &Value| {
        template["Resources"].as_object().unwrap().values().cloned().collect::<Vec<_>>()
    };
    templates.iter().flat_map(of).collect()
}

#[test]
fn the_files_in_the_repository_are_what_the_code_makes() {
    let mut expected = BTreeSet::from([PathBuf::from("README.md")]);
    for (path, content) in files(&Place::default()).unwrap() {
        let found = std::fs::read_to_string(folder().join(&path)).unwrap_or_default();
        assert!(found == content, "{} is old; run: cargo shop observability", path.display());
        expected.insert(path);
    }
    let mut found = BTreeSet::new();
    for part in ["", "services", "alarms", "dashboards"] {
        for entry in std::fs::read_dir(folder().join(part)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                found.insert(path.strip_prefix(folder()).unwrap().to_owned());
            }
        }
    }
    assert_eq!(found, expected, "no file is left behind");
}

#[test]
fn every_alarm_that_a_rule_names_is_made_somewhere() {
    let resources = resources();
    let name = |resource: &Value| resource["Properties"]["AlarmName"].as_str().map(str::to_owned);
    let made: BTreeSet<String> = resources.iter().filter_map(name).collect();
    assert_eq!(made.len(), resources.iter().filter_map(name).count(), "no name twice");
    let rules: Vec<_> =
        resources.iter().filter_map(|one| one["Properties"]["AlarmRule"].as_str()).collect();
    assert!(rules.len() > 3 * Name::ALL.len());
    for rule in rules {
        // The longest rule that CloudWatch takes.
        assert!(rule.len() <= 10_240, "{}", rule.len());
        for named in rule.split("ALARM(\"").skip(1) {
            let named = named.split('"').next().unwrap();
            assert!(made.contains(named), "{named}");
        }
    }
}

#[test]
fn the_objective_is_drawn_and_alarmed_in_two_tiers() {
    let body = overview::body(&Place::default()).unwrap();
    let widgets = body["widgets"].as_array().unwrap();
    let lines = widgets.iter().flat_map(|widget| {
        widget["properties"]["annotations"]["horizontal"].as_array().cloned().unwrap_or_default()
    });
    let targets: Vec<_> = lines.filter_map(|line| line["value"].as_f64()).collect();
    for target in [AVAILABILITY, overview::HIT_RATE] {
        assert!(targets.contains(&target), "{target}");
    }
    for kind in ["log", "alarm"] {
        assert!(widgets.iter().any(|widget| widget["type"] == kind), "{kind}");
    }
    let template = alarms::template(&Place::default());
    let rule = |id: &str| {
        template["Resources"][id]["Properties"]["AlarmRule"].as_str().unwrap().to_owned()
    };
    assert!(rule("OrderPathCritical").contains("gateway-prod-availability-critical"));
    assert!(rule("OrderPathCritical").ends_with("AND NOT ALARM(\"shopfast-drill\")"));
    assert!(rule("OrderPathCritical").contains("shopfast-dead-ShopfastNotificationDlq"));
    assert!(rule("DegradedWarning").contains("shopfast-hit-rate-product"));
    let tier =
        |id: &str| template["Resources"][id]["Properties"]["AlarmActions"]["Fn::If"][0].clone();
    assert_eq!(tier("HitRateProduct"), "HasWarningTopic");
    assert_eq!(tier("DeadShopfastNotificationDlq"), "HasCriticalTopic");
}

#[test]
fn the_place_is_where_it_says() {
    let place = Place {
        environment: "test".into(),
        region: "eu-central-1".into(),
        account: "123456789012".into(),
    };
    let files = files(&place).unwrap();
    let all: String = files.iter().map(|(_, content)| content.as_str()).collect();
    for part in ["\"test\"", "eu-central-1", "123456789012", "gateway-test-availability-critical"] {
        assert!(all.contains(part), "{part}");
    }
    for other in ["\"prod\"", "us-east-1", ":000000000000:"] {
        assert!(!all.contains(other), "{other}");
    }
}
