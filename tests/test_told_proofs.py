"""The table of proofs in the tests' README has a row for each file of proofs."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent


def test_every_file_of_proofs_has_its_row_and_its_seconds():
    rows = re.findall(
        r"^\| `(test_\w+\.py)` \| .+ \| ([\d.]+) \| .*\|$", (TESTS / "README.md").read_text(), re.MULTILINE
    )
    assert sorted(name for name, _ in rows) == sorted(file.name for file in (TESTS / "formal").glob("test_*.py"))
