"""What the processes of a sweep say of themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from spaces import tiny

from deltatrain.sim.sweep.journal import read

_UNGUARDED = """
import json, sys
from deltatrain.sim.sweep import sweep
sweep(json.loads(sys.argv[1]), sys.argv[2], workers=2)
"""


def test_a_script_that_runs_again_in_each_process_is_told_what_it_lacks(tmp_path: Path) -> None:
    script, folder = tmp_path / "script.py", tmp_path / "swept"
    script.write_text(_UNGUARDED)
    words = [sys.executable, str(script), json.dumps(tiny()), str(folder)]
    ran = subprocess.run(words, capture_output=True, text=True)
    last = ran.stderr.splitlines()[-1]
    assert ran.returncode == 1 and "HostError: no process that simulates could begin: a script" in last
    assert not list(read(folder / "journal.jsonl"))


def test_text_from_elsewhere_than_a_file_can_be_a_script(tmp_path: Path) -> None:
    """What `python -c` runs is not run again in each process."""
    words = [sys.executable, "-c", _UNGUARDED, json.dumps(tiny(fidelity="analytic")), str(tmp_path)]
    assert subprocess.run(words, capture_output=True).returncode == 0
    assert len(list(read(tmp_path / "journal.jsonl"))) == 90
