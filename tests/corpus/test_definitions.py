"""The shipped definitions against published names, and what a wrong definition is told."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from speechnet.core.errors import ConfigError
from speechnet.core.targets import VOCABULARY
from speechnet.corpus.definition import CORPORA, load_definition
from speechnet.corpus.labels import UNDECIDED
from speechnet.splits import protocol as protocol_module

# definition, name, speaker, gender, emotion, sentence; written by hand from the published rules.
NAMES = [
    ("ravdess", "Actor_01/03-01-01-01-01-01-01.wav", "01", "male", "neutral", "01"),
    ("ravdess", "03-01-02-02-02-02-24.wav", "24", "female", "calm", "02"),
    ("ravdess", "03-01-03-01-01-01-10.flac", "10", "female", "happy", "01"),
    ("ravdess", "03-01-04-01-01-01-13.wav", "13", "male", "sad", "01"),
    ("ravdess", "03-01-05-01-01-01-20.wav", "20", "female", "angry", "01"),
    ("ravdess", "03-01-06-01-02-01-12.wav", "12", "female", "fearful", "02"),
    ("ravdess", "03-01-07-01-01-01-09.wav", "09", "male", "disgust", "01"),
    ("ravdess", "03-01-08-01-01-01-19.WAV", "19", "male", "surprised", "01"),
    ("emodb", "wav/03a01Fa.wav", "03", "male", "happy", "a01"),
    ("emodb", "16b10Wb.wav", "16", "female", "angry", "b10"),
    ("emodb", "08a02La.wav", "08", "female", "bored", "a02"),
    ("emodb", "14a04Ed.wav", "14", "female", "disgust", "a04"),
    ("emodb", "11a02Ac.wav", "11", "male", "fearful", "a02"),
    ("emodb", "15b09Ta.wav", "15", "male", "sad", "b09"),
    ("emodb", "13a07N.wav", "13", "female", "neutral", "a07"),
    ("emodb", "09a05Fb.wav", "09", "female", "happy", "a05"),
    ("emodb", "10b03Wa.wav", "10", "male", "angry", "b03"),
    ("emodb", "12b01Lb.wav", "12", "male", "bored", "b01"),
    ("cremad", "AudioWAV/1001_DFA_ANG_XX.wav", "1001", "male", "angry", "DFA"),
    ("cremad", "AudioMP3/1063_IEO_DIS_LO.mp3", "1063", "female", "disgust", "IEO"),
    ("cremad", "1063_IEO_FEA_MD.wav", "1063", "female", "fearful", "IEO"),
    ("cremad", "1064_IEO_HAP_HI.wav", "1064", "male", "happy", "IEO"),
    ("cremad", "1040_ITH_SAD_X.wav", "1040", "male", "sad", "ITH"),
    ("cremad", "1091_TSI_NEU_XX.wav", "1091", "female", "neutral", "TSI"),
    ("tess", "OAF_angry/OAF_back_angry.wav", "OAF", "female", "angry", "back"),
    ("tess", "OA_bite_neutral.wav", "OAF", "female", "neutral", "bite"),
    ("tess", "YAF_shout_fear.wav", "YAF", "female", "fearful", "shout"),
    ("tess", "YAF_food_ps.wav", "YAF", "female", "surprised", "food"),
    ("tess", "yaf_germ_disgust.wav", "YAF", "female", "disgust", "germ"),
    ("tess", "YAF_walk_sad.wav", "YAF", "female", "sad", "walk"),
    ("tess", "OAF_death_happy.wav", "OAF", "female", "happy", "death"),
    ("savee", "AudioData/DC/a01.wav", "DC", "male", "angry", "a01"),
    ("savee", "ALL/JE_sa15.wav", "JE", "male", "sad", "sa15"),
    ("savee", "JK/su03.wav", "JK", "male", "surprised", "su03"),
    ("savee", "KL_f12.wav", "KL", "male", "fearful", "f12"),
    ("savee", "KL_d03.wav", "KL", "male", "disgust", "d03"),
    ("savee", "KL_h01.wav", "KL", "male", "happy", "h01"),
    ("savee", "KL_n30.wav", "KL", "male", "neutral", "n30"),
    ("emovo", "f1/dis-f1-b1.wav", "f1", "female", "disgust", "b1"),
    ("emovo", "gio-f2-b2.wav", "f2", "female", "happy", "b2"),
    ("emovo", "neu-m3-n2.wav", "m3", "male", "neutral", "n2"),
    ("emovo", "pau-m2-l3.wav", "m2", "male", "fearful", "l3"),
    ("emovo", "rab-m1-d1.wav", "m1", "male", "angry", "d1"),
    ("emovo", "sor-f3-l4.wav", "f3", "female", "surprised", "l4"),
    ("emovo", "tri-m3-n5.wav", "m3", "male", "sad", "n5"),
    ("shemo", "female/F14A09.wav", "F14", "female", "angry", None),
    ("shemo", "male/M02F01.wav", "M02", "male", "fearful", None),
    ("shemo", "F03S02.wav", "F03", "female", "sad", None),
    ("shemo", "M56W01.wav", "M56", "male", "surprised", None),
    ("shemo", "M01H02.wav", "M01", "male", "happy", None),
    ("shemo", "F01N03.wav", "F01", "female", "neutral", None),
    ("urdu", "Angry/SM1_F1_A01.wav", "SM1", "male", "angry", None),
    ("urdu", "Angry/SM4_F48_A0100.wav", "SM4", "male", "angry", None),
    ("urdu", "Happy/SF6_F14_H038.wav", "SF6", "female", "happy", None),
    ("urdu", "Neutral/SM20_F10_N014.wav", "SM20", "male", "neutral", None),
    ("urdu", "Sad/SF10_F1_S01.wav", "SF10", "female", "sad", None),
    ("aesdd", "anger/a01 (1).wav", "1", None, "angry", "01"),
    ("aesdd", "disgust/d20 (6).wav", "6", None, "disgust", "20"),
    ("aesdd", "fear/f10 (01).wav", "1", None, "fearful", "10"),
    ("aesdd", "fear/f18 (5)b.wav", "5", None, "fearful", "18"),
    ("aesdd", "happiness/h09 (2).wav", "2", None, "happy", "09"),
    ("aesdd", "sadness/s05 (3).wav", "3", None, "sad", "05"),
    ("folders", "data/Anger/x.wav", None, None, "angry", None),
    ("folders", "HAPPY/a b.mp3", None, None, "happy", None),
    ("folders", "joy/1.wav", None, None, "happy", None),
    ("folders", "Boredom/1.wav", None, None, "bored", None),
    ("folders", "speaker 1/surprise/1.wav", None, None, "surprised", None),
]


@pytest.mark.parametrize(("definition", "name", "speaker", "gender", "emotion", "sentence"), NAMES)
def test_published_names(
    definition: str,
    name: str,
    speaker: str | None,
    gender: str | None,
    emotion: str | None,
    sentence: str | None,
) -> None:
    """A name as published gives the labels its rule says."""
    labels = load_definition(definition).labels_of_name(name)
    assert labels is not None
    found = [labels.get(field) for field in ("speaker", "gender", "emotion", "sentence")]
    assert found == [speaker, gender, emotion, sentence]


@pytest.mark.parametrize(
    ("definition", "name"),
    [
        ("ravdess", "03-02-01-01-01-01-01.wav"),  # song
        ("ravdess", "01-01-01-01-01-01-01.wav"),  # with video
        ("ravdess", "03-01-09-01-01-01-01.wav"),  # no such emotion
        ("ravdess", "03-01-01-01-01-01-25.wav"),  # no such actor
        ("ravdess", "03-01-01-01-01-01-00.wav"),
        ("ravdess", "x03-01-01-01-01-01-01.wav"),
        ("emodb", "07a01Fa.wav"),
        ("cremad", "1001_DFA_ANG.wav"),
        ("tess", "OAF_back_calm.wav"),
        ("savee", "a01.wav"),
        ("savee", "XX_a01.wav"),
        ("emovo", "dis-f4-b1.wav"),
        ("urdu", "M1_F1_A01.wav"),
        ("aesdd", "n01 (1).wav"),
        ("folders", "at the root.wav"),
    ],
)
def test_other_names(definition: str, name: str) -> None:
    """A name that the rule doesn't cover is no recording of the corpus."""
    assert load_definition(definition).labels_of_name(name) is None


