import pytest

from engine.core.settings import SettingReader, listed, masked_url
from engine.errors import ConfigError


def test_masked_urls_keep_what_is_no_secret() -> None:
    assert masked_url("wss://host:1/path") == "wss://host:1/path"
    assert masked_url("wss://me:pw@host/v2?token=abc#x") == "wss://***@host/v2?token=***#x"


def test_lists_are_separated_by_commas() -> None:
    assert listed(" a, b,,c ") == ["a", "b", "c"]


def test_each_reader_names_key_value_and_what_was_expected() -> None:
    read = SettingReader("desk.toml: ")
    for call, message in (
        (lambda: read.text("a.b", 3), "desk.toml: a.b is 3; expected text"),
        (lambda: read.text("a.b", ""), "desk.toml: a.b is ''; expected text"),
        (lambda: read.texts("a", ["x", 1]), "desk.toml: a is ['x', 1]; expected a list of texts"),
        (lambda: read.choice("a", "z", ("x", "y")), "desk.toml: a is 'z'; expected one of 'x', 'y'"),
        (lambda: read.boolean("a", "maybe"), "desk.toml: a is 'maybe'; expected true or false"),
        (lambda: read.boolean("a", 1), "desk.toml: a is 1; expected true or false"),
        (lambda: read.whole("a", True), "desk.toml: a is True; expected a whole number of at least 0"),
        (lambda: read.whole("a", "1x", 1), "desk.toml: a is '1x'; expected a whole number of at least 1"),
        (lambda: read.tables("a", 1), "desk.toml: a is 1; expected tables"),
        (lambda: read.tables("a", {"x": 1}), "desk.toml: a.x is 1; expected a table"),
        (lambda: read.keys("a", {"z": 1}, ["x", "y"]), "desk.toml: a.z is not known; expected one of x, y"),
    ):
        with pytest.raises(ConfigError) as caught:
            call()
        assert str(caught.value) == message


def test_good_values_pass() -> None:
    read = SettingReader("")
    assert read.whole("a", "17") == read.whole("a", 17) == 17
    assert [read.boolean("a", value) for value in (True, "1", "true", False, "0", "false")] == [True] * 3 + [False] * 3


def test_secrets_are_masked_by_their_keys() -> None:
    read = SettingReader("")
    for key in ("provider.alpaca.key", "TICKFORGE_ALPACA_SECRET"):
        assert "hush" not in str(read.wrong(key, ["hush"], "text"))
    assert "hush" not in str(read.wrong("provider.x.url", "http://h/?token=hush", "a URL"))
