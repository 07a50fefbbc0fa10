"""What a person or an altered file may hold, each value once: exit status 2, one line that says which, no traceback."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import types
import zipfile

import numpy as np
import pytest
from spaces import tiny

from deltatrain.accel.description import Description, with_overrides
from deltatrain.accel.documents import json_text, json_value, toml_table
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.family import ModuleFamily
from deltatrain.reports.figures import _style
from deltatrain.sim.sweep import results
from deltatrain.sim.sweep.axis import Axis
from deltatrain.sim.sweep.checks import checked_space
from deltatrain.sim.sweep.manifest import Manifest
from deltatrain.sim.sweep.run import sweep
from deltatrain.workloads.arrays.archive import read_arrays
from deltatrain.workloads.datasets import DataSet
from deltatrain.workloads.trace import Trace

TINY = ("simulate", "-w", "tiny", "--on", "tiny", "--set")
DIGITS = "9" * 5000

# (value of --set, what the line on standard error must say)
CHANGES = [
    ("machine.engine.lanes=1979-05-27", "value must be a number, a text, a list or a table, not a date (1979-05-27)"),
    ("workload.theta_x=07:32:00", "not a time (07:32:00)"),
    ("workload.name=1979-05-27T07:32:00Z", "not a datetime"),
    (f"machine.local.bytes={DIGITS}", "an integer beyond 64 bits"),
    (f"machine.local.bytes={10**19}", "value must be an integer of 64 bits, not 10000000000000000000"),
    (f"workload.hidden={'[' * 2000}{']' * 2000}", "more than 32"),
    (f"machine.{'a.' * 2000}a=1", "more than 32 parts"),
    ('machine.remote.device="a\\u0000b"', "without NUL"),
    ("workload.name=../../T", "name: must be a name without separators of folders"),
    ("machine.name=a/../../b", "name: must be a name without separators of folders"),
    ('machine.name=".hidden"', "name: must be a name without separators of folders"),
    ('machine.name=""', "name must have at least 1 characters"),
    ("machine.engine.lanes=1000000000", "engine.lanes must be at most 65536, not 1000000000"),
    ("machine.remote.channels=1000000", "remote.channels must be at most 65536, not 1000000"),
    ("machine.remote.ranks=1000000", "remote.ranks must be at most 65536, not 1000000"),
    (f"machine.remote.write_queue={10**18}", "remote.write_queue must be at most 65536"),
    ("workload.synthetic.steps=1000000000000", "memory is too small: a training step of tiny takes"),
]


@pytest.mark.parametrize(("change", "said"), CHANGES, ids=[change[:40] for change, _ in CHANGES])
def test_a_changed_field(deltatrain, change, said):
    ran = deltatrain(*TINY, change)
    assert ran.status == 2 and not ran.stdout
    (line,) = ran.stderr.splitlines()
    assert said in line and len(line) < 400


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("at = 1979-05-27", "at must be a number, a text, a list or a table, not a date"),
        (f"large = {DIGITS}", "integer beyond 64 bits"),
        (f"deep = {'[' * 2000}{']' * 2000}", "more than 32"),
        (f"{'a.' * 2000}a = 1", "more than 32 tables or lists deep"),
        ('"a\\u0000b" = 1', "NUL in its name"),
        (f"large = [1, {2**63}]", "large.1 must be an integer of 64 bits"),
    ],
    ids=["date", "digits", "lists", "tables", "name", "integer"],
)
def test_a_toml_file(text, said):
    with pytest.raises(ConfigError) as refused:
        toml_table(text, "mine.toml")
    assert said in str(refused.value) and str(refused.value).startswith("mine.toml")
    assert len(str(refused.value)) < 300


def test_an_override_of_python_that_is_too_deep_or_too_long_is_refused():
    with pytest.raises(ConfigError, match="more than 32 parts"):
        with_overrides({}, {".".join("a" * 2000): 1})

    class Wheel(Description):
        spokes: int

    with pytest.raises(ConfigError, match="too long to show"):
        Wheel.from_table({"spokes": [10**5000]})


def test_a_nul_in_an_argument_is_refused(deltatrain):
    ran = deltatrain("describe", "a\0b.toml")
    assert (ran.status, ran.stderr) == (2, "deltatrain: an argument must not have a NUL in it\n")


def test_a_name_may_have_what_figures_and_screens_could_take_for_markup(deltatrain, tmp_path):
    name = "$x_{ [bold] [red <b> & %"
    figure = _style.blank(2.0, name, name)
    figure.savefig(io.BytesIO(), format="png")
    ran = deltatrain("describe", "machine.tiny", "--set", f"machine.name='{name}'")
    assert ran.status == 0 and name in ran.stdout


def _run(*words: str, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deltatrain", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_a_closed_standard_output_is_as_good_as_the_null_device():
    script = f"exec {sys.executable} -m deltatrain list machines >&-"
    ran = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_terminal_of_few_characters_is_written_to_all_the_same():
    ran = _run("list", "dram", env=os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_module_ends_with_the_exit_status_of_the_command():
    assert _run("describe", "nothing").returncode == 2


def test_ctrl_c_while_the_command_is_imported_is_one_line():
    """A library that takes two seconds to import stands for a slow disk."""
    code = (
        "import sys, types, time\n"
        "class Slow:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'cyclopts': print('importing', flush=True); time.sleep(30)\n"
        "sys.meta_path.insert(0, Slow())\n"
        "from deltatrain.sim.cli import main\n"
        "sys.exit(main(['list']))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "importing\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "deltatrain: interrupted; nothing was changed\n")


# --- sweeps


def _table(**changes):
    return tiny(**{"search__kind": "random", "search__points": 1, **changes})


@pytest.mark.parametrize(
    ("axis", "said"),
    [
        ({"low": -(2**63), "high": 2**63 - 1}, "values"),
        ({"low": 1, "high": 10**12, "step": 1}, "must have at most 1000000 values"),
        ({"low": 1, "high": 10**18, "factor": 1.0000001}, "must have at most 1000000 values"),
        ({"low": 1, "high": 2, "count": 10**9}, "count must be at most 1000000"),
        ({"low": -1.7e308, "high": 1.7e308, "count": 3}, "less far"),
        ({"low": 1e-320, "high": 1e300, "scale": "log"}, "less far"),
    ],
)
def test_an_axis_of_more_values_than_can_be_made(axis, said):
    with pytest.raises(ConfigError) as refused:
        Axis.from_table(axis)
    assert said in str(refused.value)


def test_a_grid_that_never_ends_is_refused_and_another_search_of_it_is_not():
    table = tiny() | {"vary": {"machine.local.bytes": {"low": 1000, "high": 2**62}}}
    with pytest.raises(ConfigError, match="a grid has at most"):
        checked_space(table)
    space = checked_space(table | {"search": {"kind": "random", "points": 2}})
    assert space.size == 2**62 - 999


def test_a_field_that_other_fields_wait_for_is_counted_without_looking_at_each_of_its_values():
    table = _table()
    table["vary"] = {
        "machine.local.bytes": {"low": 1000, "high": 2**62},
        "machine.engine.lanes": {"values": [1, 2, 4], "when": {"machine.local.bytes": [4096, 65536, 5]}},
    }
    assert checked_space(table).size == (2**62 - 999 - 2) + 2 * 3


def test_a_name_that_chooses_another_folder_is_refused():
    with pytest.raises(ConfigError, match="name: must be a name without separators"):
        checked_space(_table(name="a/../../b"))


def test_a_field_that_no_point_varies_is_a_column_all_the_same(deltatrain, tmp_path):
    """The field `machine.placement.gradients` is varied where weights are local, which this one point's are not."""
    table = _table(vary={**tiny()["vary"], "machine.placement.weights": ["remote"]})
    frame = sweep(table, tmp_path / "s", workers=1)
    assert frame.height == 1 and frame["machine.placement.gradients"].to_list() == ["auto"]
    assert deltatrain("front", tmp_path / "s").status == 0


