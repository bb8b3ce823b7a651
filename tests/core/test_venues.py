import pytest

from engine.core import venues
from engine.errors import ConfigError


def test_well_known_numbers_never_change():
    assert [venues.venue_id(name) for name in ("XNAS", "XNYS", "ARCX", "IEXG", "XASE", "LTSE")] == [1, 2, 3, 8, 14, 16]
    assert len(set(venues.VENUES.values())) == len(venues.VENUES)
    assert max(venues.VENUES.values()) < 0x8000


def test_every_known_number_has_its_name():
    for name, number in venues.VENUES.items():
        assert venues.venue_name(number) == name
    for name, number in venues.PROVIDERS.items():
        assert venues.provider_name(number) == name
        assert venues.provider_id(name) == number


def test_own_venue_is_computed_from_its_letters():
    number = venues.venue_id("OURX")
    assert number == 34061  # FNV-1a folded to 15 bits: the same in every process
    assert venues.venue_id("OURX") == number
    assert venues.venue_name(number) == "OURX"


def test_colliding_names_are_refused():
    seen: dict[int, str] = {}
    for first in range(400):
        name = f"C{first}"
        number = venues._hashed_id(name)
        if number in seen:
            break
        seen[number] = name
    else:
        pytest.fail("400 names of 15 bits did not collide; take more")
    venues.venue_id(seen[number])
    with pytest.raises(ConfigError, match="same number"):
        venues.venue_id(name)


@pytest.mark.parametrize("name", ["", "iexg", "TOOLONGNAME", "A B", "É"])
def test_bad_venue_names(name):
    with pytest.raises(ValueError, match="1 to 8 characters"):
        venues.venue_id(name)


@pytest.mark.parametrize("name", [None, 1, b"XNAS"])
def test_venue_names_are_text(name):
    with pytest.raises(TypeError, match="venue is "):
        venues.venue_id(name)


def test_unknown_numbers():
    with pytest.raises(KeyError):
        venues.venue_name(0x7FFF)
    with pytest.raises(KeyError):
        venues.provider_name(99)


def test_providers():
    assert venues.provider_id(200) == 200
    assert venues.provider_name(128) == "own-128"
    for bad in ("nobody", 99, 256, -1):
        with pytest.raises(ValueError, match="provider is"):
            venues.provider_id(bad)


def test_ones_own_providers_have_names() -> None:
    assert [venues.provider_id(venues.provider_name(number)) for number in (128, 200, 255)] == [128, 200, 255]
    for wrong in ("own-127", "own-256", "own-1"):
        with pytest.raises(ValueError, match=wrong):
            venues.provider_id(wrong)
