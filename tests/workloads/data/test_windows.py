"""Texts as windows: the stream again, the next word of each, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import recording_files as files
from numpy.testing import assert_array_equal

from deltatrain.accel.errors import ConfigError
from deltatrain.workloads.data import windows
from deltatrain.workloads.data.found import Tokens
from deltatrain.workloads.data.recordings import Sequences
from deltatrain.workloads.own_data import OwnData
from deltatrain.workloads.survey import fired_shares


def _text(root: Path, **changed: object) -> OwnData:
    return OwnData.from_table({"path": str(root), "targets": "step_classes", "window_steps": 4} | changed)


def test_windows_are_the_stream_and_labels_are_the_next_words(tmp_path: Path) -> None:
    files.write_ptb(tmp_path)
    words, recordings = OwnData(path=str(tmp_path)).contents(), _text(tmp_path).load()
    assert isinstance(words, Tokens)
    assert recordings.class_names == words.vocabulary and recordings.classes == len(words.vocabulary) == 15
    lengths = {"train": [4, 4, 4, 3], "validation": [4], "test": [4, 1]}
    for name, part in recordings.parts().items():
        stream = words.parts()[name]
        assert part.wants == "step_classes" and part.lengths.tolist() == lengths[name]
        assert part.features == part.vocabulary == 15
        read = [part.padded(np.array([n]))[0][:, 0] for n in range(len(part))]
        assert_array_equal(np.concatenate(read), stream[:-1])
        assert_array_equal(np.concatenate([part.wanted(np.array([n]))[:, 0] for n in range(len(part))]), stream[1:])


def test_a_window_longer_than_the_text_is_all_of_it(tmp_path: Path) -> None:
    files.write_ptb(tmp_path)
    assert _text(tmp_path, window_steps=1000).load().train.lengths.tolist() == [15]


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"window_steps": None}, "give dataset.window_steps, .* or dataset.streams, .*; one of the two"),
        ({"streams": 2}, "give dataset.window_steps, .* or dataset.streams, .*; one of the two"),
        ({"window_steps": None, "streams": 5}, "dataset.streams must be at most 4, as the validation part has 5 words"),
        ({"delta_step": 0.5}, "dataset.delta_step must be left out of a text"),
        ({"front_end": "mfcc"}, "dataset.front_end must be left out of a text"),
        ({"split": {"by": "share"}}, "dataset.split must be left out of a text"),
        ({"targets": "numbers"}, "dataset.targets must be 'classes' or 'step_classes' for this format"),
        ({"window_steps": 0}, "window_steps must be a positive integer, not 0"),
    ],
)
def test_what_is_not_for_a_text_is_refused(tmp_path: Path, changed: dict[str, object], line: str) -> None:
    files.write_ptb(tmp_path)
    with pytest.raises(ConfigError, match=line) as told:
        _text(tmp_path, **changed).load()
    assert len(str(told.value).splitlines()) == 1


def test_windows_are_for_texts_alone(tmp_path: Path) -> None:
    files.write_csv(tmp_path / "a.csv")
    with pytest.raises(ConfigError, match="window_steps must be left out, as this is no text"):
        _text(tmp_path / "a.csv", targets="classes").load()


def test_streams_are_the_text_in_equal_pieces() -> None:
    text = Tokens(tuple("abcde"), *(np.arange(count) % 5 for count in (12, 9, 6)))
    recordings = windows.streams_of(text, 3, "t", "t")
    lengths = {"train": [4, 4, 3], "validation": [3, 3, 2], "test": [2, 2, 1]}
    for name, part in recordings.parts().items():
        assert part.lengths.tolist() == lengths[name]
        assert_array_equal(part.values, text.parts()[name][:-1])
        assert_array_equal(part.labels, text.parts()[name][1:])


def test_words_are_counted_as_the_one_hot_vectors_that_they_are() -> None:
    words = Sequences(np.array([0, 0, 3, 1, 1, 2]), np.array([4, 2]), np.zeros(6, np.int64), True, vocabulary=4)
    vectors = Sequences(np.eye(4, dtype=np.float32)[words.values], words.lengths, words.labels, True)
    thetas = (0.0, 0.5, 1.0, 1.5)
    assert fired_shares(words, thetas) == pytest.approx(fired_shares(vectors, thetas))
    assert fired_shares(words, (1.0,)) == (8 / 24,)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        (np.array([0, 4]), "values must be words from 0 to 3, not 4"),
        (np.array([0, -1]), "values must be words from 0 to 3, not -1"),
        (np.array([0.0, 1.0], np.float32), "values must be numbers of words, int64 of shape"),
    ],
)
def test_what_is_no_word_is_refused(values: np.ndarray, line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        Sequences(values, np.array([2]), np.zeros(2, np.int64), True, vocabulary=4)


def test_a_part_of_one_word_has_no_next_one() -> None:
    text = Tokens(tuple("ab"), *(np.arange(count) % 2 for count in (5, 1, 2)))
    with pytest.raises(ConfigError, match="the validation part has 1 word; at least two are needed"):
        windows.windows_of(text, 2, "t", "t")


def test_a_text_of_one_word_alone_has_nothing_to_guess() -> None:
    with pytest.raises(ConfigError, match="the only word is '<eos>'; two or more are needed"):
        windows.windows_of(Tokens(("<eos>",), *(np.zeros(count, np.int64) for count in (5, 3, 2))), 2, "t", "t")
