"""Registries: our own modules, plugins of installed packages, and what is said of those refused."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

from speechnet.core import registry as module
from speechnet.core.errors import ConfigError
from speechnet.core.reading import parse_yaml
from speechnet.core.registry import Refusal, Registry, YamlRegistry
from speechnet.core.schema import decode

OURS = """
from registries import THINGS

@THINGS.register("ours")
def ours() -> int:
    return 1
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of modules, with a registry in it; what is imported from it is forgotten."""
    (tmp_path / "own_things").mkdir()
    (tmp_path / "own_things" / "__init__.py").touch()
    (tmp_path / "own_things" / "ours.py").write_text(OURS)
    (tmp_path / "registries.py").write_text(
        "from speechnet.core.registry import Registry\n"
        "THINGS = Registry('thing', group='speechnet.test_things', modules=('own_things',),\n"
        "    missing=lambda one: '' if callable(one) else 'a call')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def install(place: Path, package: str, name: str, code: str, *, value: str = "") -> None:
    """Install a package with one module and one entry point, as pip would leave it."""
    (place / f"{package}.py").write_text(code)
    info = place / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[speechnet.test_things]\n{name} = {value or package}\n"
    )


def things() -> Registry[object]:
    import registries  # type: ignore[import-not-found]

    found: Registry[object] = registries.THINGS
    return found


def registers(name: str, thing: str = "lambda: 2") -> str:
    return f"from registries import THINGS\nTHINGS.register({name!r})({thing})\n"


def test_our_own_and_a_plugin(place: Path) -> None:
    """Ours come first; each knows its package."""
    install(place, "guest", "theirs", registers("theirs"))
    found = things()
    assert list(found) == ["ours", "theirs"]
    assert [found.package(name) for name in found] == ["speechnet", "guest"]
    assert not found.refusals
    assert "theirs" in found
    assert len(found) == 2


def test_a_plugin_with_several_things_in_one_module(place: Path) -> None:
    """Two of one kind; and its import, for a thing of another kind, came first."""
    install(place, "guest", "first", registers("first") + registers("second"))
    points = place / "guest-1.0.dist-info" / "entry_points.txt"
    points.write_text(f"{points.read_text()}second = guest\n")
    found = things()
    import_module("guest")
    assert list(found) == ["ours", "first", "second"]
    assert [found.package(name) for name in found] == ["speechnet", "guest", "guest"]
    assert not found.refusals


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        (
            registers("ours"),
            "ValueError: guest registers the thing 'ours', which own_things.ours has registered "
            "already; choose another name",
        ),
        (registers("theirs", "3"), "ValueError: the thing 'theirs' lacks a call"),
        (registers("other"), "ValueError: guest registers other, expected 'theirs'"),
        ("x = 1", "ValueError: guest registers nothing, expected 'theirs'"),
        (registers("theirs") + "1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_plugin_that_is_refused(
    place: Path, monkeypatch: pytest.MonkeyPatch, code: str, reason: str
) -> None:
    """It is left out with its package, its name and the reason, which is told; the others stay."""
    install(place, "guest", "theirs", code)
    install(place, "zebra", "stripes", registers("stripes"))
    told: list[module.Refusal] = []
    monkeypatch.setattr(module, "on_refusal", [told.append])
    found = things()
    assert list(found) == ["ours", "stripes"]
    assert found.refusals == told == [module.Refusal("thing", "guest", "theirs", reason)]
    with pytest.raises(ConfigError, match=r"can't use the thing 'theirs' of the package guest: "):
        found["theirs"]


@pytest.mark.usefixtures("place")
def test_an_unknown_name() -> None:
    """What there is, and what was meant."""
    with pytest.raises(ConfigError, match=r"no thing 'our' \(did you mean 'ours'\?\); known: ours"):
        things()["our"]


def test_our_own_mistakes_are_raised(place: Path) -> None:
    """Twice the same name in our own modules is a bug, not a plugin to leave out."""
    (place / "own_things" / "second.py").write_text(OURS)
    twice = r"own_things\.second registers the thing 'ours', which own_things\.ours has registered"
    with pytest.raises(ValueError, match=twice):
        list(things())


def test_modules_alone_serve_too() -> None:
    """A single module has no others below it."""
    assert list(Registry("thing", group="speechnet.none", modules=(module.__name__,))) == []


@dataclass
class Plain:
    a: int


class TestYamlFiles:
    """Files by name, ours and those of packages, which are not imported."""

    @pytest.fixture
    def files(self, place: Path) -> YamlRegistry:
        (place / "ours.yaml").write_text("a: 1")
        return YamlRegistry(
            "file",
            group="speechnet.test_things",
            folder=place,
            check=lambda path: decode(Plain, parse_yaml(path.read_text()), path.stem),
        )

    def test_a_package_adds_one(self, place: Path, files: YamlRegistry) -> None:
        """The package would fail if it were imported."""
        install(place, "guest_module", "theirs", "1 / 0", value="guest.data")
        (place / "guest" / "data").mkdir(parents=True)
        (place / "guest" / "__init__.py").write_text("1 / 0")
        (place / "guest" / "data" / "theirs.yaml").write_text("a: 2")
        assert dict(files) == {
            "ours": place / "ours.yaml",
            "theirs": place / "guest" / "data" / "theirs.yaml",
        }
        assert files.package("theirs") == "guest_module"

    @pytest.mark.parametrize(
        ("name", "text", "reason"),
        [
            ("theirs", "b: 2", "theirs: unknown key 'b'; known are a"),
            ("theirs", "a: x", "theirs: a is 'x', expected a whole number"),
            (
                "ours",
                "a: 2",
                "ValueError: {0}/guest/ours.yaml registers the file 'ours', which {0}/ours.yaml "
                "has registered already; choose another name",
            ),
            ("theirs", None, "FileNotFoundError: there is no theirs.yaml in guest"),
        ],
    )
    def test_one_that_is_refused(
        self, place: Path, files: YamlRegistry, name: str, text: str | None, reason: str
    ) -> None:
        """With its package, its name and the reason."""
        install(place, "guest_module", name, "", value="guest")
        (place / "guest").mkdir()
        if text is not None:
            (place / "guest" / f"{name}.yaml").write_text(text)
        assert list(files) == ["ours"]
        assert files.refusals == [Refusal("file", "guest_module", name, reason.format(place))]
