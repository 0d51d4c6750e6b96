"""Named protocols: exactly their folds, or a refusal with all that is wrong."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from helpers.divided import EMOBOX

from speechnet.core.errors import ConfigError, DataError
from speechnet.core.types import Fold, Targets
from speechnet.corpus.config import CorpusConfig
from speechnet.corpus.definition import load_definition
from speechnet.corpus.reader import load_corpus
from speechnet.splits.config import SplitConfig
from speechnet.splits.folds import make_folds, shared_speakers
from speechnet.splits.protocol import PROTOCOLS, load_protocol


def whole_corpus(name: str) -> pd.DataFrame:
    """A table of a protocol's corpus: its files, or each emotion of a speaker twice."""
    protocol = load_protocol(name)
    if protocol.unit == "file":
        files = sorted(file for fold in protocol.folds for file in fold)
        definition = load_definition("emodb")
        rows = [definition.labels_of_name(file) for file in files]
        return pd.DataFrame(rows, index=[f"wav/{file}.wav" for file in files])
    rows = [
        {"speaker": speaker, "emotion": label}
        for number, fold in enumerate(protocol.folds)
        for speaker in fold
        for label in (*protocol.classes, *protocol.classes)
        if label not in protocol.absent.get(number, ())
    ]
    # Rows of a speaker don't stand together.
    return pd.DataFrame(rows, index=[f"{row}.wav" for row in range(len(rows))]).sample(
        frac=1, random_state=0
    )


def targets_of(name: str) -> Targets:
    return {"emotion": list(load_protocol(name).classes)}


def folds_of(
    name: str, table: pd.DataFrame, corpus: str | None = None, dev: float = 0.2
) -> list[Fold]:
    config = SplitConfig(protocol=name, dev=dev)
    return make_folds(table, targets_of(name), config, seed=0, corpus=corpus)


def refusal(name: str, table: pd.DataFrame, corpus: str | None = None) -> list[str]:
    """The lines of what is wrong."""
    with pytest.raises(DataError, match=f"does not fit the protocol {name}:\n") as caught:
        folds_of(name, table, corpus)
    *lines, remedy = str(caught.value).splitlines()[1:]
    assert remedy.startswith("It needs the whole of ")
    return [line.strip() for line in lines]


class TestFolds:
    @pytest.mark.parametrize("name", list(PROTOCOLS))
    def test_exactly_its_folds(self, name: str) -> None:
        """The test parts are the file's, in its order; dev and train are the rest."""
        table, protocol = whole_corpus(name), load_protocol(name)
        folds = folds_of(name, table, protocol.corpora[0])
        assert len(folds) == len(protocol.folds)
        for fold, names in zip(folds, protocol.folds, strict=True):
            tested = table.iloc[fold.test]
            files = {Path(file).stem for file in tested.index}
            assert set(names) == (files if protocol.unit == "file" else set(tested["speaker"]))
            assert sorted(np.concatenate(list(fold.parts().values()))) == list(range(len(table)))
            assert len(fold.dev)
        assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(len(table)))

    @pytest.mark.parametrize("name", list(PROTOCOLS))
    def test_speakers(self, name: str) -> None:
        """Shared where the file says so, and nowhere else; the dev part's alike."""
        table, protocol = whole_corpus(name), load_protocol(name)
        folds = folds_of(name, table)
        shared = list(protocol.speakers) if protocol.speakers_shared else []
        assert shared_speakers(table, folds) == shared
        for fold in folds:
            both = set(table["speaker"].iloc[fold.train]) & set(table["speaker"].iloc[fold.dev])
            assert bool(both) == (protocol.dev == "recordings")

    def test_names_in_another_case(self) -> None:
        """EMOVO's speakers are in capitals in some copies; so are files elsewhere."""
        table = whole_corpus("emovo-loso")
        upper = table.assign(speaker=table["speaker"].str.upper())
        for one, other in zip(
            folds_of("emovo-loso", table), folds_of("emovo-loso", upper), strict=True
        ):
            assert one.test.tolist() == other.test.tolist()
        files = whole_corpus("emobox-emodb-5")
        assert len(folds_of("emobox-emodb-5", files.set_axis(files.index.str.upper()))) == 5

    def test_ravdess(self, ravdess: Path) -> None:
        """On the real corpus: the folds that lists of speakers give, dev parts too."""
        text = Path(__file__).parents[2] / "configs" / "ravdess-emobox.yaml"
        data = yaml.safe_load(text.read_text())["data"]
        corpus = load_corpus(CorpusConfig(name="ravdess", root=str(ravdess)), data["targets"])
        listed = SplitConfig(protocol="predefined", speakers=EMOBOX)
        named, by_lists = (
            make_folds(corpus.table, corpus.targets, config, seed=1, corpus="ravdess")
            for config in (SplitConfig(**data["split"]), listed)
        )
        for one, other in zip(named, by_lists, strict=True):
            for part, rows in one.parts().items():
                assert rows.tolist() == other.parts()[part].tolist()
        assert [len(fold.test) for fold in named] == [240] * 6
        departures = load_protocol("ravdess-emobox-6").departures(len(corpus.table), corpus.targets)
        assert departures == []


