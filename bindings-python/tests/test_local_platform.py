"""``storycore.testing``: the local platform as a test's own, with real processes."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from storycore.testing import LocalPlatform, LocalPlatformError

DEADLINE = 30.0


def get(platform: LocalPlatform, path: str, api_key: str | None = None) -> tuple[int, object]:
    request = urllib.request.Request(
        platform.url + path, headers={"authorization": f"Bearer {api_key or platform.api_key}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def create(platform: LocalPlatform, name: str) -> str:
    request = urllib.request.Request(
        platform.url + "/api/projects",
        data=json.dumps({"name": name}).encode(),
        headers={"authorization": f"Bearer {platform.api_key}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
        return str(json.load(answer)["id"])


def listens(url: str) -> bool:
    address = urlsplit(url)
    try:
        socket.create_connection((address.hostname, address.port), timeout=5).close()
    except OSError:
        return False
    return True


def ends(url: str) -> bool:
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        if not listens(url):
            return True
        time.sleep(0.02)
    return False


def test_it_runs_within_the_block_and_is_gone_after_it() -> None:
    with LocalPlatform() as platform:
        assert get(platform, "/api/projects")[0] == 200
        url = platform.url
        assert platform.environment()["STORYCORE_BASE_URL"] == url
        assert platform.api_key not in repr(platform) and url in repr(platform)
    assert not listens(url)
    with pytest.raises(LocalPlatformError, match="does not run"):
        _ = platform.url
    with platform:  # And once more, as another one.
        assert platform.url != url or listens(url)


def test_it_is_gone_when_the_test_fails() -> None:
    with pytest.raises(ZeroDivisionError), LocalPlatform() as platform:
        url = platform.url
        raise ZeroDivisionError
    assert not listens(url)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_is_gone_when_its_parent_is_killed(how: signal.Signals) -> None:
    program = (
        "import time\nfrom storycore.testing import LocalPlatform\n"
        "platform = LocalPlatform().start()\nprint(platform.url, flush=True)\ntime.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    try:
        url = parent.stdout.readline().decode().strip()
        assert listens(url)
        parent.send_signal(how)
        parent.wait(DEADLINE)
        assert ends(url)
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_leaves_its_parents_platform_alone() -> None:
    with LocalPlatform() as platform:
        child = os.fork()
        if child == 0:
            platform.stop()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert get(platform, "/api/projects")[0] == 200


def test_planted_faults_happen_and_can_be_read_and_cleared() -> None:
    with LocalPlatform() as platform:
        fault = platform.fault("/api/projects", status=503, times=2, headers={"retry-after": "1"})
        assert (fault.times, fault.action, fault.headers) == (2, {"status": 503}, {"retry-after": "1"})
        assert platform.faults() == [fault]
        assert [get(platform, "/api/projects")[0] for _ in range(3)] == [503, 503, 200]
        platform.fault("/api/*", method="GET", times=0, status=500)
        assert get(platform, "/api/jobs")[0] == 500
        platform.clear_faults()
        assert get(platform, "/api/jobs")[0] == 200
        with pytest.raises(LocalPlatformError, match="explode"):
            platform.fault("/api/projects", explode=True)


def test_requests_are_told_without_credentials() -> None:
    with LocalPlatform() as platform:
        create(platform, "Film")
        get(platform, "/api/projects?limit=2")
        made, listed = platform.requests()
        assert (made.method, made.path, made.status, made.json()) == ("POST", "/api/projects", 201, {"name": "Film"})
        assert (listed.query, listed.body or "") == ("limit=2", "")
        assert abs(listed.at - datetime.now(timezone.utc)) < timedelta(minutes=5)
        assert platform.api_key not in repr(platform.requests())
        assert platform.requests(method="post") == [made]
        assert platform.requests(path="/api/jobs") == []
        platform.clear_requests()
        assert platform.requests() == []


def test_its_clock_is_moved_and_set() -> None:
    with LocalPlatform() as platform:
        day = timedelta(days=1)
        before = platform.clock()
        assert day <= platform.clock(advance=day) - before < day + timedelta(minutes=5)
        new_year = datetime(2031, 1, 1, tzinfo=timezone.utc)
        assert timedelta(0) <= platform.clock(now=new_year) - new_year < timedelta(minutes=5)
        with pytest.raises(ValueError, match="time zone"):
            platform.clock(now=datetime(2031, 1, 1))
        with pytest.raises(ValueError, match="not both"):
            platform.clock(now=new_year, advance=1)


def test_reset_empties_it_and_organizations_are_apart() -> None:
    with LocalPlatform() as platform:
        film = create(platform, "Film")
        neighbours = platform.organization("The neighbours")
        assert neighbours.api_key not in repr(neighbours)
        assert get(platform, f"/api/projects/{film}", neighbours.api_key)[0] == 404
        assert get(platform, f"/api/projects/{film}")[0] == 200
        platform.fault("/api/projects", status=500, times=0)
        platform.reset()
        assert platform.faults() == [] and platform.requests() == []
        assert get(platform, f"/api/projects/{film}")[0] == 404


def test_strict_refuses_what_the_specification_does_not_know() -> None:
    with LocalPlatform(strict=True, api_key="a-key-for-this-test-only") as platform:
        assert platform.api_key == "a-key-for-this-test-only"
        assert get(platform, "/api/projects?colour=red")[0] == 400


def test_a_platform_that_cannot_start_says_why() -> None:
    with pytest.raises(LocalPlatformError, match="(?s)code 1.*API key"):
        LocalPlatform(api_key="short").start()


def test_a_missing_program_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STORYCORE_CLI", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sysconfig.get_path", lambda *_: str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(LocalPlatformError, match="pip install storycore-cli"):
        LocalPlatform().start()
    monkeypatch.setenv("STORYCORE_CLI", str(tmp_path / "nothing"))
    with pytest.raises(LocalPlatformError, match="STORYCORE_CLI is .*nothing"):
        LocalPlatform().start()


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo hello", "no `storycore`"),
        ("echo a reason >&2; exit 3", "(?s)code 3.*a reason"),
        ("exec sleep 600", "not ready within 0.5 s"),
    ],
)
def test_another_program_is_told_apart(script: str, said: str, tmp_path: Path) -> None:
    program = tmp_path / "storycore"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(LocalPlatformError, match=said):
        LocalPlatform(command=program, start_timeout=0.5 if "sleep" in script else DEADLINE).start()


def test_the_fixture_is_empty_for_each_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import json, urllib.request
        import pytest

        @pytest.mark.parametrize("turn", [1, 2])
        def test_a_project_is_made(storycore_platform, turn):
            assert storycore_platform.requests() == []
            request = urllib.request.Request(
                storycore_platform.url + "/api/projects",
                data=b'{"name": "Film"}',
                headers={"authorization": f"Bearer {storycore_platform.api_key}", "content-type": "application/json"},
            )
            urllib.request.urlopen(request).close()
            print("platform at", storycore_platform.url)
            assert turn == 1, "the second one fails"
        """
    )
    ended = pytester.runpytest_subprocess("-s")
    ended.assert_outcomes(passed=1, failed=1)
    urls = {line.split()[-1] for line in ended.outlines if "platform at http" in line}
    assert len(urls) == 1, "one process serves both tests"
    assert not listens(urls.pop())
