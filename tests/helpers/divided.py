"""Corpora that tests divide, and the folds they get."""

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from helpers.tables import TARGETS
from speechnet.core.types import Fold, Int64
from speechnet.splits.config import SplitConfig
from speechnet.splits.folds import make_folds

EMOBOX = [
    ["01", "11", "20", "21"],
    ["04", "10", "12", "14"],
    ["08", "09", "19", "23"],
    ["03", "05", "07", "24"],
    ["02", "15", "16", "18"],
    ["06", "13", "17", "22"],
]


def folds_of(table: pd.DataFrame, *, seed: int = 0, **settings: object) -> list[Fold]:
    return make_folds(table, TARGETS, SplitConfig(**settings), seed=seed)


def codes_of(table: pd.DataFrame) -> Int64:
    columns = [pd.Index(classes).get_indexer(table[t]) for t, classes in TARGETS.items()]
    return np.stack(columns, axis=1).astype(np.int64)


@st.composite
def corpora(draw: st.DrawFn) -> pd.DataFrame:
    """Speakers of any number of recordings each, labels in any mixture, some missing."""
    sizes = draw(st.lists(st.integers(4, 20), min_size=8, max_size=14))
    who = np.repeat(np.arange(len(sizes)), sizes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    table = pd.DataFrame(
        {
            "speaker": [f"s{number:02d}" for number in who],
            "gender": np.array(TARGETS["gender"], dtype=object)[who % 2],
            "emotion": rng.choice(np.array(TARGETS["emotion"], dtype=object), len(who)),
        }
    )
    table.loc[rng.random(len(who)) < draw(st.sampled_from([0.0, 0.1])), "emotion"] = None
    return table
