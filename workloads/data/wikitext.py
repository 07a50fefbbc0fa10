"""Articles of a Wikipedia export as plain lines of words: what MediaWiki's markup adds is taken away.

The words are lower case, without punctuation; a number is "N", as in Penn Treebank. Headings, tables, templates,
references and what lies beside the text (files, categories) are left out.
"""

from __future__ import annotations

import bz2
import html
import re
from collections.abc import Callable, Iterator
from typing import IO
from xml.etree import ElementTree

NUMBER = "N"

_ARTICLES = "0"  # the namespace of articles
_FEWEST_WORDS = 5  # a line of fewer is no sentence: a caption, an item of a list
_GONE = [
    re.compile(r"<!--.*?-->", re.DOTALL),
    re.compile(r"<(ref|math|gallery|timeline|code|source|nowiki)\b[^<>]*?/>", re.IGNORECASE),
    re.compile(r"<(ref|math|gallery|timeline|code|source|nowiki)\b.*?</\1>", re.DOTALL | re.IGNORECASE),
]
_INNERMOST = [re.compile(r"\{\{[^{}]*\}\}"), re.compile(r"\{\|(?:(?!\{\|).)*?\|\}", re.DOTALL)]
_LINK = re.compile(r"\[\[(?:([^\[\]|]*)\|)?([^\[\]]*)\]\]")
_BESIDE = re.compile(r":?[\w-]+:\S")  # a file, a category, another language
_ADDRESS = re.compile(r"\[?\bhttps?://[^\s\]]*([^\]\n]*)\]?")
_TAG = re.compile(r"<[^<>]*>")
_LINE_OF_MARKUP = re.compile(r"^\s*[=|!{}:;*#]")
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|\d+(?:[.,]\d+)*")


def articles(export: IO[bytes]) -> Iterator[list[list[str]]]:
    """Yield the lines of words of each article of an export, compressed by bzip2; redirections are none."""
    page: dict[str, str] = {}
    with bz2.open(export) as file:
        for _, element in ElementTree.iterparse(file):
            name = element.tag.rpartition("}")[2]
            if name in ("ns", "text", "redirect"):
                page[name] = element.text or ""
            if name == "page":
                if page.get("ns") == _ARTICLES and "redirect" not in page:
                    yield lines_of(page.get("text", ""))
                page = {}
                element.clear()


def lines_of(markup: str) -> list[list[str]]:
    """Return the paragraphs of an article as words."""
    lines = [words_of(line) for line in plain(markup).split("\n") if not _LINE_OF_MARKUP.match(line)]
    return [words for words in lines if len(words) >= _FEWEST_WORDS]


def plain(markup: str) -> str:
    """Return the text that markup marks up."""
    text = markup
    for pattern in _GONE:
        text = pattern.sub(" ", text)
    for pattern in _INNERMOST:
        text = _without(pattern, text, lambda _: "")
    text = _without(_LINK, text, _said)
    text = _TAG.sub(" ", _ADDRESS.sub(r"\1", text))
    return html.unescape(text).replace("'''", "").replace("''", "").replace("\u2019", "'")


def _said(link: re.Match[str]) -> str:
    """Return what a link says: nothing where it leads beside the text."""
    target, words = link.groups()
    return "" if _BESIDE.match(words if target is None else target) else words


def _without(pattern: re.Pattern[str], text: str, left: Callable[[re.Match[str]], str]) -> str:
    """Return `text` with every match replaced, from the innermost outwards."""
    count = 1
    while count:
        text, count = pattern.subn(left, text)
    return text


def words_of(line: str) -> list[str]:
    """Return the words of a line of plain text."""
    return [NUMBER if word[0].isdigit() else word for word in _WORD.findall(line.lower())]
