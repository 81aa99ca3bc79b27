use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use super::RequestContext;
use crate::propagate::{XrayHeader, field};

/// Adds `X-Amzn-Trace-Id` to calls of the AWS SDK, so that the called service shows up in the
/// trace of the current request.
///
/// It is added before the call is signed, and to each attempt. The SDK's signer leaves this one
/// header out of the signature, so that a proxy on the way may add to it. Baggage and correlation ids are
/// not sent: AWS has no use for them. Outside of a request nothing is added.
///
/// ```
/// use obs_core::context::TraceInterceptor;
///
/// let config = aws_sdk_dynamodb::Config::builder()
///     .behavior_version_latest()
///     .interceptor(TraceInterceptor::new())
///     .build();
/// # let _ = config;
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct TraceInterceptor;

impl TraceInterceptor {
    /// The interceptor.
    ///
    /// ```
    /// use obs_core::context::TraceInterceptor;
    ///
    /// let interceptor = TraceInterceptor::new();
    /// # let _ = interceptor;
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Intercept for TraceInterceptor {
    fn name(&self) -> &'static str {
        "TraceInterceptor"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(request) = RequestContext::current() {
            let value = header(&request).to_string();
            context.request_mut().headers_mut().insert(field::X_AMZN_TRACE_ID.as_str(), value);
        }
        Ok(())
    }
}

fn header(request: &RequestContext) -> XrayHeader {
    XrayHeader {
        trace_id: request.trace_id(),
        parent: Some(request.current_span_id()),
        sampled: Some(request.is_sampled()),
        extras: request.xray_extras().clone(),
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::interceptors::context::{Input, InterceptorContext};
    use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
    use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;

    use super::*;
    use crate::context::enter_span;
    use crate::environment::Environment;
    use crate::id::SpanId;
    use crate::output::Output;
    use crate::telemetry::Telemetry;

    fn header_of_a_call() -> Option<String> {
        let mut call = InterceptorContext::new(Input::doesnt_matter());
        call.enter_serialization_phase();
        let _ = call.take_input();
        call.set_request(HttpRequest::empty());
        call.enter_before_transmit_phase();
        let mut context = BeforeTransmitInterceptorContextMut::from(&mut call);
        let components = RuntimeComponentsBuilder::for_tests().build().unwrap();
        TraceInterceptor::new()
            .modify_before_signing(&mut context, &components, &mut ConfigBag::base())
            .unwrap();
        context.request().headers().get("x-amzn-trace-id").map(str::to_owned)
    }

    #[test]
    fn a_call_names_the_current_span_as_its_parent() {
        let (output, _captured) = Output::captured();
        let telemetry = Telemetry::builder("orders")
            .environment(Environment::empty())
            .output(output)
            .build()
            .unwrap();
        let request = RequestContext::builder(&telemetry).sampled(true).build();
        let _request = request.enter();
        let root = request.trace_id().to_xray();
        let own = request.span_id();
        assert_eq!(header_of_a_call(), Some(format!("Root={root};Parent={own};Sampled=1")));
        let _span = enter_span(SpanId::new(0xab).unwrap());
        let child = format!("Root={root};Parent=00000000000000ab;Sampled=1");
        assert_eq!(header_of_a_call(), Some(child));
    }

    #[test]
    fn outside_of_a_request_nothing_is_added() {
        assert_eq!(header_of_a_call(), None);
    }
}