def test_the_front_of_a_sweep_without_points_is_empty(deltatrain, tmp_path):
    table = _table()
    sweep(table, tmp_path / "s", workers=1)
    journal = tmp_path / "s" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().splitlines(keepends=True)[0])
    ran = deltatrain("front", tmp_path / "s", "--json")
    assert (ran.status, json.loads(ran.stdout)) == (0, [])
    assert deltatrain("front", tmp_path / "s").status == 0


@pytest.mark.parametrize(
    "forged",
    [
        b"[1]",
        b"{}",
        b'{"digest":3,"point":0}',
        b'{"digest":"x","point":"y"}',
        b"[" * 5000,
        b'{"digest":"x","seconds":NaN}',
    ],
)
def test_a_forged_line_of_a_journal_is_named(deltatrain, tmp_path, forged):
    sweep(_table(search__points=2), tmp_path / "s", workers=1)
    journal = tmp_path / "s" / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([lines[0], forged + b"\n", *lines[1:]]))
    ran = deltatrain("front", tmp_path / "s")
    assert ran.status == 2 and "is damaged in line 2" in ran.stderr and len(ran.stderr.splitlines()) == 1


@pytest.mark.parametrize("value", ['"fast"', "true", "[1]", str(10**30), str(2**63)])
def test_a_row_without_a_number_where_one_is_due_is_shown_and_never_on_the_front(deltatrain, tmp_path, value):
    sweep(_table(search__points=2), tmp_path / "s", workers=1)
    journal = tmp_path / "s" / "journal.jsonl"
    header, row, *_ = journal.read_text().splitlines()
    changed = json.loads(row) | {"seconds": "HERE"}
    journal.write_text("\n".join([header, json.dumps(changed).replace('"HERE"', value), ""]))
    ran = deltatrain("front", tmp_path / "s", "--json")
    assert ran.status in (0, 2) and "Traceback" not in ran.stderr


