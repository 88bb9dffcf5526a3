//! One run: a platform, a proxy, and the client called again until the upload is done, as a user would do it. What has to
//! hold in the end is in `judge`.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, ChildStdout, Command},
};

use crate::{
    client::Ended,
    judge,
    plan::{Change, FORM, Plan, Random, What},
    proxy::{Kill, Proxy},
};

/// The longest that a run may take; one that hangs is a failure.
const DEADLINE: Duration = Duration::from_secs(240);
/// What the client waits without a byte: short, since stalls are many here.
const STALL_MS: u64 = 1_500;
const ATTEMPT_MS: u64 = 5_000;
/// The bytes of each end that a changed middle leaves: what the journal knows of a file without reading it.
const UNCHANGED: usize = 64 * 1024;

/// What a run showed.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// What struck, by name.
    pub(crate) faults: BTreeMap<&'static str, u64>,
    /// Calls that it took, and those that ended in an error.
    pub(crate) calls: u64,
    pub(crate) errors: u64,
    pub(crate) size: u64,
    /// Bytes sent again, and how many the faults may cost.
    pub(crate) resent: u64,
    pub(crate) may_resend: u64,
    /// Every fault costs a chunk a stream at most: none lost a part, none changed a byte that only the whole file's sum guards.
    pub(crate) is_by_chunk: bool,
    /// The file was another one after a crash.
    pub(crate) change: Option<Change>,
}

/// The file that is uploaded.
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
    pub(crate) sha256: String,
}

impl Source {
    fn write(path: PathBuf, bytes: &[u8]) -> io::Result<Self> {
        std::fs::write(&path, bytes)?;
        Ok(Self::of(path, bytes))
    }

    fn of(path: PathBuf, bytes: &[u8]) -> Self {
        Self { path, size: bytes.len() as u64, sha256: hex::encode(Sha256::digest(bytes)) }
    }

    fn change(&self, change: Change, random: &mut Random) -> io::Result<Self> {
        let mut bytes = std::fs::read(&self.path)?;
        let end = bytes.len();
        match change {
            Change::Middle => bytes[UNCHANGED..end - UNCHANGED].iter_mut().for_each(|b| *b ^= 0x55),
            Change::Truncated => {
                bytes.truncate(end / 2 + (random.next() % (end as u64 / 2)) as usize)
            }
            Change::Grown => bytes.extend(random.bytes(100_000)),
            Change::Replaced => bytes = random.bytes(end),
            Change::Touched | Change::Copied => {}
        }
        if matches!(change, Change::Replaced | Change::Copied) {
            let other = self.path.with_extension("other");
            std::fs::write(&other, &bytes)?;
            std::fs::rename(other, &self.path)?;
            return Ok(Self::of(self.path.clone(), &bytes));
        }
        Self::write(self.path.clone(), &bytes)
    }
}

/// The platform's process.
pub(crate) struct Platform {
    child: Child,
    /// Kept open: it would end on a closed pipe.
    _stdout: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
    pub(crate) key: String,
}

impl Platform {
    async fn start(program: &Path, data: &Path) -> Result<Self> {
        let mut command = Command::new(program);
        command.arg("serve").arg("--data").arg(data);
        let mut child = leashed(&mut command).spawn()?;
        let mut stdout = BufReader::new(child.stdout.take().context("no output")?);
        let mut line = String::new();
        stdout.read_line(&mut line).await?;
        let mut words = line.split_whitespace().skip(1);
        let (Some(url), Some(key)) = (words.next(), words.next()) else {
            bail!("the platform did not start: {line:?}");
        };
        let address = url.trim_start_matches("http://").parse()?;
        Ok(Self { child, address, key: key.to_owned(), _stdout: stdout })
    }

    async fn kill(&mut self) -> Result<()> {
        ensure!(self.child.try_wait()?.is_none(), "the platform had ended by itself");
        self.child.kill().await?;
        Ok(())
    }
}

