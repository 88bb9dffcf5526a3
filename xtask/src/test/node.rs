//! The steps that are JavaScript: the tests of the npm package, with the native library of this build.

use std::process::Command;
use std::time::Duration;

use super::Context;
use crate::counts::Counts;
use crate::workspace::tally;

const TESTS: Duration = Duration::from_secs(20 * 60);

/// A program in `bindings-node`, with the native library and the platform of this build.
fn command(cx: &Context, program: &str) -> Result<Command, Counts> {
    let (environment, build) = (cx.environment()?, cx.build()?);
    let (Some(library), Some(storycore)) =
        (build.libraries.get("storycore_node"), build.bins.get("storycore"))
    else {
        return Err(Counts::failed("node: storycore-node or storycore-cli does not compile"));
    };
    let mut command = Command::new(program);
    command.current_dir(cx.workspace.root.join("bindings-node"));
    command.envs(environment.iter().cloned());
    command.env("NAPI_RS_NATIVE_LIBRARY_PATH", library).env("STORYCORE_CLI", storycore);
    Ok(command)
}

/// The tests of `bindings-node`, against the platform of this build.
pub(super) fn tests(cx: &Context) -> Counts {
    let mut node = match command(cx, "node") {
        Ok(node) => node,
        Err(counts) => return counts,
    };
    node.args(["--test", "--test-reporter=./tests/reporter.mjs", "tests/"]);
    tally("node", node, TESTS)
}
