"""Which effects change copies of training recordings, and how strongly (``data.augment``)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import version
from typing import Annotated, Any, Final, Literal, NamedTuple

from speechnet.core.bounds import Number, Values
from speechnet.core.errors import ConfigError

Colour = Literal["white", "pink", "brown", "speech"]
CodecName = Literal["mu_law", "mp3", "opus", "vorbis"]
Share = Annotated[float, Number(ge=0, le=1)]

# Raised whenever the same settings give other samples.
_CODE_VERSION: Final = 1
_PACKAGES: Final = ("scipy", "torch", "torchaudio")


def between(low: float, high: float) -> Any:
    """A setting's default: the ends of a range from which values are drawn evenly."""
    return field(default_factory=lambda: [low, high])


@dataclass
class _Effect:
    """An effect, which has the chance ``p`` in each copy."""

    p: Share = 0.0

    def check(self, name: str) -> None:
        """Refuse a range that isn't one.

        Raises:
            ConfigError: it has another length than two, or its ends are swapped.
        """
        for key, value in vars(self).items():
            ends = isinstance(value, list) and not isinstance(value[0], str)
            if ends and (len(value) != 2 or value[0] > value[1]):
                raise ConfigError(
                    f"data.augment.{name}.{key} is {value}, expected the lower and the upper end "
                    "of a range"
                )


@dataclass
class SpeedConfig(_Effect):
    """Played faster or slower, which changes the pitch as well.

    Attributes:
        p: the chance in each copy.
        factor: the range of speeds.
    """

    p: Share = 0.5
    factor: Annotated[list[Annotated[float, Number(ge=0.5, le=2)]], Values(2)] = between(0.9, 1.1)


@dataclass
class PitchConfig(_Effect):
    """A higher or a lower voice at the same speed; formants move along.

    Attributes:
        p: the chance in each copy.
        semitones: the range of shifts.
    """

    p: Share = 0.0
    semitones: Annotated[list[Annotated[float, Number(ge=-12, le=12)]], Values(2)] = between(-1, 1)


@dataclass
class ReverbConfig(_Effect):
    """A room: the direct sound, and exponentially decaying noise.

    Attributes:
        p: the chance in each copy.
        rt60: the range of reverberation times in seconds, in which the sound falls by 60 dB.
        direct: the range of the direct sound's energy over that of the room, in dB.
    """

    p: Share = 0.3
    rt60: Annotated[list[Annotated[float, Number(gt=0, le=5)]], Values(2)] = between(0.2, 0.8)
    direct: Annotated[list[Annotated[float, Number(ge=-20, le=40)]], Values(2)] = between(0, 12)


@dataclass
class NoiseConfig(_Effect):
    """Noise.

    Attributes:
        p: the chance in each copy.
        folder: recordings of noise, of any format and in any depth below it, instead of the
            colours: a part of one of them is drawn, repeated where it is too short.
        snr: the range of signal-to-noise ratios in dB, of mean powers over the whole clip.
        colours: one of them is drawn: white, pink (falling by 10 dB a decade), brown (by 20), or
            speech, which has the spectrum of the clip itself.
    """

    p: Share = 0.5
    folder: str | None = None
    snr: Annotated[list[Annotated[float, Number(ge=-20, le=100)]], Values(2)] = between(5, 30)
    colours: Annotated[list[Colour], Values(once=True)] = field(
        default_factory=lambda: ["white", "pink", "brown", "speech"]
    )


@dataclass
class GainConfig(_Effect):
    """Louder or quieter, at most up to full scale.

    Attributes:
        p: the chance in each copy.
        db: the range of changes in dB.
    """

    p: Share = 0.5
    db: Annotated[list[Annotated[float, Number(ge=-60, le=60)]], Values(2)] = between(-10, 10)


