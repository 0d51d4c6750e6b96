"""Made-up tables of how much the scores are worth, in many shapes."""

import itertools

import numpy as np
import pandas as pd

from speechnet.core.types import Targets

LONG_SPEAKER = "Ärztin_Øvrebø-Καλλιόπη_und_Обрадованный"
PARTS = {
    "denoise": ["none", "stationary", "nonstationary"],
    "features": ["without mfcc", "without chroma", "without spectral_contrast", "without rms"],
    "speakers": ["standardised per speaker"],
    "heads": ["one network per target"],
}


def spread(rng: np.random.Generator, values: np.ndarray) -> dict[str, np.ndarray]:
    """Intervals about values, of different widths."""
    below, above = rng.uniform(0.02, 0.07, (2, len(values)))
    return {"low": values - below, "high": values + above}


def with_intervals(scores: pd.DataFrame) -> pd.DataFrame:
    """Scores with intervals of the development and the test part's summaries."""
    rng = np.random.default_rng(11)
    ends = spread(rng, scores["value"].to_numpy())
    counted = scores["fold"].isin(["all", "mean"]) & (scores["part"] != "train")
    counted |= (scores["part"] != "train") & ~scores["fold"].isin(["mean"]).any()
    low = pd.Series(ends["low"], index=scores.index).clip(0).where(counted)
    high = pd.Series(ends["high"], index=scores.index).clip(upper=1).where(counted)
    return scores.assign(low=low, high=high)


def make_references() -> pd.DataFrame:
    """Published results as a protocol lists them, in per cent."""
    paper = "Z. Ma et al., EmoBox, Interspeech 2024"
    rows = [
        ("Whisper large v3, frozen", "uar", 75.3, paper),
        ("WavLM large, frozen", "uar", 72.0, paper),
        ("HuBERT large, frozen", "uar", 70.0, paper),
        ("eGeMAPS functionals (openSMILE) and a linear SVM", "uar", 48.5, None),
        ("the same by another metric", "accuracy", 50.0, paper),
    ]
    return pd.DataFrame(rows, columns=["system", "metric", "value", "source"])


def make_comparisons(targets: Targets, models: list[str]) -> pd.DataFrame:
    """Every pair of models; every other difference isn't shown."""
    rng = np.random.default_rng(12)
    keys = [(target, *pair) for target in targets for pair in itertools.combinations(models, 2)]
    table = pd.DataFrame(keys, columns=["target", "first", "second"])
    table["metric"] = "uar"
    table["difference"] = np.where(rng.random(len(table)) < 0.5, -1, 1) * rng.uniform(
        0.001, 0.1, len(table)
    )
    table = table.assign(**spread(rng, table["difference"].to_numpy()))
    table["p"] = np.where(np.arange(len(table)) % 2, 0.4, 0.0004)
    return table.assign(p_holm=table["p"], units=24, unit="speaker")


def make_members(targets: Targets, models: list[str]) -> pd.DataFrame:
    """What each model brings to an ensemble of all; every other one is not shown to."""
    rng = np.random.default_rng(19)
    keys = [("ensemble", target, name) for target in targets for name in models]
    table = pd.DataFrame(keys, columns=["model", "target", "name"]).assign(together=0.7)
    table["difference"] = rng.uniform(-0.01, 0.06, len(table))
    table["without"] = table["together"] - table["difference"]
    table = table.assign(**spread(rng, table["difference"].to_numpy()))
    table["alone"] = rng.uniform(0.5, 0.65, len(table))
    table["p"] = np.where(np.arange(len(table)) % 2, 0.4, 0.0004)
    return table.assign(p_holm=table["p"], units=24, unit="speaker")


def make_robustness(targets: Targets, models: list[str]) -> pd.DataFrame:
    """Every effect in two severities, of two folds, with wide intervals."""
    rng = np.random.default_rng(20)
    effects = {"clean": [np.nan], "noise": [10, 0], "band": [4000, 2000]}
    effects |= {"reverb": [0.3, 1.2], "codec": [0.5, 0.9]}
    keys = [
        (effect, severity, model, target, "test", fold, "uar")
        for effect, severities in effects.items()
        for severity in severities
        for target in targets
        for model in models
        for fold in ("0", "1", "all", "mean", "sd")
    ]
    columns = ["effect", "severity", "model", "target", "part", "fold", "metric"]
    table = pd.DataFrame(keys, columns=columns).assign(value=rng.uniform(0.3, 0.8, len(keys)))
    ends = spread(rng, table["value"].to_numpy())
    summed = table["fold"].isin(["all", "mean"])
    return table.assign(**{name: np.where(summed, of, np.nan) for name, of in ends.items()}, lost=1)


