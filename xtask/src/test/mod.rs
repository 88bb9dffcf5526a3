//! `cargo xtask test`: which parts there are, what each consists of, and the run that ends in one
//! table. Steps run in the order of this file, quick ones first; none stops another.

mod clean_clone;
mod doctests;
mod kotlin;
mod node;
mod python;
mod steps;
pub(crate) mod swift;

use std::cell::OnceCell;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::counts::Counts;
use crate::setup::Setup;
use crate::table::{self, Row};
use crate::transcript;
use crate::workspace::{Build, Workspace};

/// The parts in the order of the table, and the folder without which one has nothing to test.
const PARTS: [(&str, &str); 10] = [
    ("core", "sdk-core"),
    ("platform", "local-platform"),
    ("conformance", "tests/conformance"),
    ("interop", "tests/interop"),
    ("faults", "tests/faults"),
    ("python", "bindings-python"),
    ("node", "bindings-node"),
    ("swift", "bindings-swift"),
    ("kotlin", "bindings-kotlin"),
    ("examples", "examples"),
];

/// The variable below whose folder the client keeps the journal of its uploads.
const STATE: &str = "XDG_STATE_HOME";

/// One thing that a part does.
struct Step {
    part: &'static str,
    name: &'static str,
    run: fn(&Context) -> Counts,
}

const STEPS: &[Step] = &[
    Step { part: "core", name: "formatting", run: steps::formatting },
    Step { part: "core", name: "bindings", run: steps::bindings },
    Step { part: "core", name: "licences and sources", run: steps::licences },
    Step { part: "platform", name: "specification", run: steps::openapi },
    Step { part: "core", name: "clippy", run: steps::clippy },
    Step { part: "core", name: "documentation", run: steps::documentation },
    Step { part: "core", name: "storycore without default features", run: steps::bare_core },
    Step { part: "core", name: "tests", run: |cx| steps::packages(cx, "core") },
    Step { part: "core", name: "documentation tests", run: |cx| doctests::of(cx, "core") },
    Step { part: "platform", name: "tests", run: |cx| steps::packages(cx, "platform") },
    Step { part: "platform", name: "documentation tests", run: |cx| doctests::of(cx, "platform") },
    Step { part: "conformance", name: "tests", run: |cx| steps::packages(cx, "conformance") },
    Step { part: "conformance", name: "scenarios", run: steps::conformance },
    Step { part: "interop", name: "tests", run: steps::interop },
    Step { part: "faults", name: "tests", run: |cx| steps::packages(cx, "faults") },
    Step { part: "faults", name: "matrix", run: steps::faults },
    Step { part: "python", name: "tests", run: python::tests },
    Step { part: "python", name: "scenarios", run: python::scenarios },
    Step { part: "python", name: "types", run: python::types },
    Step { part: "python", name: "wheels of a clean clone", run: clean_clone::wheels },
    Step { part: "node", name: "tests", run: node::tests },
    Step { part: "node", name: "under Bun and Deno", run: node::runtimes },
    Step { part: "node", name: "declarations", run: node::declarations },
    Step { part: "node", name: "scenarios", run: node::conformance },
    Step { part: "swift", name: "build", run: swift::build },
    Step { part: "swift", name: "tests", run: swift::tests },
    Step { part: "swift", name: "scenarios", run: swift::conformance },
    Step { part: "swift", name: "examples", run: swift::examples },
    Step { part: "swift", name: "documentation", run: swift::documentation },
    Step { part: "kotlin", name: "tests", run: kotlin::tests },
    Step { part: "kotlin", name: "documentation", run: kotlin::documentation },
    Step { part: "kotlin", name: "scenarios", run: kotlin::conformance },
    Step { part: "kotlin", name: "an app's journal", run: kotlin::journal },
    Step { part: "examples", name: "tests", run: |cx| steps::packages(cx, "examples") },
    Step { part: "examples", name: "Python", run: python::examples },
    Step { part: "examples", name: "demo", run: steps::demo },
    Step { part: "platform", name: "wheel of the command line", run: python::cli_wheel },
    Step { part: "platform", name: "schemathesis", run: steps::schemathesis },
];

/// What `--targets` adds.
const TARGETS: &[Step] = &[
    Step { part: "swift", name: ANDROID, run: |cx| swift::targets::check(cx, ANDROID) },
    Step { part: "swift", name: IOS, run: |cx| swift::targets::check(cx, IOS) },
];

