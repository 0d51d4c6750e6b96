"""What clusters follow, in words."""

import numpy as np
import pandas as pd
import pytest

from speechnet.evaluation.cluster_findings import cluster_findings


def table(**clusterings: dict[str, tuple[float, float]]) -> pd.DataFrame:
    """``table(kmeans_4={"speaker": (ami, p)})``: scores as the clustering gives them."""
    rows = [
        (*name.split("_"), label, "adjusted_mutual_information", value, p)
        for name, labels in clusterings.items()
        for label, (value, p) in labels.items()
    ]
    scores = pd.DataFrame(rows, columns=["method", "k", "against", "metric", "value", "p"])
    other = scores.assign(metric="homogeneity", value=1.0, p=0.001)
    return pd.concat([scores, other], ignore_index=True)


SURE, UNSURE = 0.001, 0.3
MORE, LESS = "speaker more than emotion", "emotion more than speaker"


class TestFindings:
    def test_sentences(self) -> None:
        """Best first, then what is within chance; the adjusted information decides."""
        scores = table(
            kmeans_4={"emotion": (0.021, 0.01), "gender": (0.1, 0.3), "speaker": (0.314, 0.001)},
            gmm_2={"emotion": (-0.001, 0.7), "speaker": (0.0, 0.4), "gender": (0.2, 0.051)},
            agglomerative_10={"emotion": (0.05, 0.05)},
            kmeans_2={
                "gender": (0.4, SURE),
                "emotion": (0.1, SURE),
                "speaker within gender": (0.03, SURE),
                "emotion within gender": (0.12, SURE),
            },
            gmm_4={"gender": (0.4, SURE), "emotion within gender": (0.1, UNSURE)},
        )
        assert cluster_findings(scores) == [
            "K-means with 4 clusters follows speaker (AMI 0.31) more than emotion (AMI 0.02), with "
            "no clear sign of gender.",
            "A Gaussian mixture with 2 clusters shows no clear sign of gender, speaker and "
            "emotion.",
            "Ward's method with 10 clusters follows emotion (AMI 0.05).",
            "K-means with 2 clusters follows gender (AMI 0.40) more than emotion (AMI 0.10); "
            "within a gender it follows emotion (AMI 0.12) more than speaker (AMI 0.03).",
            "A Gaussian mixture with 4 clusters follows gender (AMI 0.40).",
        ]

    def test_to_follow_takes_an_effect(self) -> None:
        """However small p, a score of 0.00 is none; one without p is none either."""
        scores = table(
            kmeans_4={
                "gender": (0.0051, SURE),
                "sentence": (0.0049, SURE),
                "speaker": (1.0, np.nan),
            }
        )
        assert cluster_findings(scores) == [
            "K-means with 4 clusters follows gender (AMI 0.01), with no clear sign of speaker and "
            "sentence."
        ]

    def test_p_is_corrected_for_the_comparisons(self) -> None:
        """Holm: 0.02 times two is enough, 0.02 times three is not."""
        two = {"gender": (0.3, 0.02), "emotion": (0.2, 0.03)}
        assert (
            "follows gender (AMI 0.30) more than emotion"
            in cluster_findings(table(kmeans_4=two))[0]
        )
        three = two | {"sentence within gender": (0.01, 0.9)}
        assert "no clear sign of gender and emotion" in cluster_findings(table(kmeans_4=three))[0]

    @pytest.mark.parametrize(
        ("speaker", "emotion", "expected"),
        [
            ((0.3, SURE), (0.1, SURE), ["The clusters follow speaker more than emotion."]),
            ((0.3, SURE), (0.4, UNSURE), []),
            ((0.1, SURE), (0.3, SURE), ["The clusters follow emotion more than speaker."]),
            ((0.2, SURE), (0.2, SURE), []),
            ((0.3, UNSURE), (0.1, UNSURE), []),
        ],
    )
    def test_headline(
        self, speaker: tuple[float, float], emotion: tuple[float, float], expected: list[str]
    ) -> None:
        """It needs most clusterings, and more than chance."""
        most = {"speaker": speaker, "emotion": emotion}
        rest = {"speaker": (0.2, SURE), "emotion": (0.2, SURE)}
        found = cluster_findings(table(kmeans_2=most, kmeans_4=most, kmeans_10=rest))
        assert found[: len(found) - 3] == expected
        half = cluster_findings(table(kmeans_2=most, kmeans_4=rest))
        assert len(half) == 2

    @pytest.mark.parametrize(
        ("gender", "overall", "within", "expected"),
        [
            (0.4, (0.22, 0.09), (0.04, 0.13), f"gender most; within a gender they follow {LESS}"),
            (0.1, (0.3, 0.1), (0.5, 0.5), f"{MORE}, but not clearly within a gender"),
            (0.4, (0.3, 0.1), (0.5, 0.5), "gender most"),
            (0.2, (0.3, 0.1), (0.1, 0.2), f"{MORE}, but within a gender {LESS}"),
            (0.1, (0.2, 0.2), (0.1, 0.2), LESS),
            (None, (0.3, 0.1), (0.2, 0.1), f"{MORE}, within a gender too"),
        ],
    )
    def test_headline_within_gender(
        self,
        gender: float | None,
        overall: tuple[float, float],
        within: tuple[float, float],
        expected: str,
    ) -> None:
        """Who tells the speaker tells the gender: the rest of it is what counts."""
        one = {"gender": (0.4, UNSURE) if gender is None else (gender, SURE)}
        for label, out, inside in zip(("speaker", "emotion"), overall, within, strict=True):
            one |= {label: (out, SURE), f"{label} within gender": (inside, SURE)}
        [headline] = cluster_findings(table(kmeans_2=one, gmm_2=one))[:-2]
        start = "Within a gender the clusters" if expected == LESS else "The clusters"
        assert headline == f"{start} follow {expected}."

    def test_without_nulls(self) -> None:
        """The scores are told and nothing is made of them; undefined ones are left out."""
        nan = float("nan")
        scores = table(
            kmeans_4={"gender": (0.2, nan), "speaker": (0.1, nan), "emotion": (nan, nan)},
            gmm_4={"speaker": (0.2, nan), "emotion": (0.1, nan)},
        )
        assert cluster_findings(scores) == [
            "K-means with 4 clusters, not compared with chance: gender (AMI 0.20) and speaker "
            "(AMI 0.10).",
            "A Gaussian mixture with 4 clusters, not compared with chance: speaker (AMI 0.20) and "
            "emotion (AMI 0.10).",
        ]
        assert cluster_findings(scores[:0]) == []
