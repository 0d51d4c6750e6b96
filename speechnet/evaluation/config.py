"""What the configuration says about ablation and clusters (``evaluation``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from speechnet.core.errors import ConfigError

Part = Literal["denoise", "features", "speakers", "heads"]
Method = Literal["kmeans", "gmm", "agglomerative"]
Scaling = Literal["minmax", "standard", "robust", "none"]


@dataclass
class AblationConfig:
    """What is left out or switched over to see what it brings; hyper-parameters stay as chosen.

    Attributes:
        parts: ``denoise``: the other modes; ``features``: each group of features left out;
            ``speakers``: each speaker's recordings standardised by themselves, or no longer so;
            ``heads``: a network of its own for each target.
        models: which of the experiment's models are asked; ``heads`` needs mlp.
        importance: whether features are shuffled in the test parts, by group and one by one.
        repeats: how often each is shuffled.
    """

    parts: list[Part] = field(default_factory=list)
    models: list[str] = field(default_factory=lambda: ["svm"])
    importance: bool = False
    repeats: int = 10

    def __post_init__(self) -> None:
        """Refuse what can't be done whatever the experiment is.

        Raises:
            ConfigError: which one, and what is expected.
        """
        known = get_args(Part)
        if not set(self.parts) <= set(known) or len(set(self.parts)) < len(self.parts):
            raise ConfigError(
                f"evaluation.ablate.parts is {self.parts}, expected some of {', '.join(known)}, "
                "each once"
            )
        if not self.models or len(set(self.models)) < len(self.models):
            raise ConfigError(
                f"evaluation.ablate.models is {self.models}, expected at least one model, each once"
            )
        if "heads" in self.parts and "mlp" not in self.models:
            raise ConfigError(
                "evaluation.ablate.parts: heads is about the network: add mlp to "
                "evaluation.ablate.models"
            )
        if self.repeats < 1:
            raise ConfigError(f"evaluation.ablate.repeats is {self.repeats}, expected at least 1")


@dataclass
class ClusteringConfig:
    """What is clustered, how, and against what it is held.

    Attributes:
        enabled: whether a run clusters at all; ``cluster_features`` itself doesn't look at it.
        pca: principal components to cluster in; at most one less than rows, and no more than
            features.
        methods: k-means (10 starts), Gaussian mixture (full covariances), agglomerative (Ward).
        k: the numbers of clusters, 2 or more each.
        against: label columns; None for those of gender, emotion, sentence and speaker that have
            two values or more.
        scaling: of each feature, before the components.
        max_agglomerative: Ward's method needs memory for every pair of rows (1.6 GB for 20,000).
            Of more rows than this, it joins the centroids of a mini-batch k-means.
        null_draws: permutations of the labels that each score against labels is held against;
            scores without labels are held against 19 clusterings of data without structure, of
            at most 500 rows. 0 leaves both out.

    Raises:
        ConfigError: a value outside its range.
    """

    enabled: bool = True
    pca: int = 14
    methods: list[Method] = field(default_factory=lambda: ["kmeans", "gmm", "agglomerative"])
    k: list[int] = field(default_factory=lambda: [2, 4, 10])
    against: list[str] | None = None
    scaling: Scaling = "standard"
    max_agglomerative: int = 20_000
    null_draws: int = 1_000

    def __post_init__(self) -> None:
        if self.pca < 1:
            raise ConfigError(f"evaluation.clustering.pca is {self.pca}, expected 1 or more")
        if not self.k or min(self.k) < 2:
            raise ConfigError(f"evaluation.clustering.k is {self.k}, expected numbers from 2")
        known = [*get_args(Method)]
        if not self.methods or not set(self.methods) <= set(known):
            raise ConfigError(
                f"evaluation.clustering.methods is {self.methods}, expected some of {known}"
            )
        if self.scaling not in get_args(Scaling):
            raise ConfigError(
                f"evaluation.clustering.scaling is {self.scaling!r}, expected one of "
                f"{[*get_args(Scaling)]}"
            )
        if self.max_agglomerative < max(self.k):
            raise ConfigError(
                f"evaluation.clustering.max_agglomerative is {self.max_agglomerative}, expected "
                f"at least the largest k, {max(self.k)}"
            )
        if self.null_draws < 0:
            raise ConfigError(
                f"evaluation.clustering.null_draws is {self.null_draws}, expected 0 or more"
            )
