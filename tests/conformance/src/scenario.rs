//! What a scenario says, as its YAML has it. A key that is not known is an error: a misspelt expectation would hold always.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::{Map, Value};

/// One behaviour, seen from outside.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// What a user would notice, in words joined by underscores.
    pub(crate) name: String,
    /// The line of the behaviour that it guards.
    pub(crate) rule: String,
    /// How the platform is started.
    #[serde(default)]
    pub(crate) platform: PlatformOptions,
    /// Options of the client `a`, beside the address and key of the platform.
    #[serde(default)]
    pub(crate) client: Map<String, Value>,
    /// What is planted before the first step, as `POST /_local/faults` takes it.
    #[serde(default)]
    pub(crate) faults: Vec<Value>,
    /// The driver's environment, beside what every program needs.
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, Value>,
    /// What is done, in order.
    pub(crate) steps: Vec<Step>,
    /// What must have arrived at the platform in the end.
    #[serde(default)]
    pub(crate) requests: Option<Requests>,
    /// The file it is from.
    #[serde(skip)]
    pub(crate) file: String,
}

/// How a scenario's platform differs from the usual one.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PlatformOptions {
    /// Refuse what the contract does not know.
    pub(crate) strict: bool,
}

/// One thing that is done.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    #[serde(flatten)]
    pub(crate) action: StepAction,
}

/// What a step does.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StepAction {
    /// Makes another client, or one with other options.
    Client(ClientStep),
    /// Calls the client.
    Call(CallStep),
    /// Speaks to the platform directly.
    Http(HttpStep),
    /// Plants a fault now.
    Fault(Value),
    /// Forgets the requests so far, so that `requests` tells of the rest.
    ForgetRequests(bool),
    /// Checks the requests so far.
    Requests(Requests),
    /// Waits.
    SleepMs(u64),
    /// Waits for a call that was started.
    Finish(FinishStep),
    /// Checks that calls that were started have not ended.
    Pending(Vec<String>),
    /// Moves the clock by which the client's timers go; where the language has no such clock, waits.
    AdvanceMs(u64),
    /// Looks at the driver's process: its `threads`, `files` and `sockets`; of these the `connections` of TCP, and of those the
    /// ones with `keepalive`. A runtime has sockets of its own, which are no connections.
    Process(ProcessStep),
    /// Writes a file into the scenario's own `$folder`.
    File(FileStep),
    /// Allows a program in, as the person at the page `url`, and names the `code` and `state` that come back.
    Allow(AllowStep),
    /// Checks what a proxy at `$proxy.url` was asked for so far: the first line of each request.
    Proxied(Vec<Value>),
}

/// A file to upload.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileStep {
    pub(crate) name: String,
    pub(crate) kib: u64,
    /// Another number is another file.
    #[serde(default)]
    pub(crate) salt: u64,
    /// One byte of it is another than the salt makes it.
    #[serde(default)]
    pub(crate) flip_at_kib: Option<u64>,
    /// Names its `path`, `size` and `sha256` for later steps.
    pub(crate) save: String,
}

/// What a person is asked to allow.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AllowStep {
    pub(crate) url: String,
    pub(crate) save: String,
}

/// A look at the driver's process.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProcessStep {
    /// What must be seen: at once unless told otherwise, and within seconds where `threads` are among it.
    #[serde(default)]
    pub(crate) expect: Option<Value>,
    /// The most milliseconds until it is seen.
    #[serde(default)]
    pub(crate) within_ms: u64,
    /// Names what is there, when it has come to rest, for later steps.
    #[serde(default)]
    pub(crate) save: Option<String>,
}

/// A client that is made in a step.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientStep {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) options: Map<String, Value>,
    /// The error that making it ends in.
    #[serde(default)]
    pub(crate) error: Option<Value>,
}