def make_inflation(targets: Targets) -> pd.DataFrame:
    """One model under two protocols."""
    rng = np.random.default_rng(13)
    table = pd.DataFrame({"model": "svm", "target": [*targets]})
    table["disjoint"] = rng.uniform(0.5, 0.7, len(table))
    table["difference"] = rng.uniform(0.05, 0.25, len(table))
    table["random"] = table["disjoint"] + table["difference"]
    return table.assign(**spread(rng, table["difference"].to_numpy()))


def make_reliability(targets: Targets, models: list[str], *, bins: int = 15) -> pd.DataFrame:
    """Overconfident models whose lowest bins are empty."""
    rng = np.random.default_rng(14)
    edges = np.linspace(0, 1, bins + 1)
    tables = []
    for model, target, part in itertools.product(models, targets, ("dev", "test")):
        count = rng.poisson(np.linspace(5, 90, bins)) * (edges[1:] > 1 / len(targets[target]))
        table = pd.DataFrame({"bin": range(bins), "low": edges[:-1], "high": edges[1:]})
        table = table.assign(model=model, target=target, part=part, count=count)
        middle = edges[:-1] + rng.uniform(0.2, 0.8, bins) / bins
        table["confidence"] = np.where(count > 0, middle, np.nan)
        table["accuracy"] = np.where(count > 0, middle**1.5, np.nan)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def make_risk_coverage(targets: Targets, models: list[str]) -> pd.DataFrame:
    """Risks that rise with coverage."""
    coverage = np.linspace(0.005, 1, 200)
    noise = np.random.default_rng(15)
    tables = [
        pd.DataFrame({"model": model, "target": target, "part": part, "coverage": coverage}).assign(
            risk=(0.3 + 0.04 * place) * coverage
            + noise.normal(0, 0.02, 200).clip(0) / coverage**0.3,
            threshold=1 - coverage,
        )
        for (place, model), target, part in itertools.product(
            enumerate(models), targets, ("dev", "test")
        )
    ]
    return pd.concat(tables, ignore_index=True)


