use proptest::prelude::*;
use serde_json::{Value, json};

use super::Pattern;

fn matches(matcher: Value, value: Value) -> bool {
    let pattern = Pattern::parse(&json!({ "detail": { "field": [matcher] } })).unwrap();
    let document = json!({ "detail": { "field": value } });
    assert_eq!(pattern.matches(&document), pattern.mismatch(&document).is_none());
    pattern.matches(&document)
}

#[test]
fn each_matcher_matches_what_the_documentation_says() {
    for (matcher, yes, no) in [
        (json!("a"), json!("a"), json!("A")),
        (json!(""), json!(""), json!(" ")),
        (json!(5), json!(5), json!("5")),
        (json!(true), json!(true), json!("true")),
        (json!(null), json!(null), json!(0)),
        (json!({"prefix": "order."}), json!("order.created"), json!("my.order.")),
        (json!({"prefix": {"equals-ignore-case": "EventB"}}), json!("EVENTBridge"), json!("even")),
        (json!({"suffix": ".png"}), json!("a.png"), json!("a.png.gz")),
        (json!({"suffix": {"equals-ignore-case": ".png"}}), json!("a.PNG"), json!("a.jpg")),
        (json!({"equals-ignore-case": "Alice"}), json!("aLICE"), json!("alic")),
        (json!({"wildcard": "a*b*c"}), json!("a--b--b-c"), json!("a-c-b")),
        (json!({"wildcard": "*"}), json!(""), json!(1)),
        (json!({"wildcard": "a\\*"}), json!("a*"), json!("ab")),
        (json!({"anything-but": "x"}), json!("y"), json!("x")),
        (json!({"anything-but": ["x", 1]}), json!(2), json!(1)),
        (json!({"anything-but": {"prefix": "init"}}), json!("done"), json!("initial")),
        (json!({"anything-but": {"suffix": [".a", ".b"]}}), json!("x.c"), json!("x.b")),
        (json!({"anything-but": {"equals-ignore-case": "x"}}), json!("y"), json!("X")),
        (json!({"anything-but": {"wildcard": "*/lib/*"}}), json!("/bin/x"), json!("/lib/x")),
        (json!({"numeric": [">", 0, "<=", 5]}), json!(5.0), json!(0)),
        (json!({"numeric": ["=", 300]}), json!(300.0), json!("300")),
        (json!({"numeric": ["<", 10]}), json!(-1), json!(10)),
        (json!({"exists": true}), json!(null), json!([])),
        (json!({"cidr": "10.0.0.0/24"}), json!("10.0.0.255"), json!("10.0.1.0")),
        (json!({"cidr": "2001:db8::/32"}), json!("2001:db8::1"), json!("2001:db9::1")),
        (json!({"cidr": "0.0.0.0/0"}), json!("255.1.2.3"), json!("::1")),
    ] {
        assert!(matches(matcher.clone(), yes.clone()), "{matcher} {yes}");
        if no != json!([]) {
            assert!(!matches(matcher.clone(), no.clone()), "{matcher} {no}");
        }
    }
}

#[test]
fn exists_looks_at_whether_the_member_is_there() {
    let pattern = |wanted| Pattern::parse(&json!({"a": {"b": [{"exists": wanted}]}})).unwrap();
    for document in [json!({}), json!({"a": {}}), json!({"a": 1})] {
        assert!(pattern(false).matches(&document) && !pattern(true).matches(&document));
    }
    assert!(pattern(true).matches(&json!({"a": {"b": null}})));
}

#[test]
fn no_matcher_but_exists_matches_an_absent_member() {
    for matcher in [json!("x"), json!({"anything-but": "x"}), json!({"wildcard": "*"})] {
        let pattern = Pattern::parse(&json!({ "a": [matcher] })).unwrap();
        assert!(!pattern.matches(&json!({})));
    }
}

