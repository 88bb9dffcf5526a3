"""Other people's tus clients against the local platform, where the same bytes arrive in exactly one asset, and our client
against other people's tus servers (`ours.py`).

Run by `cargo xtask test interop` with the binaries of storycore and storycore-faults, the folder of npm's packages, and, where it
could be built, the binary of rustus. Ends with `N passed, N failed`.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import ours

HERE = Path(__file__).parent


def main(storycore, faults, modules, *rustus):
    passed, failed = theirs(storycore, modules)
    with tempfile.TemporaryDirectory() as folder:
        servers = [ours.Node(modules), *map(ours.Rustus, rustus)]
        more = ours.run(faults, servers, Path(folder))
    passed, failed = passed + more[0], failed + more[1]
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def theirs(binary, modules):
    """Other clients against the local platform: how many passed, and failed."""
    failed = passed = 0
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "file.bin")
        file.write_bytes(os.urandom(17_000_001))
        wanted = hashlib.sha256(file.read_bytes()).hexdigest()
        dev = [binary, "dev", "--listen", "127.0.0.1:0", "--data", folder + "/data"]
        platform = subprocess.Popen(dev, stdout=subprocess.PIPE, text=True)
        try:
            url, key = re.search(r"at (\S+) with API key ([^;\s]+)", platform.stdout.readline()).groups()
            js = ["node", HERE / "tus_js_upload.mjs", modules, url, key, file]
            clients = {
                "tus-js-client": [*js, "1"],
                "tus-js-client, 3 parts": [*js, "3"],
                "tuspy, sha1": [sys.executable, HERE / "tuspy_upload.py", url, key, file],
            }
            for count, (name, command) in enumerate(clients.items(), 1):
                status = subprocess.run([str(word) for word in command], timeout=120).returncode
                ask = urllib.request.Request(url + "/api/assets", headers={"Authorization": "Bearer " + key})
                assets = json.load(urllib.request.urlopen(ask, timeout=30))["data"]
                good = status == 0 and [a["sha256"] for a in assets] == [wanted] * count
                passed, failed = passed + good, failed + (not good)
                print(f"{'ok    ' if good else 'failed:'} {name}")
        finally:
            platform.terminate()
            platform.wait(30)
    return passed, failed


sys.exit(main(*sys.argv[1:]))
