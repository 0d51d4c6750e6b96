"""Keeping memory that torch has used once for what it computes next."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import torch

_LARGEST_KEPT: Final = 2**25 - 2**16
"""Bytes, just below the 32 MiB up to which glibc adapts."""


@lru_cache(maxsize=1)
def keep_freed_memory() -> None:
    """Ask the C library, once in a process, to keep what is freed.

    glibc returns large blocks to the system as they are freed, and each new tensor pays for its
    pages again: a third of the time of a clip. One untouched block, freed once, raises its
    threshold for good (mallopt(3), M_MMAP_THRESHOLD); other allocators take no notice.
    """
    torch.empty(_LARGEST_KEPT, dtype=torch.uint8)
