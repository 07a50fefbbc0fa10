"""Run every command that README.md shows in a block marked `sh`, in order, except those that .ci/run has run.

A `study` is run with --small: the whole ones take up to hours.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def blocks(text: str) -> list[str]:
    """Return the content of each block marked `sh`."""
    return re.findall(r"^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def main() -> int:
    """Run the blocks; return the exit status of the first that fails, or 0."""
    for block in blocks((ROOT / "README.md").read_text(encoding="utf-8")):
        if block.strip() in CI:
            continue
        script = re.sub(r"^(deltatrain study \S+)", r"\1 --small", block, flags=re.MULTILINE)
        began = time.monotonic()
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=ROOT, stdout=subprocess.PIPE)
        sys.stdout.write(f"{time.monotonic() - began:6.1f} s  {script.strip().splitlines()[0]}\n")
        if done.returncode:
            sys.stdout.buffer.write(done.stdout)
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
