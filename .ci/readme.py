"""Run every command that README.md and the manual show in a block marked `sh`, except those that .ci/run has run.

The order is that of README.md, then of the pages in the manual's navigation; two pages run at once where neither needs
what the other makes. A `study` is run with --small, as the whole ones take up to hours, and by `study all`, which does
each of them; an installation that an earlier page has made is not made again.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Semaphore

ROOT = Path(__file__).parent.parent
MANUAL = ROOT / "reports" / "manual"
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
INSTALL = "python -m pip install "
ONE_STUDY = re.compile(r"deltatrain study (?!all$)\w+")


def pages() -> list[Path]:
    """Return the files with commands, in the order in which they are run."""
    navigation = (MANUAL / "mkdocs.yml").read_text(encoding="utf-8").partition("nav:")[2]
    named = [
        MANUAL / "pages" / name
        for name in re.findall(r"^ *- (?:[^:\n]+: )?([\w/]+\.md)$", navigation, flags=re.MULTILINE)
    ]
    return [ROOT / "README.md", *(page for page in named if page.parent.name != "reference")]


def blocks(page: Path) -> list[str]:
    """Return the content of each block marked `sh`."""
    return re.findall(r"^```sh\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def to_run() -> dict[Path, list[str]]:
    """Return of each page the blocks that it must run, without the lines that another one runs for it."""
    done = {line for line in CI if line}
    of_page = {}
    for page in pages():
        kept = []
        for block in blocks(page):
            lines = [line for line in block.splitlines() if line not in done and not ONE_STUDY.fullmatch(line)]
            kept += ["\n".join(lines)] if any(lines) else []
        of_page[page] = kept
        done |= {line for block in kept for line in block.splitlines() if line.startswith(INSTALL)}
    return of_page


def folders(script: str) -> set[str]:
    """Return the folders under `out` that a page's commands name, or write without saying so; studies share theirs."""
    named = re.findall(r"out/([\w-]+)", script) + re.findall(r"deltatrain train .*?--workload ([\w-]+)", script)
    return {*named, *(["study"] if "deltatrain study" in script else [])}


def waits_for(scripts: list[str]) -> list[list[int]]:
    """Return of each page the earlier ones that it waits for: those of its folders, and an installation is alone."""
    alone = [INSTALL in script for script in scripts]
    return [
        [
            earlier
            for earlier in range(page)
            if alone[page] or alone[earlier] or folders(scripts[page]) & folders(scripts[earlier])
        ]
        for page in range(len(scripts))
    ]


def run_block(page: Path, block: str) -> None:
    """Run one block of a page; raise SystemExit, and show what it printed, if it fails."""
    script = re.sub(r"^(deltatrain study \S+)", r"\1 --small", block, flags=re.MULTILINE)
    began = time.monotonic()
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=ROOT, stdout=subprocess.PIPE)
    where, first = page.relative_to(ROOT), script.strip().splitlines()[0]
    sys.stdout.write(f"{time.monotonic() - began:6.1f} s  {where}: {first}\n")
    sys.stdout.flush()
    if done.returncode:
        sys.stdout.buffer.write(done.stdout)
        raise SystemExit(done.returncode)


def main() -> None:
    """Run the blocks, those of two pages at once where neither needs the other; raise SystemExit if one fails."""
    of_page = to_run()
    waits = waits_for(["\n".join(of_page[page]) for page in of_page])
    running: list[Future[None]] = []
    two = Semaphore(2)

    def run_page(page: Path, before: list[Future[None]]) -> None:
        for one in before:
            one.result()  # a page that failed fails those that wait for it
        with two:
            for block in of_page[page]:
                run_block(page, block)

    with ThreadPoolExecutor(max_workers=len(of_page)) as pool:
        for page, earlier in zip(of_page, waits, strict=True):
            running.append(pool.submit(run_page, page, [running[number] for number in earlier]))
    for one in running:
        one.result()


if __name__ == "__main__":
    main()
