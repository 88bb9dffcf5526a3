"""Every example is run as a reader would run it, in a folder that holds ``clip.mp4``, against a platform of its own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nbclient
import nbformat
import pytest

from storycore.testing import LocalPlatform

HERE = Path(__file__).parent.parent
DEADLINE = 120.0


def ffmpeg(*arguments: str, folder: Path) -> None:
    program = os.environ.get("STORYCORE_FFMPEG", "ffmpeg")
    subprocess.run([program, "-v", "error", "-xerror", "-nostdin", *arguments], cwd=folder, check=True)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    picture = ["-f", "lavfi", "-i", "testsrc2=duration=3:size=320x180:rate=25"]
    tone = ["-f", "lavfi", "-i", "sine=duration=3", "-c:v", "libx264", "-c:a", "aac"]
    ffmpeg(*picture, *tone, "-pix_fmt", "yuv420p", "clip.mp4", folder=folder)
    return folder / "clip.mp4"


@pytest.fixture
def folder(tmp_path: Path, clip: Path) -> Path:
    shutil.copy(clip, tmp_path)
    return tmp_path


@pytest.fixture
def environment(storycore_platform: LocalPlatform, tmp_path: Path) -> dict[str, str]:
    state = {"XDG_STATE_HOME": str(tmp_path / "state"), "PYTHONUNBUFFERED": "1"}
    return {**os.environ, **storycore_platform.environment(), **state}


def run(example: str, *arguments: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(HERE / example), *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=DEADLINE)


def test_the_main_job_makes_a_film_that_plays(folder: Path, environment: dict[str, str]) -> None:
    ended = run("main_job.py", folder=folder, environment=environment)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("result.mp4 is "), ended.stdout
    ffmpeg("-i", "result.mp4", "-map", "0", "-f", "null", "-", folder=folder)


def test_a_folder_goes_up_and_what_fails_is_told(
    folder: Path, environment: dict[str, str], storycore_platform: LocalPlatform
) -> None:
    films = folder / "films"
    films.mkdir()
    for n in range(6):
        shutil.copy(folder / "clip.mp4", films / f"film {n}.mp4")
    (films / "notes.txt").write_text("no film")
    ended = run("bulk_upload.py", "films", folder=folder, environment=environment)
    assert ended.returncode == 0, ended.stderr
    assert "6 of 6 films are in prj_" in ended.stdout
    with storycore_platform.client() as client:
        names = sorted(asset.name for asset in client.media.items())
    assert len(names) == 6 and names[0].startswith("film 0")

    # A symbolic link that leads nowhere is there in the listing and cannot be read.
    (films / "gone.mp4").symlink_to("nowhere")
    ended = run("bulk_upload.py", "films", folder=folder, environment=environment)
    assert ended.returncode == 1 and "gone.mp4 failed" in ended.stderr, ended.stderr
    assert "6 of 7 films" in ended.stdout
    # The second run sent nothing again and made no second project.
    assert ended.stdout.count("is there already") == 6
    with storycore_platform.client() as client:
        assert len(list(client.media.items())) == 6
        assert len(list(client.projects.items())) == 1


@pytest.fixture
def receiver(folder: Path, environment: dict[str, str], storycore_platform: LocalPlatform) -> Iterator[str]:
    """The receiver under uvicorn, as its head says, with a socket that listens already; its output goes to ``receiver.log``."""
    # The port is the receiver's from here on: nobody else can take it before the receiver is there.
    with socket.create_server(("127.0.0.1", 0)) as listening, open(folder / "receiver.log", "wb") as log:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/storycore"
        with storycore_platform.client() as client:
            created = client.webhooks.create(url=url, events=["job.*"])
        given = listening.fileno()
        command = [sys.executable, "-m", "uvicorn", "receiver:app", "--app-dir", str(HERE), "--fd", str(given)]
        environment = {**environment, "STORYCORE_WEBHOOK_SECRET": created.secret}
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, pass_fds=[given])
    try:
        until(lambda: "running on" in (folder / "receiver.log").read_text(), folder)
        yield url
    finally:
        process.terminate()
        process.wait(DEADLINE)


def until(there: Callable[[], bool], folder: Path) -> None:
    end = time.monotonic() + DEADLINE
    while not there():
        assert time.monotonic() < end, (folder / "receiver.log").read_text()
        time.sleep(0.05)


def test_the_receiver_downloads_what_a_job_has_made(
    folder: Path, receiver: str, storycore_platform: LocalPlatform
) -> None:
    with storycore_platform.client() as client:
        clip = client.media.upload(folder / "clip.mp4", journal=False)
        job = client.media.process(clip.id, output_settings={"format": "mp4", "resolution": "160x90"})
        done = client.jobs.wait(job.id)
        until(lambda: f"{job.id} made " in (folder / "receiver.log").read_text(), folder)
        assert (folder / f"{job.id}.mp4").stat().st_size == client.media.get(str(done.output_asset)).size


def test_the_notebook_runs_from_top_to_bottom(folder: Path, environment: dict[str, str]) -> None:
    notebook = nbformat.read(HERE / "upload.ipynb", as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=DEADLINE, kernel_name="python3")
    client.execute(env=environment, cwd=str(folder))
    assert (folder / "clip.gif").read_bytes().startswith(b"GIF8")
    said = json.dumps(notebook.cells)
    assert "clip.mp4: 100%" in said and "completed: 100 %" in said


def test_the_readme_shows_the_main_job_as_it_is() -> None:
    source = (HERE / "main_job.py").read_text()
    body = source.split('"""\n\n', 1)[1]
    assert f"```python\n{body}```" in (HERE.parent.parent / "README.md").read_text()
