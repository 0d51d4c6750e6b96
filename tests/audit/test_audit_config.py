"""The audit's thresholds are checked where they are set."""

import math

import pytest

from speechnet.audit.config import AuditConfig
from speechnet.core.errors import ConfigError


@pytest.mark.parametrize(
    ("setting", "match"),
    [
        ({"short": -1.0}, r"evaluation\.audit\.short is -1 s, expected 0 or more"),
        ({"quiet": 3.0}, r"evaluation\.audit\.quiet is 3 dB, expected 0 or less"),
        ({"clipped": 5.0}, r"evaluation\.audit\.clipped is 5, expected 0 to 1"),
        ({"silence": -0.1}, r"evaluation\.audit\.silence is -0\.1, expected 0 to 1"),
        ({"single_class": 2.0}, r"evaluation\.audit\.single_class is 2, expected 0 to 1"),
        ({"snr": math.nan}, r"evaluation\.audit\.snr is nan, expected a number"),
        (
            {"near_duplicate_ratio": 1.0},
            r"evaluation\.audit\.near_duplicate_ratio is 1, expected between 0 and 1",
        ),
        (
            {"near_duplicate_exact": 10},
            r"evaluation\.audit\.near_duplicate_exact is 10, expected 1,000 or more",
        ),
    ],
)
def test_thresholds_out_of_range_are_refused(setting: dict[str, float], match: str) -> None:
    """The message names the key, what it is and what was expected."""
    with pytest.raises(ConfigError, match=match):
        AuditConfig(**setting)
