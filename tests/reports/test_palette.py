"""Colours that stand side by side are told apart with any colour vision, and words stand out from what is behind them.

Colour vision is simulated by the matrices of Machado, Oliveira and Fernandes (IEEE TVCG 15:6, 2009) at full severity,
in linear RGB; contrast is that of WCAG 2.1; distance is that of Oklab (Ottosson, 2020).
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from deltatrain.reports import palette
from deltatrain.reports.palette import BUS_COLOURS, CAUSE_LABELS, DARK, LIGHT, LINES, STARVED_COLOURS

VISIONS = {
    "usual": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_LMS = [
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
]
TO_LAB = [
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
]
APART = 0.08
"""In Oklab; 0.02 is about the least that is seen side by side."""

THEMES = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])


def _linear(colour):
    channels = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def _lab(linear):
    return TO_LAB @ np.cbrt(TO_LMS @ np.clip(linear, 0, 1))


def _contrast(one, other):
    dark, light = sorted(_linear(colour) @ [0.2126, 0.7152, 0.0722] for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def _kind(theme, kind):
    return theme.get(kind) or theme[f"cause-{kind}"]


GROUPS = {
    "causes": ["delta", *CAUSE_LABELS],
    "lines": [f"line-{number}" for number in range(LINES)],
    "bus": list(BUS_COLOURS.values()),
    "starved": list(STARVED_COLOURS.values()),
}


@THEMES
@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("group", GROUPS)
def test_colours_of_one_chart_are_told_apart(group, vision, theme):
    seen = {kind: _lab(VISIONS[vision] @ _linear(_kind(theme, kind))) for kind in GROUPS[group]}
    assert len(seen) == len(GROUPS[group])
    near = {
        (one, other): round(float(np.linalg.norm(seen[one] - seen[other])), 3)
        for one, other in itertools.combinations(seen, 2)
    }
    assert {pair: apart for pair, apart in near.items() if apart < APART} == {}


@THEMES
def test_words_are_read(theme):
    for word in ("ink", "quiet", "accent"):
        for ground in ("paper", "panel"):
            assert _contrast(theme[word], theme[ground]) >= 4.5


@THEMES
def test_curves_and_marks_stand_out(theme):
    for kind in (*GROUPS["lines"], "delta", "bad", "edge"):
        assert _contrast(theme[kind], theme["paper"]) >= 3


def test_the_simulation_confuses_what_people_confuse():
    """The check itself: a red and a green that are far apart are near each other without one of the cones."""
    red, green = (_linear(colour) for colour in ("#a05030", "#6b6b2e"))
    usual = np.linalg.norm(_lab(red) - _lab(green))
    without = np.linalg.norm(_lab(VISIONS["deuteranopia"] @ red) - _lab(VISIONS["deuteranopia"] @ green))
    assert without < usual / 2


def test_both_themes_have_the_same_names():
    assert palette.LIGHT.keys() == palette.DARK.keys()
