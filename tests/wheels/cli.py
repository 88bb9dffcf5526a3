"""The wheel of storycore-cli in an empty environment: it installs without an index, and the platform runs.

usage: cli.py WHEEL
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import urllib.request
import venv
import zipfile
from pathlib import Path


def main(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        unpacked = sum(entry.file_size for entry in file.infolist())
    print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.1f} MB, {unpacked / 1e6:.1f} MB unpacked")
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        scripts = Path(folder) / ("Scripts" if sys.platform == "win32" else "bin")
        subprocess.run([scripts / "python", "-m", "pip", "install", "--quiet", "--no-index", wheel], check=True)
        said = subprocess.run([scripts / "storycore", "--version"], check=True, capture_output=True, text=True).stdout
        assert said.split() == ["storycore", wheel.name.split("-")[1]], said
        serves(scripts / "storycore")


def serves(program: Path) -> None:
    command = [program, "dev", "--in-memory", "--listen", "127.0.0.1:0", "--json", "--stop-with-stdin"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as platform:
        assert platform.stdin and platform.stdout
        try:
            ready = json.loads(platform.stdout.readline())
            request = urllib.request.Request(
                ready["url"] + "/api/projects", headers={"authorization": f"Bearer {ready['api_key']}"}
            )
            with urllib.request.urlopen(request, timeout=30) as answer:
                assert json.load(answer)["data"] == []
            platform.stdin.close()
            assert platform.wait(30) == 0
        finally:
            platform.kill()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
    print("1 passed, 0 failed")