def make_groups(targets: Targets, models: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Recall by gender and class, and the gaps."""
    rng = np.random.default_rng(16)
    keys = [
        (model, target, name, gender)
        for model, (target, classes) in itertools.product(models, targets.items())
        if target != "gender"
        for name, gender in itertools.product(classes, ("female", "male"))
    ]
    groups = pd.DataFrame(keys, columns=["model", "target", "class", "gender"])
    groups["n"], groups["units"] = 96, 12
    groups["recall"] = rng.uniform(0.2, 0.93, len(groups))
    groups = groups.assign(**spread(rng, groups["recall"].to_numpy()))
    wide = groups.pivot_table(
        index=["model", "target", "class"], columns="gender", values="recall", sort=False
    ).reset_index()
    gaps = wide[["model", "target", "class"]].copy()
    if wide.empty:
        names = [*gaps, "higher", "lower", "gap", "low", "high", "certain"]
        return groups, gaps.reindex(columns=names)
    more = wide["female"] > wide["male"]
    gaps["higher"] = np.where(more, "female", "male")
    gaps["lower"] = np.where(more, "male", "female")
    gaps["gap"] = (wide["female"] - wide["male"]).abs()
    low, high = gaps["gap"] - 0.1, gaps["gap"] + 0.1
    return groups, gaps.assign(low=low, high=high, certain=low > 0.1)


def make_speakers(targets: Targets, models: list[str], *, speakers: int) -> pd.DataFrame:
    """A score for each speaker and model; the last speaker of many has none."""
    rng = np.random.default_rng(17)
    names = [LONG_SPEAKER, *(f"{number:02d}" for number in range(1, speakers))]
    keys = list(itertools.product(models, targets, names))
    table = pd.DataFrame(keys, columns=["model", "target", "speaker"])
    table["gender"] = np.where(np.arange(len(table)) % speakers % 2, "female", "male")
    table["n"], table["classes"] = 60, 4
    table["uar"] = np.clip(rng.normal(0.55, 0.13, len(table)), 0, 1)
    if speakers > 3:
        table.loc[table["speaker"] == names[-1], "uar"] = np.nan
    return table


def make_ablation(targets: Targets, models: list[str]) -> pd.DataFrame:
    """Variants of four parts."""
    rng = np.random.default_rng(18)
    keys = [
        (part, variant, model, target)
        for model, target in itertools.product(models, targets)
        for part, variants in PARTS.items()
        for variant in variants
    ]
    table = pd.DataFrame(keys, columns=["part", "variant", "model", "target"])
    table["baseline"] = 0.576
    table["difference"] = rng.normal(0, 0.04, len(table))
    table["value"] = table["baseline"] + table["difference"]
    table = table.assign(**spread(rng, table["difference"].to_numpy()))
    p = rng.uniform(0, 0.12, len(table))
    return table.assign(p=p / 3, p_holm=p)


def make_importance(targets: Targets, models: list[str], *, features: int = 60) -> pd.DataFrame:
    """Drops of feature groups and of features, some of them within noise."""
    rng = np.random.default_rng(19)
    names = ["mfcc", "chroma", "spectral_contrast", "rms", "zero_crossing_rate", "f0"]
    keys = [
        (model, target, level, name)
        for model, target in itertools.product(models, targets)
        for level, found in (
            ("group", names),
            ("feature", [f"{names[n % 6]}_{n:02d}_percentile_range" for n in range(features)]),
        )
        for name in found
    ]
    table = pd.DataFrame(keys, columns=["model", "target", "level", "name"])
    table["drop"] = rng.exponential(0.05, len(table)) - 0.01
    return table.assign(**spread(rng, table["drop"].to_numpy()))


def make_cross(targets: Targets, models: list[str], corpora: list[str]) -> pd.DataFrame:
    """Every pair of corpora; within one the scores are higher."""
    rng = np.random.default_rng(20)
    keys = itertools.product(models, targets, corpora, corpora)
    table = pd.DataFrame(keys, columns=["model", "target", "train", "test"])
    table["seen"] = table["train"] == table["test"]
    table["uar"] = rng.uniform(0.3, 0.5, len(table)) + 0.25 * table["seen"]
    return table.assign(n=500, **spread(rng, table["uar"].to_numpy()))


def make_clustering(targets: Targets, ks: tuple[int, ...] = (2, 4, 10)) -> pd.DataFrame:
    """Scores of three methods, against labels and without, beside chance."""
    rng = np.random.default_rng(21)
    internal = {"silhouette": 0.2, "davies_bouldin": 1.8, "calinski_harabasz": 300.0}
    rows = []
    for method, k in itertools.product(("kmeans", "gmm", "agglomerative"), ks):
        for label in (*targets, "speaker", "sentence"):
            rows.append((method, k, label, "adjusted_mutual_information", 0.2, 0.0, 0.004))
            rows.append((method, k, label, "homogeneity", 0.25, 0.05, 0.004))
        rows += [
            (method, k, None, name, level, 0.6 * level, 0.05 * level)
            for name, level in internal.items()
        ]
    columns = ["method", "k", "against", "metric", "value", "null_mean", "null_sd"]
    table = pd.DataFrame(rows, columns=columns).assign(p=0.01)
    return table.assign(value=table["value"] * rng.uniform(0.1, 1.5, len(table)))


def make_layers(targets: Targets, models: list[str], *, layers: int = 13) -> pd.DataFrame:
    """Weights that the first model learnt, and for each of the others a layer in each fold."""
    rng = np.random.default_rng(0)
    tables = []
    for fold, member in itertools.product(range(3), range(2)):
        weights = np.exp(-0.5 * ((np.arange(layers) - 8 + rng.normal()) / 2) ** 2)
        key = {"fold": fold, "member": member, "features": "pretrained", "layer": range(layers)}
        key["name"] = [str(layer) for layer in key["layer"]]
        learnt = {"model": models[0], "target": "", "weight": weights / weights.sum()}
        tables.append(pd.DataFrame(key | learnt))
        for model, target in itertools.product(models[1:] if member == 0 else [], targets):
            one = np.eye(layers)[rng.integers(6, 10)]
            tables.append(pd.DataFrame(key | {"model": model, "target": target, "weight": one}))
    return pd.concat(tables, ignore_index=True)


def make_evidence(
    targets: Targets, models: list[str], *, speakers: int, corpora: list[str]
) -> dict[str, pd.DataFrame]:
    """All these tables by name."""
    groups, gaps = make_groups(targets, models)
    return {
        "references": make_references(),
        "comparisons": make_comparisons(targets, models),
        "members": make_members(targets, models),
        "robustness": make_robustness(targets, models),
        "inflation": make_inflation(targets),
        "reliability": make_reliability(targets, models),
        "risk_coverage": make_risk_coverage(targets, models),
        "groups": groups,
        "gaps": gaps,
        "speakers": make_speakers(targets, models, speakers=speakers),
        "ablation": make_ablation(targets, models),
        "importance": make_importance(targets, models[:1]),
        "cross": make_cross(targets, models[:2], corpora),
        "clustering": make_clustering(targets),
        "layers": make_layers(targets, models),
    }