def test_a_text_that_a_spreadsheet_takes_for_a_formula_is_quoted_in_the_csv(tmp_path):
    import polars as pl

    texts = ["=1+1", "+1", "-1", "@A1", "plain", None]
    results.save_results(tmp_path, pl.DataFrame({"reason": texts, "number": [-1, 2, 3, 4, 5, 6]}))
    lines = (tmp_path / "table.csv").read_text().splitlines()[1:]
    assert lines == ["'=1+1,-1", "'+1,2", "'-1,3", "'@A1,4", "plain,5", ",6"]
    assert pl.read_parquet(tmp_path / "table.parquet")["reason"].to_list() == texts


@pytest.mark.parametrize("content", [b"[" * 100_000, b"NaN", b"\xff", b"null", b'{"name": 1e999}', DIGITS.encode()])
def test_a_forged_manifest_is_one_line(tmp_path, content):
    (tmp_path / "sweep.json").write_bytes(content)
    with pytest.raises(ConfigError):
        Manifest.load(tmp_path)


# --- files


def _archive(**members: bytes) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    file.seek(0)
    return file


def _npy(shape: tuple[int, ...], content: bytes) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return file.getvalue() + content


def test_an_array_that_claims_more_than_its_bytes_is_refused_before_it_is_made():
    with pytest.raises(ValueError, match="has not the bytes that its shape takes"):
        read_arrays(_archive(mask=_npy((10**15,), b"few")), "trace")


def test_arrays_that_take_more_than_is_free_are_refused_before_they_are_made(monkeypatch):
    monkeypatch.setattr("deltatrain.accel.host_memory.free_bytes", lambda: 10**6)
    with pytest.raises(MemoryError, match="trace takes 2 MB, and 1 MB are free"):
        read_arrays(_archive(mask=_npy((2 * 10**6,), bytes(2 * 10**6))), "trace")


def test_a_trace_whose_masks_claim_more_than_their_bytes_is_refused(deltatrain, tmp_path, monkeypatch):
    from deltatrain.sim.run import synthetic_trace
    from deltatrain.workloads import trace
    from deltatrain.workloads.workload import Workload

    honest = trace._arrays
    shape = np.array([10**4, 10**4, 10**2], dtype=np.int64)
    monkeypatch.setattr(trace, "_arrays", lambda given: honest(given) | {"0.x0.shape": shape})
    synthetic_trace(Workload.named("tiny")).save(tmp_path / "trace.npz")
    with pytest.raises(ConfigError, match="is damaged"):
        Trace.load(tmp_path / "trace.npz")


def test_numbers_that_are_none_are_null_in_json():
    text = json_text({"loss": float("nan"), "most": [float("inf"), 1.5, (2, None)]})
    assert text == '{"loss": null, "most": [null, 1.5, [2, null]]}'
    with pytest.raises(ValueError, match="NaN"):
        json_value(b'{"loss": NaN}')


def test_a_file_of_a_family_that_lacks_what_all_have_is_one_line(monkeypatch):
    module = types.ModuleType("deltatrain.workloads.datasets.mine")

    def none(progress=None):
        return None

    module.__dict__.update(__file__="mine.py", LICENCE="none", SPIKES=False, load=none, train_groups=none)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    family = ModuleFamily[DataSet]("deltatrain.workloads.datasets", "data set", DataSet)
    monkeypatch.setattr(family, "names", lambda: ("mine",))
    with pytest.raises(ConfigError, match=r"^data set 'mine': SOURCE is missing in mine\.py$"):
        family.load("mine")
