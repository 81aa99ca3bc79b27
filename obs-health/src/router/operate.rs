//! Looking at controls and acting upon them.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::Body;
use http_body_util::{BodyExt, Limited};
use obs_core::control::{Action, ActionErrorKind, Control, Kind};
use obs_core::problem::Problem;
use serde_json::{Map, Value, json};

use super::body::HealthBody;
use super::respond::json_response;
use crate::registry::{Event, HealthRegistry};

/// An action is a few words; more than this is not one.
const MAX_ACTION_BYTES: usize = 8 * 1024;

/// An override that nobody takes back ends by itself after at most a day.
const MAX_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// Name, kind, state and health of every control whose kind is `wanted`, under `member`.
pub(super) fn list(
    registry: &HealthRegistry,
    wanted: impl Fn(Kind) -> bool,
    member: &'static str,
) -> Value {
    let controls = registry.inner().controls.list();
    let listed = controls.iter().filter(|control| wanted(control.kind()));
    let entries: Vec<Value> = listed.map(|control| heading(&**control).into()).collect();
    json!({ member: entries })
}

/// Everything about one control.
pub(super) fn show(registry: &HealthRegistry, kind: Kind, name: &str) -> Option<Value> {
    Some(document(&*registry.inner().controls.get(kind, name)?))
}

fn heading(control: &dyn Control) -> Map<String, Value> {
    let members = [
        ("name", control.name()),
        ("kind", control.kind().as_str()),
        ("state", control.state()),
        ("status", control.health().as_str()),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
}

fn document(control: &dyn Control) -> Value {
    let mut document = heading(control);
    document.insert("actions".into(), control.actions().into());
    match control.snapshot() {
        Value::Object(snapshot) => {
            for (name, value) in snapshot {
                document.entry(name).or_insert(value);
            }
        }
        Value::Null => {}
        other => {
            document.insert("snapshot".into(), other);
        }
    }
    document.into()
}

/// Carries out the action in `body`, for a caller with the token.
pub(super) async fn act<B>(
    registry: HealthRegistry,
    headers: HeaderMap,
    kind: Kind,
    name: String,
    body: B,
) -> Response<HealthBody>
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    let result = if registry.inner().access.permits(&headers) {
        carry_out(&registry, kind, &name, body).await
    } else {
        Err(unauthorized(&registry))
    };
    result.unwrap_or_else(|refusal| {
        let status = refusal.status().as_u16();
        tracing::warn!(control = name, kind = kind.as_str(), status, "control action refused");
        registry.report(&Event::ActionRefused { kind, name: &name, status });
        refusal
    })
}

async fn carry_out<B>(
    registry: &HealthRegistry,
    kind: Kind,
    name: &str,
    body: B,
) -> Result<Response<HealthBody>, Response<HealthBody>>
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    let action = read_action(body).await?;
    let control = registry.inner().controls.get(kind, name);
    let control: Arc<dyn Control> =
        control.ok_or_else(|| refuse(StatusCode::NOT_FOUND, "no control has this name"))?;
    control.apply(&action).map_err(|error| {
        let status = match error.kind() {
            ActionErrorKind::Conflict => StatusCode::CONFLICT,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        refuse(status, error.to_string())
    })?;
    let ttl_s = action.ttl.map(|ttl| ttl.as_secs());
    let reason = action.reason.as_deref();
    let done = action.name.as_str();
    tracing::warn!(
        control = name,
        kind = kind.as_str(),
        action = done,
        reason,
        ttl_s,
        "control action"
    );
    registry.report(&Event::ActionApplied { kind, name, action: &action });
    Ok(json_response(StatusCode::OK, &document(&*control)))
}

async fn read_action<B>(body: B) -> Result<Action, Response<HealthBody>>
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    let limited = Limited::new(body.map_err(|_| "body"), MAX_ACTION_BYTES).collect().await;
    let body = limited.map_err(|_| {
        refuse(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("an action is at most {MAX_ACTION_BYTES} bytes"),
        )
    })?;
    let document: Value = serde_json::from_slice(&body.to_bytes()).map_err(|error| {
        refuse(StatusCode::BAD_REQUEST, format!("the body is not JSON: {error}"))
    })?;
    parse_action(document).map_err(|rule| refuse(StatusCode::UNPROCESSABLE_ENTITY, rule))
}

/// The action of a document; the error is the rule that it breaks.
fn parse_action(document: Value) -> Result<Action, String> {
    let Value::Object(mut members) = document else {
        return Err("the body must be an object with the member `action`".to_owned());
    };
    let name = match members.remove("action") {
        Some(Value::String(name)) => name,
        other => return Err(format!("action = {}: must be a string", shown(other))),
    };
    let mut action = Action::new(name);
    match members.remove("reason") {
        None | Some(Value::Null) => {}
        Some(Value::String(reason)) if reason.len() <= 256 => action = action.reason(reason),
        other => {
            return Err(format!(
                "reason = {}: must be a string of at most 256 bytes",
                shown(other)
            ));
        }
    }
    match members.remove("ttl_s") {
        None | Some(Value::Null) => {}
        Some(given) => {
            let ttl = given.as_u64().map(Duration::from_secs);
            let ttl = ttl.filter(|ttl| !ttl.is_zero() && *ttl <= MAX_TTL).ok_or_else(|| {
                format!("ttl_s = {given}: must be a whole number of seconds from 1 to 86400")
            })?;
            action = action.ttl(ttl);
        }
    }
    action.arguments = members;
    Ok(action)
}

fn shown(value: Option<Value>) -> String {
    value.map_or_else(|| "(missing)".to_owned(), |value| value.to_string())
}

fn refuse(
    status: StatusCode,
    detail: impl Into<std::borrow::Cow<'static, str>>,
) -> Response<HealthBody> {
    Problem::new(status).detail(detail).into_response()
}

/// 401 with a challenge; 403 where no token would help because none is configured.
pub(super) fn unauthorized(registry: &HealthRegistry) -> Response<HealthBody> {
    if !registry.inner().access.is_configured() {
        return refuse(
            StatusCode::FORBIDDEN,
            "no admin token is configured, so nothing can be seen or done here",
        );
    }
    let mut response = refuse(StatusCode::UNAUTHORIZED, "the admin token is needed");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_keeps_its_reason_time_limit_and_arguments() {
        let document = json!({"action": "resize", "reason": "load", "ttl_s": 60, "limit": 5});
        let expected =
            Action::new("resize").reason("load").ttl(Duration::from_secs(60)).argument("limit", 5);
        assert_eq!(parse_action(document), Ok(expected));
    }

    #[test]
    fn what_is_wrong_with_an_action_is_named_with_its_value() {
        for (document, message) in [
            (json!([]), "the body must be an object with the member `action`"),
            (json!({}), "action = (missing): must be a string"),
            (json!({"action": 3}), "action = 3: must be a string"),
            (
                json!({"action": "close", "ttl_s": 0}),
                "ttl_s = 0: must be a whole number of seconds from 1 to 86400",
            ),
            (
                json!({"action": "close", "ttl_s": -1}),
                "ttl_s = -1: must be a whole number of seconds from 1 to 86400",
            ),
            (
                json!({"action": "close", "reason": 1}),
                "reason = 1: must be a string of at most 256 bytes",
            ),
        ] {
            assert_eq!(parse_action(document).unwrap_err(), message);
        }
    }
}
