use serde_json::Value;

/// A document in YAML: maps and sequences as blocks, every text in the quotes of JSON, which are
/// quotes of YAML, too.
pub(super) fn document(value: &Value) -> String {
    let mut text = String::new();
    block(value, 0, &mut text);
    text
}

fn block(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                text.push_str(&format!("{:indent$}{}:", "", key(name)));
                after(member, indent + 2, text);
            }
        }
        Value::Array(elements) => {
            for element in elements {
                text.push_str(&format!("{:indent$}-", ""));
                after(element, indent + 2, text);
            }
        }
        scalar => text.push_str(&format!("{:indent$}{scalar}\n", "")),
    }
}

/// What follows a key or a dash: in the same line if it is one value, below it if it is many.
fn after(value: &Value, indent: usize, text: &mut String) {
    let is_many = match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(elements) => !elements.is_empty(),
        _ => false,
    };
    if is_many {
        text.push('\n');
        block(value, indent, text);
    } else {
        text.push_str(&format!(" {value}\n"));
    }
}

/// A key as it is, unless it could be read as something else.
fn key(name: &str) -> String {
    let is_plain = name.starts_with(|char: char| char.is_ascii_alphabetic())
        && name.chars().all(|char| char.is_ascii_alphanumeric() || ":-".contains(char))
        && !name.ends_with(':');
    if is_plain { name.to_owned() } else { Value::from(name).to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_value_stands_where_it_belongs() {
        let value = json!({
            "Fn::If": ["Has", [{"Ref": "Topic"}], {}],
            "a b": "x: \"y\"\n",
            "n": [1.5, true, null, []],
        });
        let expected = "\
Fn::If:
  - \"Has\"
  -
    -
      Ref: \"Topic\"
  - {}
\"a b\": \"x: \\\"y\\\"\\n\"
n:
  - 1.5
  - true
  - null
  - []
";
        assert_eq!(document(&value), expected);
    }
}
