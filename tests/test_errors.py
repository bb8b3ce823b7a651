"""One tree of errors, grouped by remedy."""

import pickle

import pytest

from engine import errors


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_is_an_engine_error(name):
    assert issubclass(getattr(errors, name), errors.EngineError)


def test_the_tree_at_the_head_of_the_file_names_every_error():
    assert errors.__doc__ is not None
    assert [name for name in errors.__all__ if name not in errors.__doc__] == []


def test_damage_names_its_place():
    error = errors.StorageError("the footer is torn", offset=64)
    assert (str(error), error.offset) == ("the footer is torn (at byte 64)", 64)
    assert (str(errors.StorageError("no such tape")), errors.StorageError("no such tape").offset) == (
        "no such tape",
        None,
    )


def test_errors_survive_pickling():
    """Process pools carry exceptions as pickles."""
    error = pickle.loads(pickle.dumps(errors.StorageError("the footer is torn", offset=64)))
    assert (str(error), error.offset) == ("the footer is torn (at byte 64)", 64)


def test_what_venues_say_carries_their_code_and_when_to_try_again():
    error = pickle.loads(pickle.dumps(errors.Throttled("connection limit exceeded", 406, retry_after=90)))
    assert (str(error), error.code, error.retry_after) == ("connection limit exceeded", 406, 90)
    assert isinstance(error, errors.VenueError)
    assert errors.SessionLost("evicted").code is None