/// A call and what it must end in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallStep {
    /// Such as `projects.create`.
    pub(crate) method: String,
    #[serde(default = "client_a")]
    pub(crate) client: String,
    #[serde(default)]
    pub(crate) args: Value,
    #[serde(default)]
    pub(crate) options: Map<String, Value>,
    /// The same call so many times at once, `${n}` counting them from 0; each must end as expected.
    #[serde(default = "one")]
    pub(crate) times: usize,
    /// Each of them by a client of its own, made as `a` is.
    #[serde(default)]
    pub(crate) own_clients: bool,
    /// Starts the call under this name and goes on; `finish` waits for it.
    #[serde(default)]
    pub(crate) start: Option<String>,
    /// What the result must match.
    #[serde(default)]
    pub(crate) result: Option<Value>,
    /// What the error must match.
    #[serde(default)]
    pub(crate) error: Option<Value>,
    /// Names the result for later steps, as `$name.field`.
    #[serde(default)]
    pub(crate) save: Option<String>,
    /// The least and most milliseconds that it may take.
    #[serde(default)]
    pub(crate) at_least_ms: Option<u64>,
    #[serde(default)]
    pub(crate) at_most_ms: Option<u64>,
}

/// What a call that was started must end in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FinishStep {
    pub(crate) name: String,
    /// Cancels it first.
    #[serde(default)]
    pub(crate) cancel: bool,
    /// The most that it may take from now on.
    #[serde(default = "a_while")]
    pub(crate) within_ms: u64,
    #[serde(default)]
    pub(crate) result: Option<Value>,
    #[serde(default)]
    pub(crate) error: Option<Value>,
}

fn a_while() -> u64 {
    2_000
}

fn client_a() -> String {
    "a".to_owned()
}

fn one() -> usize {
    1
}

/// A plain request with the platform's first key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpStep {
    pub(crate) method: String,
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) body: Option<Value>,
    /// Repeats it so many times.
    #[serde(default = "one")]
    pub(crate) times: usize,
    /// Sends `body` as a multipart form with a small file.
    #[serde(default)]
    pub(crate) upload: bool,
    #[serde(default)]
    pub(crate) status: Option<u16>,
    #[serde(default)]
    pub(crate) result: Option<Value>,
    #[serde(default)]
    pub(crate) save: Option<String>,
}

/// What must be seen in the journal.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Requests {
    /// The most milliseconds until all of this holds. Default: it holds already.
    #[serde(default)]
    pub(crate) within_ms: u64,
    /// Only requests whose path contains this count.
    #[serde(default)]
    pub(crate) path: Option<String>,
    #[serde(default)]
    pub(crate) method: Option<String>,
    /// Only requests that match this count.
    #[serde(default)]
    pub(crate) only: Option<Value>,
    /// How many there were: a number or a matcher.
    #[serde(default)]
    pub(crate) count: Option<Value>,
    /// What each in turn must match; `$=name` must be the same wherever it stands.
    #[serde(default)]
    pub(crate) list: Option<Vec<Value>>,
    /// What every one must match.
    #[serde(default)]
    pub(crate) each: Option<Value>,
    /// The least and most milliseconds between one and the next.
    #[serde(default)]
    pub(crate) gaps_ms: Option<Vec<Gap>>,
    /// Headers whose values must all differ.
    #[serde(default)]
    pub(crate) different: Vec<String>,
    /// Headers whose values must all be the same.
    #[serde(default)]
    pub(crate) same: Vec<String>,
}

/// The time between two requests.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gap {
    #[serde(default)]
    pub(crate) min: u64,
    #[serde(default = "forever")]
    pub(crate) max: u64,
}

fn forever() -> u64 {
    u64::MAX
}

/// Every scenario of a folder.
pub(crate) fn load(folder: &Path) -> Result<Vec<Scenario>> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .with_context(|| format!("{} cannot be read", folder.display()))?
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .collect();
    files.sort();
    let mut all: Vec<Scenario> = Vec::new();
    let mut names = BTreeMap::new();
    for path in files {
        let file = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path)?;
        let scenarios: Vec<Scenario> =
            serde_norway::from_str(&text).with_context(|| file.clone())?;
        for mut scenario in scenarios {
            scenario.file.clone_from(&file);
            let before = names.insert(scenario.name.clone(), file.clone());
            ensure!(before.is_none(), "{} stands twice", scenario.name);
            ensure!(!scenario.steps.is_empty(), "{} does nothing", scenario.name);
            all.push(scenario);
        }
    }
    ensure!(!all.is_empty(), "{} holds no scenario", folder.display());
    Ok(all)
}
