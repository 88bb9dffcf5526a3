"""``storycore.progress``: bars of tqdm and rich over real uploads."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import pytest
import rich.console
import rich.progress

from storycore import Progress, StoryCoreClient, UploadAllProgress, UploadError
from storycore.progress import rich_bar, tqdm_bar

SIZE = 3 * 1024 * 1024


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"\0" * SIZE)
    return path


def test_tqdm_ends_at_the_files_size(client: StoryCoreClient, film: Path) -> None:
    said = io.StringIO()
    with tqdm_bar("film.mp4", file=said, mininterval=0) as bar:
        client.media.upload(film, progress=bar, journal=False)
    assert "film.mp4: 100%" in said.getvalue() and "3.00M/3.00M" in said.getvalue()


def test_rich_shares_one_display(client: StoryCoreClient, film: Path) -> None:
    with rich.progress.Progress(console=rich.console.Console(file=io.StringIO())) as display:
        for name in ("one", "two"):
            with rich_bar(name, progress=display) as bar:
                client.media.upload(film, name=name, progress=bar, journal=False)
        assert [(task.description, task.completed, task.total) for task in display.tasks] == [
            ("one", SIZE, SIZE),
            ("two", SIZE, SIZE),
        ]


def test_rich_makes_a_display_of_its_own(
    client: StoryCoreClient, film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with rich_bar("film") as bar:
        client.media.upload(film, progress=bar, journal=False)
    assert "film" in capsys.readouterr().out


def test_a_bar_is_closed_when_the_upload_fails(client: StoryCoreClient, tmp_path: Path) -> None:
    said = io.StringIO()
    with pytest.raises(UploadError), tqdm_bar(file=said) as bar:
        client.media.upload(tmp_path / "nothing.mp4", progress=bar, journal=False)
    assert said.getvalue().endswith("\n")


def test_progress_is_a_value_that_goes_to_another_process(client: StoryCoreClient, film: Path) -> None:
    told: list[Progress] = []
    client.media.upload(film, progress=told.append)
    again = pickle.loads(pickle.dumps(told))
    assert again == told and {*again} == {*told}
    times = [(one.rate, one.time_left, one.elapsed) for one in told]
    assert [(one.rate, one.time_left, one.elapsed) for one in again] == times and times[-1][2] > 0

    all_told: list[UploadAllProgress] = []
    list(client.media.upload_all([film, b"more"], progress=all_told.append))
    again_all = pickle.loads(pickle.dumps(all_told))
    assert again_all == all_told and again_all[-1].files_done == 2 and again_all[-1].bytes == all_told[-1].bytes
    others: list[object] = [all_told[-1], 1]
    assert told[-1] not in others
