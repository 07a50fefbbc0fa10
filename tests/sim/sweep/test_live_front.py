"""On a terminal a sweep shows the front of what is finished, and leaves nothing of it behind."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading

SPACE = """
name = "mine"
machine = "tiny"
workload = "tiny"
[vary]
machine.engine.lanes = [1, 2, 4]
machine.engine.elementwise_lanes = [1, 2, 4]
[objectives]
seconds = "minimise"
"""


def _on_a_terminal(words, folder):
    """Return what a command writes to its standard error, which is a terminal, and its standard output."""
    screen, terminal = pty.openpty()
    shown: list[bytes] = []

    def read() -> None:
        try:
            while part := os.read(screen, 1 << 16):
                shown.append(part)
        except OSError:  # how Linux tells that the other end is closed
            return

    command = [sys.executable, "-m", "deltatrain", *words]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=terminal, cwd=folder, env=environment)
    os.close(terminal)
    reader = threading.Thread(target=read)
    reader.start()
    out, _ = process.communicate(timeout=600)
    reader.join(timeout=60)
    os.close(screen)
    assert process.returncode == 0
    return b"".join(shown).decode(), out.decode()


def test_the_front_so_far_is_shown(tmp_path):
    (tmp_path / "mine.toml").write_text(SPACE)
    shown, out = _on_a_terminal(["sweep", "mine.toml", "--out", "out", "--workers", "1"], tmp_path)
    assert "Front of mine" in shown
    assert "Front of mine" in out
    last = shown.rpartition("Front of mine")[2]
    assert "\x1b[2K" in last  # its lines are cleared at the end


def test_quiet_shows_no_front(tmp_path):
    (tmp_path / "mine.toml").write_text(SPACE)
    shown, out = _on_a_terminal(["sweep", "mine.toml", "--out", "out", "--workers", "1", "--quiet"], tmp_path)
    assert shown == ""
    assert "Front of mine" in out
