//! `X-Amzn-Trace-Id`, and how it goes together with `traceparent`.

use std::time::Duration;

use tracing::level_filters::LevelFilter;

use super::super::XrayHeader;
use super::*;
use crate::context::RequestContext;
use crate::environment::Environment;
use crate::output::Output;
use crate::telemetry::Telemetry;

fn parse(value: &str) -> Option<XrayHeader> {
    XrayHeader::parse(value.as_bytes())
}

#[test]
fn what_a_load_balancer_sends_is_continued_without_a_parent() {
    for value in [
        ROOT.to_owned(),
        format!("Self=1-67891234-12456789abcdef0123456789;{ROOT}"),
        format!("{ROOT};"),
    ] {
        let parent = extract(&[("x-amzn-trace-id", &value)]).parent.unwrap();
        assert_eq!(parent.trace_id.to_hex(), ROOT_TRACE, "{value}");
        assert_eq!((parent.parent_span, parent.sampled), (None, None), "{value}");
        let sent = sent_on(&extract(&[("X-Amzn-Trace-Id", &value)]), &TrustPolicy::internal());
        assert_eq!(
            value_of(&sent),
            format!("{ROOT};Parent=b7ad6b7169203331;Sampled=1"),
            "the decision that was taken is sent on, and Self is not"
        );
    }
}

fn value_of(sent: &[(String, String)]) -> &str {
    value(sent, "x-amzn-trace-id").unwrap()
}

#[test]
fn the_id_of_the_load_balancer_s_own_hop_is_kept_for_lines() {
    let header = parse(&format!("Self=1-67891234-12456789abcdef0123456789;{ROOT}")).unwrap();
    assert_eq!(header.extras.own().unwrap().to_xray(), "1-67891234-12456789abcdef0123456789");
    assert_eq!(header.extras.forwarded(), "");
}

#[test]
fn sampled_is_a_decision_or_left_to_us() {
    for (text, sampled) in [
        (";Sampled=1", Some(true)),
        (";Sampled=0", Some(false)),
        (";Sampled=?", None),
        ("", None),
        (";Sampled=", None),
        (";Sampled=true", None),
        (";Sampled=01", None),
        (";SAMPLED = 1", Some(true)),
    ] {
        let header = parse(&format!("{ROOT};Parent=53995c3f42cd8ad8{text}")).unwrap();
        assert_eq!(header.sampled, sampled, "{text}");
        assert_eq!(header.parent.unwrap().to_hex(), "53995c3f42cd8ad8");
    }
}

#[test]
fn order_case_and_blanks_do_not_matter() {
    let expected = parse(&format!("{ROOT};Parent=53995c3f42cd8ad8;Sampled=1")).unwrap();
    for text in [
        "Sampled=1;Parent=53995c3f42cd8ad8;Root=1-58406520-a006649127e371903a2de979",
        "root=1-58406520-a006649127e371903a2de979; parent=53995c3f42cd8ad8; sampled=1",
        " ROOT = 1-58406520-A006649127E371903A2DE979 ;\tParent\t=\t53995C3F42CD8AD8;Sampled=1;",
        ";;Root=1-58406520-a006649127e371903a2de979;;Parent=53995c3f42cd8ad8;Sampled=1;;",
        "Root=1-58406520-a006649127e371903a2de979;junk;Parent=53995c3f42cd8ad8;Sampled=1",
    ] {
        assert_eq!(parse(text).as_ref(), Some(&expected), "{text}");
    }
}

#[test]
fn without_exactly_one_valid_root_nothing_counts() {
    for text in [
        "",
        "Parent=53995c3f42cd8ad8;Sampled=1",
        "Root=",
        "Root=9-58406520-a006649127e371903a2de979",
        "Root=1-+8406520-a006649127e371903a2de979",
        "Root=1-5840652-a006649127e371903a2de979",
        "Root=1-58406520-a006649127e371903a2de9790",
        "Root=1-58406520-a006649127e371903a2de979=",
        "Root=1-00000000-000000000000000000000000",
        "Root=\"1-58406520-a006649127e371903a2de979\"",
        "Root=1-58406520-a006649127e371903a2de979,Parent=53995c3f42cd8ad8",
    ] {
        assert_eq!(parse(text), None, "{text}");
    }
    for repeated in [ROOT, "Parent=53995c3f42cd8ad8", "Sampled=1", "sampled=0"] {
        let text = format!("{ROOT};Parent=0000000000000001;Sampled=1;{repeated}");
        assert_eq!(parse(&text), None, "the last must not win: {text}");
    }
}

