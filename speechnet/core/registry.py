"""Registries of what an experiment can name: feature extractors, models, metrics, figures, corpora.

Each registry is filled on first use, by our own modules and by the entry points of installed
packages. A plugin that can't be used is left out with the reason; everything else goes on.
"""

from __future__ import annotations

import dataclasses
import pkgutil
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from speechnet.core.errors import ConfigError, in_words
from speechnet.core.wording import did_you_mean

T = TypeVar("T")
Registered = TypeVar("Registered")

_OURS: Final = "speechnet"


@dataclass(frozen=True)
class Refusal:
    """A plugin, or a figure of ours, that was left out.

    Attributes:
        kind: of registry, such as ``model``.
        package: the installed package it comes with.
        name: the name it would have had.
        reason: why it can't be used.
    """

    kind: str
    package: str
    name: str
    reason: str

    def __str__(self) -> str:
        return f"the {self.kind} {self.name!r} of the package {self.package}: {self.reason}"


on_refusal: Final[list[Callable[[Refusal], None]]] = []
"""Called with each plugin that is left out, as its registry is filled or later in use."""


class Registry(Mapping[str, T], Generic[T]):
    """Things of one kind by name: first our own, then those of plugins by package.

    Args:
        kind: what one is called in messages, such as ``model``.
        group: the entry points that name more of them. Importing the object that one refers to
            registers a thing under the entry point's name.
        modules: our own modules and packages; all modules of a package are imported.
        missing: returns what a thing lacks of the contract; an empty text if nothing.
    """

    def __init__(
        self,
        kind: str,
        *,
        group: str,
        modules: tuple[str, ...],
        missing: Callable[[Any], str] = lambda _: "",
    ) -> None:
        self.kind = kind
        self._group, self._modules, self._missing = group, modules, missing
        self._things: dict[str, T] = {}
        self._packages: dict[str, str] = {}
        self._refusals: dict[str, Refusal] = {}
        self._package = _OURS
        self._loaded = False
        self._lock = threading.RLock()

    def register(self, name: str) -> Callable[[Registered], Registered]:
        """Register what is decorated under a name.

        Raises:
            ValueError: the name is taken, or the thing lacks part of the contract.
        """

        def add(thing: Registered) -> Registered:
            if name in self._things:
                raise ValueError(
                    f"{_origin(thing)} registers the {self.kind} {name!r}, which "
                    f"{_origin(self._things[name])} has registered already; choose another name"
                )
            if lacks := self._missing(thing):
                raise ValueError(f"the {self.kind} {name!r} lacks {lacks}")
            self._things[name] = thing  # type: ignore[assignment] # ``missing`` has checked it
            self._packages[name] = self._package
            return thing

        return add

    def __getitem__(self, name: str) -> T:
        """The thing of a name.

        Raises:
            ConfigError: there is none; unlike a ``KeyError`` it lists the known ones.
        """
        if name in self:
            return self._things[name]
        if name in self._refusals:
            raise ConfigError(f"can't use {self._refusals[name]}")
        raise ConfigError(
            f"there is no {self.kind} {name!r}{did_you_mean(name, self._things)}; known: "
            f"{', '.join(self._things)}"
        )

    def __contains__(self, name: object) -> bool:
        return name in self._load()

    def __iter__(self) -> Iterator[str]:
        return iter(self._load())

    def __len__(self) -> int:
        return len(self._load())

    @property
    def refusals(self) -> list[Refusal]:
        """The plugins that were left out."""
        self._load()
        return list(self._refusals.values())

    def refuse(self, name: str, package: str, error: Exception, *, place: str = "") -> None:
        """Record that something failed, at its import or in use, and report it the first time.

        ``place`` is the file and line, if the error doesn't tell.
        """
        if name not in self._refusals:
            reason = f"{place}: {in_words(error)}" if place else in_words(error)
            refusal = self._refusals[name] = Refusal(self.kind, package, name, reason)
            for report in on_refusal:
                report(refusal)

    @property
    def registered(self) -> Mapping[str, T]:
        """What is registered so far; unlike the registry itself it loads nothing."""
        return self._things

    def package(self, name: str) -> str:
        """The package that registered a name."""
        self._load()
        return self._packages[name]

    def _load(self) -> dict[str, T]:
        with self._lock:
            if not self._loaded:
                self._loaded = True  # before: a module that is imported may ask
                self._load_ours()
                points = [(_package(one), one.name, one) for one in entry_points(group=self._group)]
                for package, _, point in sorted(points, key=lambda each: each[:2]):
                    self._load_plugin(point, package)
        return self._things

    def _load_ours(self) -> None:
        for name in self._modules:
            module = import_module(name)
            for found in pkgutil.iter_modules(getattr(module, "__path__", [])):
                import_module(f"{name}.{found.name}")
        # The same order, whichever of them was imported before.
        self._things = dict(sorted(self._things.items(), key=lambda item: self._place(item[1])))

    def _place(self, thing: T) -> tuple[int, str]:
        """The number of our module that a thing is from, and the module itself."""
        module = getattr(thing, "__module__", "")
        inside = [f"{module}.".startswith(f"{one}.") for one in self._modules]
        return (inside.index(True) if any(inside) else len(inside), module)

    def _load_plugin(self, point: EntryPoint, package: str) -> None:
        before = set(self._things)
        outer, self._package = self._package, package
        try:
            self._load_point(point)
            if point.name in before and self._was_imported(point.name, package):
                self._packages[point.name] = package
            elif point.name not in self._things or point.name in before:
                found = ", ".join(sorted(set(self._things) - before)) or "nothing"
                raise ValueError(f"{point.value} registers {found}, expected {point.name!r}")
        except Exception as error:  # whatever a stranger's module raises
            self.refuse(point.name, package, error)
            for name in set(self._things) - before:
                del self._things[name], self._packages[name]
        finally:
            self._package = outer

    def _load_point(self, point: EntryPoint) -> None:
        point.load()

    def _was_imported(self, name: str, package: str) -> bool:
        """Whether a plugin's module, imported for something else in it, registered a name."""
        foreign = self._place(self._things[name])[0] == len(self._modules)
        return foreign and self._packages[name] in {_OURS, package}


