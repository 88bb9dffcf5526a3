//! Large files on a fast line: one request against `curl -T`, and tus with checksums against other tus clients.

use storycore_benches::{Goal, Options, Row, process};

use crate::{
    Failure, peers,
    peers::TusPeer,
    stage::{self, MEMORY, MIB, Platform, Took},
};

/// A file in one request, to a server that throws it away: as a plain PUT, which is what curl does, and as an asset, for
/// which its SHA-256 is taken on the way.
pub(crate) async fn one_stream(options: Options) -> Result<(), Failure> {
    let (mib, runs): (_, usize) = if options.quick { (512, 3) } else { (2048, 7) };
    let folder = stage::folder()?;
    let file = stage::file(folder.path(), "film.bin", mib * MIB)?;
    let sink = process::Server::this_binary(&["sink"])?;
    let url = sink.ready.trim();
    let peer = format!("{} -T", peers::curl_version().await?);
    let to_curl = format!("{url}/film.bin");
    let send = async |kind| peers::ours(kind, url, "bench-key", &file, "").await;
    let mut pairs: [Vec<(Took, Took)>; 2] = Default::default();
    // Once for the caches.
    send("put").await?;
    for run in 0..runs {
        // Who goes first changes.
        let (plain, curl) = if run.is_multiple_of(2) {
            let plain = send("put").await?;
            (plain, peers::curl(&to_curl, &file).await?)
        } else {
            let curl = peers::curl(&to_curl, &file).await?;
            (send("put").await?, curl)
        };
        let asset = send("one-request").await?;
        pairs[0].push((plain, curl));
        pairs[1].push((asset, curl));
    }
    let (size, gib) = (mib as f64, mib as f64 / 1024.0);
    for (pairs, name) in pairs.iter().zip(["as it is", "with its SHA-256"]) {
        let what = format!("{mib} MiB in one request {name}");
        let of = |see: &dyn Fn(&Took) -> f64| -> Vec<_> {
            pairs.iter().map(|(ours, theirs)| (see(ours), see(theirs))).collect()
        };
        let (speed, metric) = (of(&|took| size / took.seconds), format!("{what}, MiB/s"));
        options.print(&if name == "as it is" {
            Row::new("uploads", metric, &peer, &speed, Goal::AtLeast(1.8))
        } else {
            Row::told("uploads", metric, &peer, &speed)
        });
        let cpu = of(&|took| took.cpu_seconds / gib);
        options.print(&Row::told("uploads", format!("{what}, CPU a GiB, s"), &peer, &cpu));
        let memory: Vec<_> = pairs.iter().map(|(ours, _)| (ours.peak_mib, MEMORY)).collect();
        let metric = format!("{what}, peak memory, MiB");
        options.print(&Row::new("uploads", metric, "none", &memory, Goal::AtMost(1.0)));
    }
    Ok(())
}

/// The same platform, one client after another.
pub(crate) async fn tus(options: Options) -> Result<(), Failure> {
    let (mib, runs) = if options.quick { (128, 3) } else { (1024, 5) };
    let peers = TusPeer::all();
    if peers.is_empty() {
        eprintln!("skipped: tus: `cargo xtask bench uploads` installs the peers");
        return Ok(());
    }
    let folder = stage::folder()?;
    let file = stage::file(folder.path(), "film.bin", mib * MIB)?;
    let platform = Platform::start(folder.path())?;
    let (mut speeds, mut cpu, mut memory) = (vec![Vec::new(); peers.len()], Vec::new(), Vec::new());
    let (size, gib) = (mib as f64, mib as f64 / 1024.0);
    for run in 0..runs {
        // Each is the first of a round as often as the others.
        let clients = peers.len() + 1;
        let mut took = vec![None; clients];
        for turn in 0..clients {
            let n = (run + turn) % clients;
            took[n] = Some(match peers.get(n) {
                Some(peer) => peer.upload(&platform, &file).await?,
                None => peers::ours("tus", &platform.url, &platform.key, &file, "").await?,
            });
            platform.clear(1).await?;
        }
        let took: Vec<Took> = took.into_iter().flatten().collect();
        let ours = took[peers.len()];
        cpu.push((ours.cpu_seconds / gib, 1.0));
        memory.push((ours.peak_mib, MEMORY));
        for (theirs, speeds) in took.iter().zip(&mut speeds) {
            speeds.push((size / ours.seconds, size / theirs.seconds));
        }
    }
    let what = format!("{mib} MiB over tus with SHA-256");
    for (peer, speeds) in peers.iter().zip(&speeds) {
        options.print(&Row::new(
            "uploads",
            format!("{what}, MiB/s"),
            peer.name,
            speeds,
            Goal::AtLeast(3.0),
        ));
    }
    options.print(&Row::new(
        "uploads",
        format!("{what}, peak memory, MiB"),
        "none",
        &memory,
        Goal::AtMost(1.0),
    ));
    options.print(&Row::told("uploads", format!("{what}, CPU a GiB, s"), "none", &cpu));
    Ok(())
}
