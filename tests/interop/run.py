"""Other people's tus clients against the local platform: the same bytes arrive, in exactly one asset.

Run by `cargo xtask test interop` with the storycore binary and the folder of npm's packages. Ends with `N passed, N failed`.
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

HERE = Path(__file__).parent


def main(binary, modules):
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
                print(f"{'ok    ' if good else 'FAILED'} {name}")
        finally:
            platform.terminate()
            platform.wait(30)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main(*sys.argv[1:]))