@pytest.mark.parametrize("name", list(CORPORA))
def test_shipped_definition(name: str) -> None:
    """Every shipped definition loads (which tries its example) and maps into the vocabulary."""
    definition = load_definition(name)
    assert definition.title
    assert definition.source
    assert definition.licence
    for target, known in VOCABULARY.items():
        assert set(
            definition.fields[target].map.values() if target in definition.fields else ()
        ) <= {*known, *UNDECIDED.get(target, ())}


def test_all_corpora_are_shipped() -> None:
    """The corpora that the project promises are there."""
    assert set(CORPORA) >= {
        *("ravdess", "emodb", "cremad", "tess", "savee", "emovo", "shemo", "urdu", "aesdd"),
        *("folders", "csv", "original", "synthetic", "msp-podcast", "meld", "common-voice"),
    }


def test_cremad_actors() -> None:
    """The published demographics have 91 actors: 48 men and 43 women."""
    genders = load_definition("cremad").fields["gender"].map
    published = (  # the column Sex of VideoDemographics.csv, from actor 1001 on
        "MFFFMFFFFF MFFMMMMFMF FMMFFMMFFF MMMMMMFMMM MMFMMFFMFM "
        "MFFFFFMFMF FMFMMMMMMM MFFFFFMFFM MFMFMMMMFM F"
    ).replace(" ", "")
    sexes = [{"male": "M", "female": "F"}[genders[str(actor)]] for actor in range(1001, 1092)]
    assert "".join(sexes) == published
    assert len(genders) == 91
    assert Counter(genders.values()) == {"male": 48, "female": 43}


