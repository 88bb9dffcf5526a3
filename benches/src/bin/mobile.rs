//! Mobile: what a call from Swift and Kotlin takes beyond the core's own, whether calls that are cancelled while they end are
//! all accounted for, whether memory stays flat, and the size of the library that an app carries.
//!
//! A side is a program (`STORYCORE_BENCH_SWIFT`, `STORYCORE_BENCH_KOTLIN`: a command line) that reads `calls N`, `racing N` or
//! `memory N` and answers with a line of JSON. `cargo xtask bench mobile` builds them.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Instant,
};

use serde_json::Value;
use storycore::Client;
use storycore_benches::{Goal, Options, Row, fixed, median, process::Server};

/// The sides, and the most that a call may take beyond the core's own, in milliseconds.
const SIDES: [(&str, &str, f64); 2] =
    [("Swift", "STORYCORE_BENCH_SWIFT", 0.1), ("Kotlin", "STORYCORE_BENCH_KOTLIN", 0.2)];
/// The most that the library may weigh, stripped, in MB, as every size of what is shipped.
const SIZE: f64 = 4.0;
/// The most that memory may grow over all calls, to what it was after a tenth of them.
const GROWTH: f64 = 1.1;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    if std::env::args().any(|arg| arg == "serve") {
        return Ok(fixed::serve(println_now)?);
    }
    let options = Options::from_args();
    size(options)?;
    let server = Server::this_binary(&["serve"])?;
    let url = server.ready.trim();
    for (name, variable, most_ms) in SIDES {
        match std::env::var(variable) {
            Ok(command) if !command.is_empty() => {
                let mut side = Side::start(&command, url)?;
                overhead(options, name, most_ms, &mut side, url)?;
                racing(options, name, &mut side)?;
                memory(options, name, &mut side)?;
            }
            _ => eprintln_now(&format!("skipped: {name}: {variable} names no program")),
        }
    }
    Ok(())
}

#[allow(clippy::print_stdout, reason = "the parent waits for the line")]
fn println_now(line: &str) {
    println!("{line}");
}

#[allow(clippy::print_stderr, reason = "standard output is the table")]
fn eprintln_now(line: &str) {
    eprintln!("{line}");
}

/// A program that makes calls in another language.
struct Side {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Side {
    fn start(command: &str, url: &str) -> Outcome<Self> {
        let mut words = command.split(' ');
        let mut child = Command::new(words.next().unwrap_or_default())
            .args(words)
            .envs([("STORYCORE_BASE_URL", url), ("STORYCORE_API_KEY", "bench")])
            .env("STORYCORE_BENCH_ID", fixed::ID)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a side has no input or output".into());
        };
        Ok(Self { child, stdin, stdout: BufReader::new(stdout) })
    }

    fn ask(&mut self, what: &str, count: u64) -> Outcome<Value> {
        writeln!(self.stdin, "{what} {count}")?;
        self.stdin.flush()?;
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn number(answer: &Value, name: &str) -> Outcome<f64> {
    answer[name].as_f64().ok_or_else(|| format!("{name} is not in {answer}").into())
}

fn size(options: Options) -> Outcome<()> {
    let Ok(library) = std::env::var("STORYCORE_BENCH_LIBRARY") else {
        eprintln_now("skipped: size: STORYCORE_BENCH_LIBRARY names no library");
        return Ok(());
    };
    let mb = std::fs::metadata(library)?.len() as f64 / 1e6;
    let metric = "stripped library, MB (profile mobile)";
    options.print(&Row::new("mobile", metric, "the goal", &[(mb, SIZE)], Goal::AtMost(1.0)));
    Ok(())
}

/// The median of calls one after another, in microseconds, by the core itself.
fn core(url: &str, count: u64) -> Outcome<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let client = Client::builder().base_url(url).api_key("bench").build()?;
    runtime.block_on(async {
        let mut times = Vec::new();
        for _ in 0..count {
            let began = Instant::now();
            client.projects().get(fixed::ID).await?;
            times.push(began.elapsed().as_secs_f64() * 1e6);
        }
        Ok(median(&times))
    })
}

fn overhead(options: Options, name: &str, most_ms: f64, side: &mut Side, url: &str) -> Outcome<()> {
    let (rounds, count) = if options.quick { (3, 500) } else { (9, 3_000) };
    side.ask("calls", count)?;
    let mut beyond = Vec::new();
    for _ in 0..rounds {
        let alone = core(url, count)?;
        let across = number(&side.ask("calls", count)?, "median_us")?;
        beyond.push(((across - alone) / 1000.0, most_ms));
    }
    let metric = format!("{name}: ms of an async call beyond the core's own");
    options.print(&Row::new("mobile", metric, "the goal", &beyond, Goal::AtMost(1.0)));
    Ok(())
}

fn racing(options: Options, name: &str, side: &mut Side) -> Outcome<()> {
    let answer = side.ask("racing", 2_000)?;
    let started = number(&answer, "started")?;
    let ended = number(&answer, "finished")? + number(&answer, "dropped")?;
    let metric = format!("{name}: of 2 000 racing cancellations, finished + dropped");
    let row = Row::new("mobile", metric, "started", &[(ended, started)], Goal::AtLeast(1.0));
    let holds = row.holds.map(|holds| holds && row.ratio <= 1.0);
    options.print(&Row { holds, ..row });
    Ok(())
}

fn memory(options: Options, name: &str, side: &mut Side) -> Outcome<()> {
    let count = if options.quick { 20_000 } else { 100_000 };
    let answer = side.ask("memory", count)?;
    let figures = (number(&answer, "after_kib")? / 1024.0, number(&answer, "before_kib")? / 1024.0);
    let metric = format!("{name}: MiB held after {count} calls");
    options.print(&Row::new("mobile", metric, "after a tenth", &[figures], Goal::AtMost(GROWTH)));
    Ok(())
}
