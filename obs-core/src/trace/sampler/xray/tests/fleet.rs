//! Samplers and the service that divides a quota among them, in memory and over the daemon's
//! socket.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::mpsc;

use super::super::api::{ApiError, SamplingApi, read_targets};
use super::super::poller::Poller;
use super::*;

/// The service's side: rules, and a reservoir it divides among the clients it has heard of.
struct Account {
    clock: Clock,
    rules: Vec<Value>,
    modified: u64,
    quota: f64,
    clients: BTreeMap<String, u64>,
    rule_calls: usize,
    reported: u64,
    fails: bool,
}

#[derive(Clone)]
struct Service(Arc<Mutex<Account>>);

impl Service {
    fn new(clock: Clock, rules: Vec<Value>, quota: f64) -> Self {
        let (clients, modified) = (BTreeMap::new(), 0);
        let account = Account {
            clock,
            rules,
            modified,
            quota,
            clients,
            rule_calls: 0,
            reported: 0,
            fails: false,
        };
        Self(Arc::new(Mutex::new(account)))
    }
}

impl SamplingApi for Service {
    fn rules(&mut self) -> Result<Vec<Rule>, ApiError> {
        let mut account = self.0.lock().unwrap();
        account.rule_calls += 1;
        if account.fails { Err(ApiError("no".to_owned())) } else { Ok(parsed(&account.rules)) }
    }

    fn targets(&mut self, statistics: &[Statistics]) -> Result<Targets, ApiError> {
        let mut account = self.0.lock().unwrap();
        if account.fails {
            return Err(ApiError("no".to_owned()));
        }
        let now = account.clock.wall().unix_seconds();
        for statistics in statistics {
            account.clients.insert(statistics.client_id.clone(), now);
            account.reported += statistics.requests;
        }
        account.clients.retain(|_, seen| *seen + 30 > now);
        let documents: Vec<_> = statistics
            .iter()
            .map(|statistics| {
                json!({
                    "RuleName": statistics.rule, "FixedRate": 0.0, "Interval": 10,
                    "ReservoirQuota": account.quota / account.clients.len() as f64,
                    "ReservoirQuotaTTL": now + 30,
                })
            })
            .collect();
        read_targets(&json!({
            "SamplingTargetDocuments": documents,
            "LastRuleModification": account.modified,
            "UnprocessedStatistics": [],
        }))
    }
}

fn poller(rules: &Arc<Rules>, seed: u64) -> Poller {
    Poller::new(Arc::clone(rules), IdGenerator::seeded(seed), Duration::from_secs(300))
}

#[test]
fn a_fleet_shares_one_quota() {
    const CLIENTS: usize = 20;
    let manual = ManualClock::default();
    let service = Service::new(manual.clock(), vec![rule("shared", 1, "*", 40, 0.0)], 40.0);
    let mut fleet: Vec<_> = (0..CLIENTS)
        .map(|seed| {
            let rules = Arc::new(Rules::new(manual.clock(), String::new()));
            (Arc::clone(&rules), poller(&rules, seed as u64), service.clone())
        })
        .collect();
    let mut per_second = Vec::new();
    for _ in 0..120 {
        let mut recorded = 0;
        for (rules, poller, service) in &mut fleet {
            poller.tick(service);
            recorded += sampled(rules, "/", 10);
        }
        per_second.push(recorded);
        manual.advance(SECOND);
    }
    assert!(per_second[..10].iter().all(|n| *n <= CLIENTS), "each borrows one: {per_second:?}");
    assert!(per_second[40..].iter().all(|n| *n == 40), "together they record 40: {per_second:?}");
    let pending: u64 =
        fleet.iter().flat_map(|(rules, ..)| rules.statistics("")).map(|s| s.requests).sum();
    let reported = service.0.lock().unwrap().reported;
    assert_eq!(reported + pending, 120 * 10 * CLIENTS as u64, "every request is reported once");
}

#[test]
fn a_failed_report_is_made_up_for_by_the_next() {
    let manual = ManualClock::default();
    let rules = Arc::new(Rules::new(manual.clock(), String::new()));
    let mut service = Service::new(manual.clock(), vec![rule("a", 1, "*", 1, 0.0)], 1.0);
    let mut poller = poller(&rules, 1);
    poller.tick(&mut service);
    sampled(&rules, "/", 5);
    service.0.lock().unwrap().fails = true;
    manual.advance(11 * SECOND);
    poller.tick(&mut service);
    sampled(&rules, "/", 5);
    service.0.lock().unwrap().fails = false;
    manual.advance(11 * SECOND);
    poller.tick(&mut service);
    assert_eq!(service.0.lock().unwrap().reported, 10);
    assert!(rules.statistics("").is_empty(), "rules without traffic are not reported");
}

