"""The README keeps its promises: its example runs, its links lead somewhere."""

import re

import pytest

from tests.checkout import PROJECT, ROOT

README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("example", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_examples_run(example):
    assert "assert" in example
    exec(compile(example, "README.md", "exec"), {"__name__": "readme"})


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", README))
def test_links_lead_somewhere(link):
    assert link.startswith("https://") or (ROOT / link).exists()


def test_the_two_commands_are_there():
    assert "pip install . && engine demo\npip install '.[test]' && pytest\n" in README


def test_extras_and_command_exist():
    extras = set(re.findall(r"'\.\[(\w+)\]'", README))
    assert extras <= set(PROJECT["project"]["optional-dependencies"])
    assert PROJECT["project"]["scripts"] == {"engine": "engine.cli:main"}