#[test]
fn an_array_matches_when_one_of_its_elements_does() {
    assert!(matches(json!("b"), json!(["a", "b"])));
    assert!(!matches(json!("c"), json!(["a", "b"])));
    let lines = Pattern::parse(&json!({"lines": {"sku": ["a"], "n": [1]}})).unwrap();
    assert!(lines.matches(&json!({"lines": [{"sku": "b"}, {"sku": "a", "n": 1}]})));
    // No single element is both.
    assert!(!lines.matches(&json!({"lines": [{"sku": "a", "n": 2}, {"sku": "b", "n": 1}]})));
}

#[test]
fn members_are_joined_by_and_alternatives_by_or() {
    let pattern =
        Pattern::parse(&json!({"s": ["x"], "$or": [{"a": [1]}, {"b": [{"prefix": "y"}]}]}));
    let pattern = pattern.unwrap();
    assert!(pattern.matches(&json!({"s": "x", "a": 1})));
    assert!(pattern.matches(&json!({"s": "x", "b": "yes"})));
    assert!(!pattern.matches(&json!({"s": "x"})));
    assert!(!pattern.matches(&json!({"s": "z", "a": 1})));
    let because = pattern.mismatch(&json!({"s": "x"})).unwrap();
    assert_eq!(because, "the event matches no alternative of $or");
}

#[test]
fn a_mismatch_names_the_member_its_value_and_what_was_wanted() {
    let pattern = Pattern::parse(&json!({"source": ["a"], "detail": {"status": ["PAID"]}}));
    let pattern = pattern.unwrap();
    let because = pattern.mismatch(&json!({"source": "a", "detail": {"status": "NEW"}}));
    assert_eq!(because.unwrap(), r#"detail.status is "NEW", which is not ["PAID"]"#);
    let because = pattern.mismatch(&json!({"source": "a"})).unwrap();
    assert_eq!(because, r#"detail.status is absent, which is not ["PAID"]"#);
}

#[test]
fn a_pattern_that_is_wrong_is_refused_with_the_place() {
    for pattern in [
        json!([]),
        json!({}),
        json!({"a": "x"}),
        json!({"a": []}),
        json!({"a": [["x"]]}),
        json!({"a": [{}]}),
        json!({"a": [{"prefix": "x", "suffix": "y"}]}),
        json!({"a": [{"prefix": 1}]}),
        json!({"a": [{"unknown": "x"}]}),
        json!({"a": [{"numeric": [">"]}]}),
        json!({"a": [{"numeric": []}]}),
        json!({"a": [{"numeric": ["!", 1]}]}),
        json!({"a": [{"anything-but": []}]}),
        json!({"a": [{"anything-but": true}]}),
        json!({"a": [{"exists": "yes"}]}),
        json!({"a": [{"cidr": "10.0.0.0/33"}]}),
        json!({"a": [{"wildcard": "a**"}]}),
        json!({"a": [{"wildcard": "a\\b"}]}),
        json!({"$or": [{"a": [1]}]}),
    ] {
        assert!(Pattern::parse(&pattern).is_err(), "{pattern}");
    }
    let error = Pattern::parse(&json!({"a": {"b": [{"exists": 1}]}})).unwrap_err();
    assert_eq!(error.to_string(), "the pattern is wrong at \"a.b\": exists takes true or false");
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-c*]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(
                "[a-c]|\\$or|prefix|numeric|wildcard|anything-but",
                inner,
                0..3
            )
            .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_read_as_a_pattern_explains_exactly_what_it_refuses(
        pattern in document(), event in document(),
    ) {
        if let Ok(pattern) = Pattern::parse(&pattern) {
            prop_assert_eq!(pattern.matches(&event), pattern.mismatch(&event).is_none());
        }
    }

    #[test]
    fn a_value_and_anything_but_it_never_both_match(value in "[a-c]{0,3}", event in "[a-c]{0,3}") {
        let exactly = matches(json!(value), json!(event));
        prop_assert_ne!(exactly, matches(json!({"anything-but": value}), json!(event)));
    }
}