def settings_lack(kind: Any) -> str:
    """What a class lacks to be a documented dataclass of settings; an empty text if nothing."""
    if "__dataclass_fields__" not in vars(kind):
        return "the decorator @dataclass"
    settings = dataclasses.fields(kind)
    if required := [
        each.name
        for each in settings
        if each.default is each.default_factory is dataclasses.MISSING
    ]:
        return f"a default of {', '.join(required)}"
    documented = "".join((base.__doc__ or "").partition("Attributes:")[2] for base in kind.__mro__)
    names = [each.name for each in settings]
    silent = [name for name in names if not re.search(rf"^ +{name}:", documented, re.MULTILINE)]
    return f"a line for {', '.join(silent)} under Attributes:" if silent else ""


def _origin(thing: Any) -> str:
    """The file or the module that something registered is from; a metric holds its function."""
    return str(thing) if isinstance(thing, Path) else getattr(thing, "function", thing).__module__


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.value


class YamlRegistry(Registry[Path]):
    """YAML files by name: those of a folder of ours, then those of installed packages.

    An entry point is called like the file without its ending, and names the package that holds it:
    ``mine = "my_package.corpora"`` is ``my_package/corpora/mine.yaml``. No package is imported.

    Args:
        kind: see ``Registry``.
        group: see ``Registry``.
        folder: ours.
        check: reads a plugin's file, and raises if something in it is wrong.
    """

    def __init__(
        self, kind: str, *, group: str, folder: Path, check: Callable[[Path], object]
    ) -> None:
        super().__init__(kind, group=group, modules=())
        self._folder, self._check = folder, check

    def _load_ours(self) -> None:
        for path in sorted(self._folder.glob("*.yaml")):
            self.register(path.stem)(path)

    def _load_point(self, point: EntryPoint) -> None:
        top, *below = point.value.split(".")
        spec = find_spec(top)
        for folder in (spec and spec.submodule_search_locations) or ():
            path = Path(folder, *below, f"{point.name}.yaml")
            if path.is_file():
                self._check(path)
                self.register(point.name)(path)
                return
        raise FileNotFoundError(f"there is no {point.name}.yaml in {point.value}")
