use serde_json::{Map, Value, json};

/// Who is to learn of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tier {
    /// Whoever looks next morning.
    Warning,
    /// Whoever is on call.
    Critical,
}

const ALL: [Tier; 2] = [Tier::Warning, Tier::Critical];

impl Tier {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Warning => "Warning",
            Self::Critical => "Critical",
        }
    }

    fn parameter(self) -> String {
        format!("{}TopicArn", self.name())
    }

    fn condition(self) -> String {
        format!("Has{}Topic", self.name())
    }

    /// The topic of the tier, if there is one.
    pub(super) fn actions(self) -> Value {
        json!({
            "Fn::If": [self.condition(), [{ "Ref": self.parameter() }], { "Ref": "AWS::NoValue" }],
        })
    }

    /// The parameters of the template.
    pub(super) fn parameters() -> Map<String, Value> {
        let parameter = |tier: Self| {
            let text = format!("The SNS topic of {} alarms; empty: none", tier.name());
            let value = json!({ "Type": "String", "Default": "", "Description": text });
            (tier.parameter(), value)
        };
        ALL.into_iter().map(parameter).collect()
    }

    /// The conditions of the template.
    pub(super) fn conditions() -> Map<String, Value> {
        let condition = |tier: Self| {
            let is_empty = json!({ "Fn::Equals": [{ "Ref": tier.parameter() }, ""] });
            (tier.condition(), json!({ "Fn::Not": [is_empty] }))
        };
        ALL.into_iter().map(condition).collect()
    }
}
