"""Projects: making, finding and listing them."""

import pickle
from datetime import timedelta, timezone

import pytest

from storycore import APITimeoutError, InvalidRequestError, NotFoundError, StoryCoreClient, StoryCoreError
from storycore.testing import LocalPlatform


def test_a_project_is_made_and_found(client: StoryCoreClient) -> None:
    project = client.projects.create(name="Film", settings={"fps": 25, "cuts": [1.5, None]})
    found = client.projects.get(project.id)
    assert found == project and hash(found) == hash(project)
    assert found.settings == found["settings"] == {"fps": 25, "cuts": [1.5, None]}
    assert found.created_at is not None and found.created_at.utcoffset() == timedelta(0)
    assert found.created_at.tzinfo is timezone.utc
    assert pickle.loads(pickle.dumps(found)) == found
    assert found.to_dict()["name"] == "Film"
    assert f"id={found.id!r}" in repr(found)


def test_what_is_not_there_is_an_error_that_keeps_what_is_known(client: StoryCoreClient) -> None:
    with pytest.raises(NotFoundError) as caught:
        client.projects.get("prj_none")
    error = caught.value
    assert isinstance(error, StoryCoreError)
    assert (error.kind, error.status, error.attempts, error.retryable) == ("not_found", 404, 1, False)
    assert error.request_id and error.request_id in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is NotFoundError and vars(again) == vars(error) and str(again) == str(error)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_does_not_have_clears_no_field(client: StoryCoreClient, number: float) -> None:
    project = client.projects.create(name="Film", budget=9.5)
    for call in (
        lambda: client.projects.update(project.id, budget=number),
        lambda: client.projects.create(name="Film", budget=number),
    ):
        with pytest.raises(InvalidRequestError, match="budget must be a number that JSON has") as caught:
            call()
        assert (caught.value.param, caught.value.attempts) == ("budget", 0)
    assert client.projects.get(project.id).budget == 9.5


def test_options_over_options_leave_what_they_do_not_say(
    client: StoryCoreClient, storycore_platform: LocalPlatform
) -> None:
    first = client.with_options(headers={"x-team": "cut", "x-film": "1"}, timeout=0.3)
    both = first.with_options(headers={"X-Film": "2"}, max_retries=0)
    # In the time that it has in the end it need not be answered, however busy the machine is.
    assert both.with_options(timeout=60).projects.list().data == []
    (asked,) = storycore_platform.requests()
    assert (asked.headers["x-team"], asked.headers["x-film"]) == ("cut", "2")
    # Within the client's own time this would be answered.
    storycore_platform.fault("/api/projects", times=0, delay_ms=5_000)
    with pytest.raises(APITimeoutError):
        both.projects.list()
