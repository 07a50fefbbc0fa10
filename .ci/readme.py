"""Run every command that README.md and the manual show in a block marked `sh`, except those that .ci/run has run.

The order is that of README.md, then of the pages in the manual's navigation. A `study` is run with --small: the whole
ones take up to hours.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
MANUAL = ROOT / "reports" / "manual"
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def pages() -> list[Path]:
    """Return the files with commands, in the order in which they are run."""
    navigation = (MANUAL / "mkdocs.yml").read_text(encoding="utf-8").partition("nav:")[2]
    named = [
        MANUAL / "pages" / name
        for name in re.findall(r"^ *- (?:[^:\n]+: )?([\w/]+\.md)$", navigation, flags=re.MULTILINE)
    ]
    return [ROOT / "README.md", *(page for page in named if page.parent.name != "reference")]


def blocks(text: str) -> list[str]:
    """Return the content of each block marked `sh`."""
    return re.findall(r"^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def shown() -> list[tuple[Path, str]]:
    """Return every block with its page."""
    return [(page, block) for page in pages() for block in blocks(page.read_text(encoding="utf-8"))]


def main() -> int:
    """Run the blocks; return the exit status of the first that fails, or 0."""
    for page, block in shown():
        if block.strip() in CI:
            continue
        script = re.sub(r"^(deltatrain study \S+)", r"\1 --small", block, flags=re.MULTILINE)
        began = time.monotonic()
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=ROOT, stdout=subprocess.PIPE)
        where, first = page.relative_to(ROOT), script.strip().splitlines()[0]
        sys.stdout.write(f"{time.monotonic() - began:6.1f} s  {where}: {first}\n")
        if done.returncode:
            sys.stdout.buffer.write(done.stdout)
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
