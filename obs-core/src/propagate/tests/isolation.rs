//! What arrives in one header changes nothing that is read from, or sent on in, another.

use super::*;

const GOOD: [(&str, &str); 9] = [
    ("traceparent", "00-58406520a006649127e371903a2de979-00f067aa0ba902b7-01"),
    ("tracestate", "vendor=1"),
    ("x-amzn-trace-id", "Root=1-58406520-a006649127e371903a2de979;Lineage=a87bd80c:1"),
    ("baggage", "plan=gold"),
    ("x-correlation-id", "c-1"),
    ("x-tenant-id", "acme"),
    ("x-user-id", "ann"),
    ("x-request-timeout", "1000"),
    ("x-request-attempt", "3"),
];

/// Values that try to be something else as soon as somebody reads them loosely.
const HOSTILE: [&str; 14] = [
    "",
    "x",
    "a=1,b=2;c=3",
    "Root=1-00000001-aaaaaaaaaaaaaaaaaaaaaaaa;Parent=1111111111111111;Sampled=0",
    "root=1-00000001-aaaaaaaaaaaaaaaaaaaaaaaa,parent=1111111111111111,sampled=1",
    "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-1111111111111111-00",
    "plan=free,x-tenant-id=evil",
    "a=1;p=%2Cplan=free",
    "c-1%0d%0ax-tenant-id: evil",
    "acme\r\nx-user-id: root",
    "\u{0}",
    "999999999999",
    "-1",
    "é;Sampled=1",
];

/// What is sent on, but for the header that is looked at and what has to follow it.
fn others<'a>(sent: &'a [(String, String)], changed: &str) -> Vec<&'a (String, String)> {
    let follows = |name: &str| match changed {
        // Both name the one trace that is chosen, and the state goes with its parent.
        "traceparent" | "x-amzn-trace-id" => {
            ["traceparent", "tracestate", "x-amzn-trace-id"].contains(&name)
        }
        changed => changed == name,
    };
    sent.iter().filter(|(name, _)| !follows(name)).collect()
}

#[test]
fn nothing_that_arrives_in_one_header_can_change_another() {
    let policy = TrustPolicy::internal();
    let good = sent_on(&extract(&GOOD), &policy);
    assert_eq!(good.len(), GOOD.len(), "each of them is sent on: {good:?}");
    for (changed, _) in GOOD {
        for hostile in HOSTILE {
            let headers: Vec<_> = GOOD
                .iter()
                .map(|&(name, value)| (name, if name == changed { hostile } else { value }))
                .collect();
            let sent = sent_on(&extract(&headers), &policy);
            assert_eq!(others(&sent, changed), others(&good, changed), "{changed}: {hostile:?}");
        }
    }
}

#[test]
fn a_trace_header_that_cannot_be_read_leaves_the_trace_to_the_other() {
    for hostile in HOSTILE {
        for changed in ["traceparent", "x-amzn-trace-id"] {
            let headers: Vec<_> = GOOD
                .iter()
                .map(|&(name, value)| (name, if name == changed { hostile } else { value }))
                .collect();
            let extracted = extract(&headers);
            let is_readable = hostile.starts_with("00-") && changed == "traceparent"
                || hostile.starts_with("Root=") && changed == "x-amzn-trace-id";
            if !is_readable {
                assert_eq!(extracted.parent.unwrap().trace_id.to_hex(), ROOT_TRACE, "{hostile:?}");
                assert!(extracted.links.is_empty(), "{changed}: {hostile:?}");
            }
        }
    }
}
