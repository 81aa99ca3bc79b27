//! Who is at the other end of the connection.

use std::net::{IpAddr, SocketAddr};

use super::head::RequestHead;

/// The address at the other end of the connection, if the server left it with the request.
#[cfg(feature = "axum")]
pub(super) fn peer(head: &RequestHead<'_>) -> Option<IpAddr> {
    let connected = head.extensions.get::<axum::extract::ConnectInfo<SocketAddr>>();
    connected
        .map(|connected| connected.0.ip())
        .or_else(|| head.extensions.get::<SocketAddr>().map(SocketAddr::ip))
}

/// The address at the other end of the connection, if the server left it with the request.
#[cfg(not(feature = "axum"))]
pub(super) fn peer(head: &RequestHead<'_>) -> Option<IpAddr> {
    head.extensions.get::<SocketAddr>().map(SocketAddr::ip)
}
