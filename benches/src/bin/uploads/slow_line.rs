//! Uploads over a line that is slow in a known way: many streams against one, and many small files at once against a loop.

use storycore_benches::{Goal, Options, Row, process};

use crate::{
    Failure, peers,
    stage::{self, MEMORY, MIB, Platform, Took},
};

/// One large file: all streams that the client takes, and one.
pub(crate) async fn streams(options: Options) -> Result<(), Failure> {
    let (mib, runs) = if options.quick { (512, 1) } else { (2048, 2) };
    let folder = stage::folder()?;
    let file = stage::file(folder.path(), "film.bin", mib * MIB)?;
    let platform = Platform::start(folder.path())?;
    let line =
        process::Server::this_binary(&["shaper", platform.url.trim_start_matches("http://")])?;
    let url = line.ready.trim();
    let (mut speeds, mut memory) = (Vec::new(), Vec::new());
    for run in 0..runs {
        let send = async |streams| {
            // For the parts, and what they are joined to.
            let memory = stage::Warm::hold(folder.path(), 2 * mib * MIB)?;
            let took = peers::ours("tus", url, &platform.key, &file, streams).await?;
            memory.end()?;
            platform.clear(1).await?;
            Ok::<_, Failure>(took)
        };
        let (ours, one) = in_turns(run, send("16"), send("1")).await?;
        let speed = |took: &Took| mib as f64 / took.seconds;
        speeds.push((speed(&ours), speed(&one)));
        memory.push((ours.peak_mib, MEMORY));
    }
    let what = format!("{mib} MiB at 50 ms and 20 MB/s a connection");
    let speed = format!("{what}, MiB/s");
    options.print(&Row::new("uploads", speed, "ours with one stream", &speeds, Goal::AtLeast(8.0)));
    let peak = format!("{what}, peak memory, MiB");
    options.print(&Row::new("uploads", peak, "none", &memory, Goal::AtMost(1.0)));
    Ok(())
}

/// Many small files, at once and one after another.
pub(crate) async fn many_files(options: Options) -> Result<(), Failure> {
    let (count, runs) = if options.quick { (100, 1) } else { (1000, 2) };
    let folder = stage::folder()?;
    let files = folder.path().join("files");
    std::fs::create_dir(&files)?;
    for n in 0..count {
        stage::file(&files, &format!("{n:04}.bin"), 100 * 1024)?;
    }
    let platform = Platform::start(folder.path())?;
    let line =
        process::Server::this_binary(&["shaper", platform.url.trim_start_matches("http://")])?;
    for (url, name) in [(line.ready.trim(), "at 50 ms"), (&*platform.url, "without delay")] {
        let mut pairs = Vec::new();
        for run in 0..runs {
            let send = async |kind| {
                let took = peers::ours(kind, url, &platform.key, &files, "").await?;
                platform.clear(count).await?;
                Ok::<_, Failure>(count as f64 / took.seconds)
            };
            pairs.push(in_turns(run, send("many"), send("one-by-one")).await?);
        }
        let what = format!("{count} files of 100 KiB {name}, files/s");
        options.print(&Row::new("uploads", what, "one after another", &pairs, Goal::AtLeast(5.0)));
    }
    Ok(())
}

/// Ours and what it is measured against, one after the other; who goes first changes with each run.
async fn in_turns<T>(
    run: usize,
    ours: impl Future<Output = Result<T, Failure>>,
    theirs: impl Future<Output = Result<T, Failure>>,
) -> Result<(T, T), Failure> {
    if run.is_multiple_of(2) {
        let ours = ours.await?;
        Ok((ours, theirs.await?))
    } else {
        let theirs = theirs.await?;
        Ok((ours.await?, theirs))
    }
}
