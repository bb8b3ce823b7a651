import pytest

from engine.core.trading import Halt, Release
from engine.errors import StorageError
from engine.live.halt import HaltFile


def test_the_file_halts_once_and_its_absence_releases_only_what_it_halted(tmp_path):
    file = HaltFile(tmp_path / "desk.journal")
    assert file.look("") is None
    file.write("fat finger")
    assert file.look("") == Halt("fat finger", "file")
    assert file.look("fat finger (file)") is None
    assert file.look("lunch (user)") is None
    assert file.remove()
    assert not file.remove()
    assert file.look("fat finger (file)") == Release("file")
    assert file.look("lunch (user)") is None


def test_an_empty_file_is_reason_enough(tmp_path):
    (tmp_path / "j.halt").touch()
    assert HaltFile(tmp_path / "j").look("") == Halt("halt file", "file")


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(StorageError, match="cannot be written"):
        HaltFile(tmp_path / "no" / "j").write("x")
