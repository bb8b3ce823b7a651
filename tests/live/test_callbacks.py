from types import SimpleNamespace

from engine.live.callbacks import Callback


def update(tag):
    return SimpleNamespace(parent=SimpleNamespace(tag=tag))


def test_it_hears_of_its_tag_until_it_is_cancelled():
    heard, among = [], []
    handle = Callback(heard.extend, "a", among)
    among.append(handle)
    one, two = update("a"), update("b")
    handle.run([one, two])
    handle.run([two])
    assert heard == [one]
    handle.cancel()
    handle.cancel()
    assert among == []


def test_an_exception_ends_it_alone(caplog):
    handle = Callback(lambda updates: 1 / 0, None, [])
    handle.run([update(None)])
    handle.run([update(None)])
    assert handle.failed
    assert caplog.text.count("ZeroDivisionError") == 1
