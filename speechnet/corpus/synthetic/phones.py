"""The speech sounds and the ten invented sentences of the synthetic corpus, as tables.

References:
    G. Peterson and H. Barney, "Control methods used in a study of the vowels", JASA 24(2), 1952:
    the mean formants of men's vowels.
    D. Klatt, "Software for a cascade/parallel formant synthesizer", JASA 67(3), 1980: the order of
    magnitude of the other sounds' formants, bands and durations.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Segment(NamedTuple):
    """A stretch of steady sound.

    Attributes:
        ms: duration in milliseconds at the rate of a neutral speaker.
        voice: level of the pulses, 0 to 1.
        breath: level of the noise that passes through the formants, 0 to 1.
        hiss: level of the noise with a band of its own, 0 to 1.
        f1: first formant of a male speaker in Hz; ``f2`` and ``f3`` likewise.
        f2: second formant.
        f3: third formant.
        centre: middle of the hiss band in Hz.
        width: standard deviation of the hiss band in Hz.
    """

    ms: float
    voice: float = 0.0
    breath: float = 0.0
    hiss: float = 0.0
    f1: float = 400.0
    f2: float = 1500.0
    f3: float = 2500.0
    centre: float = 4000.0
    width: float = 1500.0


def _vowel(f1: float, f2: float, f3: float, ms: float = 85.0) -> tuple[Segment, ...]:
    return (Segment(ms, voice=1.0, f1=f1, f2=f2, f3=f3),)


def _stop(locus: float, centre: float, *, voiced: bool) -> tuple[Segment, ...]:
    """A closure and a burst; ``locus`` is the F2 towards which the neighbours' formants bend."""
    closure = Segment(50, voice=0.12 if voiced else 0.0, f1=220, f2=locus)
    burst = Segment(
        12 if voiced else 28,
        voice=0.3 if voiced else 0.0,
        breath=0.1 if voiced else 0.4,
        hiss=0.25 if voiced else 0.6,
        f1=300,
        f2=locus,
        centre=centre,
        width=0.35 * centre,
    )
    return closure, burst


_IY, _IH, _UH = _vowel(270, 2290, 3010), _vowel(390, 1990, 2550), _vowel(440, 1020, 2240)
_T, _SH = _stop(1750, 4500, voiced=False), Segment(95, hiss=0.8, f2=1800, centre=3400, width=900)

# ARPAbet. Vowels: Peterson and Barney; the others: textbook values, rounded.
PHONES: Final[dict[str, tuple[Segment, ...]]] = {
    "iy": _IY,
    "ih": _IH,
    "eh": _vowel(530, 1840, 2480),
    "ae": _vowel(660, 1720, 2410),
    "ah": _vowel(640, 1190, 2390, ms=65),
    "aa": _vowel(730, 1090, 2440),
    "ao": _vowel(570, 840, 2410),
    "uh": _UH,
    "uw": _vowel(300, 870, 2240),
    "er": _vowel(490, 1350, 1690),
    "ey": _vowel(480, 1950, 2600, ms=65) + _IY,
    "ay": _vowel(730, 1150, 2440, ms=80) + _IH,
    "ow": _vowel(540, 900, 2400, ms=70) + _UH,
    "m": (Segment(65, voice=0.4, f1=250, f2=1000, f3=2200),),
    "n": (Segment(60, voice=0.4, f1=250, f2=1600, f3=2600),),
    "ng": (Segment(70, voice=0.4, f1=250, f2=2000, f3=2700),),
    "l": (Segment(60, voice=0.55, f1=350, f2=1100, f3=2700),),
    "r": (Segment(60, voice=0.55, f1=330, f2=1150, f3=1550),),
    "w": (Segment(60, voice=0.55, f1=300, f2=650, f3=2200),),
    "y": (Segment(50, voice=0.55, f1=270, f2=2200, f3=3000),),
    "s": (Segment(100, hiss=0.8, f2=1700, centre=6300, width=1300),),
    "sh": (_SH,),
    "f": (Segment(85, hiss=0.2, f2=1000, centre=5500, width=3500),),
    "z": (Segment(75, voice=0.25, hiss=0.4, f1=250, f2=1700, centre=6000, width=1300),),
    "v": (Segment(55, voice=0.4, hiss=0.08, f1=250, f2=1000, centre=5000, width=3000),),
    "dh": (Segment(40, voice=0.4, hiss=0.06, f1=270, f2=1400, centre=5500, width=3000),),
    "hh": (Segment(55, breath=0.4, f1=500, f2=1500, f3=2500),),
    "p": _stop(900, 1300, voiced=False),
    "t": _T,
    "k": _stop(1900, 2100, voiced=False),
    "b": _stop(900, 1100, voiced=True),
    "d": _stop(1750, 3800, voiced=True),
    "g": _stop(1900, 2000, voiced=True),
    "ch": (*_T, _SH),
    "_": (Segment(170),),
}

SENTENCES: Final = (
    "w iy w ih l m iy1 t y uw n ih1 r dh ah r ih1 v er ae t n uw1 n",
    "sh iy p uh1 t dh ah s m ao1 l b l uw1 k ah1 p ao n dh ah sh eh1 l f",
    "m ay b r ah1 dh er ih z k ah1 m ih ng hh ow1 m _ t ah m aa1 r ow",
    "n ow1 b ah d iy s ao1 dh ah d ao1 g r ah1 n ow v er dh ah f iy1 l d",
    "ih t r ey1 n d ao1 l d ey1 _ ae n d dh ah r ow1 d ih z k l ow1 z d",
    "dh ah ch ih1 l d r ah n hh ae v g ao1 n t ah s l iy1 p",
    "g ih1 v m iy dh ah k iy1 _ ay w ih l ow1 p ah n dh ah d ao1 r",
    "dh eh r ih z s ah m t iy1 ao n dh ah k ih1 ch ah n t ey1 b ah l",
    "dh ah l ao1 ng t r ey1 n t ah dh ah s iy1 l iy1 v z ah t f ay1 v",
    "ay n ow1 dh ah ae1 n s er _ b ah t ih t m ey n ao1 t hh eh1 l p",
)
"""The ten sentences in ARPAbet; 1 marks a stressed vowel, an underscore a pause."""