#[test]
fn two_fields_are_none() {
    let extracted = extract(&[("x-amzn-trace-id", ROOT), ("x-amzn-trace-id", ROOT)]);
    assert_eq!(extracted.parent, None);
}

#[test]
fn a_bad_parent_is_no_parent() {
    for parent in ["", "1", "0000000000000000", "53995c3f42cd8ad80", "+3995c3f42cd8ad8", "xyz"] {
        let header = parse(&format!("{ROOT};Parent={parent}")).unwrap();
        assert_eq!(header.parent, None, "{parent}");
    }
}

#[test]
fn lineage_and_unknown_pairs_are_passed_on_within_bounds() {
    let forwarded =
        |text: &str| parse(&format!("{ROOT};{text}")).unwrap().extras.forwarded().to_owned();
    assert_eq!(forwarded("Lineage=a87bd80c:1|68fd508a:5"), "Lineage=a87bd80c:1|68fd508a:5");
    assert_eq!(forwarded("lineage = a87bd80c:1 ; Foo = bar"), "Lineage=a87bd80c:1;Foo=bar");
    assert_eq!(forwarded("CalledFrom=app;Name=x y"), "CalledFrom=app", "no blanks within");
    assert_eq!(forwarded("a=b=c;d=\"e\";f=,;=g;h="), "", "dropped, and the field stays valid");
    assert_eq!(forwarded(&format!("Lineage={}", "a".repeat(512))).len(), 520);
    assert_eq!(forwarded(&format!("Lineage={}", "a".repeat(513))), "");
    let many = (0..12).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(";");
    assert_eq!(forwarded(&many).split(';').count(), 10);
    let wide = format!("a={};b={};c=1", "x".repeat(100), "y".repeat(200));
    assert_eq!(forwarded(&wide), format!("a={};c=1", "x".repeat(100)));
    let sent = sent_on(
        &extract(&[("x-amzn-trace-id", &format!("{ROOT};Lineage=a:1;Foo=bar"))]),
        &TrustPolicy::internal(),
    );
    assert_eq!(
        value_of(&sent),
        format!("{ROOT};Parent=b7ad6b7169203331;Sampled=1;Lineage=a:1;Foo=bar")
    );
}

#[test]
fn what_lies_behind_the_first_kilobyte_is_ignored() {
    let padded = format!("{ROOT};a={};Sampled=1", "x".repeat(2_000));
    assert_eq!(parse(&padded).unwrap().sampled, None);
    let late = format!("a={};{ROOT}", "x".repeat(2_000));
    assert_eq!(parse(&late), None);
    let cut = format!("{ROOT};a={};Parent=53995c3f42cd8ad8", "x".repeat(1024 - 44 - 3 - 12));
    assert_eq!(parse(&cut).unwrap().parent, None, "a pair is never read in part");
}

#[test]
fn the_first_that_tells_the_caller_s_span_decides() {
    let full = "Root=1-58406520-a006649127e371903a2de979;Parent=53995c3f42cd8ad8;Sampled=0";
    let both = extract(&[("traceparent", PARENT), ("x-amzn-trace-id", full)]);
    assert_eq!(both.parent.unwrap().trace_id.to_hex(), ROOT_TRACE);
    assert_eq!(both.links[0].trace_id.to_hex(), TRACE, "the other is linked");

    let alb = extract(&[("traceparent", PARENT), ("x-amzn-trace-id", ROOT)]);
    assert_eq!(alb.parent.unwrap().trace_id.to_hex(), TRACE);
    assert_eq!(alb.links[0].trace_id.to_hex(), ROOT_TRACE);

    let w3c_first = Propagators::from_names("tracecontext,xray").unwrap();
    let headers = vec![("traceparent", PARENT), ("x-amzn-trace-id", full)];
    let extracted = w3c_first.extract(&headers, &TrustPolicy::internal());
    assert_eq!(extracted.parent.unwrap().trace_id.to_hex(), TRACE);
}

