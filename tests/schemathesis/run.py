"""Fuzzes every operation of spec/openapi.yaml against a running `storycore dev --strict`.

    python run.py STORYCORE [further arguments of `schemathesis run`]

Examples, boundary values, random requests and sequences of requests that belong together; with every check of schemathesis.
Ends with a line a operation, and `N passed, N failed`.
"""

import contextlib
import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

import schemathesis
import yaml
from schemathesis.cli import schemathesis as command

from fields import undocumented
from rules import Rules
from server import Platform, Receiver
from world import World

HERE = Path(__file__).parent
SPEC = HERE.parent.parent / "spec" / "openapi.yaml"
METHODS = {"get", "put", "post", "delete", "patch", "head", "options"}
# Sequences depend on what is there already and so end early now and then: they begin anew until their time is up.
PASSES = [["--phases", "examples,coverage,fuzzing"], ["--phases", "stateful", "--max-time", "45"]]


def operations():
    paths = yaml.safe_load(SPEC.read_text())["paths"]
    return [f"{m.upper()} {path}" for path, item in paths.items() for m in item if m in METHODS]


class Count:
    """Requests sent for each operation, those that were accepted, and the operations whose checks failed."""

    def __init__(self):
        self.sent, self.accepted, self.failed = Counter(), Counter(), Counter()

    def install(self):
        @schemathesis.hook("after_call")
        def after_call(_context, case, response):
            self.sent[case.operation.label] += 1
            if response.status_code < 400:
                self.accepted[case.operation.label] += 1

        @schemathesis.hook("after_validate")
        def after_validate(_context, case, _response, results):
            if any(result.failure is not None for result in results):
                self.failed[case.operation.label] += 1


def fuzz(arguments):
    """Runs schemathesis in this process, which has the hooks; gives its exit status."""
    try:
        status = command.main(args=arguments, prog_name="schemathesis", standalone_mode=False)
    except SystemExit as ended:
        status = ended.code
    return status or 0


def pass_over(binary, rules, further):
    """Fuzzes a platform of its own; gives what went wrong with the run itself."""
    receiver, platform = Receiver(), None
    try:
        platform = Platform(binary)
        rules.world = world = World(platform, receiver)
        Path("identities.json").write_text(json.dumps(world.identities()))
        os.environ["STORYCORE_IDENTITIES"] = str(Path("identities.json").resolve())
        os.environ["STORYCORE_ACCESS_TOKEN"] = world.token("openid read")
        config = ["--config-file", str(HERE / "schemathesis.toml")]
        status = fuzz([*config, "run", str(SPEC), "--url", platform.url, "--checks", "all", "--no-color", *further])
        return [
            why
            for wrong, why in [
                (status, f"schemathesis ended with {status}"),
                (not platform.is_running(), "the platform ended by itself"),
                (not receiver.received, "no webhook was delivered"),
            ]
            if wrong
        ]
    finally:
        if platform is not None:
            platform.stop()
        receiver.stop()


def report(count, wrong):
    failures = [f"{phases}: {why}" for phases, reasons in wrong.items() for why in reasons]
    print(f"\n{'sent':>7} {'accepted':>8}  operation")
    for operation in operations():
        sent, accepted = count.sent[operation], count.accepted[operation]
        print(f"{sent:>7} {accepted:>8}  {operation}")
        if count.failed[operation]:
            failures.append(f"{operation}: {count.failed[operation]} answers failed a check")
        elif not sent:
            failures.append(f"{operation}: was not exercised")
        elif not accepted:
            failures.append(f"{operation}: never accepted a request")
    for failure in failures:
        print(f"failed: {failure}")
    print(f"{sum(count.sent.values())} requests to {len(operations())} operations")
    failed = len(failures)
    print(f"{max(len(operations()) + len(wrong) - failed, 0)} passed, {failed} failed")
    return 1 if failures else 0


def main():
    binary, *further = sys.argv[1:] or sys.exit(__doc__)
    binary = Path(binary).resolve()
    rules, count = Rules(), Count()
    rules.install()
    count.install()
    undocumented(SPEC)
    # What schemathesis writes beside itself is of no use to anybody.
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        wrong = {" ".join(phases): pass_over(binary, rules, [*phases, *further]) for phases in PASSES}
    return report(count, wrong)


if __name__ == "__main__":
    sys.exit(main())
