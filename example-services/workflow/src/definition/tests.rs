use serde_json::{Value, json};

use super::path::{self, Scope};
use super::{Machine, choice, template};

#[test]
fn the_order_workflow_is_a_definition() {
    Machine::parse(shop_contracts::ORDER_WORKFLOW).unwrap();
}

#[test]
fn a_definition_that_is_wrong_is_refused_with_the_state() {
    let machine = |state: Value| json!({"StartAt": "A", "States": {"A": state}}).to_string();
    for (state, wrong) in [
        (json!({"Type": "Pass"}), "either Next or End"),
        (json!({"Type": "Pass", "Next": "B"}), "no state beside it"),
        (json!({"Type": "Map", "End": true}), "unknown variant `Map`"),
        (json!({"Type": "Task", "End": true}), "a Task has a Resource"),
        (json!({"Type": "Pass", "End": true, "Resource": "r"}), "only a Task"),
        (json!({"Type": "Wait", "End": true}), "either Seconds or SecondsPath"),
        (json!({"Type": "Pass", "End": true, "Colour": 1}), "unknown field `Colour`"),
        (json!({"Type": "Pass", "End": true, "InputPath": "a"}), "is no path"),
        (json!({"Type": "Pass", "End": true, "ResultPath": "$.a[*]"}), "no reference path"),
        (
            json!({"Type": "Pass", "End": true, "Parameters": {"a.$": "States.Hash(1)"}}),
            "no known function",
        ),
        (
            json!({"Type": "Choice", "Choices": [{"Variable": "$.a", "Next": "A"}]}),
            "exactly one operator",
        ),
        (
            json!({"Type": "Choice", "Choices": [{"StringEquals": "x", "Next": "A"}]}),
            "needs a Variable",
        ),
    ] {
        let error = Machine::parse(&machine(state.clone())).unwrap_err().to_string();
        assert!(error.contains(wrong), "{state}: {error}");
    }
}

#[test]
fn a_template_is_filled_from_document_and_context() {
    let document = json!({"id": "o-1", "n": 2, "lines": [{"sku": "a"}, {"sku": "b"}], "it's": "x"});
    let context = json!({"Task": {"Token": "t"}, "State": {"RetryCount": 1}});
    let scope = Scope { document: &document, context: &context };
    for (expression, value) in [
        ("$.id", json!("o-1")),
        ("$$.Task.Token", json!("t")),
        ("$.lines[*].sku", json!(["a", "b"])),
        ("$.lines[1].sku", json!("b")),
        (
            "States.Format('{}-{}, \\'{}\\'', $.id, $$.State.RetryCount, 'a,b')",
            json!("o-1-1, 'a,b'"),
        ),
        (
            "States.Array($.n, true, States.JsonToString($.lines[0]))",
            json!([2, true, "{\"sku\":\"a\"}"]),
        ),
    ] {
        let filled =
            template::fill(&json!({"plain": 1, "in": {"x.$": expression}}), scope).unwrap();
        assert_eq!(filled, json!({"plain": 1, "in": {"x": value}}), "{expression}");
    }
    let error = template::fill(&json!({"x.$": "$.nowhere"}), scope).unwrap_err();
    assert_eq!(error.error, "States.ParameterPathFailure");
    for expression in ["States.Format('{}')", "States.Format('', 1)", "States.Format(1)"] {
        let error = template::fill(&json!({ "x.$": expression }), scope).unwrap_err();
        assert_eq!(error.error, "States.IntrinsicFailure", "{expression}");
    }
}

#[test]
fn a_result_goes_where_the_result_path_says() {
    let input = json!({"a": 1});
    let put = |path: Option<Option<&str>>| {
        let path = path.map(|path| path.map(str::to_owned));
        path::put(input.clone(), json!("r"), path.as_ref())
    };
    assert_eq!(put(None).unwrap(), json!("r"));
    assert_eq!(put(Some(None)).unwrap(), input);
    assert_eq!(put(Some(Some("$"))).unwrap(), json!("r"));
    assert_eq!(put(Some(Some("$.b.c"))).unwrap(), json!({"a": 1, "b": {"c": "r"}}));
    assert_eq!(put(Some(Some("$.a.b"))).unwrap_err().error, "States.ResultPathMatchFailure");
}

#[test]
fn a_rule_holds_for_values_of_its_own_type_only() {
    let document = json!({"s": "abc", "n": 5, "b": true, "z": null});
    let scope = Scope { document: &document, context: &Value::Null };
    for (rule, holds) in [
        (json!({"Variable": "$.s", "StringEquals": "abc"}), true),
        (json!({"Variable": "$.s", "StringLessThan": "abd"}), true),
        (json!({"Variable": "$.s", "StringMatches": "a*c"}), true),
        (json!({"Variable": "$.s", "StringMatches": "a*d"}), false),
        (json!({"Variable": "$.n", "NumericGreaterThanEquals": 5.0}), true),
        (json!({"Variable": "$.n", "NumericLessThan": 5}), false),
        (json!({"Variable": "$.n", "StringEquals": "5"}), false),
        (json!({"Variable": "$.b", "BooleanEquals": true}), true),
        (json!({"Variable": "$.z", "IsNull": true}), true),
        (json!({"Variable": "$.z", "IsPresent": true}), true),
        (json!({"Variable": "$.x", "IsPresent": false}), true),
        (json!({"Variable": "$.x", "StringEquals": "abc"}), false),
        (
            json!({"And": [{"Variable": "$.b", "BooleanEquals": true}, {"Variable": "$.n", "NumericEquals": 4}]}),
            false,
        ),
        (
            json!({"Or": [{"Variable": "$.b", "BooleanEquals": false}, {"Variable": "$.n", "NumericEquals": 5}]}),
            true,
        ),
        (json!({"Not": {"Variable": "$.n", "NumericEquals": 4}}), true),
    ] {
        let parsed: choice::Rule = serde_json::from_value(rule.clone()).unwrap();
        parsed.check().unwrap();
        assert_eq!(parsed.holds(scope), holds, "{rule}");
    }
}
