"""What `deltatrain bench` measures on a user's computer, so that its baseline is written with all others."""

from __future__ import annotations

import pytest
from host_speed import Figures

from deltatrain.sim.run import simulate
from deltatrain.sim.speed.measures import MEASURES, Measure, TrainerMeasure, measured

MOST = {
    "analytic, LSTM 512": 1,
    "cycle, LSTM 512, all in SRAM": 2,
    "cycle, LSTM 512, weights in DRAM": 150,
    "DDR3, 200,000 requests, stream": 1,
    "DDR3, 200,000 requests, random": 5,
    "sweep, 100 analytic points": 70,
    "trainer, LSTM 2 x 64, B = 32, all fired": 1.3,
    "trainer, LSTM 2 x 64, B = 32, 10 % fired": 1,
    "trainer, LSTM 512, B = 1, 10 % fired": 0.5,
}


@pytest.mark.parametrize("piece", MEASURES, ids=lambda piece: piece.what)
def test_the_short_form(piece: Measure | TrainerMeasure, figures: Figures) -> None:
    simulate("tiny", "tiny", dense=False)
    figures.hold(MOST[piece.what], lambda: measured(piece))
