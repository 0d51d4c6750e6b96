"""Tests of the report page: what it says, and that nothing in it can run."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from helpers.evidence import with_intervals
from helpers.reported import HOSTILE, SECTIONS, SVG, Read, make_info, make_report_data
from helpers.results import with_tables
from jinja2 import UndefinedError
from matplotlib.figure import Figure

from speechnet.report.data import ReportData
from speechnet.report.figure import FIGURES, Drawing, drawings_of
from speechnet.report.figure import SECTIONS as SECTIONS_OF_FIGURES
from speechnet.report.html.environment import environment
from speechnet.report.html.page import Attachments, page
from speechnet.report.html.parts import Table
from speechnet.report.html.parts import whole as numbers
from speechnet.report.html.sections import sections
from speechnet.report.names import UNDEFINED

pytestmark = pytest.mark.slow

FIGURE = SVG.format("<path d='M 0 0'/>")
FIGURES_SHOWN = 27


CLIPS = {"mistakes/001.mp3": b"ID3 sound"}


def bare(data: ReportData, **files: Any) -> str:
    """The page without figures."""
    return page(data, Attachments(**files))


def written(scores: pd.DataFrame, **key: str) -> str:
    """A score as the report has to write it, worked out again from the table."""
    rows = scores.loc[(scores[[*key]] == pd.Series(key)).all(axis=1)].set_index("fold")
    value, low, high = rows.loc["mean", ["value", "low", "high"]]
    if math.isnan(low) or key["part"] == "dev":
        return f"{100 * value:.1f} ± {100 * rows.loc['sd', 'value']:.1f}"
    return f"{100 * value:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


@pytest.fixture(scope="module")
def whole() -> ReportData:
    """A run with every table, intervals too."""
    data = make_report_data()
    return with_tables(data, scores=with_intervals(data.scores))


@pytest.fixture(scope="module")
def read(whole: ReportData) -> Read:
    """Its page with every figure, taken apart."""
    files = [each.file for found in drawings_of(whole).values() for each in found]
    return Read(bare(whole, figures=dict.fromkeys(files, FIGURE), clips=CLIPS))


def test_every_section_is_there(read: Read) -> None:
    """In order, each linked to; all figures are shown, each with a name and a text."""
    assert [section["id"] for section in read.of("section")] == SECTIONS
    links = [link["href"] for link in read.of("a")]
    assert list(dict.fromkeys(links)) == ["#main", *(f"#{name}" for name in SECTIONS)]
    figures = [str(image["alt"]).partition(": ") for image in read.of("img")]
    assert len(figures) == FIGURES_SHOWN
    assert all(name and description for name, _, description in figures)


def test_a_bare_run_says_what_is_missing() -> None:
    """Every section is there, and each empty place names the key that fills it."""
    read = Read(bare(make_report_data(whole=False)))
    assert [section["id"] for section in read.of("section")] == SECTIONS
    for key in (
        *("evaluation.figures", "evaluation.calibrate", "models: {mlp: {}}", "models.mlp.grid"),
        *("data.targets", "evaluation.clustering.enabled", "evaluation.ablate.parts"),
        *("evaluation.ablate.importance", "data.corpora", "evaluation.cross"),
        *("report.mistakes", "report.audio"),
    ):
        assert key in read.text


def test_scores_are_those_of_the_table(whole: ReportData, read: Read) -> None:
    """Each cell of the table of scores is what scores.csv has, rounded."""
    scores = whole.scores
    headings, *rows = read.tables["Scores in per cent"]
    keys = {"test UAR": ("test", "uar"), "test accuracy": ("test", "accuracy")}
    keys |= {"train accuracy": ("train", "accuracy"), "dev UAR": ("dev", "uar")}
    names = {"MLP (network)": "mlp", "KNN": "knn"}
    assert len(rows) == 4
    for row in rows:
        for heading, (part, metric) in keys.items():
            wanted = written(scores, target=row[0], model=names[row[1]], part=part, metric=metric)
            assert row[headings.index(heading)] == wanted


def test_the_first_screen_ranks(whole: ReportData) -> None:
    """Models stand by falling test UAR, with its value and interval, before any section."""
    text = bare(whole).partition("<nav")[0]
    read = Read(text)
    found = [row for caption, rows in read.tables.items() for row in rows if caption]
    scores = whole.scores
    for target in ("gender", "emotion"):
        wanted = [
            written(scores, target=target, model=model, part="test", metric="uar")
            for model in ("mlp", "knn")
        ]
        wanted.sort(key=lambda text: -float(text.split()[0]))
        start = [row[1] for row in found].index(wanted[0])
        assert [row[1] for row in found[start : start + 2]] == wanted
    assert "paired permutation test over 24 speakers, Holm" in read.text
    assert "spoken: 60 recordings of 24 speakers, 30 minutes" in read.text
    assert "3 folds, unseen speakers" in read.text


def test_differences_and_p_values(whole: ReportData, read: Read) -> None:
    """The table of pairs has the differences in points and the corrected p values."""
    pairs = whole.table("comparisons")
    for row, (_, pair) in zip(
        read.tables["Models in pairs, test UAR"][1:], pairs.iterrows(), strict=True
    ):
        by = " ".join(f"{100 * pair[name]:+.1f}" for name in ("difference", "low", "high"))
        assert re.sub(r"[\[\],]", "", row[3]) == by
        assert row[4] == (f"{pair['p_holm']:.3f}" if pair["p_holm"] >= 0.001 else "< 0.001")
        assert row[5] == ("yes" if pair["p_holm"] <= 0.05 else "no")


def test_nothing_but_its_own_script_can_run(read: Read) -> None:
    """The policy allows the one style sheet and the one script by their hashes, and no address."""
    (policy,) = (str(meta["content"]) for meta in read.of("meta") if "http-equiv" in meta)
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", read.source, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    outside = re.sub(r"<script>.*?</script>", "", read.source, flags=re.DOTALL)
    outside = re.sub(r'src="data:[^"]*"', "", outside)
    assert not re.search(r"(https?:)?//[a-z]", outside)
    assert not any("style" in attributes for _, attributes in read.elements)


@pytest.fixture(scope="module")
def hostile() -> str:
    """The page of a run in which every name is markup."""
    targets = {"gender": ["female", "male"], HOSTILE: [HOSTILE, "'\"><svg onload=alert(3)>", "$a$"]}
    data = make_report_data(targets)
    changed = {}
    for name in ("audit", "excluded", "dropped", "search"):
        table = data.table(name)
        texts = [
            column for column in table if column not in {"check", "severity", "target", "numbers"}
        ]
        texts = [column for column in texts if isinstance(table[column].iloc[0], str)]
        changed[name] = table.assign(**dict.fromkeys(texts, HOSTILE))
    changed["search"] = changed["search"].assign(candidate=json.dumps({HOSTILE: HOSTILE}))
    names = dict.fromkeys(("file", "speaker", "gender", "unavailable"), HOSTILE)
    changed["mistakes"] = data.table("mistakes").assign(**names)
    changed["corpus"] = data.table("corpus").assign(speaker=HOSTILE)
    changed["speakers"] = data.table("speakers").assign(speaker=HOSTILE, uar=0.5)
    info = make_info(targets, corpus=HOSTILE) | {"experiment": HOSTILE, "protocol": HOSTILE}
    info |= {"git": HOSTILE, "versions": {HOSTILE: HOSTILE}}
    data = replace(with_tables(data, **changed), folder=HOSTILE, config=HOSTILE, info=info)
    return bare(data, checksums={HOSTILE: HOSTILE})


def test_hostile_names_stay_text(hostile: str) -> None:
    """No element and no attribute comes from data; the names are read as they are."""
    read = Read(hostile)
    assert len(read.of("script")) == 1
    assert not read.of("img")
    assert not read.of("b")
    assert not [name for _, given in read.elements for name in given if name.startswith("on")]
    assert hostile.count("alert(1)") > 20
    assert "<script>alert" not in hostile
    assert read.text.count(HOSTILE) > 20


def test_a_name_that_is_not_given_is_an_error() -> None:
    """A template can't fill in nothing."""
    with pytest.raises(UndefinedError, match="nothing"):
        environment().from_string("{{ nothing }}").render()


