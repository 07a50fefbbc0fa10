"""Patterns."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from deltatrain.accel.errors import ConfigError
from deltatrain.sim.dram.requests import PATTERNS, Requests, generated

CAPACITY = 1 << 32


def _all(pieces: Iterable[Requests]) -> Requests:
    return Requests(*(np.concatenate(field) for field in zip(*pieces, strict=True)))


def test_patterns_are_what_their_descriptions_say() -> None:
    stream = _all(generated("stream", 100_000, 64, CAPACITY))
    assert np.array_equal(stream.addresses, 64 * np.arange(100_000)) and not stream.writes.any()
    assert np.array_equal(_all(generated("stream_bank_group", 100_000, 64, CAPACITY)).addresses, stream.addresses)
    random = _all(generated("random", 100_000, 64, CAPACITY))
    assert not random.writes.any() and (random.addresses % 64 == 0).all()
    assert 0.9 * (1 << 30) < random.addresses.max() < 1 << 30
    mixed = _all(generated("mixed", 90_000, 64, CAPACITY))
    assert np.array_equal(mixed.addresses[~mixed.writes], 64 * np.arange(60_000))
    assert np.array_equal(mixed.addresses[mixed.writes], (512 << 20) + 64 * np.arange(30_000))
    assert mixed.writes[:6].tolist() == [False, False, True] * 2


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_stay_in_a_small_memory(pattern: str) -> None:
    found = _all(generated(pattern, 10_000, 32, 1 << 14))
    assert len(found.cycles) == 10_000
    assert found.addresses.min() >= 0 and found.addresses.max() < 1 << 14


def test_an_unknown_pattern_is_said() -> None:
    with pytest.raises(ConfigError, match="pattern 'strem' is not known, did you mean 'stream'"):
        list(generated("strem", 1, 64, CAPACITY))
