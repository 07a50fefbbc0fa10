"""The host's allocator: arrays of a few megabytes made and dropped at every training step should not fault in anew."""

from __future__ import annotations

import numpy as np

# glibc raises its limit to that of the largest block freed so far, up to 32 MiB (mallopt(3), M_MMAP_THRESHOLD)
_BLOCK_BYTES = 31 << 20


def reuse_freed_memory() -> None:
    """Have glibc keep freed blocks below 31 MiB for the next allocation instead of giving their pages back.

    Without it a training step of megabyte arrays spends a third of its time in page faults. The block is never touched,
    so it costs no memory; other allocators ignore it.
    """
    np.empty(_BLOCK_BYTES, np.uint8)  # freed at once