def test_mistakes_can_be_heard(read: Read) -> None:
    """The clip is in the page, with the probabilities, the true class and the one said."""
    (audio,) = read.of("audio")
    kind, _, data = str(audio["src"]).partition(",")
    assert kind == "data:audio/mpeg;base64"
    assert base64.b64decode(data) == CLIPS["mistakes/001.mp3"]
    assert "angry taken for happy, 90.0 % sure" in read.text
    assert "angry (true) 10.0 % happy (predicted) 90.0 %" in read.text
    assert "file a/b.wav; speaker s01, female; fold 0; part 0.0 to 2.0 s" in read.text


def test_mistakes_that_can_not_be_heard() -> None:
    """Without a clip there is no player, and the reason stands there."""
    data = make_report_data()
    silent = data.table("mistakes").assign(clip=None, unavailable="switched off by report.audio")
    read = Read(bare(with_tables(data, mistakes=silent), clips=CLIPS))
    assert not read.of("audio")
    assert "No sound or picture: switched off by report.audio." in read.text


@pytest.mark.parametrize(
    ("mistakes", "settings", "said"),
    [
        (None, {"report": {"mistakes": 0}}, "report.mistakes is 0"),
        (pd.DataFrame(columns=["target", "model"]), {}, "every recording .* was recognised"),
        (None, {}, "report.mistakes says how many"),
    ],
)
def test_no_mistakes(mistakes: pd.DataFrame | None, settings: dict[str, Any], said: str) -> None:
    """Why there are none is said."""
    data = make_report_data(whole=False, settings=settings)
    read = Read(bare(with_tables(data, mistakes=mistakes)))
    assert re.search(said, read.text)


