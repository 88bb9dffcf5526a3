"""The wheels of a clean clone in an empty environment: every Python example of the READMEs, as it stands there, does its work
with them against `storycore dev`.

usage: readme.py CLONE WHEEL…     `ffmpeg` makes the film that the examples upload, and plays the one that they download
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

READMES = ("README.md", "bindings-python/README.md")
# What the examples upload.
FILMS = ("clip.mp4", "film.mp4")
DEADLINE = 120


def main(clone: Path, wheels: list[Path]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        scripts = installed(Path(folder, "venv"), wheels)
        film = made(Path(folder, "film.mp4"))
        passed = 0
        for readme in READMES:
            examples = programs(clone / readme)
            assert examples, f"{readme} has no example in Python"
            for number, program in enumerate(examples, 1):
                with platform(scripts / "storycore") as environment:
                    place = Path(folder, f"example-{passed}")
                    run(place, program, film, scripts / "python", environment)
                print(f"PASSED {readme}, example {number}", flush=True)
                passed += 1
    return passed


def installed(environment: Path, wheels: list[Path]) -> Path:
    """The programs of an environment that has these wheels, and nothing else that could help them."""
    venv.create(environment, with_pip=True)
    scripts = environment / ("Scripts" if sys.platform == "win32" else "bin")
    pip = [scripts / "python", "-m", "pip", "--disable-pip-version-check", "--no-cache-dir"]
    subprocess.run([*pip, "install", "--quiet", "--no-index", *wheels], check=True)
    listed = subprocess.run([*pip, "list", "--format=json"], check=True, capture_output=True, text=True).stdout
    names = {package["name"] for package in json.loads(listed)} - {"pip", "setuptools"}
    assert names == {"storycore-sdk", "storycore-cli"}, names
    return scripts


def programs(readme: Path) -> list[str]:
    """What stands in a README as Python is a whole program."""
    return re.findall(r"^```python\n(.*?)^```$", readme.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def made(film: Path) -> Path:
    picture = ["-f", "lavfi", "-i", "testsrc2=duration=2:size=320x180:rate=25", "-pix_fmt", "yuv420p"]
    ffmpeg(*picture, "-c:v", "libx264", str(film))
    return film


def ffmpeg(*arguments: str) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-xerror", "-nostdin", *arguments], check=True)


@contextmanager
def platform(storycore: Path) -> Iterator[dict[str, str]]:
    """A platform with nothing in it, and what a program must be told to find it."""
    command = [storycore, "dev", "--in-memory", "--listen", "127.0.0.1:0", "--json", "--stop-with-stdin"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        try:
            ready = json.loads(process.stdout.readline())
            yield {"STORYCORE_BASE_URL": ready["url"], "STORYCORE_API_KEY": ready["api_key"]}
            process.stdin.close()
            assert process.wait(30) == 0
        finally:
            process.kill()


def run(place: Path, program: str, film: Path, python: Path, environment: dict[str, str]) -> None:
    """Runs a program beside the films that it names; a film that it downloads can be played."""
    place.mkdir()
    for name in FILMS:
        (place / name).symlink_to(film)
    example = place / "example.py"
    example.write_text(program, encoding="utf-8")
    # Nothing of this machine's settings takes part: no folder of other packages, no proxy, no journal of other uploads.
    environment = {**environment, "PATH": os.environ["PATH"], "HOME": str(place)}
    subprocess.run([python, "-W", "error", example], cwd=place, env=environment, check=True, timeout=DEADLINE)
    if '"result.mp4"' in program:
        ffmpeg("-i", str(place / "result.mp4"), "-map", "0", "-f", "null", "-")


if __name__ == "__main__":
    count = main(Path(sys.argv[1]).resolve(), [Path(wheel).resolve() for wheel in sys.argv[2:]])
    print(f"{count} passed, 0 failed")
