//! Being told to stop from outside: Ctrl-C, and SIGTERM on Unix.

/// Waits for Ctrl-C or, on Unix, SIGTERM. Inside a runtime with its drivers on.
pub async fn told_to_stop() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            result = tokio::signal::ctrl_c() => result,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