def test_no_warning() -> None:
    """A run without any says so."""
    assert "No warning" in Read(bare(make_report_data(whole=False))).text


def test_long_tables_are_cut() -> None:
    """300 rows, with a note of where the rest is."""
    rows = pd.DataFrame({"x": range(1_000)})
    short = Table.of("t", rows, {"x": numbers("x")}, note="Note.", file="x.csv")
    assert len(short.rows) == 300
    assert short.note == "The first 300 of 1,000 rows; all of them are in x.csv. Note."
    assert Table.of("t", rows.head(300), {"x": numbers("x")}, note="Note.").note == "Note."


def test_provenance(read: Read, whole: ReportData) -> None:
    """What repeats the run: commands, seed, versions, the configuration with its hash."""
    assert "python -m speechnet fit --config runs/made_up/version_0/config.yaml" in read.text
    assert "python -m speechnet report --run runs/made_up/version_0" in read.text
    assert hashlib.sha256(whole.config.encode()).hexdigest() in read.text
    assert "seed_everything: 7" in read.text
    assert ["soxr", "1.1.0"] in read.tables["Versions"]
    assert ["training", "12.5"] in read.tables["Time spent"]


def test_a_command_is_safe_to_paste() -> None:
    """A folder's name can't end the command."""
    read = Read(bare(make_report_data(folder="runs/a; rm -r b", whole=False)))
    assert "python -m speechnet test --run 'runs/a; rm -r b'" in read.text


