"""Known encoders: their licence, and the corpora that they were trained on.

Each is a YAML of ``speechnet/features/encoders`` whose keys are those of ``KnownEncoder``. A folder
is taken for a known encoder if it is called so, by itself or by its configuration, and its network
is of the same kind and size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from speechnet.core.reading import read_yaml
from speechnet.core.registry import YamlRegistry
from speechnet.core.schema import decode
from speechnet.features.extractor import Provenance
from speechnet.features.pretrained.folder import Encoder


@dataclass(frozen=True)
class KnownEncoder:
    """An encoder that its makers describe.

    Attributes:
        title: its name in words.
        model: its id on the Hugging Face hub.
        architecture: the ``model_type`` of its configuration.
        layers: of its network, without the front end.
        width: numbers in a frame.
        licence: what may be done with its weights.
        seen: the corpora that its weights were trained on, by their usual names.
        source: where the licence and the corpora are said.
    """

    title: str
    model: str
    architecture: str
    layers: int
    width: int
    licence: str
    source: str
    seen: tuple[str, ...]

    def is_it(self, encoder: Encoder) -> bool:
        """Whether a folder holds it, by its name and its size."""
        size = (encoder.architecture, encoder.layers - 1, encoder.width)
        wanted = self.model.casefold()
        named = any(name in {wanted, wanted.partition("/")[2]} for name in _names(encoder))
        return named and size == (self.architecture, self.layers, self.width)


def _names(encoder: Encoder) -> Iterator[str]:
    """What a folder is called: by itself, by its configuration, and in the cache of the hub."""
    yield encoder.path.name.casefold()
    yield encoder.name.casefold()
    for parent in encoder.path.parents:
        if parent.name.startswith("models--"):
            yield parent.name.removeprefix("models--").replace("--", "/").casefold()


def _read(path: Path) -> KnownEncoder:
    # Owners and models are written with a slash, texts such as lists of corpora as YAML lists.
    return decode(KnownEncoder, read_yaml(path), f"encoder {path.stem}")


ENCODERS: Final = YamlRegistry(
    "encoder", group="speechnet.encoders", folder=Path(__file__).parents[1] / "encoders",
    check=_read,
)  # fmt: skip


@cache
def known_encoders() -> tuple[KnownEncoder, ...]:
    """All known encoders."""
    return tuple(_read(path) for path in ENCODERS.values())


def provenance(encoder: Encoder, model: str) -> Provenance:
    """Where an encoder's weights come from, as far as that is known.

    Args:
        encoder: its folder.
        model: as the configuration names it.
    """
    for one in known_encoders():
        if one.is_it(encoder):
            return Provenance(f"{one.title} ({one.model})", one.licence, one.source, one.seen)
    what = f"an encoder of the kind {encoder.architecture} that speechnet doesn't know: "
    return Provenance(f"{what}the corpora that it has seen are unknown", "unknown", model)
