from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from speechnet.evaluation.bootstrap import bootstrap_weights, interval
from speechnet.evaluation.groups import Gap, recall_by_gender, speaker_scores, worst_gap

TARGETS = {"gender": ["female", "male"], "emotion": ["angry", "happy", "sad"]}
EMOTIONS = TARGETS["emotion"]


def gender_recalls(*arguments: Any, **options: Any) -> pd.DataFrame:
    """The first table."""
    return recall_by_gender(*arguments, **options)[0]


def gender_gaps(*arguments: Any, **options: Any) -> pd.DataFrame:
    """The second table."""
    return recall_by_gender(*arguments, **options)[1]


def corpus(
    speakers: int = 8, each: int = 9, *, emotions: tuple[str, ...] = tuple(EMOTIONS)
) -> pd.DataFrame:
    """Speakers of alternating gender who say each emotion equally often."""
    who = np.repeat(np.arange(speakers), each)
    table = pd.DataFrame(
        {
            "speaker": [f"s{number}" for number in who],
            "gender": np.array(TARGETS["gender"])[who % 2],
            "emotion": np.array(emotions)[np.arange(len(who)) % len(emotions)],
        },
        index=pd.Index([f"{row}.wav" for row in range(len(who))], name="file"),
    )
    return table.astype(object)


def predict(
    table: pd.DataFrame,
    models: tuple[str, ...] = ("svm", "knn"),
    *,
    women: float = 0.8,
    men: float = 0.5,
    seed: int = 0,
) -> pd.DataFrame:
    """Test predictions of emotion and gender that are right this often, two folds."""
    rng = np.random.default_rng(seed)
    chance = np.where(table["gender"] == "female", women, men)
    tables = []
    for model in models:
        for target in ("emotion", "gender"):
            truth = table[target]
            classes = TARGETS[target]
            other = [classes[(classes.index(label) + 1) % len(classes)] for label in truth]
            said = np.where(rng.random(len(table)) < chance, truth, other)
            rows = {"file": table.index, "part": "test", "fold": np.arange(len(table)) % 2}
            rows |= {"model": model, "target": target, "truth": truth, "predicted": said}
            tables.append(pd.DataFrame(rows))
    return pd.concat(tables, ignore_index=True)


def simulate(table: pd.DataFrame, chance: np.ndarray, *, seed: int) -> pd.DataFrame:
    """Predictions of a model per run, each row right with its chance, ``[runs, rows]``."""
    runs = len(chance)
    hit = np.random.default_rng(seed).random(chance.shape) < chance
    truth = np.tile(table["emotion"], runs)
    rows = {
        "file": np.tile(table.index, runs),
        "part": "test",
        "fold": 0,
        "model": np.repeat([f"run{number}" for number in range(runs)], len(table)),
        "target": "emotion",
        "truth": truth,
        "predicted": np.where(hit.ravel(), truth, np.where(truth == "sad", "happy", "sad")),
    }
    return pd.DataFrame(rows)


@pytest.fixture
def table() -> pd.DataFrame:
    """The corpus."""
    return corpus()


def select(table: pd.DataFrame, **key: str) -> pd.DataFrame:
    """The rows with this key."""
    for column, value in key.items():
        table = table[table[column] == value]
    return table


def recall(rows: pd.DataFrame, name: str) -> float:
    """The share of a class's rows that were recognised."""
    return float((rows.loc[rows["truth"] == name, "predicted"] == name).mean())


def mean_recalls(
    predictions: pd.DataFrame, table: pd.DataFrame, names: list[str]
) -> dict[str, float]:
    """The mean recall of some emotions by gender."""
    rows = select(predictions, target="emotion")
    gender = rows["file"].map(table["gender"])
    return {
        each: float(np.mean([recall(rows[gender == each], name) for name in names]))
        for each in TARGETS["gender"]
    }


