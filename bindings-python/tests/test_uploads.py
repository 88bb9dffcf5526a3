"""Many files at once, prepared downloads, and answers as they came."""

import asyncio
import io
from pathlib import Path
from typing import Any

import pytest

from storycore import (
    AsyncStoryCoreClient,
    Capture,
    NotFoundError,
    StoryCoreClient,
    UploadAllProgress,
    UploadControl,
    UploadError,
)
from storycore.testing import LocalPlatform


@pytest.fixture
def papers(tmp_path: Path) -> list[Path]:
    papers = [tmp_path / f"paper {number}.txt" for number in range(20)]
    for number, paper in enumerate(papers):
        paper.write_text(f"number {number}")
    return papers


def test_many_files_go_up_and_one_that_fails_stops_no_other(client: StoryCoreClient, papers: list[Path]) -> None:
    project = client.projects.create(name="Film")
    papers[3].unlink()
    told: list[UploadAllProgress] = []
    files = list(client.media.upload_all(papers, project_id=project.id, journal=False, progress=told.append))
    assert sorted(file.index for file in files) == list(range(20))
    for file in files:
        assert file.file_path == papers[file.index]
        if file.index == 3:
            assert file.asset is None and isinstance(file.error, UploadError) and file.sent is None
        else:
            assert file.error is None and file.asset is not None
            assert (file.asset.name, file.asset.type) == (papers[file.index].name, "document")
            assert file.sent == file.asset.size and (file.failures, file.restarts) == (0, [])
    assert len(list(client.media.list(project_id=project.id))) == 19
    last = told[-1]
    assert (last.files, last.files_done, last.files_failed) == (20, 19, 1)
    assert last.bytes.acknowledged == sum(paper.stat().st_size for paper in papers if paper.exists())


def test_each_file_is_of_its_own_kind(client: StoryCoreClient, tmp_path: Path) -> None:
    names = ["song.mp3", "paper.txt", "picture.png"]
    for name in names:
        (tmp_path / name).write_bytes(b"something")
    files = client.media.upload_all(tmp_path / name for name in names)
    kinds = {file.file_path.name: file.asset.type for file in files if file.asset}
    assert kinds == {"song.mp3": "audio", "paper.txt": "document", "picture.png": "image"}


def test_bytes_and_file_objects_go_along(client: StoryCoreClient, papers: list[Path]) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise gone

    gone = OSError("the drive is gone")
    given = [b"bytes", bytearray(b"more"), papers[0].open("rb"), Broken()]
    files = sorted(client.media.upload_all(given), key=lambda file: file.index)
    assert [file.asset is not None for file in files] == [True, True, True, False]
    assert files[2].asset is not None and files[2].asset.name == "paper 0.txt"
    assert "the drive is gone" in str(files[3].error)
    assert files[3].error is not None and files[3].error.__cause__ is gone


def test_an_interrupt_while_one_of_many_is_read_is_no_error_of_a_file(client: StoryCoreClient) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(client.media.upload_all([b"bytes", Broken()]))


def test_leaving_the_loop_stops_what_is_under_way(
    client: StoryCoreClient, papers: list[Path], storycore_platform: LocalPlatform
) -> None:
    for file in client.media.upload_all(papers, at_once=1, journal=False):
        assert file.index == 0
        break
    del file
    # What the platform had of the next one may become an asset still.
    seen = []
    while len(seen) < 2 or seen[-1] != seen[-2]:
        assert len(seen) < 3, f"{seen}: the others go on"
        asyncio.run(asyncio.sleep(0.5))
        seen.append(len(list(client.media.list())))
    assert seen[-1] < 20


def test_what_progress_raises_ends_the_loop(client: StoryCoreClient, papers: list[Path]) -> None:
    class Enough(Exception):
        pass

    def progress(_: UploadAllProgress) -> None:
        raise Enough

    with pytest.raises(Enough):
        list(client.media.upload_all(papers, progress=progress, journal=False))
    # It may be told when the only file is up already.
    for _ in range(50):
        with pytest.raises(Enough):
            list(client.media.upload_all(papers[:1], progress=progress, journal=False))


def test_a_control_cancels_all_of_them(client: StoryCoreClient, papers: list[Path]) -> None:
    control = UploadControl()
    control.cancel()
    files = list(client.media.upload_all(papers, control=control))
    assert {type(file.error).__name__ for file in files} == {"CallCancelledError"}


