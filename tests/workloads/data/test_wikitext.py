"""Articles of a Wikipedia export: markup that is taken away, and pages that are no articles."""

from __future__ import annotations

import bz2
import io

import pytest

from deltatrain.workloads.data.formats.text import UNKNOWN
from deltatrain.workloads.data.vocabulary import beginning, numbered
from deltatrain.workloads.data.wikitext import articles, lines_of

PAGE = "<page><title>{0}</title><ns>{1}</ns>{2}<revision><text>{3}</text></revision></page>"
EXPORT = '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/">{}</mediawiki>'


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("The '''big''' [[cat|cats]] of [[Rome]] sat down.", "the big cats of rome sat down"),
        ("One {{cite|{{a|b}}|c}}two three four, five", "one two three four five"),
        ("[[File:A b.jpg|thumb|left|the [[horn|Horn]] flag]]It isn't more than it is", "it isn't more than it is"),
        ('It was 1,234.5 miles in 1984 &amp; more<ref name=a>A note</ref><ref name="b" />', "it was N miles in N more"),
        (
            "{| class=x\n| a cell with many words in it\n{|\n|b\n|}\n|}\nBelow the table there are words",
            "below the table there are words",
        ),
        ("<!-- a\nlong remark --> See [http://a.b/c the long page] of them all", "see the long page of them all"),
        (
            "[[Category:Cats]] [[de:Katze]] Star [[Trek: Voyager]] is a long series",
            "star trek voyager is a long series",
        ),
    ],
)
def test_what_is_left_of_markup(markup: str, words: str) -> None:
    assert lines_of(markup) == [words.split()]


def test_headings_lists_and_short_lines_are_no_sentences() -> None:
    markup = "== A heading of some five words ==\n* an item of a long list\n:an answer that is indented\nToo short\n"
    assert lines_of(markup + "Only this line is one.\n\nAnd here is one more.") == [
        ["only", "this", "line", "is", "one"],
        ["and", "here", "is", "one", "more"],
    ]


def test_articles_are_pages_of_their_namespace_that_lead_nowhere_else() -> None:
    text = "A page of five words"
    pages = [
        PAGE.format("A", 0, "", text),
        PAGE.format("B", 0, '<redirect title="A" />', text),
        PAGE.format("Talk:A", 1, "", text),
        PAGE.format("C", 0, "", "Another page of five words"),
    ]
    export = io.BytesIO(bz2.compress(EXPORT.format("".join(pages)).encode()))
    assert [lines[0][0] for lines in articles(export)] == ["a", "another"]


def test_rare_words_and_those_that_do_not_train_are_unknown() -> None:
    text = numbered([["b", "a", "b", "c", "a", "b"], ["a", "d"], ["c", "b"]], 3)
    assert text.vocabulary == ("<unk>", "b", "a")
    assert [part.tolist() for part in text.parts().values()] == [[1, 2, 1, 0, 2, 1], [2, 0], [0, 1]]


def test_the_beginning_of_a_text_knows_its_own_most_frequent_words() -> None:
    parts = [["a", "b", "b", "c", "c", "c", "d"] * 8, ["c", "b", "x", "a"], ["d", "a", "a", "c"]]
    text = numbered(parts, 9)
    assert set(text.vocabulary) == {UNKNOWN, "a", "b", "c", "d"}
    found = beginning(text, 16, 3)
    assert found.vocabulary == (UNKNOWN, "c", "b")
    said = {name: [found.vocabulary[word] for word in part] for name, part in found.parts().items()}
    assert said["train"] == [word if word in "bc" else UNKNOWN for word in parts[0][:16]]
    assert said["validation"] == ["c", "b"] and said["test"] == [UNKNOWN, UNKNOWN]
