"""The synthetic corpus on disk: invented speakers, WAV files and the original's table of labels.

Nothing in it is real: it is for trying the program without a download, and an example of one's own
data.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any, Final

import joblib
import pandas as pd
import soundfile

from speechnet.core.errors import ConfigError
from speechnet.core.files import remove_abandoned, write_whole
from speechnet.core.reading import parse_json, read_regular
from speechnet.corpus.config import SynthConfig
from speechnet.corpus.synthetic.synthesis import VERSION, synthesise
from speechnet.corpus.synthetic.voices import EMOTIONS, draw_voice

LABELS: Final = "labels.csv"
SETTINGS: Final = "synth.json"
COLUMNS: Final = ("voice_id", "Text_ID", "Sex", "Age", "emotion_ID")
SEXES: Final = ("male", "female")
"""The original's codes of ``Sex`` are the positions here, from 0."""

_README: Final = """\
These recordings are synthetic. No person spoke them: a small program made every sample from
pulses, noise and filters. Results on them say nothing about people, nor about how well a method
works on real speech. They serve to try the program out, and as an example of the files it reads.

labels.csv has one row for each recording:
  voice_id    the file's name without .wav; the speaker stands before the first underscore
  Text_ID     which sentence, 1 to 10
  Sex         0 male, 1 female
  Age         years; drawn, without influence on the voice
  emotion_ID  1 angry, 2 happy, 3 sad, 4 neutral
synth.json holds the settings that make the same files again.
"""


def write_corpus(
    out: Path, config: SynthConfig, *, on_file: Callable[[], None] | None = None
) -> Path:
    """Write the corpus, or complete it, and return the path of its table of labels.

    Every file is written whole or not at all, and the labels last: if they exist, the corpus is
    complete, and a second call returns at once. Speakers are divided among the processes of
    ``joblib.parallel_config``.

    Args:
        out: a folder: new, empty, or begun earlier with the same configuration.
        config: the size, seed and sample rate.
        on_file: called in this process once for each finished recording, a speaker's recordings
            together; not called for a corpus that is already complete.

    Raises:
        ConfigError: ``out`` holds something else.
        OSError: there is no space or no permission.
    """
    labels = out / LABELS
    if _begun(out, config) and labels.exists():
        return labels
    out.mkdir(parents=True, exist_ok=True)
    write_whole(out / SETTINGS, json.dumps(_settings(config), indent=2).encode())
    write_whole(out / "README.txt", _README.encode())

    jobs = (joblib.delayed(_write_speaker)(out, n, config) for n in range(1, config.speakers + 1))
    for written in joblib.Parallel(return_as="generator_unordered")(jobs):
        if on_file is not None:
            for _ in range(written):
                on_file()
    remove_abandoned(out)
    write_whole(labels, _table(config).to_csv(index=False, lineterminator="\n").encode())
    return labels


def _settings(config: SynthConfig) -> dict[str, int]:
    return {"synthesiser": VERSION, **asdict(config)}


def _begun(out: Path, config: SynthConfig) -> bool:
    """Whether ``out`` holds this corpus, complete or not; an error if it holds anything else."""
    if not out.exists():
        return False
    if not out.is_dir():
        raise ConfigError(f"{out} is a file, expected a folder; name another")
    try:
        found: Any = parse_json(read_regular(out / SETTINGS))
    except FileNotFoundError:
        if all(path.suffix == ".tmp" for path in out.iterdir()):  # killed at its first file
            return False
        raise ConfigError(
            f"{out} is not empty and has no {SETTINGS}, so it isn't a synthetic corpus; "
            "name a new folder"
        ) from None
    except ValueError:
        found = "not JSON"
    if found != _settings(config):
        raise ConfigError(
            f"{out / SETTINGS} has {found}, expected {_settings(config)}: the folder holds another "
            "synthetic corpus; name a new folder, or delete this one"
        )
    return True


def _voice_id(speaker: int, sentence: int, emotion: int) -> str:
    return f"s{speaker:04d}_t{sentence:02d}_e{emotion}"


def _recordings(config: SynthConfig) -> list[tuple[int, int]]:
    """The sentence and emotion code of each of a speaker's recordings, in order."""
    return list(product(range(1, config.sentences + 1), range(1, len(EMOTIONS) + 1)))


def _write_speaker(out: Path, speaker: int, config: SynthConfig) -> int:
    """Write a speaker's missing recordings, and return the number of all."""
    folder = out / f"s{speaker:04d}"
    folder.mkdir(exist_ok=True)
    recordings = _recordings(config)
    for sentence, emotion in recordings:
        path = folder / f"{_voice_id(speaker, sentence, emotion)}.wav"
        if path.exists():
            continue
        y = synthesise(
            gender=SEXES[speaker % 2],
            emotion=EMOTIONS[emotion - 1],
            sentence=sentence,
            speaker=speaker,
            seed=config.seed,
            sample_rate=config.sample_rate,
        )
        # Through memory: on a full disk Python raises an error, and libsndfile doesn't.
        wav = io.BytesIO()
        soundfile.write(wav, y, config.sample_rate, subtype="PCM_16", format="WAV")
        write_whole(path, wav.getvalue())
    return len(recordings)


def _table(config: SynthConfig) -> pd.DataFrame:
    """A row for each recording in the original's columns and codes."""
    rows = []
    for speaker in range(1, config.speakers + 1):
        sex = speaker % 2
        age = draw_voice(SEXES[sex], speaker, seed=config.seed).age
        rows += [
            (_voice_id(speaker, sentence, emotion), sentence, sex, age, emotion)
            for sentence, emotion in _recordings(config)
        ]
    return pd.DataFrame(rows, columns=list(COLUMNS))