#[test]
fn two_headers_of_one_trace_complete_each_other() {
    let w3c = format!("00-{ROOT_TRACE}-00f067aa0ba902b7-02");
    let xray = format!("{ROOT};Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a:1");
    let extracted =
        extract(&[("traceparent", &w3c), ("tracestate", "b=2"), ("x-amzn-trace-id", &xray)]);
    assert!(extracted.links.is_empty());
    let parent = extracted.parent.clone().unwrap();
    assert_eq!(parent.parent_span.unwrap().to_hex(), "53995c3f42cd8ad8");
    assert_eq!(parent.sampled, Some(true));
    let sent = sent_on(&extracted, &TrustPolicy::internal());
    assert_eq!(value(&sent, "tracestate"), Some("b=2"));
    assert_eq!(
        value(&sent, "traceparent").unwrap(),
        format!("00-{ROOT_TRACE}-b7ad6b7169203331-03"),
        "both headers name one trace"
    );
    assert!(value_of(&sent).ends_with(";Sampled=1;Lineage=a:1"));
}

#[test]
fn tracestate_and_baggage_never_reach_this_header_nor_it_them() {
    let smuggle = "root=1-00000001-aaaaaaaaaaaaaaaaaaaaaaaa";
    let extracted = extract(&[
        ("traceparent", &format!("00-{ROOT_TRACE}-00f067aa0ba902b7-01")),
        (
            "tracestate",
            "root=1-00000001-aaaaaaaaaaaaaaaaaaaaaaaa,parent=1111111111111111,sampled=1",
        ),
        ("baggage", "Root=1-00000001-aaaaaaaaaaaaaaaaaaaaaaaa"),
        ("x-amzn-trace-id", &format!("{ROOT};Sampled=0;Foo=bar")),
    ]);
    let sent = sent_on(&extracted, &TrustPolicy::internal());
    assert_eq!(
        value_of(&sent),
        format!("{ROOT};Parent=b7ad6b7169203331;Sampled=1;Foo=bar"),
        "each header tells its own"
    );
    assert!(!value_of(&sent).contains(smuggle));
    assert!(!value(&sent, "tracestate").unwrap().contains("bar"));
    assert!(!value(&sent, "baggage").unwrap().contains("bar"));
}

#[test]
fn an_id_is_continued_whatever_time_it_tells() {
    for root in ["1-00000001-bd862e3fe1be46a994272793", "1-ffffffff-bd862e3fe1be46a994272793"] {
        let header = format!("Root={root}");
        let carrier = vec![("x-amzn-trace-id", header.as_str())];
        let extracted = Propagators::default().extract(&carrier, &TrustPolicy::edge());
        assert_eq!(
            extracted.parent.map(|parent| parent.trace_id),
            crate::id::TraceId::from_xray(root)
        );
        assert!(extracted.links.is_empty());
    }
}

#[test]
fn of_two_headers_with_different_traces_one_line_tells_at_debug() {
    for (directives, debug_level, lines) in
        [("debug", None, 1), ("info", None, 0), ("info", Some(LevelFilter::DEBUG), 1)]
    {
        let (output, captured) = Output::captured();
        let telemetry = Telemetry::builder("orders")
            .environment(Environment::empty())
            .level_filter(directives)
            .output(output)
            .build()
            .unwrap();
        let extracted = extract(&[
            ("x-amzn-trace-id", &format!("{ROOT};Parent=53995c3f42cd8ad8;Sampled=1")),
            ("traceparent", PARENT),
        ]);
        assert_eq!(extracted.other_trace.unwrap().to_hex(), TRACE);
        let now = telemetry.clock().now();
        let mut builder = RequestContext::builder(&telemetry).extracted(extracted, now);
        if let Some(level) = debug_level {
            builder = builder.debug_level(level);
        }
        let request = builder.build();
        assert_eq!(request.trace_id().to_hex(), ROOT_TRACE);
        assert!(telemetry.flush(Duration::from_secs(30)));
        assert_eq!(captured.lines().len(), lines, "{directives}");
        for line in captured.lines() {
            assert!(line.contains(r#""level":"DEBUG","message":"two headers name different"#));
            assert!(line.contains(&format!(r#""trace_id":"{ROOT_TRACE}""#)), "{line}");
            assert!(line.contains(&format!(r#""other_trace_id":"{TRACE}""#)), "{line}");
        }
    }
}