def test_many_files_go_up_from_asyncio(async_client: AsyncStoryCoreClient, papers: list[Path]) -> None:
    told: list[UploadAllProgress] = []

    async def run() -> None:
        names = []
        async for file in async_client.media.upload_all(papers, at_once=4, progress=told.append):
            assert file.asset is not None, file.error
            names.append(file.asset.name)
        assert sorted(names) == sorted(paper.name for paper in papers)

    asyncio.run(run())
    assert told[-1].files_done == 20


def test_streams_and_the_checksums_of_chunks_are_the_callers_choice(
    client: StoryCoreClient, storycore_platform: LocalPlatform, tmp_path: Path
) -> None:
    film = tmp_path / "film.bin"
    film.write_bytes(bytes(range(256)) * 4096 * 40)

    def sent(**how: Any) -> tuple[set[str | None], set[bool]]:
        """What the uploads that were made are part of, and whether chunks came with checksums."""
        storycore_platform.clear_requests()
        described: dict[str, Any] = {"journal": False, "multipart_below": 1, "chunk_size": 1 << 20}
        assert client.media.upload(film, **described, **how).size == film.stat().st_size
        of_one = storycore_platform.requests()
        storycore_platform.clear_requests()
        assert [file.error for file in client.media.upload_all([film], **described, **how)] == [None]
        for requests in (of_one, storycore_platform.requests()):
            tus = [one for one in requests if "tus-resumable" in one.headers]
            parts = {one.headers.get("upload-concat") for one in tus if one.method == "POST"}
            sums = {"upload-checksum" in one.headers for one in tus if one.method == "PATCH"}
            found.append(({part and part.split(";")[0] for part in parts}, sums))
        first, second = found[-2:]
        assert first == second
        return first

    found: list[tuple[set[str | None], set[bool]]] = []
    assert sent(max_streams=1) == ({None}, {True})
    assert sent(max_streams=4) == ({"partial", "final"}, {True})
    assert sent(max_streams=1, chunk_checksums=False) == ({None}, {False})


def test_one_path_is_not_taken_for_many(client: StoryCoreClient) -> None:
    for one in ("film.mp4", b"bytes", io.BytesIO()):
        with pytest.raises(TypeError, match=r"Assets.upload_all\(\) argument 'file_paths' must be an iterable"):
            client.media.upload_all(one)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="has at 1 what must be a path, bytes or an object with read"):
        client.media.upload_all([b"a", 7])  # type: ignore[list-item]


def test_a_film_without_bytes_is_refused(client: StoryCoreClient, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").touch()
    for source in (tmp_path / "film.mp4", b"", io.BytesIO()):
        with pytest.raises(UploadError, match="no bytes"):
            client.media.upload(source, name="film.mp4")
    assert client.media.upload(b"", file_name="note.txt").size == 0
    assert [asset.name for asset in client.media.list()] == ["note.txt"]


def test_a_download_is_set_up_and_sent(
    client: StoryCoreClient, async_client: AsyncStoryCoreClient, tmp_path: Path
) -> None:
    content = bytes(range(256)) * 40_000
    asset = client.media.upload(content, file_name="film.bin", journal=False)
    download = client.media.prepare_download(asset.id, tmp_path / "one.bin", max_streams=4)
    assert asset.id in repr(download) and not (tmp_path / "one.bin").exists()
    assert download.send() == asset and (tmp_path / "one.bin").read_bytes() == content
    prepared = async_client.media.prepare_download(asset.id, str(tmp_path / "two.bin"))

    async def send() -> None:
        assert await prepared.send() == asset

    asyncio.run(send())
    assert (tmp_path / "two.bin").read_bytes() == content


def test_the_answer_as_it_came_stands_beside_the_result(
    client: StoryCoreClient, async_client: AsyncStoryCoreClient
) -> None:
    capture = Capture()
    assert capture.response is None
    project = client.with_options(capture=capture).projects.create(name="Film")
    answer = capture.response
    assert answer is not None and answer.status == 201 and answer.json()["id"] == project.id
    assert answer.request_id == answer.headers["x-request-id"] and "content-type" in answer.headers
    assert "status=201" in repr(capture)

    asyncio.run(async_client.with_options(capture=capture).projects.list())
    answer = capture.response
    assert answer is not None and answer.status == 200 and answer.json()["pagination"]["total"] == 1

    with pytest.raises(NotFoundError) as caught:
        client.with_options(capture=capture).projects.get("prj_none")
    assert capture.response is not None and capture.response.status == 404
    assert caught.value.request_id == capture.response.request_id