const ANDROID: &str = "aarch64-linux-android";
const IOS: &str = "aarch64-apple-ios";

/// What the steps share; each is made when the first step needs it.
struct Context {
    /// The long form of what has two.
    is_long: bool,
    workspace: Workspace,
    setup: Setup,
    build: OnceCell<Result<Build>>,
    doctests: OnceCell<doctests::Outcome>,
    environment: OnceCell<Result<Vec<(String, String)>>>,
    swift: OnceCell<Result<swift::Swift, Counts>>,
}

impl Context {
    fn build(&self) -> Result<&Build, Counts> {
        let build = self.build.get_or_init(|| {
            println!("-- building the workspace");
            Build::all(&self.workspace)
        });
        build.as_ref().map_err(|error| Counts::failed(format!("build: {error:#}")))
    }

    /// What tests and examples are run with: a path with ffmpeg on it, and a place for the journal of their uploads that is
    /// not the developer's own.
    fn environment(&self) -> Result<&[(String, String)], Counts> {
        let environment = self.environment.get_or_init(|| {
            let path = self.setup.path_with_ffprobe()?;
            // Properties are tried for a minute each here, and for seconds by `cargo test`.
            let fuzz = std::env::var("STORYCORE_FUZZ_SECONDS").unwrap_or_else(|_| "60".into());
            let state = self.workspace.target.join("state").display().to_string();
            Ok(vec![
                ("PATH".into(), path),
                ("STORYCORE_FUZZ_SECONDS".into(), fuzz),
                (STATE.into(), state),
            ])
        });
        environment
            .as_deref()
            .map_err(|error| Counts::failed(format!("set-up of ffmpeg: {error:#}")))
    }
}

/// What the arguments ask for.
#[derive(Debug)]
struct Options {
    /// The parts of the table, in its order.
    chosen: Vec<&'static str>,
    /// Those of them that are not run.
    without: Vec<&'static str>,
    is_long: bool,
    /// Whether the mobile crate is checked for phones, too.
    with_targets: bool,
}

impl Options {
    fn parse(args: &[String]) -> Result<Self> {
        let (args, without) = left_out(args)?;
        let (flags, parts): (Vec<_>, Vec<_>) =
            args.into_iter().partition(|arg| arg.starts_with('-'));
        let known = ["--long", "--targets"];
        if let Some(unknown) = flags.iter().find(|flag| !known.contains(&flag.as_str())) {
            bail!("there is no {unknown}; there are --long, --targets and --without PART");
        }
        let has = |name: &str| flags.iter().any(|flag| flag == name);
        let (is_long, with_targets) = (has("--long"), has("--targets"));
        let chosen = choose(&parts)?;
        if with_targets && (!chosen.contains(&"swift") || without.contains(&"swift")) {
            bail!("--targets belongs to the part swift, which is not among those to be run");
        }
        Ok(Self { chosen, without, is_long, with_targets })
    }
}

/// Runs the parts named in `args`, or all; with `--long`, those that have a longer form at full length; with `--targets`, the
/// mobile crate is checked for phones, too; `--without PART` leaves one out, which the table says.
pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    let Options { chosen, without, is_long, with_targets } = Options::parse(args)?;
    let workspace = Workspace::load()?;
    std::env::set_current_dir(&workspace.root)?;
    let everything = transcript::begin(&workspace.target)?;
    println!("What the tests say goes to {}.", everything.display());
    let context = Context {
        is_long,
        setup: Setup::new(&workspace.target),
        workspace,
        build: OnceCell::new(),
        doctests: OnceCell::new(),
        environment: OnceCell::new(),
        swift: OnceCell::new(),
    };
    let mut rows: Vec<Row> = chosen
        .iter()
        .map(|&part| Row { part, counts: Counts::default(), took: Duration::ZERO })
        .collect();
    for row in &mut rows {
        let folder = folder(row.part);
        if without.contains(&row.part) {
            row.counts = Counts::skipped(format!("left out by --without {}", row.part));
        } else if !context.workspace.root.join(folder).is_dir() {
            row.counts = Counts::skipped(format!("{folder} does not exist yet"));
        } else if !STEPS.iter().any(|step| step.part == row.part) {
            row.counts = Counts::failed(format!("{folder} exists, and no step here tests it"));
        }
    }
    let targets = if with_targets { TARGETS } else { &[] };
    for step in STEPS.iter().chain(targets) {
        let Some(row) = rows.iter_mut().find(|row| row.part == step.part) else { continue };
        if without.contains(&step.part) {
            continue;
        }
        if row.counts.skipped > 0 && !context.workspace.root.join(folder(step.part)).is_dir() {
            continue;
        }
        println!("\n== {}: {}", step.part, step.name);
        let start = Instant::now();
        row.counts += (step.run)(&context);
        row.took += start.elapsed();
    }
    let mut shown = Vec::new();
    for said in rows.iter().flat_map(|row| &row.counts.said) {
        // Documentation tests say theirs once for all parts.
        if !shown.contains(&said) {
            print!("\nfailed: {}", said.shown());
            shown.push(said);
        }
    }
    println!("\n{}", table::render(&rows).trim_end());
    let failed = rows.iter().any(|row| row.counts.failed > 0);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The arguments without `--without PART`, and the parts that are left out.
