"""Our client against other people's tus servers: the same bytes lie on their disks, whatever happened on the way.

Each server gets a small file, a large one in many chunks, one whose connection is cut, one whose client and server are killed,
and, where it takes checksums or parts, a chunk that is changed on its way and parallel parts.
"""

import hashlib
import json
import os
import socket
import subprocess
import time
from pathlib import Path

from wire import Wire

CHUNK = 1_000_000


class Node:
    """`@tus/server` with `@tus/file-store`."""

    has_checksums = has_parts = False

    def __init__(self, modules):
        self.name = f"@tus/server {version(modules, '@tus/server')}"
        self.modules = modules

    def command(self, folder, port):
        return ["node", Path(__file__).with_name("tus_node_server.mjs"), self.modules, folder, port]

    def listens(self, line):
        return int(line.removeprefix("READY ")) if line.startswith("READY ") else None


class Rustus:
    """`rustus` with the feature `hashers`."""

    has_checksums = has_parts = True

    def __init__(self, binary):
        self.name = "rustus " + subprocess.run([binary, "--version"], capture_output=True, text=True).stdout.split()[-1]
        self.binary = binary

    def command(self, folder, port):
        port = port or free_port()
        self.port = port
        own = ["--data-dir", folder, "--info-dir", folder / "info", "--max-body-size", 2 * CHUNK, "--workers", 2]
        return [self.binary, "--host", "127.0.0.1", "--port", port, *own]

    def listens(self, line):
        return self.port if "listening on" in line else None


class Running:
    """A server's process; killed at the end, and between, as with `kill -9`."""

    def __init__(self, server, folder):
        self.server, self.folder, self.port, self.process = server, folder, 0, None
        folder.mkdir()
        self.start()

    def start(self):
        said = ""
        # A port that was free a moment ago may be another program's by now: the first time, there are others.
        for _ in range(1 if self.port else 3):
            command = [str(word) for word in self.server.command(self.folder, self.port)]
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for line in self.process.stdout:
                said += line
                if port := self.server.listens(line.strip()):
                    self.port = port
                    # What it goes on saying must not fill the pipe.
                    self.drain = subprocess.Popen(["cat"], stdin=self.process.stdout, stdout=subprocess.DEVNULL)
                    self.process.stdout.close()
                    return
            self.process.stdout.close()
            self.process.wait()
        raise RuntimeError(f"{self.server.name} did not start: {said}")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.drain.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def at_rest(self):
        """The bytes on its disk, once there come no more."""
        before = -1
        while before != (now := self.bytes_on_disk()):
            before = now
            time.sleep(0.5)
        return now

    def bytes_on_disk(self):
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())


class Client:
    """One upload of our client, in a process of its own."""

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder

    def start(self, port, file, *, streams=1, journal="journal"):
        own = ["--tus", "/files", "--multipart-below", 0, "--chunk-size", CHUNK, "--streams", streams]
        own += ["--journal", self.folder / journal, file]
        command = [self.binary, "upload", "--url", f"http://127.0.0.1:{port}", *own]
        return subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)

    def upload(self, port, file, **how):
        with self.start(port, file, **how) as process:
            try:
                said, _ = process.communicate(timeout=120)
            finally:
                # One that is not over by then would hold on to the file and the port of the next scenario.
                process.kill()
        ended = json.loads(said)
        if "uploaded" not in ended:
            raise AssertionError(ended["failed"]["message"])
        return ended["uploaded"]


def run(binary, servers, folder):
    """Runs every scenario against every server: the number that passed, and that failed."""
    passed = failed = 0
    client = Client(binary, folder)
    for server in servers:
        for scenario in SCENARIOS:
            name = scenario.__name__.replace("_", " ")
            if (scenario in NEED_CHECKSUMS and not server.has_checksums) or (
                scenario in NEED_PARTS and not server.has_parts
            ):
                print(f"      {server.name}: {name}: it does not have what this needs")
                continue
            place = folder / f"{server.name} {name}".replace("/", "-")
            try:
                with Running(server, place) as running:
                    scenario(client, running)
                passed += 1
                print(f"ok     {server.name}: {name}", flush=True)
            except (AssertionError, RuntimeError, KeyError, subprocess.TimeoutExpired) as error:
                failed += 1
                print(f"failed: {server.name}: {name}: {error}", flush=True)
    return passed, failed


