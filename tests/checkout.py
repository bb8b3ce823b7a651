"""Reads the checkout for tests/test_house.py: its sources, its rules in pyproject.toml, imports and lengths."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ENGINE = ROOT / "engine"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
RULES: dict[str, Any] = PROJECT["tool"]["tickforge"]


def relative(path: Path) -> str:
    """A path as people write it: from the root of the checkout."""
    return path.relative_to(ROOT).as_posix()


def sources(folder: str, *suffixes: str) -> list[Path]:
    """Every file below a folder of the checkout that ends in one of the suffixes."""
    return sorted(path for path in (ROOT / folder).rglob("*") if path.name.endswith(suffixes))


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a Python file."""
    return ast.parse(path.read_text(), str(path))


def module_name(path: Path) -> str:
    """``engine/core/units.py`` -> ``core.units``; a package is its folder, ``engine`` itself is empty."""
    parts = path.relative_to(ENGINE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_module(name: str) -> bool:
    """Whether ``core.units`` is a module, folder or stub of ``engine/``."""
    path = ENGINE.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").exists() or path.with_suffix(".pyi").exists()


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """(absolute dotted name, line) of everything a file imports; ``from a import b`` gives ``a.b``."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((name.name, node.lineno) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = ["engine", *module_name(path).split(".")] if ENGINE in path.parents else []
            if path.name != "__init__.py":
                package = package[:-1]
            base = (
                ".".join([*package[: len(package) - node.level + 1], node.module or ""]) if node.level else node.module
            )
            yield from ((f"{base}.{name.name}".replace("..", "."), node.lineno) for name in node.names)


def house_imports(path: Path) -> Iterator[tuple[str, int]]:
    """(module of engine, line) of everything a file of ``engine/`` imports from the house."""
    for name, line in imports(path):
        if name.split(".")[0] == "engine":
            inside = name.removeprefix("engine").removeprefix(".")
            parent = inside.rpartition(".")[0]
            yield (inside if inside and is_module(inside) else parent), line


def units() -> dict[str, tuple[int, list[str]]]:
    """Unit -> (floor, what it may import) as pyproject.toml has them."""
    return {unit: (int(floor), allowed) for floor, row in RULES["floors"].items() for unit, allowed in row.items()}


def unit_of(module: str) -> str | None:
    """The unit a module belongs to, None where the table has none: itself, its folder, or ``folder.*``."""
    table = units()
    folder = module.split(".", maxsplit=1)[0]
    for unit in (module, folder, f"{folder}.*" if "." in module else ""):
        if unit in table:
            return unit
    return None


def may_import(importer: str, imported: str) -> bool:
    """Whether one module of ``engine/`` may import another."""
    table = units()
    mine, theirs = unit_of(importer), unit_of(imported)
    if mine is None or theirs is None:
        return False
    if mine == theirs:
        return importer == imported or not mine.endswith(".*")
    floor, allowed = table[mine]
    return theirs in allowed or ("below" in allowed and table[theirs][0] < floor)


def exported(path: Path) -> list[str] | None:
    """``__all__`` of a file, None where it has none."""
    for node in tree(path).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return list(ast.literal_eval(node.value))
    return None


def has_code(path: Path) -> bool:
    """Whether a file holds more than its docstring."""
    return any(not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in tree(path).body)


def python_functions(path: Path) -> Iterator[tuple[str, int]]:
    """(name, lines) of every function of a Python file; a class's methods as ``Class.method``."""

    def visit(node: ast.AST, prefix: str) -> Iterator[tuple[str, int]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield prefix + child.name, (child.end_lineno or child.lineno) - child.lineno + 1
            name = f"{prefix}{child.name}." if isinstance(child, ast.ClassDef | ast.FunctionDef) else prefix
            yield from visit(child, name)

    yield from visit(tree(path), "")


def cython_functions(path: Path) -> Iterator[tuple[str, int]]:
    """(name, lines) of every function of a Cython file, by indentation."""
    lines = path.read_text().splitlines()
    for start, line in enumerate(lines):
        found = re.match(r"( *)(?:def|cdef|cpdef)\b(?! class\b)[^=(]*?(\w+)\(.*", line)
        if found is None:
            continue
        end = last = start
        for end in range(start + 1, len(lines)):
            text = lines[end]
            if text.strip() and not text.startswith(found[1] + " ") and not text.lstrip().startswith(")"):
                break
            last = end if text.strip() else last
        yield found[2], last - start + 1


def native_functions(path: Path) -> Iterator[tuple[str, int]]:
    """(name, lines) of every function of a formatted C++ file: a brace opened after parentheses, to its partner."""
    text = re.sub(
        r"//[^\n]*|/\*.*?\*/", lambda found: re.sub(r"[^\n]", " ", found[0]), path.read_text(), flags=re.DOTALL
    )
    text = re.sub(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', lambda found: "0" * len(found[0]), text)
    opener = re.compile(r"(~?\w+)\s*\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)[\w\s:&<>,*-]*(?:\([^(){};]*\)[\w\s,]*)*\{")
    for found in opener.finditer(text):
        if found[1] in {"if", "for", "while", "switch", "catch", "defined"}:
            continue
        depth = 0
        for at in range(found.end() - 1, len(text)):
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            if depth == 0:
                yield found[1], text.count("\n", found.start(), at) + 1
                break


def public_table() -> dict[str, tuple[str, str]]:
    """Public name -> (file, test) as docs/ARCHITECTURE.md has them; a row may carry several names."""
    table = {}
    for line in (ROOT / "docs" / "ARCHITECTURE.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) == 3 and cells[1].startswith("`"):
            for name in re.findall(r"`(\w+)`", cells[0]):
                table[name] = (cells[1].strip("`"), cells[2].strip("`"))
    return table
