"""The configuration of ablation and clusters (``evaluation``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from speechnet.core.bounds import Number, Values
from speechnet.core.errors import ConfigError

Part = Literal["denoise", "features", "speakers", "heads", "augment"]
Method = Literal["kmeans", "gmm", "agglomerative"]
Scaling = Literal["minmax", "standard", "robust", "none"]


@dataclass
class AblationConfig:
    """What is left out or changed to see what it contributes; hyper-parameters stay as chosen.

    Attributes:
        parts: ``denoise``: the other modes; ``features``: each group of features left out;
            ``speakers``: standardisation by speaker switched on or off; ``heads``: a separate
            network for each target; ``augment``: training without changed copies.
        models: which of the experiment's models take part; ``heads`` needs a network. null for one,
            svm if it is among them.
        importance: whether features are shuffled in the test parts, by group and one by one.
        repeats: how often each is shuffled.
    """

    parts: Annotated[list[Part], Values(0, once=True)] = field(default_factory=list)
    models: Annotated[list[str], Values(once=True)] | None = None
    importance: bool = False
    repeats: Annotated[int, Number(ge=1)] = 10


@dataclass
class RobustnessConfig:
    """The finished models on test recordings that are made worse, one effect at a time.

    Each severity takes the extraction of all test recordings once; the cache keeps it.

    Attributes:
        enabled: whether it is measured.
        noise: signal-to-noise ratios in dB of noise that has the spectrum of the recording itself.
        band: upper ends of a band in Hz, from 0.
        reverb: reverberation times of a room in seconds, its sound as strong as the direct one.
        codec: libsndfile's compression levels of an MP3, from 0 to 0.95, the smallest file.

    Raises:
        ConfigError: it is enabled, and no effect has a severity.
    """

    enabled: bool = False
    noise: Annotated[list[Annotated[float, Number(ge=-20, le=100)]], Values(0, once=True)] = field(
        default_factory=lambda: [20.0, 10.0, 0.0]
    )
    band: Annotated[list[Annotated[float, Number(gt=0)]], Values(0, once=True)] = field(
        default_factory=lambda: [8000.0, 4000.0, 2000.0]
    )
    reverb: Annotated[list[Annotated[float, Number(gt=0, le=5)]], Values(0, once=True)] = field(
        default_factory=lambda: [0.3, 0.6, 1.2]
    )
    codec: Annotated[list[Annotated[float, Number(ge=0, le=0.95)]], Values(0, once=True)] = field(
        default_factory=lambda: [0.5, 0.8, 0.95]
    )

    def __post_init__(self) -> None:
        if self.enabled and not (self.noise or self.band or self.reverb or self.codec):
            raise ConfigError(
                "evaluation.robustness is enabled, but noise, band, reverb and codec are all "
                "empty: give one of them a severity, or leave enabled out"
            )


@dataclass
class ClusteringConfig:
    """How the features are clustered, and what the clusters are compared with.

    Attributes:
        enabled: whether a run clusters at all.
        pca: principal components to cluster in; at most one less than rows, and no more than
            features.
        methods: k-means (10 starts), Gaussian mixture (full covariances), agglomerative (Ward).
        k: the numbers of clusters, 2 or more each.
        against: label columns to compare with; null for those of gender, emotion, sentence and
            speaker that have two values or more.
        scaling: of each feature, before the components.
        max_agglomerative: Ward's method needs memory for every pair of rows (1.6 GB for 20,000).
            Of more rows than this, it joins the centroids of a mini-batch k-means.
        null_draws: permutations of the labels that each score against labels is compared with;
            scores without labels are compared with 19 clusterings of data without structure, of
            at most 500 rows. 0 leaves out both.

    Raises:
        ConfigError: ``max_agglomerative`` is less than a number of clusters.
    """

    enabled: bool = True
    pca: Annotated[int, Number(ge=1)] = 14
    methods: Annotated[list[Method], Values()] = field(
        default_factory=lambda: ["kmeans", "gmm", "agglomerative"]
    )
    k: Annotated[list[Annotated[int, Number(ge=2)]], Values()] = field(
        default_factory=lambda: [2, 4, 10]
    )
    against: list[str] | None = None
    scaling: Scaling = "standard"
    max_agglomerative: int = 20_000
    null_draws: Annotated[int, Number(ge=0)] = 1_000

    def __post_init__(self) -> None:
        if self.max_agglomerative < max(self.k):
            raise ConfigError(
                f"evaluation.clustering.max_agglomerative is {self.max_agglomerative}, expected "
                f"at least the largest k, {max(self.k)}"
            )