def test_local_folders_stay_at_home() -> None:
    """Of absolute paths the page has the last parts, in the configuration as in the commands."""
    root, cache = "/home/someone/it's here/corpus", "/home/someone/cache"
    config = f"data:\n  corpus:\n    root: '{root.replace(chr(39), 2 * chr(39))}'\n"
    config += f"  cache_dir: {cache}\n"
    settings = {"data": {"corpus": {"root": root}, "cache_dir": cache}, "list": [1, None, "a/b"]}
    folder = "/home/someone/runs/made_up/version_0"
    source = bare(make_report_data(folder=folder, config=config, settings=settings))
    read = Read(source)
    assert "someone" not in source
    assert "python -m speechnet fit --config RUN/config.yaml" in read.text
    assert "RUN is this run's folder" in read.text
    source = bare(make_report_data(folder=folder, settings={"out": "runs"}))
    assert "someone" not in source
    assert "test --run runs/made_up/version_0" in Read(source).text
    moved = bare(make_report_data(folder=folder, settings={"out": "checkpoints"}))
    assert "test --run RUN" in Read(moved).text
    assert "root: '…/corpus'" in read.text
    assert "cache_dir: …/cache" in read.text
    assert "config.yaml in the run folder is whole" in read.text
    assert "--data.corpus.root PATH" in read.text
    assert hashlib.sha256(config.encode()).hexdigest() in read.text


def test_a_run_without_sums_is_not_verified(read: Read) -> None:
    """Provenance says so, and only then."""
    said = "not verified: this run has no checksums"
    assert said in read.text
    assert said not in Read(bare(make_report_data(), checksums={"scores.csv": "0" * 64})).text


def test_calibration_is_told_apart() -> None:
    """The pooled error stands in table and caption alike, the means are called means."""
    report_data = make_report_data()
    rows = [
        ("mlp", "emotion", "test", fold, "ece", ece)
        for fold, ece in (("all", 0.056), ("mean", 0.115))
    ]
    scores = pd.concat([report_data.scores, pd.DataFrame(rows, columns=report_data.scores.columns)])
    figures = {"reliability_emotion": FIGURE}
    shown = {
        part: scores[(scores["model"] == "mlp") | (scores["part"] != part)] for part in ("dev",)
    }
    read = Read(bare(with_tables(report_data, scores=shown["dev"]), figures=figures))
    headings, row = read.tables["Calibration"]
    told = dict(zip(headings, row, strict=True))
    assert told["ECE after, pooled"] == "5.6"
    assert told["ECE after, mean over folds"] == "5.0"
    assert "expected calibration error of all folds' rows pooled 5.6 points" in read.text


def test_the_note_explains_each_spread(whole: ReportData, read: Read) -> None:
    """One kind in each column; brackets and deviations are both said to be what they are."""
    headings, *rows = read.tables["Scores in per cent"]
    for place, heading in enumerate(headings[2:], start=2):
        for row in rows:
            assert ("[" in row[place]) == (heading.startswith("test") and row[place] != UNDEFINED)
    for text in (read.text, Read(bare(with_tables(whole, scores=make_report_data().scores))).text):
        assert "±: standard deviation over folds" in text
    assert "[ ]: 95 % bootstrap interval" in read.text


def test_a_score_without_interval_takes_it_from_its_column(whole: ReportData) -> None:
    """Deviations then, in the whole column; the first screen explains what it shows."""
    scores = whole.scores.copy()
    at = (scores[["model", "target", "part", "metric"]] == ["knn", "emotion", "test", "uar"]).all(
        axis=1
    )
    scores.loc[at, ["low", "high"]] = math.nan
    text = bare(with_tables(whole, scores=scores))
    headings, *rows = Read(text).tables["Scores in per cent"]
    place = headings.index("test UAR")
    assert all("±" in row[place] and "[" not in row[place] for row in rows)
    first = Read(text.partition("<nav")[0]).text
    assert "in brackets and as a line" in first
    assert "±: standard deviation over folds" in first


def test_whose_details_are_told(whole: ReportData, read: Read) -> None:
    """The first screen names the best model; without a dev part it says what that means."""
    assert whole.best is not None
    assert whole.best.reason in read.text
    assert "Nothing was chosen on the test part" in read.text
    scores = whole.scores
    without = with_tables(whole, scores=scores[scores["part"] != "dev"], search=None)
    assert without.best is not None
    assert without.best.basis == "test"
    text = Read(bare(without)).text
    assert without.best.reason in text
    assert "Nothing was chosen on the test part" not in text


