"""Objects, enums, updates and uploads as a user handles them."""

from __future__ import annotations

import io
import json
from datetime import date
from pathlib import Path

import pytest

import storycore
from storycore import (
    OMIT,
    APIConnectionError,
    ConfigError,
    Job,
    JobStatus,
    Project,
    ProjectStatus,
    StoryCoreClient,
    UploadControl,
)
from storycore.testing import LocalPlatform


def test_what_is_not_known_is_kept(client: StoryCoreClient, storycore_platform: LocalPlatform) -> None:
    sent = {"id": "prj_1", "name": "Film", "status": "frozen", "mood": {"warm": True}}
    storycore_platform.fault("/api/projects/prj_1", status=200, body=json.dumps(sent))
    project = client.projects.get("prj_1")
    assert project.status == "frozen" and isinstance(project.status, ProjectStatus)
    assert project.extra == {"mood": {"warm": True}} and project["mood"] == {"warm": True}
    assert dict(project)["mood"] == {"warm": True}
    with pytest.raises(KeyError):
        project["nothing"]


def test_objects_are_frozen(client: StoryCoreClient) -> None:
    project = client.projects.create(name="Film")
    with pytest.raises(AttributeError):
        project.name = "Other"  # type: ignore[misc]
    project.settings["fps"] = 25
    assert project.settings == {}
    assert {project, client.projects.get(project.id)} == {project}


def test_enums_are_texts_and_members(client: StoryCoreClient) -> None:
    project = client.projects.create(name="Film", status=ProjectStatus.ON_HOLD, start_date=date(2026, 1, 31))
    assert project.status is ProjectStatus.ON_HOLD
    assert f"{project.status}" == "on_hold" and json.dumps(project.status) == '"on_hold"'
    assert project.start_date == date(2026, 1, 31)
    assert storycore.JobStatus is JobStatus


def test_an_update_keeps_clears_and_sets(client: StoryCoreClient) -> None:
    project = client.projects.create(name="Film", description="long", budget=9.5)
    changed = client.projects.update(project.id, name="Other", description=None, budget=OMIT)
    assert (changed.name, changed.description, changed.budget) == ("Other", None, 9.5)


def test_a_wrong_argument_is_told_by_its_name(client: StoryCoreClient) -> None:
    with pytest.raises(TypeError, match="name"):
        client.projects.create(name=7)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="colour"):
        client.projects.create(name="Film", colour="red")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="fps"):
        client.media.process("ast_1", output_settings={"fps": 25})  # type: ignore[typeddict-unknown-key]
    with pytest.raises(ValueError, match="NaN"):
        client.projects.create(name="Film", settings={"x": float("nan")})
    loop: dict[str, object] = {}
    loop["self"] = loop
    with pytest.raises(ValueError, match="nested"):
        client.projects.create(name="Film", settings=loop)


def test_everything_that_can_be_read_is_uploaded(client: StoryCoreClient, tmp_path: Path) -> None:
    file = tmp_path / "note.txt"
    file.write_bytes(b"some text")
    with file.open("rb") as opened:
        for source in (file, str(file), b"some text", bytearray(b"some text"), io.BytesIO(b"some text"), opened):
            asset = client.media.upload(file_path=source, name="Note", type="document")
            assert (asset.name, asset.size, asset.type) == ("Note", 9, "document")
            assert client.media.content(asset.id) == b"some text"
    with pytest.raises(TypeError, match="binary"):
        client.media.upload(io.StringIO("text"), file_name="a.txt")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        client.media.upload(7)  # type: ignore[arg-type]


def test_a_file_that_fails_to_be_read_is_the_callers_own_error(client: StoryCoreClient) -> None:
    class Broken:
        def read(self, size: int = -1) -> bytes:
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        client.media.upload(Broken(), file_name="a.txt")


def test_an_upload_tells_of_itself_and_can_be_downloaded(client: StoryCoreClient, tmp_path: Path) -> None:
    file = tmp_path / "film.bin"
    file.write_bytes(bytes(range(256)) * 80_000)
    told: list[int] = []
    control = UploadControl()
    asset = client.media.upload(
        file, control=control, journal=False, progress=lambda progress: told.append(progress.acknowledged)
    )
    assert told[-1] == asset.size == 20_480_000
    assert control.sent == 20_480_000 and control.restarts == []
    client.media.download(asset.id, tmp_path / "back.bin")
    assert (tmp_path / "back.bin").read_bytes() == file.read_bytes()


def test_jobs_are_watched_to_their_end(client: StoryCoreClient) -> None:
    asset = client.media.upload(b"some text", file_name="a.txt")
    job = client.jobs.create(type="probe", parameters={"input": asset.id})
    seen: list[Job] = []
    with pytest.raises(storycore.JobFailedError) as caught:
        client.jobs.wait(job.id, timeout=60, on_progress=seen.append)
    assert caught.value.job is not None and caught.value.job.id == job.id and seen
    assert [event.job.id for event in client.jobs.events(job.id)][-1:] == [job.id]


def test_an_unreachable_platform_keeps_its_cause() -> None:
    with StoryCoreClient("sk_test", base_url="http://127.0.0.1:9", max_retries=0) as client:
        with pytest.raises(APIConnectionError) as caught:
            client.projects.list()
    assert caught.value.__cause__ is not None
    assert "sk_test" not in repr(vars(caught.value))


def test_wrong_settings_are_told_when_the_client_is_made() -> None:
    with pytest.raises(ConfigError):
        StoryCoreClient("sk_test", base_url="http://example.com")
    with pytest.raises(ConfigError):
        StoryCoreClient()


def test_every_class_has_a_docstring_without_anything_of_rust() -> None:
    for name in storycore.__dict__["__all__"] if "__all__" in vars(storycore) else dir(storycore):
        of = getattr(storycore, name)
        if isinstance(of, type) and of.__module__.startswith("storycore"):
            for doc in [of.__doc__, *(getattr(member, "__doc__", None) for member in vars(of).values())]:
                assert "::" not in (doc or "") and "# Errors" not in (doc or ""), (name, doc)


def test_a_page_tells_where_it_stands(client: StoryCoreClient) -> None:
    client.projects.create(name="Film")
    page = client.projects.list()
    assert isinstance(page.data[0], Project) and page.to_dict()["pagination"]["total"] == 1