class TestRefusals:
    def test_another_corpus(self) -> None:
        """A shipped corpus of another name, whoever speaks; a table of one's own goes by them."""
        table = whole_corpus("savee-loso")
        wrong = refusal("savee-loso", table, corpus="emovo")
        assert wrong == ["it is for savee, data.corpus.name is emovo"]
        for own in ("csv", "my/savee.yaml"):
            assert len(folds_of("savee-loso", table, corpus=own)) == 4

    def test_other_speakers(self) -> None:
        """All that is wrong is said at once."""
        table = whole_corpus("savee-loso")
        table = table.assign(speaker=table["speaker"].replace({"KL": "anna", "JK": None}))
        table = table[(table["speaker"] != "JE") | (table["emotion"] != "sad")]
        table = table[(table["emotion"] != "happy") | (table["speaker"] == "DC")]
        assert refusal("savee-loso", table, corpus="synthetic") == [
            "it is for savee, data.corpus.name is synthetic",
            "12 of 48 recordings have no speaker",
            "1 unknown speaker: anna",
            "2 of its speakers are missing: JK, KL",
            "3 speakers are fewer than its 4 folds",
            "fold 0: no emotion 'happy' to train on",
            "fold 1: no emotion 'happy' to test",
            "fold 1: no emotion 'sad' to test",
            "folds 2, 3: the test part is empty",
        ]

    def test_a_class_missing_everywhere(self) -> None:
        """One line names the folds."""
        table = whole_corpus("ravdess-emobox-6")
        wrong = refusal("ravdess-emobox-6", table[table["emotion"] != "calm"])
        assert wrong == [
            f"folds 0, 1, 2, 3, 4, 5: no emotion 'calm' to {what}" for what in ("test", "train on")
        ]

    def test_a_class_nobody_asked_for(self) -> None:
        """Four of the eight emotions are a fit; only the published results are for eight."""
        table = whole_corpus("ravdess-emobox-6")
        table = table[table["emotion"].isin(["angry", "happy"])]
        config = SplitConfig(protocol="ravdess-emobox-6")
        assert len(make_folds(table, {"emotion": ["angry", "happy"]}, config, seed=0)) == 6

    def test_files(self) -> None:
        """Files it does not know are named; those that were excluded are no obstacle."""
        table = whole_corpus("emobox-emodb-5")
        assert len(folds_of("emobox-emodb-5", table[5:])) == 5
        renamed = table.rename(index={"wav/03a01Fa.wav": "wav/03a01Fz.wav"})
        assert refusal("emobox-emodb-5", renamed) == ["1 unknown file: 03a01fz"]
        first = set(load_protocol("emobox-emodb-5").folds[0])
        without = table[[Path(file).stem not in first for file in table.index]]
        assert refusal("emobox-emodb-5", without) == ["fold 0: the test part is empty"]

    def test_one_speaker(self) -> None:
        """Beside all else it is said what one speaker is good for."""
        table = whole_corpus("emodb-loso")
        wrong = refusal("emodb-loso", table[table["speaker"] == "08"])
        assert wrong[0] == "9 of its speakers are missing: 03, 09, 10, 11, 12, 13, 14, 15, 16"
        assert wrong[1].startswith("the corpus has one speaker (08), so nothing can be claimed")
        assert "fold 1: the rest to train on is empty" in wrong

    @pytest.mark.parametrize("settings", [{"column": "part"}, {"speakers": [["DC"]]}])
    def test_folds_of_ones_own(self, settings: dict[str, object]) -> None:
        """A named protocol's folds can't be mixed with others."""
        config = SplitConfig(protocol="savee-loso", **settings)
        (key,) = settings
        with pytest.raises(ConfigError, match=rf"split\.{key} is .* savee-loso has folds of its"):
            make_folds(whole_corpus("savee-loso"), targets_of("savee-loso"), config, seed=0)
