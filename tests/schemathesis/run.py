"""Fuzzes every operation of spec/openapi.yaml against a running `storycore dev --strict`.

    python run.py STORYCORE [further arguments of `schemathesis run`]

Examples, boundary values, random requests and sequences of requests that belong together; with every check of schemathesis.
Ends with a line a operation, and `N passed, N failed`.
"""

import contextlib
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

import schemathesis
import yaml
from schemathesis.cli import schemathesis as command

from rules import Rules
from server import Platform, Receiver
from world import World

HERE = Path(__file__).parent
SPEC = HERE.parent.parent / "spec" / "openapi.yaml"
METHODS = {"get", "put", "post", "delete", "patch"}


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


def main():
    binary, *further = sys.argv[1:] or sys.exit(__doc__)
    binary = Path(binary).resolve()
    # What schemathesis writes beside itself is of no use to anybody.
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        return run(binary, further)


def run(binary, further):
    receiver = Receiver()
    platform = None
    try:
        platform = Platform(binary)
        count = Count()
        world = World(platform, receiver)
        Rules(world).install()
        count.install()
        os.environ["STORYCORE_API_KEY"] = platform.api_key
        os.environ["STORYCORE_ACCESS_TOKEN"] = world.token("openid read")
        config = ["--config-file", str(HERE / "schemathesis.toml")]
        status = fuzz([*config, "run", str(SPEC), "--url", platform.url, "--checks", "all", "--no-color", *further])
        alive = platform.is_running()
    finally:
        if platform is not None:
            platform.stop()
        receiver.stop()
    return report(count, status, alive, receiver.received)


def report(count, status, alive, received):
    failed = 0
    print(f"\n{'sent':>7} {'accepted':>8}  operation")
    for operation in operations():
        sent, accepted = count.sent[operation], count.accepted[operation]
        print(f"{sent:>7} {accepted:>8}  {operation}")
        if count.failed[operation]:
            why = f"{count.failed[operation]} answers failed a check"
        elif not sent:
            why = "was not exercised"
        elif not accepted:
            why = "never accepted a request"
        else:
            continue
        failed += 1
        print(f"failed: {operation}: {why}")
    print(f"{sum(count.sent.values())} requests; {received} deliveries of webhooks arrived")
    for wrong, why in ((status, f"schemathesis ended with {status}"), (not alive, "the platform ended by itself")):
        if wrong:
            failed += 1
            print(f"failed: {why}")
    print(f"{len(operations()) + 2 - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