class TestRecallByGender:
    def test_values_by_a_loop(self, table: pd.DataFrame) -> None:
        """Every model, class and gender: rows, speakers, recall."""
        predictions = predict(table, women=0.6, seed=2)
        found = gender_recalls(predictions, TARGETS, table, table["speaker"], resamples=100)
        assert [*found] == [
            *("model", "target", "class", "gender", "n", "units", "recall", "low", "high")
        ]
        assert len(found) == 2 * 3 * 2
        assert [*found["class"][:6:2]] == EMOTIONS
        gender = predictions["file"].map(table["gender"])
        for row in found.to_dict("records"):
            mine = predictions[gender == row["gender"]]
            mine = select(mine, model=row["model"], target="emotion", truth=row["class"])
            assert row["target"] == "emotion"
            assert row["n"] == len(mine) == 12
            assert row["units"] == mine["file"].map(table["speaker"]).nunique() == 4
            hits = (mine["predicted"] == row["class"]).mean()
            assert row["recall"] == pytest.approx(hits)
            assert row["low"] < row["recall"] < row["high"]

    def test_intervals_by_a_loop(self, table: pd.DataFrame) -> None:
        """The draws are the recalls of women's rows, repeated as often as their speaker came."""
        predictions = predict(table, ("svm",))
        found = gender_recalls(predictions, TARGETS, table, table["speaker"], seed=3, resamples=30)
        rows = select(predictions, target="emotion")
        who = rows["file"].map(table["speaker"])
        women = ["s0", "s2", "s4", "s6"]
        draws = []
        for weights in bootstrap_weights(4, 30, 3):
            times = zip(women, weights.astype(int), strict=True)
            repeated = pd.concat([rows[who == name] for name, count in times for _ in range(count)])
            draws.append(recall(repeated, "happy"))
        row = select(found, **{"class": "happy", "gender": "female"}).iloc[0]
        expected = interval(np.array(draws), 4, value=row["recall"], bounds=(0.0, 1.0))
        assert (row["low"], row["high"]) == pytest.approx(expected)

    def test_only_the_test_part_counts_and_every_fold(self, table: pd.DataFrame) -> None:
        """Training rows change nothing; a row that stands in two folds counts twice."""
        predictions = predict(table)
        extra = predictions.assign(part="train", predicted="sad")
        arguments = (TARGETS, table, table["speaker"])
        once = gender_recalls(predictions, *arguments, resamples=50)
        pd.testing.assert_frame_equal(
            once, gender_recalls(pd.concat([predictions, extra]), *arguments, resamples=50)
        )
        twice = pd.concat([predictions, predictions.assign(fold=7)])
        doubled = gender_recalls(twice, *arguments, resamples=50)
        assert (doubled["n"] == 2 * once["n"]).all()
        assert (doubled["units"] == once["units"]).all()

    def test_unknown_gender_is_left_out(self, table: pd.DataFrame) -> None:
        """Its rows belong to neither."""
        predictions = predict(table)
        table.loc[table["speaker"] == "s0", "gender"] = None
        found = gender_recalls(predictions, TARGETS, table, table["speaker"], resamples=50)
        assert set(select(found, gender="female")["units"]) == {3}
        assert set(select(found, gender="female")["n"]) == {9}

    def test_class_of_one_gender(self, table: pd.DataFrame) -> None:
        """The other has no rows, no recall, no interval; a class of one speaker no interval."""
        keep = (table["emotion"] != "sad") | (table["speaker"] == "s1")
        table = table[keep]
        found = gender_recalls(predict(table), TARGETS, table, table["speaker"], resamples=50)
        none = select(found, **{"class": "sad", "gender": "female"})
        assert (none[["n", "units"]] == 0).all(axis=None)
        assert none[["recall", "low", "high"]].isna().all(axis=None)
        alone = select(found, **{"class": "sad", "gender": "male"})
        assert (alone["units"] == 1).all()
        assert alone["recall"].notna().all()
        assert alone[["low", "high"]].isna().all(axis=None)