#[test]
fn rules_changed_in_the_account_are_fetched_at_once() {
    let manual = ManualClock::default();
    let rules = Arc::new(Rules::new(manual.clock(), String::new()));
    let mut service = Service::new(manual.clock(), vec![rule("a", 1, "*", 1, 0.0)], 1.0);
    let mut poller = poller(&rules, 1);
    poller.tick(&mut service);
    manual.advance(11 * SECOND);
    {
        let mut account = service.0.lock().unwrap();
        account.rules = vec![rule("b", 1, "*", 1, 0.0)];
        account.modified = manual.clock().wall().unix_seconds();
    }
    sampled(&rules, "/", 1);
    poller.tick(&mut service);
    assert_eq!(rules.names(), ["b"]);
    assert_eq!(service.0.lock().unwrap().rule_calls, 2);
}

/// The daemon's HTTP proxy: answers each request by its path, and tells what it was asked.
fn daemon(answers: Vec<(&'static str, Value)>) -> (String, mpsc::Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, asked) = mpsc::channel();
    std::thread::spawn(move || {
        for (path, answer) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            let head = String::from_utf8(request).unwrap();
            assert!(head.starts_with(&format!("POST {path} HTTP/1.0\r\n")), "{head}");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let mut body = vec![0; length.unwrap().parse().unwrap()];
            stream.read_exact(&mut body).unwrap();
            let answer = answer.to_string();
            let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", answer.len());
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            let _ = sender.send(serde_json::from_slice(&body).unwrap());
        }
    });
    (address, asked)
}

#[test]
fn the_daemon_is_asked_page_by_page_and_told_what_happened() {
    let page = |name: &str, next: Option<&str>| {
        let record = json!({ "SamplingRule": rule(name, 1, "*", 1, 0.5) });
        json!({ "SamplingRuleRecords": [record], "NextToken": next })
    };
    let targets = json!({
        "SamplingTargetDocuments":
            [{ "RuleName": "a", "FixedRate": 0.1, "ReservoirQuota": 3, "ReservoirQuotaTTL": 1.5, "Interval": 7 }],
        "LastRuleModification": 1_767_225_600.0,
        "UnprocessedStatistics": [{ "RuleName": "b", "ErrorCode": "400", "Message": "unknown" }],
    });
    let (address, asked) = daemon(vec![
        ("/GetSamplingRules", page("a", Some("more"))),
        ("/GetSamplingRules", page("b", None)),
        ("/SamplingTargets", targets),
    ]);
    let mut client = DaemonClient::new(address);
    let names: Vec<_> = client.rules().unwrap().into_iter().map(|rule| rule.name).collect();
    assert_eq!(names, ["a", "b"]);
    let statistics = Statistics {
        client_id: "c".repeat(24),
        rule: "a".to_owned(),
        requests: 5,
        sampled: 2,
        borrowed: 1,
        timestamp: 1_767_225_600,
    };
    let granted = client.targets(&[statistics]).unwrap();
    assert_eq!(granted.targets[0].quota, Some((3.0, 1.5)));
    assert_eq!((granted.targets[0].interval, granted.rules_are_stale), (Some(7), true));
    let asked: Vec<_> = asked.iter().take(3).collect();
    assert_eq!(asked[0], json!({ "NextToken": null }));
    assert_eq!(asked[1], json!({ "NextToken": "more" }));
    assert_eq!(
        asked[2]["SamplingStatisticsDocuments"][0],
        json!({
            "ClientID": "c".repeat(24), "RuleName": "a", "RequestCount": 5, "SampledCount": 2,
            "BorrowCount": 1, "Timestamp": 1_767_225_600,
        })
    );
}

#[test]
fn answers_that_are_none_are_errors() {
    for answer in [
        "",
        "HTTP/1.0 200 OK\r\n",
        "HTTP/1.0 500 X\r\n\r\n{}",
        "HTTP/1.0 200 OK\r\n\r\n{",
        "\r\n\r\n",
    ] {
        assert!(client::read_answer(answer.as_bytes()).is_err(), "{answer:?}");
    }
    assert!(read_rules(&json!({})).is_err() && read_targets(&json!([])).is_err());
}

#[test]
fn the_sampler_fetches_rules_by_itself_and_ends_its_thread() {
    let record = json!({ "SamplingRule": rule("all", 1, "*", 0, 1.0) });
    let rules = json!({ "SamplingRuleRecords": [record], "NextToken": null });
    let (address, asked) = daemon(vec![("/GetSamplingRules", rules)]);
    let argument = format!("endpoint=http://{address},polling_interval=300");
    let environment = Environment::from([
        ("OTEL_TRACES_SAMPLER", "xray"),
        ("OTEL_TRACES_SAMPLER_ARG", argument.as_str()),
    ]);
    let clock = Clock::system();
    let sampler = crate::trace::Sampler::from_environment(&environment, &clock).unwrap().unwrap();
    asked.recv().unwrap();
    assert!(!sampler.decide(&request("/").parent_sampled(Some(false))).sampled);
    drop(sampler);
}

#[test]
fn a_bad_argument_is_named() {
    for argument in ["endpoint=nowhere", "polling_interval=0", "rules=5"] {
        let environment = Environment::from([("OTEL_TRACES_SAMPLER_ARG", argument)]);
        let error = XraySampler::from_environment(&environment, &Clock::system()).unwrap_err();
        assert_eq!((error.field(), error.value()), ("OTEL_TRACES_SAMPLER_ARG", argument));
    }
}
