"""Descriptions in files: bases, files named in files, and the same machine whichever way its part is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.described import described
from deltatrain.accel.devices import DEVICES
from deltatrain.accel.dram import DramPart
from deltatrain.accel.dram_parts import DRAM_PARTS
from deltatrain.accel.energy import ENERGY_TABLES
from deltatrain.accel.energy.prices import prices
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.presets import MACHINES
from deltatrain.workloads.workload import Workload


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a part, a memory without banks and an energy table of its own, and machines that name them."""
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "fast.toml").write_text(DRAM_PARTS.text("ddr3_1600").replace("tck_ps = 1250", "tck_ps = 1000"))
    (parts / "slower.toml").write_text('base = "fast.toml"\nabout = "slower"\n[timing]\nCL = 14\n')
    (parts / "ideal.toml").write_text(DEVICES.text("zero_latency"))
    (parts / "mine.toml").write_text(ENERGY_TABLES.text("horowitz_45nm").replace("pj = 3.1", "pj = 0.5"))
    (tmp_path / "machine.toml").write_text('base = "edge"\n[remote]\ndevice = "./parts/slower.toml"\n')
    return tmp_path


def test_a_base_is_this_one_changed(folder: Path) -> None:
    edge = Architecture.named("edge")
    path = folder / "lanes.toml"
    path.write_text('base = "edge"\nname = "wide"\n[engine]\nlanes = 16\n[engine.formats.weight]\noverflow = "wrap"\n')
    changes = {"name": "wide", "engine.lanes": 16, "engine.formats.weight.overflow": "wrap"}
    assert Architecture.named(path) == Architecture.named("edge", changes) != edge
    further = folder / "further.toml"
    further.write_text('base = "lanes.toml"\nname = "edge"\n[engine]\nlanes = 8\n')
    assert Architecture.named(further) == Architecture.named("edge", {"engine.formats.weight.overflow": "wrap"})
    workload = folder / "workload.toml"
    workload.write_text('base = "digits"\nhidden = [4, 4]\n[training]\nseed = 7\n')
    assert Workload.named(workload) == Workload.named("digits", {"hidden": (4, 4), "training.seed": 7})


def test_a_described_part_is_found_from_the_file_that_names_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Architecture.named(folder / "machine.toml")
    assert isinstance(machine.device, DramPart)
    assert (machine.device.tck_ps, machine.device.timing.CL, machine.remote.device_name) == (1000, 14, "slower")
    assert machine.device == DramPart.named(folder / "parts" / "slower.toml")
    assert Architecture.from_table(machine.model_dump(mode="json")) == machine
    (folder / "parts" / "fast.toml").unlink()  # its content has taken its place
    assert Architecture.from_table(machine.model_dump(mode="json")).digest() == machine.digest()
    monkeypatch.chdir(folder / "parts")
    ideal = Architecture.named("edge", {"remote.device": "./ideal.toml"})
    assert ideal.device == Architecture.named("edge", {"remote.device": "zero_latency"}).device
    assert ideal.remote.device_name == "described memory"


def test_a_part_in_a_file_is_the_built_in_part(folder: Path) -> None:
    (folder / "same.toml").write_text(DRAM_PARTS.text("ddr3_1600"))
    by_file = Architecture.named("edge", {"remote.device": str(folder / "same.toml")})
    assert by_file.device == Architecture.named("edge", {"remote.device": "ddr3_1600"}).device
    assert by_file.remote_peak_bytes_per_second == Architecture.named("edge").remote_peak_bytes_per_second


def test_prices_come_from_a_described_table(folder: Path) -> None:
    path = folder / "priced.toml"
    path.write_text('base = "edge"\nenergy = "cacti7_22nm_hp + parts/mine.toml"\n')
    machine = Architecture.named(path)
    assert prices(machine.energy)("multiply", "pj") == 0.5
    assert machine.energy == f"cacti7_22nm_hp+{folder / 'parts' / 'mine.toml'}"
    (folder / "parts" / "mine.toml").write_text(
        ENERGY_TABLES.text("horowitz_45nm").replace("pj = 3.1", "pj = -0.5").replace("read_pj = [10.0,", "read_pj = [")
    )
    with pytest.raises(ConfigError) as error:
        Architecture.named(path)
    assert "multiply.pj must be a number from 0 on, below 1e30, not -0.5" in str(error.value)
    assert "local.read_pj must have a positive number for each of 3 sizes" in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('base = "egde"', "base: machine 'egde' is not known, did you mean 'edge'?"),
        ('base = "none.toml"', "none.toml cannot be read: No such file or directory"),
        ('base = "case.toml"', "base goes round in a circle: case.toml -> case.toml"),
        ('base = "./../circle/case.toml"', "base goes round in a circle: case.toml -> case.toml"),
        ('base = "other.toml"', "base goes round in a circle: case.toml -> other.toml -> case.toml"),
        ("base = 3", "base must be a name or a path that ends in .toml, not 3"),
        ('base = "edge"\nremote.device = "bad.toml"', "bad.toml: timing is missing"),
        ('base = "edge"\nremote.device = "none.toml"', "none.toml cannot be read"),
        ('base = "edge"\nremote.device = 5', "must be a name, a path that ends in .toml, or a table, not 5"),
        ('base = "edge"\nremote.device = "ddr3_1500"', "did you mean 'ddr3_1600'?"),
        ('base = "edge"\nenergy = "none.toml"', "none.toml cannot be read"),
        ('base = "edge"\nenergy = "horowitz"', "did you mean 'horowitz_45nm'?"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    folder = tmp_path / "circle"
    folder.mkdir()
    (folder / "case.toml").write_text(text)
    (folder / "other.toml").write_text('base = "case.toml"')
    (folder / "bad.toml").write_text("\n".join(DRAM_PARTS.text("ddr3_1600").partition("[timing]")[:1]))
    with pytest.raises(ConfigError) as error:
        Architecture.named(folder / "case.toml")
    assert said in str(error.value) and "\n" not in str(error.value)


def test_a_member_is_described_as_it_is() -> None:
    assert described("edge", MACHINES) == MACHINES.load("edge")