/// A process that does not outlive this one, however this one ends.
fn leashed(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true)
}

/// How a call ended.
enum Called {
    Ended(Box<Ended>),
    Killed,
}

struct Run<'a> {
    plan: &'a Plan,
    program: &'a Path,
    folder: tempfile::TempDir,
    platform: Platform,
    proxy: Proxy,
    source: Source,
    seen: Seen,
    /// What was when the file became another one.
    changed: Option<Changed>,
}

#[derive(Clone, Copy)]
struct Changed {
    /// The call after which it was.
    call: u64,
    /// Bytes that had been sent of the file as it was before.
    sent: u64,
    /// The platform had some of what is another now, or the size is.
    is_noticeable: bool,
}

/// Does what the plan says; an error is a rule that was broken.
pub(crate) async fn run(plan: &Plan, program: &Path) -> Result<Seen> {
    let running = Box::pin(async {
        let mut run = Run::new(plan, program).await?;
        let uploaded = run.until_uploaded().await?;
        run.judge(uploaded).await
    });
    tokio::time::timeout(DEADLINE, running)
        .await
        .unwrap_or_else(|_| bail!("it hangs: not done after {DEADLINE:?}"))
}

impl<'a> Run<'a> {
    async fn new(plan: &'a Plan, program: &'a Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let bytes = Random::new(!plan.seed).bytes(usize::try_from(plan.size)?);
        let source = Source::write(folder.path().join("film.bin"), &bytes)?;
        let platform = Platform::start(program, &folder.path().join("data")).await?;
        let proxy = Proxy::start(platform.address, &platform.key, plan.faults.clone()).await?;
        let seen = Seen::default();
        Ok(Self { plan, program, folder, platform, proxy, source, seen, changed: None })
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn journal(&self) -> PathBuf {
        self.folder.path().join("journal.sqlite3")
    }

    /// Calls the client again and again: what a user does whom an error tells to.
    async fn until_uploaded(&mut self) -> Result<Ended> {
        loop {
            self.seen.calls += 1;
            if self.seen.calls > self.plan.faults.len() as u64 + 2 {
                self.proxy.script().lift();
            }
            let struck = self.proxy.script().all_struck().len();
            match self.call().await? {
                Called::Killed => self.change()?,
                Called::Ended(ended) => match *ended {
                    Ended::Uploaded { .. } => return Ok(*ended),
                    Ended::Failed { kind, message, .. } => {
                        self.seen.errors += 1;
                        let script = self.proxy.script();
                        // Where chunks have no checksum a changed byte shows at the end, maybe calls later.
                        let late = message.contains("other bytes")
                            && script.all_struck().iter().any(|fault| fault.what == What::Flip);
                        ensure!(
                            late || script.all_struck().len() > struck,
                            "call {} failed and nothing struck: {kind}: {message}",
                            self.seen.calls
                        );
                        ensure!(
                            message.contains("again"),
                            "an error that says nothing to do: {kind}: {message}"
                        );
                    }
                },
            }
        }
    }

    /// One call of the client, in a process of its own.
    async fn call(&mut self) -> Result<Called> {
        let plan = self.plan;
        let mut command = Command::new(self.program);
        command.args(["upload", "--leashed", "--url", &self.proxy.url]);
        // A key may begin with a hyphen.
        command
            .arg(format!("--api-key={}", self.platform.key))
            .arg("--journal")
            .arg(self.journal());
        for (name, number) in [
            ("--chunk-size", plan.chunk),
            ("--streams", plan.streams),
            ("--retries", plan.retries),
            ("--stall-ms", STALL_MS),
            ("--attempt-ms", ATTEMPT_MS),
        ] {
            command.args([name, &number.to_string()]);
        }
        if !plan.is_multipart {
            command.args(["--multipart-below", "0"]);
        }
        if !plan.checksums {
            command.arg("--no-checksums");
        }
        let mut child = leashed(command.arg(&self.source.path)).spawn()?;
        let mut stdout = child.stdout.take().context("no output")?;
        // Open until the client has ended: it ends with it.
        let _stdin = child.stdin.take();
        let mut said = String::new();
        loop {
            tokio::select! {
                read = stdout.read_to_string(&mut said) => {
                    read?;
                    child.wait().await?;
                    let ended = serde_json::from_str(&said)
                        .with_context(|| format!("the client ended without a word: {said:?}"))?;
                    return Ok(Called::Ended(Box::new(ended)));
                }
                Some((fault, dead)) = self.proxy.kills.recv() => {
                    if fault.what == What::KillClient {
                        child.kill().await?;
                        let _ = dead.send(());
                        return Ok(Called::Killed);
                    }
                    self.restart((fault, dead)).await?;
                }
            }
        }
    }

    async fn restart(&mut self, (fault, dead): Kill) -> Result<()> {
        self.platform.kill().await?;
        self.proxy.platform_is(None);
        let _ = dead.send(());
        if let What::KillServer { down_ms } = fault.what {
            tokio::time::sleep(Duration::from_millis(down_ms)).await;
        }
        self.platform = Platform::start(self.program, &self.data()).await?;
        self.proxy.platform_is(Some(self.platform.address));
        Ok(())
    }

    /// Puts another file into the place of the one whose upload was killed, once.
    fn change(&mut self) -> Result<()> {
        let Some(change) = self.plan.change.filter(|_| self.changed.is_none()) else {
            return Ok(());
        };
        self.source = self.source.change(change, &mut Random::new(self.plan.seed))?;
        let script = self.proxy.script();
        self.changed = Some(Changed {
            call: self.seen.calls,
            sent: script.sent(),
            is_noticeable: change.is_another()
                && (self.source.size != self.plan.size || script.highest_told() > UNCHANGED as u64),
        });
        drop(script);
        self.seen.change = Some(change);
        Ok(())
    }

    /// What has to hold once the client says that it is done.
    async fn judge(mut self, uploaded: Ended) -> Result<Seen> {
        let Ended::Uploaded { asset, restarts, .. } = uploaded else {
            bail!("it did not end well")
        };
        let (source, data) = (&self.source, self.data());
        judge::one_asset(self.platform.address, &self.platform.key, &asset, source, &data).await?;
        let begun_anew = self.seen.change.is_some_and(Change::is_another);
        judge::nothing_is_left(&data, &self.journal(), begun_anew)?;
        let script = self.proxy.script();
        for fault in script.all_struck() {
            *self.seen.faults.entry(fault.name()).or_default() += 1;
            self.seen.may_resend += self.plan.costs(fault);
        }
        let by_chunk = self.plan.chunk * self.plan.side_by_side();
        self.seen.is_by_chunk =
            script.all_struck().iter().all(|fault| self.plan.costs(fault) <= by_chunk);
        let mut thrown_away = 0;
        if let (Some(change), Some(changed)) = (self.seen.change, self.changed) {
            if change.is_another() {
                thrown_away = changed.sent;
                let is_next = self.seen.calls == changed.call + 1;
                ensure!(
                    !(is_next && changed.is_noticeable && restarts.is_empty()),
                    "{change:?} was not noticed"
                );
            } else {
                let gone = script.all_struck().iter().any(|fault| fault.what == What::Gone);
                ensure!(gone || restarts.is_empty(), "the file was the same: {restarts:?}");
            }
        }
        if self.plan.is_multipart {
            self.seen.may_resend += FORM;
        }
        self.seen.size = source.size;
        self.seen.resent = (script.sent() - thrown_away).saturating_sub(source.size);
        drop(script);
        ensure!(
            self.seen.resent <= self.seen.may_resend,
            "{} bytes were sent twice, and its faults may cost {}",
            self.seen.resent,
            self.seen.may_resend
        );
        Ok(self.seen)
    }
}
