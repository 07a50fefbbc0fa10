"""The study of a word language model: what its rows are of, on a drawn text in a folder as Penn Treebank's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deltatrain.sim.studies import language_model
from deltatrain.sim.studies._table import Row
from deltatrain.sim.studies.language_model import SETTINGS, SMALL_SETTINGS, Text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts of 19 words and the line's end, each word mostly followed by the one after it."""
    folder, rng = tmp_path_factory.mktemp("text"), np.random.default_rng(0)
    for part, lines in (("train", 100), ("valid", 20), ("test", 20)):
        words = (np.arange(12 * lines) + (rng.random(12 * lines) < 0.1)).cumsum() % 19
        names = np.array([f"w{number}" for number in words]).reshape(lines, 12)
        (folder / f"{part}.txt").write_text("".join(" ".join(line) + "\n" for line in names))
    return folder


@pytest.fixture(scope="module")
def rows(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Row]]:
    out = tmp_path_factory.mktemp("out")
    changes = SMALL_SETTINGS.changes | {"dataset": {"path": str(folder)}}
    settings = SMALL_SETTINGS._replace(changes=changes, recordings=None)
    table = language_model.rows(settings, out, lambda stage, share, detail: None)
    return out, {str(row["trial"]): row for row in table}


def test_a_third_of_the_weights_takes_less_of_everything(rows: tuple[Path, dict[str, Row]]) -> None:
    out, table = rows
    dense, thin = table["dense"], table["selfish"]
    weights = 2 * 20 * 12 + 2 * 8 * 12 * 12
    assert (dense["kiloweights"], thin["kiloweights"]) == (round(weights / 1e3, 1), round(0.33 * weights / 1e3, 1))
    assert (dense["published_PTB"], thin["published_PTB"]) == (78.4, 71.65)
    for column in ("kilocycles", "moved_MB", "energy_mJ"):
        assert 0 < float(thin[column]) < float(dense[column])
    assert float(thin["saved_%"]) == pytest.approx(67, abs=1) and dense["saved_%"] == 0
    assert all(1 < float(row["perplexity"]) < 40 for row in table.values())
    assert (out / "figures" / "perplexity.png").exists()


def test_the_dense_network_of_as_many_weights_has_as_many() -> None:
    text = Text("brown", 12_000, 300, 24)
    narrow = SETTINGS.trials["dense, as many weights"]
    width = narrow["embedding.width"]
    assert narrow["hidden"] == [width, width]
    sizes = [abs(text.matrix_weights(near) / text.matrix_weights(24) - 0.33) for near in (width - 1, width, width + 1)]
    assert sizes[1] == min(sizes) < 0.03


def test_as_many_weights_are_counted_with_the_words_of_ones_own_text(folder: Path) -> None:
    settings = SETTINGS.trained_on({"path": str(folder)})
    equal = language_model._in_streams(settings).trials["dense, as many weights"]
    weights = {width: 2 * 20 * width + 2 * 8 * width**2 for width in range(1, 25)}
    wanted = min(weights, key=lambda width: abs(weights[width] - 0.33 * weights[24]))
    assert equal["hidden"] == [wanted, wanted] and equal["embedding.width"] == wanted
    assert equal != SETTINGS.trials["dense, as many weights"]