def test_emodb_speakers() -> None:
    """Five men and five women, as published."""
    assert Counter(load_definition("emodb").fields["gender"].map.values()) == {
        "male": 5,
        "female": 5,
    }


GOOD = {
    "title": "Mine",
    "source": "me",
    "licence": "mine",
    "pattern": "(?P<speaker>[a-z]+)_(?P<emotion>[ah])",
    "fields": {"emotion": {"group": "emotion", "map": {"a": "angry", "h": "happy"}}},
    "example": {"name": "anna_h.wav", "labels": {"speaker": "anna", "emotion": "happy"}},
}


def write(folder: Path, raw: object) -> str:
    path = folder / "mine.yaml"
    path.write_text(raw if isinstance(raw, str) else yaml.safe_dump(raw))
    return str(path)


def test_own_definition(tmp_path: Path) -> None:
    """A path names one's own definition; it is called like the file."""
    definition = load_definition(write(tmp_path, GOOD))
    assert definition.name == "mine"
    assert definition.labels_of_name("x/bo_a.ogg") == {"speaker": "bo", "emotion": "angry"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patterns": "x"}, "unknown key 'patterns'; the nearest known one is 'pattern'"),
        ({"pattern": "(?P<speaker>"}, "isn't a regular expression"),
        ({"pattern": 3}, "pattern is 3, expected text"),
        ({"pattern": "(?P<a>x)"}, "the pattern has no group 'emotion'"),
        ({"match": "name"}, "match is 'name', expected one of stem, path"),
        ({"kind": "table"}, "kind is 'table', expected one of files, manifest"),
        ({"title": None}, "title is null, expected text"),
        ({"ignore_case": "yes please"}, "ignore_case is 'yes please', expected true or false"),
        ({"fields": ["emotion"]}, "fields is ['emotion'], expected keys with values"),
        ({"fields": {"emotion": {"groups": "emotion"}}}, "'fields.emotion.groups'"),
        ({"fields": {"emotion": {"map": {}}}}, "needs either group or value"),
        (
            {"fields": {"emotion": {"group": "emotion", "map": {False: "neutral"}}}},
            "a key of fields.emotion.map is false, expected text; put it in quotes",
        ),
        ({"example": {"name": "?", "labels": {}}}, "doesn't match the example '?'"),
        (
            {"example": {"name": "anna_h.wav", "labels": {"emotion": "sad"}}},
            "the example gives emotion 'happy', not 'sad'",
        ),
        ({"kind": "manifest"}, "pattern can't be set where kind is manifest"),
        (
            {"fields": {"emotion": {"column": "emotion"}}},
            "fields.emotion.column can't be set where kind is files",
        ),
        (
            {"example": {"name": "anna_h.wav", "row": {}, "labels": {}}},
            "example.row can't be set where kind is files",
        ),
    ],
)
def test_wrong_definition(tmp_path: Path, change: dict[str, object], message: str) -> None:
    """A mistake is named, with the file it stands in."""
    path = write(tmp_path, GOOD | change)
    with pytest.raises(ConfigError, match=re.escape(message)) as error:
        load_definition(path)
    assert path in str(error.value)