def test_pairs_say_what_they_are_of(read: Read) -> None:
    """Of all folds' rows, which the means above are not: on the first screen and at the table."""
    assert read.text.count("ifferences are of the UAR of all folds' rows together") == 2


@pytest.fixture
def mistaken() -> ReportData:
    """A run whose one recording is wrong for two targets of the same classes."""
    targets = {"one": ["low", "high"], "two": ["low", "high"]}
    data = make_report_data(targets)
    rows = data.table("mistakes")
    both = pd.concat([rows.assign(target=target) for target in targets])
    return with_tables(data, mistakes=both)


def test_ties_are_told(mistaken: ReportData) -> None:
    """If the last mistake shown is as confident as some that aren't."""
    files = [f"{number}.wav" for number in range(7)]
    wrong = {"model": "mlp", "target": "one", "part": "test", "fold": "0", "p_low": 0.1}
    wrong |= {"truth": "low", "predicted": "high", "p_high": 0.9}
    tied = with_tables(mistaken, predictions=pd.DataFrame({"file": files}).assign(**wrong))
    assert tied.tied_mistakes == {"one": 7}
    read = Read(bare(tied))
    assert read.text.count("7 mistakes tie at 90.0 %; not all of them are shown.") == 1


@pytest.mark.parametrize(("duration", "part"), [(2.02, False), (3.0, True)])
def test_a_part_is_told_where_it_is_one(
    mistaken: ReportData, duration: float, *, part: bool
) -> None:
    """A clip of the whole recording needs no times."""
    corpus = mistaken.table("corpus").head(1).assign(file="a/b.wav", duration=duration)
    read = Read(bare(with_tables(mistaken, corpus=corpus)))
    assert ("part 0.0 to 2.0 s" in read.text) == part


def test_what_clips_are(whole: ReportData) -> None:
    """In the words of the run's own settings, where there is anything to hear."""
    audio = {"sample_rate": 22_050, "trim_db": 30.0}
    text = Read(bare(replace(whole, settings={"data": {"audio": audio}}), clips=CLIPS)).text
    assert (
        "mono, resampled to 22,050 Hz, trimmed, not denoised, loudness unchanged; at most" in text
    )
    assert "not denoised" not in Read(bare(whole)).text


def test_the_sections_of_figures(whole: ReportData) -> None:
    """The places that the page asks for are those that figures may name."""
    asked: list[str] = []
    sections(whole, lambda place: asked.append(place) or [])  # type: ignore[func-returns-value]
    assert [*asked, "more"] == [*SECTIONS_OF_FIGURES]


def test_a_figure_stands_where_it_says(monkeypatch: pytest.MonkeyPatch, whole: ReportData) -> None:
    """In the section it names, behind the others; or else in a last one."""

    def more(_: ReportData) -> list[Drawing]:
        return [
            Drawing(file=name[3:], section=name[3:], title=name, caption="Seen.", draw=Figure)
            for name in ("My people", "My elsewhere")
        ]

    monkeypatch.setattr("speechnet.report.figure.FIGURES", {**FIGURES, "more": more})
    files = dict.fromkeys(["speakers_emotion", "people", "elsewhere"], FIGURE)
    read = Read(bare(whole, figures=files))
    assert [section["id"] for section in read.of("section")] == [
        *SECTIONS[:7],
        "more",
        *SECTIONS[7:],
    ]
    order = [
        str(given.get("id") or str(given["alt"]).partition(":")[0])
        for tag, given in read.elements
        if tag in {"section", "img"}
    ]
    start = order.index("people")
    assert order[start : start + 4] == ["people", "Each speaker", "My people", "clusters"]
    assert order[order.index("more") + 1] == "My elsewhere"
