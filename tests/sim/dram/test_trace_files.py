"""Trace files: every form is read back as it was written, and what is wrong is said with its line."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltatrain.accel.errors import ConfigError
from deltatrain.sim.dram.requests import Requests
from deltatrain.sim.dram.trace_files import recorded

CAPACITY = 1 << 32
requests = st.lists(
    st.tuples(st.integers(0, CAPACITY - 1), st.booleans(), st.none() | st.integers(0, 10**9)), min_size=1
)


def _all(pieces: Iterable[Requests]) -> Requests:
    return Requests(*(np.concatenate(field) for field in zip(*pieces, strict=True)))


def _read(folder: Path, text: str, wrap: bool = False) -> Requests:
    path = folder / "my.trace"
    path.write_text(text)
    return _all(recorded(path, CAPACITY, wrap))


def _line(chance: Random, address: int, write: bool, cycle: int | None) -> str:
    """Return one of the forms that can say this request, words in either case."""
    number = chance.choice([hex(address), str(address), f"0X{address:08X}"])
    if cycle is None:
        prefix = f"{chance.choice(['ST', 'W'] if write else ['LD', 'R'])} {number}"
        return chance.choice([str.lower, str.upper])(chance.choice([prefix, f"{number} {'W' if write else 'R'}"]))
    kind = "write" if write else "read"
    forms = [f"{number} {kind.upper()} {cycle}", f"{cycle}: {kind} {number}", f"{cycle}: (32) {kind} {number}"]
    return chance.choice([*forms, f"{cycle}:\t{kind} {number} 0xabcdef"])


@settings(max_examples=100)
@given(requests, st.randoms(use_true_random=False), st.booleans(), st.booleans())
def test_every_form_is_read_back(tmp_path_factory, lines, chance, compressed, marked) -> None:
    given_cycles = sorted(cycle for *_, cycle in lines if cycle is not None)
    lines = [(address, write, None if cycle is None else given_cycles.pop(0)) for address, write, cycle in lines]
    text = ["# a comment", ""]
    text += [_line(chance, *line) + chance.choice(["", "  # why", "#"]) for line in lines]
    content = ("\ufeff" * marked + chance.choice(["\n", "\r\n"]).join(text)).encode()
    path = tmp_path_factory.mktemp("trace") / "my.trace"
    path.write_bytes(gzip.compress(content) if compressed else content)
    found = _all(recorded(path, CAPACITY))
    assert found.addresses.tolist() == [address for address, _, _ in lines]
    assert found.writes.tolist() == [write for _, write, _ in lines]
    assert found.cycles.tolist() == [cycle or 0 for _, _, cycle in lines]


def test_traces_of_the_peers_by_hand(tmp_path: Path) -> None:
    found = _read(tmp_path, "0x12345680 R\n0x4cbd56c0 W\n100 READ\n0x100 WRITE 7\n")
    assert found.addresses.tolist() == [0x12345680, 0x4CBD56C0, 100, 0x100]
    assert found.writes.tolist() == [False, True, False, True] and found.cycles.tolist() == [0, 0, 0, 7]
    found = _read(tmp_path, "ld 0x10 0x20 48\nst 0x40\n")
    assert found.addresses.tolist() == [16, 32, 48, 64] and found.writes.tolist() == [False] * 3 + [True]
    found = _read(tmp_path, "# .stl\n0: write 0x0\n31:\tread 0x400140\n31: read 0x400180\n")
    assert found.addresses.tolist() == [0, 0x400140, 0x400180] and found.cycles.tolist() == [0, 31, 31]


@pytest.mark.parametrize(
    "line",
    [
        *("0x40", "0x40 REED", "0x40 READ soon", "0x40 READ 1 2", "0xzz READ", "0x40 READ -1", "4f READ", "-64 READ"),
        *("LD", "LD x", "LD 0x40 1,2", f"0x40 READ {1 << 61}", "0x READ", "0x4_0 READ", "1_0 READ", "٣ READ"),
        *("0: write", "0: 0x0 write", "-1: write 0x0", "0: write 0x0 0x1 0x2", "9" * 5000 + " READ", ":", "READ"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigError, match=r"my\.trace, line 3: expected 'ADDR READ\|WRITE") as error:
        _read(tmp_path, f"0x40 READ\n\n{line}\n")
    assert line[:80] in str(error.value) and "\n" not in str(error.value) and len(str(error.value)) < 400


def test_an_address_beyond_the_memory_is_named_or_begins_again(tmp_path: Path) -> None:
    for line in ("LD 0x100000040", "0x100000040 READ", f"0: read {0x100000040}", f"{0x100000040 + (7 << 80)} R"):
        with pytest.raises(
            ConfigError, match=r"line 1: address 0x[0-9a-f]+ lies beyond the memory's 0x100000000 bytes"
        ):
            _read(tmp_path, line)
        assert _read(tmp_path, line, wrap=True).addresses.tolist() == [0x40]


def test_a_request_before_one_above_is_named(tmp_path: Path) -> None:
    for earlier in ("0x40 READ 5", "5: read 0x40"):
        with pytest.raises(ConfigError, match="line 4: cycle 5 lies before the 6 of a line above"):
            _read(tmp_path, f"0x40 READ 6\n0x40 READ\n# later\n{earlier}\n")
    assert _read(tmp_path, "0x40 READ 6\n0x80 READ\n0x40 READ 6\n").cycles.tolist() == [6, 0, 6]


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n  # more\n", "\ufeff"])
def test_a_trace_without_requests_is_said(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="has no requests: expected lines"):
        _read(tmp_path, text)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        list(recorded(tmp_path / "none", CAPACITY))
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        list(recorded(tmp_path, CAPACITY))
    path = tmp_path / "binary"
    for content, said in (
        (b"\xff\xfe\x00", "it is not UTF-8 text"),
        (gzip.compress(b"LD 0x40\n" * 9999)[:60], "compressed content is cut off or damaged"),
        (b"\x1f\x8bno gzip at all", "compressed content is cut off or damaged"),
        (gzip.compress(b"\xff\xfe"), "it is not UTF-8 text"),
    ):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=said):
            list(recorded(path, CAPACITY))
