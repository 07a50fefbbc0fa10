"""What a shell completes with the script that `deltatrain completion` prints."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from deltatrain.sim.cli import main
from deltatrain.sim.cli.application import COMMANDS

_ASKED = """
source {script}
COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
$(complete -p deltatrain | sed 's/.*-F \\([^ ]*\\).*/\\1/')
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture(scope="module")
def bash(tmp_path_factory):
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    script = tmp_path_factory.mktemp("bash") / "deltatrain"

    def completed(words: str) -> list[str]:
        asked = _ASKED.format(script=script, words=words)
        return subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True).stdout.split()

    return script, completed


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("deltatrain si", {"simulate"}),
        ('deltatrain ""', set(COMMANDS)),
        ("deltatrain simulate --fi", {"--fidelity"}),
        ('deltatrain schema ""', {"machine", "workload", "space"}),
    ],
)
def test_bash_completes(words, wanted, bash, capsys):
    script, completed = bash
    assert main(["completion", "bash"]) == 0
    script.write_text(capsys.readouterr().out)
    assert wanted <= set(completed(words))


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_take_their_script(shell, tmp_path, capsys):
    assert main(["completion", shell]) == 0
    script = tmp_path / "script"
    script.write_text(capsys.readouterr().out)
    assert all(command in script.read_text() for command in COMMANDS)
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed: its script is not read")
    assert subprocess.run([shell, "-n", str(script)], capture_output=True).returncode == 0
