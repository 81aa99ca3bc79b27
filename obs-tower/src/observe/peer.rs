//! What the head of a request tells about its sender and its body.

use std::net::IpAddr;

use super::head::RequestHead;

/// The address at the other end of the connection, if the server left it with the request.
#[cfg(feature = "axum")]
pub(super) fn address(head: &RequestHead<'_>) -> Option<IpAddr> {
    let connected = head.extensions.get::<axum::extract::ConnectInfo<std::net::SocketAddr>>();
    connected.map(|connected| connected.0.ip()).or_else(|| head.extensions.get().copied())
}

/// The address at the other end of the connection, if the server left it with the request.
#[cfg(not(feature = "axum"))]
pub(super) fn address(head: &RequestHead<'_>) -> Option<IpAddr> {
    head.extensions.get().copied()
}
