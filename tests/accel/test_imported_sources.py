"""What is compiled is compiled anew when anything changes that it is made from."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deltatrain.accel import imported_sources
from deltatrain.accel.imported_sources import sources_number

FILES = {
    "top.py": "from deltatrain.room.inner import far\nfrom deltatrain.room import (\n    near,\n)\n",
    "deltatrain/room/inner.py": "from deltatrain.room.deep import one\n",
    "deltatrain/room/near.py": "from deltatrain.room import inner\n",
    "deltatrain/room/deep.py": "one = 1\n",
    "deltatrain/room/other.py": "from deltatrain.room import near\n",
}


@pytest.mark.parametrize(("changed", "counts"), [(name, "other" not in name) for name in FILES])
def test_the_number_is_of_all_that_is_imported(
    changed: str, counts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imported_sources, "_ROOT", tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    before = sources_number(tmp_path / "top.py")
    with (tmp_path / changed).open("a") as file:
        file.write("# changed\n")
    sources_number.cache_clear()
    assert (sources_number(tmp_path / "top.py") != before) == counts


_CALLS = """
import sys
sys.path.insert(0, {folder!r})
from pathlib import Path
from deltatrain.accel import imported_sources
imported_sources._ROOT = Path({folder!r})
from function import one
print(one(2))
"""

_FUNCTION = """
from deltatrain.accel.compiling import compiled
from factor import FACTOR  # as the package would:
# from deltatrain.factor import FACTOR

def times(x):
    return FACTOR * x

one = compiled(times)
"""


def test_a_constant_of_another_file_is_not_kept(tmp_path: Path) -> None:
    """numba writes constants out, and looks at the function's own file alone."""
    (tmp_path / "deltatrain").mkdir()
    (tmp_path / "function.py").write_text(_FUNCTION.replace("# from", "if False:\n    from"))
    found = []
    for factor in (3, 5):
        for name in ("factor.py", "deltatrain/factor.py"):
            (tmp_path / name).write_text(f"FACTOR = {factor}\n")
        script = _CALLS.format(folder=str(tmp_path))
        environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "kept"), "PYTHONDONTWRITEBYTECODE": "1"}
        ran = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        found.append(int(ran.stdout))
    assert found == [6, 10]
