use std::io;

/// Completes when the process is asked to stop: by `SIGTERM`, as ECS, Kubernetes and Lambda do, or
/// by `SIGINT`, as a terminal does. On other systems, by Ctrl-C.
///
/// From the first poll on these signals no longer end the process by themselves. Dropping the
/// future loses nothing: a later one sees later signals.
///
/// ```no_run
/// use std::time::Duration;
/// use obs_core::telemetry::{Telemetry, shutdown_signal};
///
/// # async fn serve() {}
/// # async fn example(telemetry: Telemetry) -> std::io::Result<()> {
/// tokio::select! {
///     () = serve() => {}
///     signal = shutdown_signal() => signal?,
/// }
/// telemetry.shutdown(Duration::from_secs(5));
/// # Ok(())
/// # }
/// ```
///
/// Cancel-safe: dropped before a signal came, it can be asked anew. From the first poll on the
/// process no longer dies of these signals by itself.
///
/// # Errors
/// What the operating system says when the handlers cannot be installed.
pub async fn shutdown_signal() -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::future::poll_fn;
        use std::task::Poll;

        use tokio::signal::unix::{SignalKind, signal};

        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        poll_fn(|context| {
            let stopped =
                terminate.poll_recv(context).is_ready() | interrupt.poll_recv(context).is_ready();
            if stopped { Poll::Ready(Ok(())) } else { Poll::Pending }
        })
        .await
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
