//! The ways a request can end.

use std::any::Any;

use super::grpc::GrpcStatus;

/// How a request ended, as the exit that saw it knows it.
#[derive(Debug)]
pub(crate) enum End {
    /// The body was sent to its end.
    Complete,
    /// The trailers were sent, with a gRPC status.
    Trailers(GrpcStatus),
    /// The inner service answered with an error of this type.
    ServiceError(&'static str),
    /// The body failed with an error of this type.
    BodyError(&'static str),
    /// The body ended early: before the length that its headers promised, or without the trailers
    /// that gRPC demands.
    Truncated,
    /// The future or the body was dropped.
    Dropped,
    /// The handler or the body panicked.
    Panicked(PanicMessage),
    /// The response is still being sent, but its record was not to wait any longer.
    Held,
    /// The service is being stopped.
    Shutdown,
}

/// The text of a panic, if it has one.
#[derive(Debug)]
pub(crate) struct PanicMessage(Option<String>);

impl PanicMessage {
    /// Characters kept of it.
    const LIMIT: usize = 1024;

    pub(crate) fn of(payload: &(dyn Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Self(text.map(|text| text.chars().take(Self::LIMIT).collect()))
    }

    pub(crate) fn as_deref(&self) -> Option<&str> {
        self.0.as_deref()
    }
}
