"""Known encoders: their licence, and the corpora that they were trained on.

Each is a YAML of ``speechnet/features/encoders`` whose keys are those of ``KnownEncoder``. A folder
is taken for a known encoder if its network is of the same kind and size, and it lies in the cache
of the Hugging Face hub under the encoder's id, or is called like it and holds the class that was
published. What ``config.json`` calls itself doesn't count: an encoder that was trained further is
often saved with the name of the one it began as.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from speechnet.core.reading import read_yaml
from speechnet.core.registry import YamlRegistry
from speechnet.core.schema import decode
from speechnet.features.extractor import Provenance
from speechnet.features.pretrained.folder import Encoder
from speechnet.features.pretrained.hub import is_id

_UNTRAINED: Final = ("Model", "ForPreTraining")  # for no task


@dataclass(frozen=True)
class KnownEncoder:
    """An encoder that its makers describe.

    Attributes:
        title: its name in words.
        model: its id on the Hugging Face hub.
        architecture: the ``model_type`` of its configuration.
        head: how the class ends that its makers saved, without the kind of network: ``ForCTC``.
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
    head: str = "Model"

    def is_it(self, encoder: Encoder) -> bool:
        """Whether a folder holds it, by its place or name, its classes and its size."""
        size = (encoder.architecture, encoder.layers - 1, encoder.width)
        return self._named(encoder) and size == (self.architecture, self.layers, self.width)

    def _named(self, encoder: Encoder) -> bool:
        place, wanted = encoder.path, self.model.casefold()
        if place.parent.name == "snapshots":  # in the cache of the hub, by commit
            return place.parents[1].name.casefold() == f"models--{wanted.replace('/', '--')}"
        # Pretraining and its network alone are one encoder, whichever of them was saved again.
        published = all(one.endswith((*_UNTRAINED, self.head)) for one in encoder.classes)
        called = place.name.casefold() == wanted.partition("/")[2]
        return called and published and bool(encoder.classes)


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
    what = f"an encoder of the kind {encoder.architecture} that speechnet doesn't know"
    source = model if is_id(model) else Path(model).name  # a report tells no folders
    return Provenance(what, "unknown", source, ("not listed",))