@dataclass
class TelephoneConfig(_Effect):
    """A band of frequencies, by default that of a telephone.

    Attributes:
        p: the chance in each copy.
        low: the range of its lower end in Hz.
        high: the range of its upper end in Hz.
    """

    p: Share = 0.0
    low: Annotated[list[Annotated[float, Number(ge=0)]], Values(2)] = between(300, 300)
    high: Annotated[list[Annotated[float, Number(gt=0)]], Values(2)] = between(3400, 3400)

    def check(self, name: str) -> None:
        """Refuse what isn't a range, and a band that may end below its beginning."""
        super().check(name)
        if self.low[1] >= self.high[0]:
            raise ConfigError(
                f"data.augment.{name}.low is {self.low}, expected less than {self.high[0]:g}, "
                "where high begins: nothing would be left of a band from higher to lower"
            )


@dataclass
class CodecConfig(_Effect):
    """Encoded and decoded.

    Attributes:
        p: the chance in each copy.
        codecs: one of them is drawn.
        level: the range of libsndfile's compression levels; 0 is the best, mu_law has none.
    """

    p: Share = 0.0
    codecs: Annotated[list[CodecName], Values(once=True)] = field(
        default_factory=lambda: ["mu_law", "mp3", "opus", "vorbis"]
    )
    level: Annotated[list[Annotated[float, Number(ge=0, le=0.95)]], Values(2)] = between(0.2, 0.9)


@dataclass
class AugmentConfig:
    """Changed copies of the training recordings, which only training sees.

    Attributes:
        copies: of each training recording; 0 for none. Training takes that many times longer, and
            that much more memory. A copy goes through all effects below in their order, each by
            its chance ``p`` and as strong as is drawn; then it is denoised and described like any
            recording.
        seed: of what is drawn. A recording's copy is the same in every run, whatever
            ``seed_everything`` is, so that its features are found in the cache.
        speed: faster or slower, the pitch along with it.
        pitch: higher or lower at the same speed.
        reverb: a room.
        noise: white, pink, brown, or like speech.
        gain: louder or quieter.
        telephone: the band of a telephone.
        codec: 8 bits, MP3, Opus or Vorbis.
    """

    copies: Annotated[int, Number(ge=0, le=100)] = 0
    seed: int = 0
    speed: SpeedConfig = field(default_factory=SpeedConfig)
    pitch: PitchConfig = field(default_factory=PitchConfig)
    reverb: ReverbConfig = field(default_factory=ReverbConfig)
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    gain: GainConfig = field(default_factory=GainConfig)
    telephone: TelephoneConfig = field(default_factory=TelephoneConfig)
    codec: CodecConfig = field(default_factory=CodecConfig)

    def __post_init__(self) -> None:
        for name, effect in self._every():
            effect.check(name)
        if self.copies and not self.effects:
            raise ConfigError(
                "data.augment: copies are asked for, but every effect's p is 0, so that they would "
                "be the recordings themselves; give one a chance, or set copies to 0"
            )

    def _every(self) -> Iterator[tuple[str, Any]]:
        for each in fields(self):
            if isinstance(effect := getattr(self, each.name), _Effect):
                yield each.name, effect

    @property
    def effects(self) -> dict[str, Any]:
        """The effects that can happen, with their settings, in the order of the chain."""
        return {name: effect for name, effect in self._every() if effect.p > 0}


class Noise(NamedTuple):
    """A recording of noise: the digest of its bytes, and where it lies."""

    digest: str
    path: str


@dataclass(frozen=True)
class Copy:
    """One of the copies, from 0; ``noises`` are those of the folder, by their digests."""

    augment: AugmentConfig
    number: int
    noises: tuple[Noise, ...] = ()

    def describe(self) -> dict[str, Any]:
        """All that its samples depend on beside the recording, as plain types."""
        effects = {name: asdict(effect) for name, effect in self.augment.effects.items()}
        if self.noises:
            every = "".join(noise.digest for noise in self.noises)
            effects["noise"]["folder"] = hashlib.blake2b(every.encode(), digest_size=16).hexdigest()
        return {
            "code": _CODE_VERSION,
            "number": self.number,
            "seed": self.augment.seed,
            "effects": effects,
            "versions": {package: version(package) for package in _PACKAGES},
        }
