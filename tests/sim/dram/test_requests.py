"""Patterns and trace files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel.errors import ConfigError
from deltatrain.sim.dram.requests import PATTERNS, Requests, generated, recorded

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


LINES = st.lists(st.tuples(st.integers(0, CAPACITY - 1), st.booleans(), st.none() | st.integers(0, 10**12)), min_size=1)


@settings(max_examples=50)
@given(LINES, st.randoms(use_true_random=False))
def test_both_forms_are_read_back(tmp_path_factory, lines, chance) -> None:
    text = ["# a comment", ""]
    for address, write, cycle in lines:
        if cycle is None and chance.random() < 0.5:
            number = hex(address) if chance.random() < 0.5 else str(address)
            text.append(f"{'ST' if write else 'LD'} {number}")
        else:
            text.append(f"{address:#x} {'WRITE' if write else 'READ'}" + ("" if cycle is None else f" {cycle}"))
    path = tmp_path_factory.mktemp("trace") / "my.trace"
    path.write_text("\n".join(text))
    found = _all(recorded(path, CAPACITY))
    assert found.addresses.tolist() == [address for address, _, _ in lines]
    assert found.writes.tolist() == [write for _, write, _ in lines]
    assert found.cycles.tolist() == [cycle or 0 for _, _, cycle in lines]


@pytest.mark.parametrize(
    "line",
    [
        *("0x40", "0x40 REED", "0x40 READ soon", "0x40 READ 1 2", "0xzz READ", "READ 0x40", "0x40 READ -1"),
        *("LD", "LD 0x40 7", "LD x", f"0x40 READ {1 << 61}"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "bad.trace"
    path.write_text(f"0x40 READ\n\n{line}\n")
    with pytest.raises(ConfigError, match=r"bad\.trace, line 3: expected '0xADDR READ\|WRITE") as error:
        list(recorded(path, CAPACITY))
    assert line in str(error.value) and "\n" not in str(error.value)


def test_an_address_beyond_the_memory_is_named(tmp_path: Path) -> None:
    path = tmp_path / "far.trace"
    for line in ("LD 0x100000000", "0x100000000 READ"):
        path.write_text(line)
        with pytest.raises(ConfigError, match="line 1: address 0x100000000 lies beyond the memory's 0x100000000 bytes"):
            list(recorded(path, CAPACITY))


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        list(recorded(tmp_path / "none", CAPACITY))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="it is not UTF-8 text"):
        list(recorded(tmp_path / "binary", CAPACITY))
    with pytest.raises(ConfigError, match="pattern 'strem' is not known, did you mean 'stream'"):
        list(generated("strem", 1, 64, CAPACITY))
