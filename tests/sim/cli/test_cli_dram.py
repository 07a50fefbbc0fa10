"""`deltatrain dram`."""

from __future__ import annotations

import gzip
import json
import re
import shlex

import pytest

from deltatrain.accel.dram import DramPart
from deltatrain.accel.dram_parts import DRAM_PARTS
from deltatrain.sim.cli.application import application
from deltatrain.sim.dram.requests import PATTERNS

STREAM = ("dram", "--device", "ddr4_2400", "--generate", "stream", "--requests", 20_000)


def test_a_generated_stream_shows_rate_latency_rows_and_energy(deltatrain):
    ran = deltatrain(*STREAM)
    assert ran.status == 0 and ran.stderr.startswith("requests: 20,000")
    assert float(re.search(r"bandwidth +([\d.]+) GB/s", ran.stdout)[1]) == pytest.approx(18.3, abs=0.7)
    assert "99 % within" in ran.stdout and "hits" in ran.stdout
    assert float(re.search(r"a bit +([\d.]+) pJ", ran.stdout)[1]) == pytest.approx(9.2, abs=0.5)


def test_json_says_the_same_and_adds_up(deltatrain):
    found = json.loads(deltatrain(*STREAM, "--json").stdout)
    assert found["requests"] == 20_000 and found["bytes"] == 20_000 * 64
    assert found["bytes_per_second"] == pytest.approx(found["bytes"] / found["seconds"])
    rows = found["rows"]
    assert rows["hits"] + rows["misses"] + rows["conflicts"] == rows["read_bursts"] == 20_000
    assert list(found["latency_s"]) == ["50", "90", "99", "100"]
    assert found["latency_s"]["50"] <= found["latency_s"]["99"] <= found["latency_s"]["100"]


@pytest.mark.parametrize("device", DRAM_PARTS.names())
def test_every_device_runs_every_pattern(deltatrain, device):
    for pattern in PATTERNS:
        ran = deltatrain("dram", "-d", device, "-g", pattern, "-n", 3000)
        assert ran.status == 0
        known = DramPart.named(device).currents is not None
        assert ("pJ" in ran.stdout) is known and ("not known" in ran.stdout) is not known


def test_a_trace_file_of_either_form(deltatrain, tmp_path):
    path = tmp_path / "my.trace"
    path.write_text("0x40 READ\nST 0x1000\n0x1000 READ 5000\nLD 64\n")
    found = json.loads(deltatrain("dram", "-d", "lpddr4_3200", "-t", path, "--json").stdout)
    assert (found["requests"], found["writes"]) == (4, 1)
    assert found["cycles"] > 5000


def test_traces_that_people_have_are_served_or_refused_in_one_line(deltatrain, tmp_path):
    path = tmp_path / "my.trace"
    replay = ("dram", "-d", "ddr4_2400", "-t", path, "--json")
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf0: write 0x0 # first\n100: read 0x40\n"))
    found = json.loads(deltatrain(*replay).stdout)
    assert (found["requests"], found["writes"]) == (2, 1) and found["cycles"] > 100
    path.write_text("0xfff12345680 R\n")
    assert json.loads(deltatrain(*replay, "--wrap").stdout)["requests"] == 1
    for text, said in (
        ("0xfff12345680 R", "line 1: address 0xfff12345680 lies beyond"),
        ("# nothing", "has no requests"),
        ("0x0 READ 9\n0x0 READ 8", "line 2: cycle 8 lies before the 9 of a line above"),
    ):
        path.write_text(text)
        ran = deltatrain(*replay)
        assert ran.status == 2 and said in ran.stderr and "Traceback" not in ran.stderr
        assert len(ran.stderr.strip().splitlines()) == 1
    assert "--wrap goes with --trace" in deltatrain(*STREAM, "--wrap").stderr


def test_the_bank_group_pattern_brings_its_map_and_the_user_overrules_it(deltatrain):
    shown = [
        deltatrain("dram", "-d", "ddr4_2400", "-g", "stream_bank_group", "-n", 9000, *more).stdout
        for more in ((), ("-s", "address_map=RoRaCoBaBgCh"))
    ]
    rates = [float(re.search(r"bandwidth +([\d.]+) GB/s", text)[1]) for text in shown]
    assert "RoBaRaCoCh" in shown[0] and "RoRaCoBaBgCh" in shown[1]
    assert rates[1] > 1.2 * rates[0]


def test_a_part_can_be_copied_and_changed(deltatrain, tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text(DRAM_PARTS.text("ddr3_1600").replace("tFAW = 24", "tFAW = 48"))
    rates = [
        json.loads(deltatrain("dram", "-d", part, "-g", "random", "-n", 9000, "--json").stdout)["bytes_per_second"]
        for part in ("ddr3_1600", mine)
    ]
    assert rates[1] == pytest.approx(rates[0] / 2, rel=0.05)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("-d ddr4_240 -g stream", "'ddr4_240' is not known, did you mean 'ddr4_2400'"),
        ("-d ddr4_2400 -g strem", "'strem' is not known, did you mean 'stream'"),
        ("-d ddr4_2400", "either with --trace FILE or with --generate PATTERN"),
        ("-d ddr4_2400 -g stream -t x", "either with --trace FILE or with --generate PATTERN"),
        ("-d ddr4_2400 -t x -n 5", "--requests takes a positive number and goes with --generate"),
        ("-d ddr4_2400 -g stream -n 0", "--requests takes a positive number"),
        ("-d ddr4_2400 -t /nowhere/my.trace", "/nowhere/my.trace cannot be read"),
        ("-d ddr4_2400 -g stream -s rank=2", "rank is not a field, did you mean 'ranks'"),
        ("-d ddr4_2400 -g stream -s ranks", "--set takes FIELD=VALUE, not 'ranks'"),
        ("-d ddr4_2400 -g stream -s ranks=two", "ranks must be an integer, not 'two'"),
        ("-d ddr4_2400 -g stream -s row_policy=shut", "row_policy must be one of 'open' or 'closed', not 'shut'"),
        ("-d ddr4_2400 -g stream -s address_map=RoBa", "address_map must name"),
        ("-d ddr4_2400 -g stream -s refresh=per_bank", "refresh must be all_bank"),
        ("-d hbm2_2000 -g stream -s ranks=2", "ranks must be 1"),
    ],
)
def test_mistakes_are_one_line(deltatrain, words, said):
    ran = deltatrain("dram", *shlex.split(words))
    assert ran.status == 2 and ran.stdout == ""
    (line,) = ran.stderr.splitlines()
    assert line.startswith("deltatrain: ") and said in line


def test_a_bad_line_of_a_trace_is_named_and_nothing_else_is_shown(deltatrain, tmp_path):
    path = tmp_path / "bad.trace"
    path.write_text("0x40 READ\n" * 70_000 + "0x40 REED\n")
    ran = deltatrain("dram", "-d", "ddr3_1600", "-t", path)
    assert ran.status == 2 and ran.stdout == ""
    assert "line 70001: expected" in ran.stderr.splitlines()[-1]


def test_help_has_examples_that_are_accepted(deltatrain):
    helped = deltatrain("dram", "--help")
    examples = [line.strip() for line in helped.stdout.splitlines() if line.strip().startswith("deltatrain ")]
    assert len(examples) >= 3
    for example in examples:
        application().parse_args(shlex.split(example)[1:], exit_on_error=False, print_error=False)


def test_list_names_every_part(deltatrain):
    shown = deltatrain("list", "dram").stdout
    assert all(name in shown for name in DRAM_PARTS.names())