def test_manifest_definition_needs_a_file_column(tmp_path: Path) -> None:
    """A table must say which recording a row is about."""
    raw = {key: GOOD[key] for key in ("title", "source", "licence")}
    raw |= {"kind": "manifest", "example": {"row": {"path": "a.wav"}, "labels": {}}}
    with pytest.raises(ConfigError, match=r"fields\.file must name the column"):
        load_definition(write(tmp_path, raw))


def test_column_pattern_needs_its_group(tmp_path: Path) -> None:
    """A column's pattern says which part it takes by a group named like the field."""
    raw = {key: GOOD[key] for key in ("title", "source", "licence")}
    raw |= {
        "kind": "manifest",
        "example": {"labels": {}},
        "fields": {"speaker": {"column": "id", "pattern": "^[a-z]+"}},
    }
    with pytest.raises(ConfigError, match=r"needs a group called like the field: \(\?P<speaker>"):
        load_definition(write(tmp_path, raw))


@pytest.mark.parametrize(
    ("text", "message"), [("a: [", "isn't valid YAML"), ("- a", "expected keys")]
)
def test_not_a_definition(tmp_path: Path, text: str, message: str) -> None:
    """Text that is no YAML, or no mapping, is refused."""
    with pytest.raises(ConfigError, match=message):
        load_definition(write(tmp_path, text))


def test_yaml_builds_no_objects(tmp_path: Path) -> None:
    """A definition can't run code."""
    with pytest.raises(ConfigError, match="isn't valid YAML"):
        load_definition(write(tmp_path, "!!python/object/apply:os.getcwd []"))


def test_unknown_corpus(tmp_path: Path) -> None:
    """A misspelt corpus is answered with the nearest; a missing file with its path."""
    with pytest.raises(ConfigError, match=r"'ravdes' \(did you mean 'ravdess'\?\); known: aesdd, "):
        load_definition("ravdes")
    with pytest.raises(ConfigError, match=r"there is no file .*none\.yaml"):
        load_definition(str(tmp_path / "none.yaml"))


def test_a_package_adds_corpora_and_protocols(tmp_path: Path) -> None:
    """Their YAML files are found by name, in --help too, and the package isn't imported."""
    folder, info = tmp_path / "guest", tmp_path / "guest-1.0.dist-info"
    folder.mkdir()
    info.mkdir()
    (folder / "__init__.py").write_text("1 / 0")
    (folder / "mine.yaml").write_text(yaml.safe_dump(GOOD))
    protocol = (Path(protocol_module.__file__).parent / "protocols/savee-loso.yaml").read_text()
    (folder / "my-folds.yaml").write_text(protocol.replace("[savee]", "[mine]"))
    (folder / "broken.yaml").write_text("title: 3")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: guest\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[speechnet.corpora]\nmine = guest\nbroken = guest\n"
        "[speechnet.protocols]\nmy-folds = guest\nbroken = guest\n"
    )
    code = (
        "from speechnet.corpus.definition import CORPORA, load_definition\n"
        "from speechnet.splits.config import SplitConfig\n"
        "from speechnet.splits.protocol import PROTOCOLS\n"
        "from speechnet.cli.main import main\n"
        "print(load_definition('mine').title, SplitConfig('my-folds').named.corpora)\n"
        "for refusal in CORPORA.refusals + PROTOCOLS.refusals:\n"
        "    print(refusal.package, refusal.name, refusal.reason)\n"
        "main(['fit', '--help'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        check=False,
    )
    first, corpus, folds, *shown = done.stdout.splitlines()
    assert first == "Mine ('mine',)", done.stderr
    assert re.fullmatch("guest broken corpus definition .*: title is 3, expected text.*", corpus)
    assert folds.startswith("guest broken protocol broken: title is 3, expected text")
    said = " ".join(" ".join(shown).split())
    assert "'mine'" in said
    assert "my-folds" in said