def a_small_file(client, running):
    file, sha256 = make(client, 1_000)
    done = client.upload(running.port, file)
    arrived(running, done, sha256)


def a_large_file_in_many_chunks(client, running):
    file, sha256 = make(client, 17_000_001)
    done = client.upload(running.port, file)
    arrived(running, done, sha256)
    assert done["sent"] == 17_000_001, f"{done['sent']} bytes were sent"


def a_large_file_in_parallel_parts(client, running):
    file, sha256 = make(client, 33_000_001)
    done = client.upload(running.port, file, streams=4)
    arrived(running, done, sha256)


def a_cut_connection_is_taken_up(client, running):
    file, sha256 = make(client, 17_000_001)
    with Wire(running.port, "cut", 6_543_210) as wire:
        done = client.upload(wire.port, file)
    assert wire.struck and done["failures"] > 0, "nothing was cut"
    arrived(running, done, sha256)
    assert done["sent"] <= 17_000_001 + CHUNK, f"{done['sent']} bytes were sent"


def a_changed_chunk_is_sent_again(client, running):
    file, sha256 = make(client, 5_000_001)
    with Wire(running.port, "flip", 2_500_000) as wire:
        done = client.upload(wire.port, file)
    assert wire.struck and done["failures"] == 1, f"{done['failures']} failures"
    arrived(running, done, sha256)


def a_killed_client_continues_on_a_restarted_server(client, running):
    """The server is killed once it is at rest: rustus writes its state in place, and would lose it in the middle."""
    file, sha256 = make(client, 40_000_001)
    first = client.start(running.port, file)
    try:
        wait_until(lambda: running.bytes_on_disk() > 8 * CHUNK or first.poll() is not None)
        assert first.poll() is None, "it was over before it was killed"
    finally:
        first.kill()
        first.communicate()
    there = running.at_rest()
    running.kill()
    running.start()
    done = client.upload(running.port, file)
    arrived(running, done, sha256)
    assert done["sent"] <= 40_000_001 - there + 2 * CHUNK, f"{done['sent']} bytes were sent, {there} were there"
    assert not done["restarts"], done["restarts"]


SCENARIOS = [
    a_small_file,
    a_large_file_in_many_chunks,
    a_large_file_in_parallel_parts,
    a_cut_connection_is_taken_up,
    a_changed_chunk_is_sent_again,
    a_killed_client_continues_on_a_restarted_server,
]
NEED_CHECKSUMS = [a_changed_chunk_is_sent_again]
NEED_PARTS = [a_large_file_in_parallel_parts]


def make(client, size):
    """A file that no other is like, and its SHA-256."""
    file = client.folder / "ours.bin"
    file.write_bytes(os.urandom(size))
    return file, hashlib.sha256(file.read_bytes()).hexdigest()


def arrived(running, done, sha256):
    """The server's own file of that upload has those bytes, and no other file is of that size."""
    mine = running.folder / done["asset"]["id"]
    assert mine.is_file(), f"{mine.name} is not on the server's disk"
    found = hashlib.sha256(mine.read_bytes()).hexdigest()
    assert found == sha256, f"the server has {found}"
    size = mine.stat().st_size
    whole = [path for path in running.folder.rglob("*") if path.is_file() and path.stat().st_size == size]
    assert len(whole) == 1, f"{len(whole)} uploads were made"


def wait_until(is_so, seconds=60):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "nothing happened in a minute"
        time.sleep(0.005)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def version(modules, package):
    return json.loads(Path(modules, "node_modules", package, "package.json").read_text())["version"]