fn left_out(args: &[String]) -> Result<(Vec<String>, Vec<&'static str>)> {
    let (mut others, mut without) = (Vec::new(), Vec::new());
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg != "--without" {
            others.push(arg.clone());
            continue;
        }
        let Some(part) = args.next() else { bail!("--without needs a part, such as swift") };
        without.extend(choose(std::slice::from_ref(part))?);
    }
    Ok((others, without))
}

fn folder(part: &str) -> &'static str {
    PARTS.iter().find(|(name, _)| *name == part).map_or("", |(_, folder)| folder)
}

/// The parts that `args` names, in the order of the table; all when it names none.
fn choose(args: &[String]) -> Result<Vec<&'static str>> {
    let names = PARTS.map(|(name, _)| name);
    if let Some(unknown) = args.iter().find(|arg| !names.contains(&arg.as_str())) {
        bail!("there is no part `{unknown}`; there are {}", names.join(" "));
    }
    Ok(names
        .into_iter()
        .filter(|name| args.is_empty() || args.iter().any(|arg| arg == name))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_argument_means_all_parts_and_a_wrong_one_is_refused() {
        assert_eq!(choose(&[]).unwrap().len(), PARTS.len());
        assert_eq!(choose(&["platform".into(), "core".into()]).unwrap(), ["core", "platform"]);
        let error = choose(&["cor".into()]).unwrap_err().to_string();
        assert!(error.contains("`cor`") && error.contains("kotlin"), "{error}");
    }

    #[test]
    fn a_part_is_left_out_by_name() {
        let args = ["--without", "swift", "core"].map(str::to_owned);
        let (others, without) = left_out(&args).unwrap();
        assert_eq!((others, without), (vec!["core".to_owned()], vec!["swift"]));
        assert!(left_out(&["--without".to_owned()]).is_err());
        assert!(left_out(&["--without".to_owned(), "swif".to_owned()]).is_err());
    }

    #[test]
    fn phones_are_checked_when_asked_for_and_only_where_swift_is_run() {
        let parse = |args: &[&str]| {
            Options::parse(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
        };
        let plain = parse(&["swift"]).unwrap();
        assert!(!plain.with_targets && !plain.is_long);
        let asked = parse(&["swift", "--targets"]).unwrap();
        assert!(asked.with_targets && !asked.is_long);
        assert_eq!(asked.chosen, ["swift"]);
        let all = parse(&["--targets", "--long", "--without", "node"]).unwrap();
        assert!(all.with_targets && all.is_long);
        assert_eq!((all.chosen.len(), all.without), (PARTS.len(), vec!["node"]));
        for refused in [&["core", "--targets"][..], &["--targets", "--without", "swift"]] {
            let error = parse(refused).unwrap_err().to_string();
            assert!(error.contains("part swift"), "{error}");
        }
        let error = parse(&["--target"]).unwrap_err().to_string();
        assert!(error.contains("no --target;") && error.contains("--targets"), "{error}");
    }

    #[test]
    fn every_step_belongs_to_a_part() {
        for step in STEPS.iter().chain(TARGETS) {
            assert!(PARTS.iter().any(|(part, _)| *part == step.part), "{}", step.name);
        }
    }
}
