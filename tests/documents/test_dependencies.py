"""What is imported is declared, and what is declared is imported."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _name(requirement: str) -> str:
    """A distribution's name, as the index normalises it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement)[0]).lower()


OPTIONAL = ("onnx", "opensmile", "praat", "pretrained", "serve")


def _imported() -> set[str]:
    """Top-level names of all that our modules import from elsewhere."""
    names: set[str] = set()
    for path in (ROOT / "speechnet").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.partition(".")[0])
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
                given = node.args[0]
                names |= (
                    {str(given.value).partition(".")[0]}
                    if isinstance(given, ast.Constant)
                    else set()
                )
    return names - sys.stdlib_module_names - {"speechnet"}


def test_every_import_is_declared_and_every_dependency_imported() -> None:
    """Of the package itself and its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    needed = {_name(one) for one in project["dependencies"]}
    optional = {_name(one) for extra in OPTIONAL for one in extras[extra]}
    # What this package installs isn't told from its records.
    providers = {"parselmouth": ["praat-parselmouth"]} | packages_distributions()
    used = {_name(one) for name in _imported() for one in providers.get(name, [name])}
    assert used - needed - optional == set()
    assert needed - used == set()