class TestGenderGaps:
    def test_values_by_a_loop(self, table: pd.DataFrame) -> None:
        """The difference of the recalls, of each class and of their mean; the higher one named."""
        predictions = predict(table)
        found = gender_gaps(predictions, TARGETS, table, table["speaker"], resamples=100)
        columns = ["model", "target", "class", "higher", "lower", "gap", "low", "high", "certain"]
        assert [*found] == columns
        assert [*found["class"]] == ["uar", *EMOTIONS] * 2
        for row in found.to_dict("records"):
            names = EMOTIONS if row["class"] == "uar" else [row["class"]]
            means = mean_recalls(select(predictions, model=row["model"]), table, names)
            assert row["gap"] == pytest.approx(means[row["higher"]] - means[row["lower"]])
            assert {row["higher"], row["lower"]} == {"female", "male"}
            assert row["gap"] >= 0
            assert row["low"] <= row["gap"] <= row["high"]

    def test_certain_after_correction_for_the_number_of_gaps(self) -> None:
        """By the 95 % interval, widened on its logit scale from t of .05 to t of .05 / 4."""
        table = corpus(24)
        models = tuple(f"model{number}" for number in range(20))
        predictions = predict(table, models, women=0.7)
        found = gender_gaps(predictions, TARGETS, table, table["speaker"], resamples=200)
        gap, low = (special.logit((1 + found[column]) / 2) for column in ("gap", "low"))
        # 24 speakers in two strata; the intervals of three emotions and their mean
        wider = stats.t.ppf(1 - 0.05 / 4 / 2, 22) / stats.t.ppf(1 - 0.05 / 2, 22)
        expected = gap - wider * (gap - low) > 0
        assert found["certain"].dtype == bool
        assert found["certain"].tolist() == expected.tolist()
        assert 0 < found["certain"].sum() < (found["low"] > 0).sum()

    def test_corrected_for_the_gaps_there_are(self) -> None:
        """A class that one gender lacks isn't counted: three gaps, then, and none without UAR."""
        whole = corpus(24)
        lacking = whole[~((whole["emotion"] == "sad") & (whole["gender"] == "female"))]
        models = tuple(f"model{number}" for number in range(20))
        predictions = predict(lacking, models, women=0.7)
        arguments = {"speakers": whole["speaker"], "resamples": 200}
        found = gender_gaps(predictions, TARGETS, whole, **arguments)
        fewer = {"emotion": ["angry", "happy"]}
        rows = predictions[predictions["truth"] != "sad"].replace({"predicted": {"sad": "angry"}})
        alone = gender_gaps(rows, fewer, whole, **arguments)
        assert not found.loc[found["class"] == "sad", "certain"].any()
        happy = [select(each, **{"class": "happy"}) for each in (found, alone)]
        assert happy[0]["certain"].any()
        assert happy[0]["certain"].tolist() == happy[1]["certain"].tolist()

    def test_turned_round(self, table: pd.DataFrame) -> None:
        """Where men are recognised better the gap is theirs, and its interval as far from 0."""
        for women, men, higher in ((0.95, 0.3, "female"), (0.3, 0.95, "male")):
            predictions = predict(table, ("svm",), women=women, men=men)
            gaps = gender_gaps(predictions, TARGETS, table, table["speaker"], resamples=500)
            uar = gaps.iloc[0]
            assert uar["higher"] == higher
            assert uar["low"] > 0.2

    def test_classes_that_one_gender_lacks(self, table: pd.DataFrame) -> None:
        """UAR is compared over the classes of both; that class has no gap."""
        table = table[~((table["emotion"] == "sad") & (table["gender"] == "female"))]
        predictions = predict(table, ("svm",))
        gaps = gender_gaps(predictions, TARGETS, table, table["speaker"], resamples=50)
        gaps = gaps.set_index("class")
        assert gaps.loc["sad", ["gap", "low", "high"]].isna().all()
        uars = mean_recalls(predictions, table, ["angry", "happy"])
        assert gaps.loc["uar", "gap"] == pytest.approx(abs(uars["female"] - uars["male"]))

    def test_one_class_in_common_has_no_average(self, table: pd.DataFrame) -> None:
        """A mean of one recall is no UAR."""
        table = table[(table["emotion"] == "angry") | (table["gender"] == "female")]
        predictions = predict(table, ("svm",))
        gaps = gender_gaps(predictions, TARGETS, table, table["speaker"], resamples=50)
        assert [*gaps["gap"].notna()] == [False, True, False, False]

    def test_one_speaker_of_a_gender_has_no_interval(self, table: pd.DataFrame) -> None:
        """What one man shows says nothing of men."""
        table = table[(table["gender"] == "female") | (table["speaker"] == "s1")]
        gaps = gender_gaps(predict(table), TARGETS, table, table["speaker"], resamples=50)
        assert gaps["gap"].notna().all()
        assert gaps[["low", "high"]].isna().all(axis=None)
        assert not gaps["certain"].any()

    def test_coverage(self) -> None:
        """Intervals of 12 women and 12 men hold the true gap in 92 to 98 % of simulations."""
        rng, speakers, each = np.random.default_rng(0), 24, 12
        table = corpus(speakers, each)
        runs = 300
        # each speaker's chance: .7 for women and .5 for men on average
        a, b = (
            np.where(np.arange(speakers) % 2, 3.0, 4.2),
            np.where(np.arange(speakers) % 2, 3, 1.8),
        )
        chance = np.repeat(rng.beta(a, b, size=(runs, speakers)), each, axis=1)
        predictions = simulate(table, chance, seed=1)
        gaps = gender_gaps(predictions, TARGETS, table, table["speaker"], resamples=400)
        uar = select(gaps, **{"class": "uar"})
        sign = np.where(uar["higher"] == "female", 1, -1)
        ends = np.sort(np.stack([sign * uar["low"], sign * uar["high"]]), axis=0)
        assert 0.92 <= np.mean((ends[0] <= 0.2) & (ends[1] >= 0.2)) <= 0.98

    def test_false_alarms(self) -> None:
        """Women and men alike: in 100 corpora the largest gap is hardly ever called certain."""
        rng, runs, speakers, each = np.random.default_rng(0), 100, 16, 32
        emotions = (*EMOTIONS, "calm", "bored", "afraid", "surprised", "neutral")
        table = corpus(speakers, each, emotions=emotions)
        # of each speaker and emotion: .6 on average for both genders
        of_emotion = rng.beta(3.0, 2.0, size=(runs, speakers, len(emotions)))
        chance = np.tile(of_emotion, each // len(emotions)).reshape(runs, len(table))
        predictions = simulate(table, chance, seed=1)
        targets = {"emotion": [*emotions]}
        gaps = gender_gaps(predictions, targets, table, table["speaker"], resamples=300)
        largest = [worst_gap(gaps, f"run{number}", "emotion") for number in range(runs)]
        assert np.mean([gap is not None and gap.certain for gap in largest]) <= 0.12
        # without correction many would have a gap whose interval excludes 0
        assert (gaps["low"] > 0).groupby(gaps["model"]).any().mean() > 0.2


@pytest.mark.parametrize("genders", [["female"], [], None])
def test_nothing_to_compare(genders: list[str] | None, table: pd.DataFrame) -> None:
    """One gender, none, or no such column: empty tables with their columns."""
    predictions = predict(table)
    if genders is None:
        table = table.drop(columns="gender")
    else:
        table["gender"] = genders[0] if genders else None
    speakers = table["speaker"]
    groups = gender_recalls(predictions, TARGETS, table, speakers, resamples=50)
    gaps = gender_gaps(predictions, TARGETS, table, speakers, resamples=50)
    assert groups.empty
    assert gaps.empty
    assert [*groups.columns[:4]] == ["model", "target", "class", "gender"]
    assert [*gaps.columns[3:]] == ["higher", "lower", "gap", "low", "high", "certain"]


@pytest.mark.parametrize("missing", ["test rows", "targets"])
def test_nothing_to_score(missing: str, table: pd.DataFrame) -> None:
    """No test rows, or no target but gender: the same."""
    predictions = predict(table)
    targets = TARGETS
    if missing == "test rows":
        predictions = predictions.assign(part="dev")
        assert speaker_scores(predictions, targets, table).empty
    else:
        targets = {"gender": TARGETS["gender"]}
        predictions = predictions[predictions["target"] == "gender"]
    assert gender_recalls(predictions, targets, table, table["speaker"], resamples=50).empty
    assert gender_gaps(predictions, targets, table, table["speaker"], resamples=50).empty


class TestSpeakerScores:
    def test_values_by_a_loop(self, table: pd.DataFrame) -> None:
        """Every speaker's mean recall over the speaker's own classes."""
        drop = (table["speaker"] == "s3") & (table["emotion"] == "sad")
        drop |= (table["speaker"] == "s5") & (table["emotion"] != "happy")
        table = table[~drop]
        predictions = predict(table)
        found = speaker_scores(predictions, TARGETS, table)
        assert [*found] == ["model", "target", "speaker", "gender", "n", "classes", "uar"]
        assert len(found) == 2 * 2 * 8
        who = predictions["file"].map(table["speaker"])
        for row in select(found, target="emotion").to_dict("records"):
            mine = select(predictions[who == row["speaker"]], model=row["model"], target="emotion")
            recalls = [recall(mine, name) for name in mine["truth"].unique()]
            assert row["n"] == len(mine)
            assert row["classes"] == len(recalls)
            expected = np.mean(recalls) if len(recalls) > 1 else np.nan
            assert row["uar"] == pytest.approx(expected, nan_ok=True)
            assert row["gender"] == ("male" if int(row["speaker"][1:]) % 2 else "female")
        assert set(select(found, speaker="s5", target="emotion")["classes"]) == {1}
        gender = select(found, target="gender")  # a speaker has one
        assert (gender["classes"] == 1).all()
        assert gender["uar"].isna().all()
        keys = found[["target", "model", "speaker"]].to_numpy().tolist()
        names = [f"s{number}" for number in range(8)]
        assert keys == [[t, m, s] for t in TARGETS for m in ("svm", "knn") for s in names]

    def test_unknown_speakers_and_genders(self, table: pd.DataFrame) -> None:
        """Rows of nobody are left out; a speaker of unknown gender is not."""
        predictions = predict(table)
        table.loc[table["speaker"] == "s0", "speaker"] = None
        table.loc[table["speaker"] == "s2", "gender"] = None
        found = select(speaker_scores(predictions, TARGETS, table), model="svm", target="emotion")
        assert [*found["speaker"]] == [f"s{number}" for number in range(1, 8)]
        assert [*found["gender"].isna()] == [False, True, False, False, False, False, False]


class TestWorstGap:
    def gaps(self, *rows: tuple[str, float, float, float, bool]) -> pd.DataFrame:
        """A table of the gaps of one model."""
        names = ["class", "gap", "low", "high", "certain"]
        table = pd.DataFrame(list(rows), columns=names)
        return table.assign(model="svm", target="emotion", higher="female", lower="male")

    @pytest.mark.parametrize("certain", [True, False])
    def test_largest_of_all(self, certain: bool) -> None:
        """Whether it is certain or a smaller one is; undefined gaps are no gaps."""
        gaps = self.gaps(
            ("uar", 0.1, 0.05, 0.2, True),
            ("sad", 0.4, 0.1, 0.6, certain),
            ("happy", 0.3, 0.2, 0.4, True),
            ("angry", np.nan, np.nan, np.nan, False),
        )
        expected = Gap("sad", "female", "male", 0.4, 0.1, 0.6, certain=certain)
        assert worst_gap(gaps, "svm", "emotion") == expected

    def test_none(self) -> None:
        """No gap of that model or target, or none that is defined."""
        gaps = self.gaps(("uar", 0.1, 0.02, 0.2, False))
        assert worst_gap(gaps, "knn", "emotion") is None
        assert worst_gap(gaps, "svm", "gender") is None
        assert worst_gap(gaps.assign(gap=np.nan), "svm", "emotion") is None
