use serde_json::{Map, Value, json};

use super::Watch;

impl Watch {
    /// Logs Insights queries, each with its title.
    pub(super) fn queries(&self) -> Vec<(&'static str, String)> {
        let of_service = format!("filter service = \"{}\"", self.service.replace(['"', '\\'], ""));
        let slow = self.latency.0;
        vec![
            (
                "Failed requests",
                format!(
                    "fields @timestamp, method, route, status, outcome, error_kind, trace_id \
                     | {of_service} and status >= 500 | sort @timestamp desc | limit 50"
                ),
            ),
            (
                "Slow requests",
                format!(
                    "fields @timestamp, method, route, duration_ms, trace_id \
                     | {of_service} and duration_ms > {slow} | sort duration_ms desc | limit 50"
                ),
            ),
            (
                "Latency by route",
                format!(
                    "{of_service} | stats count() as requests, pct(duration_ms, 50) as p50, \
                     pct(duration_ms, 99) as p99 by method, route | sort p99 desc"
                ),
            ),
        ]
    }

    /// The queries as resources of a template; none without a log group.
    pub(super) fn query_definitions(&self) -> Map<String, Value> {
        let mut resources = Map::new();
        let Some(log_group) = &self.log_group else { return resources };
        for (title, query) in self.queries() {
            let id: String = title.chars().filter(char::is_ascii_alphanumeric).collect();
            resources.insert(
                format!("Query{id}"),
                json!({
                    "Type": "AWS::Logs::QueryDefinition",
                    "Properties": {
                        "Name": format!("{}/{title}", self.name("requests")),
                        "LogGroupNames": [log_group],
                        "QueryString": query,
                    },
                }),
            );
        }
        resources
    }
}
