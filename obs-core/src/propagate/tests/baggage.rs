//! `baggage`.

use proptest::prelude::*;

use super::super::Baggage;
use super::*;

fn parse(values: &[&str]) -> Baggage {
    Baggage::parse(values.iter().map(|value| value.as_bytes()))
}

#[test]
fn members_are_taken_or_dropped_one_by_one() {
    for (values, expected) in [
        (&["a=1"][..], "a=1"),
        (&["a=1,b=2", "c=3"], "a=1,b=2,c=3"),
        (&[" a = 1 \t,\tb=2"], "a=1,b=2"),
        (&["a=1=2"], "a=1=2"),
        (&["a="], "a="),
        (&["a=1;p;q=2; r = 3 "], "a=1;p;q=2;r=3"),
        (&["a=1;p=%2Crole=admin"], "a=1;p=%2Crole=admin"),
        (&["a=%2Crole%3Dadmin"], "a=%2Crole%3Dadmin"),
        (&["a=1;bad key=2;p"], "a=1;p"),
        (&["a=1;p=\"x\""], "a=1"),
        (&["a=%zz,b=2"], "b=2"),
        (&["a=%2,b=2"], "b=2"),
        (&["a=%ff,b=2"], "b=2"),
        (&["a b=1,c=2"], "c=2"),
        (&["a=x y,c=2"], "c=2"),
        (&["a=\"x\",c=2"], "c=2"),
        (&["a=\\,c=2"], "c=2"),
        (&["é=1,c=é,d=3"], "d=3"),
        (&["=1,a,,;p=1,b=2"], "b=2"),
        (&[""], ""),
        (&[], ""),
    ] {
        assert_eq!(parse(values).as_str(), expected, "{values:?}");
    }
}

#[test]
fn what_arrived_as_one_member_is_sent_on_as_one() {
    let extracted = extract(&[("baggage", "a=1;p=%2Crole=admin%0d%0ax:%20y")]);
    let sent = sent_on(&extracted, &TrustPolicy::internal());
    assert_eq!(value(&sent, "baggage"), Some("a=1;p=%2Crole=admin%0d%0ax:%20y"));
    assert_eq!(extracted.baggage.iter().count(), 1);
    assert_eq!(extracted.baggage.get("role"), None);
}

#[test]
fn sixty_four_members_and_eight_kilobytes_are_taken_and_whole_members_dropped() {
    let many = (0..70).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
    let baggage = parse(&[&many]);
    assert_eq!(baggage.iter().count(), 64);
    assert_eq!(baggage.get("k63").as_deref(), Some("v"));
    let big = format!("a={},b={},c=3", "x".repeat(4_000), "y".repeat(5_000));
    assert_eq!(parse(&[&big]).as_str().len(), 4_002);
    assert_eq!(parse(&[&format!("a={}", "x".repeat(8_190))]).as_str().len(), 8_192);
    assert_eq!(parse(&[&format!("a={}", "x".repeat(8_191))]).as_str(), "");
}

#[test]
fn a_value_is_shown_decoded_and_debug_output_shows_names_only() {
    let baggage = parse(&["city=K%C3%B6ln;ttl=1,city=Bonn"]);
    let first = baggage.iter().next().unwrap();
    assert_eq!((first.key, &*first.value, first.properties), ("city", "Köln", "ttl=1"));
    assert_eq!(baggage.get("city").as_deref(), Some("Bonn"), "the last one");
    assert!(!format!("{baggage:?}").contains("Bonn"));
}

#[test]
fn setting_and_removing_keep_the_rest() {
    let baggage = parse(&["a=1;p,b=2"]);
    assert_eq!(baggage.with("b", "x,y").unwrap().as_str(), "a=1;p,b=x%2Cy");
    assert_eq!(baggage.without("a").as_str(), "b=2");
    assert!(baggage.with("b", &"x".repeat(9_000)).is_none());
    assert!(baggage.with("", "1").is_none());
    let full = (0..64).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
    assert!(parse(&[&full]).with("new", "1").is_none());
    assert!(parse(&[&full]).with("k1", "2").is_some());
}

proptest! {
    #[test]
    fn any_value_survives_the_journey(value in "\\PC*", control in "[\\x00-\\x7f]{0,20}") {
        let value = format!("{value}{control}");
        if let Some(baggage) = Baggage::empty().with("k", &value) {
            let arrived = parse(&[baggage.as_str()]);
            prop_assert_eq!(arrived.get("k").unwrap(), value);
            prop_assert_eq!(arrived.iter().count(), 1);
        }
    }
}
