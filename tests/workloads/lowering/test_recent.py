"""What is kept is found once, and no more is kept than there is room for."""

from __future__ import annotations

from deltatrain.workloads.lowering.recent import Recent


def _found(recent: Recent[str], asked: str) -> str:
    """Return what had to be found of the letters asked for, each of which stands for itself as often as its place."""
    found: list[str] = []

    def find(letter: str) -> str:
        found.append(letter)
        return letter * (1 + "abcdefg".index(letter))

    for letter in asked:
        assert set(recent.of(letter, lambda letter=letter: find(letter))) == {letter}
    return "".join(found)


def test_the_last_few_are_kept() -> None:
    assert _found(Recent(2, 100, len), "aabbabcab") == "abcab"


def test_no_further_one_is_kept_beside_large_ones() -> None:
    assert _found(Recent(9, 4, len), "abcabgag") == "abcgag"
    assert _found(Recent(9, 6, len), "abab") == "ab"


def test_the_last_is_kept_however_large_it_is() -> None:
    assert _found(Recent(9, 1, len), "ggg") == "g"
