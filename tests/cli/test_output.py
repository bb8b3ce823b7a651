"""What commands print."""

from __future__ import annotations

import io
import sys

import pytest

from engine.cli import output


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_json_is_one_document_without_nan(capsys: pytest.CaptureFixture[str]) -> None:
    output.write_json({"a": [1, None], "b": "ü"})
    assert capsys.readouterr().out == '{\n  "a": [\n    1,\n    null\n  ],\n  "b": "\\u00fc"\n}\n'
    with pytest.raises(ValueError, match="JSON compliant"):
        output.write_json({"a": float("nan")})


def test_figures_have_separators(capsys: pytest.CaptureFixture[str]) -> None:
    output.show(output.figures("Title", {"some_count": 1234567, "text": "x", "rate": 0.5, "yes": True}))
    shown = capsys.readouterr().out
    for text in ("Title", "some count", "1,234,567", "0.5", "True"):
        assert text in shown


def test_brackets_and_colons_in_names_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    output.show("[/x] line", output.figures("[/x]/a[bold]:car:.csv", {"[red]name": "[/]value"}))
    shown = capsys.readouterr().out
    for text in ("[/x] line", "[/x]/a[bold]:car:.csv", "[red]name", "[/]value"):
        assert text in shown


def test_no_bar_where_nobody_looks() -> None:
    with output.bar("file") as progress:
        assert progress is None


def test_a_bar_on_a_terminal_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with output.bar("file") as progress:
        assert progress is not None
        progress(1, 10)
    assert terminal.getvalue().strip() == ""
    monkeypatch.setattr(output, "_PATIENCE_NS", 0)
    with output.bar("[/x]file[bold]:car:") as progress:
        assert progress is not None
        progress(5, 10)
    assert "[/x]file[bold]:car:" in terminal.getvalue()
