//! The peers: other people's programs, each started as its documentation says, its time taken by itself.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use tokio::process::Command;

use crate::{
    Failure,
    stage::{Platform, Took, ended},
};

/// A client of ours, as a process.
pub(crate) async fn ours(
    kind: &str,
    url: &str,
    key: &str,
    path: &Path,
    more: &str,
) -> Result<Took, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["client", kind, url, key]).arg(path).arg(more);
    let (line, _) = ended(command).await?;
    Ok(serde_json::from_str(&line)?)
}

/// `curl -T`.
pub(crate) async fn curl(url: &str, file: &Path) -> Result<Took, Failure> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--fail", "--output", "/dev/null"]);
    command.args(["--write-out", "%{time_total}", "-T"]).arg(file).arg(url);
    let (line, cpu_seconds) = ended(command).await?;
    Ok(Took { seconds: line.trim().parse()?, cpu_seconds, peak_mib: 0.0 })
}

/// The version of `curl`, or why it cannot be a peer.
pub(crate) async fn curl_version() -> Result<String, Failure> {
    let mut command = Command::new("curl");
    command.arg("--version");
    let output = command.output().await?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let words: Vec<_> = text.split_whitespace().take(2).collect();
    Ok(words.join(" "))
}

/// Another tus client, by its script in `benches/peers`.
pub(crate) struct TusPeer {
    pub(crate) name: &'static str,
    program: PathBuf,
    script: PathBuf,
    more: Vec<String>,
}

impl TusPeer {
    /// Those that `cargo xtask bench` installed and told of.
    pub(crate) fn all() -> Vec<Self> {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        let told = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let mut peers = Vec::new();
        if let Some(modules) = told("STORYCORE_BENCH_NPM") {
            let modules = modules.display().to_string();
            for (name, parts) in
                [("tus-js-client 4.3.1", "1"), ("tus-js-client 4.3.1, 4 parts", "4")]
            {
                peers.push(Self {
                    name,
                    program: "node".into(),
                    script: scripts.join("tus_js.mjs"),
                    more: vec![modules.clone(), parts.to_owned()],
                });
            }
        }
        if let Some(python) = told("STORYCORE_BENCH_PYTHON") {
            peers.push(Self {
                name: "tuspy 1.1.0, sha1",
                program: python,
                script: scripts.join("tuspy_upload.py"),
                more: Vec::new(),
            });
        }
        peers
    }

    pub(crate) async fn upload(&self, to: &Platform, file: &Path) -> Result<Took, Failure> {
        let mut command = Command::new(&self.program);
        command.arg(&self.script).args([&to.url, &to.key]).arg(file).args(&self.more);
        let started = Instant::now();
        let (line, cpu_seconds) = ended(command).await?;
        let seconds: f64 = line.trim().parse()?;
        assert!(seconds <= started.elapsed().as_secs_f64(), "{} counts wrongly", self.name);
        Ok(Took { seconds, cpu_seconds, peak_mib: 0.0 })
    }
}
