//! The local platform as the process that is measured, or measured against.

use std::io;

use crate::process::end_with_the_bench;

/// Serves from memory until it is killed, by two threads, and prints where it is: its address, a space, its key.
///
/// # Errors
/// When it cannot start.
pub fn serve() -> io::Result<()> {
    end_with_the_bench()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let platform = storycore_local::start(storycore_local::Config::in_memory())
            .await
            .map_err(io::Error::other)?;
        println!("{} {}", platform.url(), platform.api_key());
        std::future::pending::<()>().await;
        Ok(())
    })
}
