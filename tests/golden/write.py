"""Write golden values anew: `python tests/golden/write.py [CASE ...]`, all without a name. Says what changed."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "support"))

from golden_cases import CASES, differences, measured, store, stored


def main(names: list[str]) -> int:
    """Write the values of the cases named; return 2 if there is no such case."""
    if unknown := set(names) - {case.name for case in CASES}:
        sys.stderr.write(f"no such case: {', '.join(sorted(unknown))}\n")
        return 2
    values = stored()
    for case in CASES:
        if names and case.name not in names:
            continue
        started = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            found = measured(case, Path(folder))
        changed = differences(values[case.name], found) if case.name in values else []
        about = f"{len(changed)} changes" if case.name in values else "new"
        sys.stdout.write(f"{time.process_time() - started:6.1f} s  {case.name}: {about}\n")
        sys.stdout.writelines(f"    {line}\n" for line in changed)
        values[case.name] = found
        store(values)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
