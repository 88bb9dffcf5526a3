"""Projects: making, finding and listing them."""

import pickle
from datetime import timedelta, timezone

import pytest

from storycore import NotFoundError, StoryCoreClient, StoryCoreError


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
