"""Rooms are steps of the method, and imports run one way."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path

from conftest import ROOT

from kalib.errors import EXTRAS

PACKAGE = ROOT / "kalib"
FORBIDDEN = {"utils", "helpers", "common", "misc"}
MOST_NAMES = 17  # on the top level, dunder files and py.typed aside
MOST_LINES = 18_653  # on its way to 14,000
MOST_ARGUMENTS = 7
MOST_DEPENDENCIES = 25  # direct ones of a plain installation
# Imported though not declared: hard requirements of what is, and released together with it.
COME_WITH = {
    "IPython": "ipykernel",
    "PIL": "matplotlib",
    "joblib": "scikit-learn",
    "jupyter_client": "ipykernel",
    "jupyter_core": "ipykernel",
    "nbclient": "papermill",
    "nbformat": "papermill",
    "pydantic_core": "pydantic",
    "threadpoolctl": "scikit-learn",
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def test_imports_run_one_way() -> None:
    """The layers stand in pyproject.toml."""
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_room_is_a_step() -> None:
    names = [path for path in PACKAGE.iterdir() if not path.name.startswith("_")]
    names = [path for path in names if path.name != "py.typed"]
    assert len(names) <= MOST_NAMES, sorted(path.name for path in names)
    assert not FORBIDDEN & {part.stem for path in modules() for part in (path, *path.parents)}


def test_the_package_is_small() -> None:
    assert sum(path.read_text(encoding="utf-8").count("\n") for path in modules()) <= MOST_LINES


def test_no_function_asks_for_more_than_seven_things() -> None:
    """Those of the command line aside, whose options they are."""
    many = {
        f"{path.name}: {node.name}"
        for path in modules()
        if path.name != "cli.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
        if len({*_arguments(node)} - {"self", "cls"}) > MOST_ARGUMENTS
    }
    assert not many


def _arguments(node: ast.FunctionDef) -> Iterator[str]:
    given = node.args
    yield from (one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs))


def test_nothing_heavy_is_imported_by_the_command_line() -> None:
    top = ast.parse((PACKAGE / "cli.py").read_text()).body
    names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names} | {
        node.module for node in top if isinstance(node, ast.ImportFrom)
    }
    assert not {"pandas", "numpy", "papermill", "matplotlib"} & names


def declared() -> dict[str, set[str]]:
    """Distributions by extra, "" for a plain installation; extras name one another's."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lists = {"": project["dependencies"], **project["optional-dependencies"]}
    return {
        extra: {normal(re.match(r"[\w.-]+", line)[0]) for line in lines}  # type: ignore[index]
        for extra, lines in lists.items()
    }


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imports(tree: ast.AST, inside: bool = False) -> Iterator[tuple[str, bool]]:
    """Top-level names of the third-party modules imported, and whether only inside a function."""
    for node in ast.iter_child_nodes(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        for name in names:
            top = name.partition(".")[0]
            if top != "kalib" and top not in sys.stdlib_module_names:
                yield top, inside
        typing = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        yield from imports(node, inside or typing or isinstance(node, ast.FunctionDef))


def test_each_import_is_declared() -> None:
    """By a plain installation, or by an extra and then inside a function."""
    lists, found = declared(), packages_distributions()
    extras = {module: extra for extra, names in EXTRAS.items() for module in names}
    problems = []
    for path in modules():
        for module, inside in set(imports(ast.parse(path.read_text(encoding="utf-8")))):
            names = {normal(name) for name in found.get(module, [module])}
            parent = COME_WITH.get(module, "")
            if names & lists[""] or (parent in lists[""]):
                continue
            if not (inside and module in extras):
                problems.append(f"{path.relative_to(ROOT)} imports {module}")
    assert not problems
    assert len(lists[""]) <= MOST_DEPENDENCIES


def test_what_comes_with_a_dependency_does() -> None:
    """Directly, or through one more: jupyter_client by ipykernel, nbformat by papermill."""
    for module, parent in COME_WITH.items():
        name = normal(packages_distributions()[module][0])
        given = [line for line in requires(parent) or [] if "extra ==" not in line]
        assert name in {normal(re.match(r"[\w.-]+", line)[0]) for line in given}, module  # type: ignore[index]


def test_messages_and_pyproject_name_the_same_extras() -> None:
    lists, found = declared(), packages_distributions()
    for extra, names in EXTRAS.items():
        wanted = lists[extra] | (lists["scale"] if "kalib-kit" in lists[extra] else set())
        # ibis brings DuckDB as an extra of its own.
        own = {normal(found.get(name, [name])[0]) for name in names} - {"duckdb"}
        assert own <= wanted, extra
    assert set(EXTRAS) <= set(lists)


def test_nobody_is_told_to_install_a_stranger() -> None:
    """On PyPI the name kalib is another's; ours is kalib-kit."""
    texts = [*modules(), *ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.py")]
    for path in [*texts, *ROOT.glob("notebooks/*.ipynb"), ROOT / "Makefile"]:
        said = re.findall(r"install\s+['\"]?kalib(?!-kit)\b.*|kalib\[.*", path.read_text("utf-8"))
        assert not said, f"{path.name}: {said}"


def test_contributing_names_every_room_and_dependency() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("|")]
    rooms = {path.name for path in PACKAGE.iterdir() if not path.name.startswith((".", "_"))}
    assert rooms - {"py.typed"} <= {
        name.strip("/") for name in re.findall(r"[\w./]+", " ".join(rows))
    }
    reasons = {
        normal(name) for name in re.findall(r"[\w-]+", " ".join(rows[rows.index(" package ") :]))
    }
    assert declared()[""] <= reasons
    for page in re.findall(r"`(\w+/[\w/]+\.(?:py|toml|R))`", text):
        assert any((folder / page).exists() for folder in (ROOT, PACKAGE)), page
