"""Mutants of every format through detection and the sandbox, then coverage-guided inputs for what runs outside of it.

    python -m tests.fuzz.run [--minutes N] [--seed N] [--mutants N] [--only KIND]

At least `--mutants` a format, and more until the minutes are over. What ends in anything but an answer is kept in
tests/fuzz/corpus, where the suite replays it. The last line is `fuzz ok: …`, or the exit code is 1.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

from docmill.pipeline.extract.sandbox.limits import SandboxLimits
from docmill.pipeline.extract.sandbox.process import ExtractorProcess
from tests.fuzz.guided import TARGETS
from tests.fuzz.mutations import mutant
from tests.fuzz.outcomes import SOUND, outcome
from tests.fuzz.seeds import seeds

CORPUS = Path(__file__).parent / "corpus"
LIMITS = SandboxLimits(page_seconds=30, total_seconds=60, memory_bytes=1 << 30, max_pages=500)
GUIDED_RUNS = 20_000
"""Inputs for each coverage-guided target."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mutants", type=int, default=2000)
    parser.add_argument("--only", help="one format, as 'pdf'")
    asked = parser.parse_args()
    until, tried, bad = time.monotonic() + 60 * asked.minutes, 0, 0
    chosen = {name: data for name, data in seeds().items() if asked.only in (None, name.rpartition(".")[2])}
    rounds = 0
    while not rounds or time.monotonic() < until:
        for name, data in chosen.items():
            counts, found = mutants_of(name, data, Random(f"{asked.seed} {rounds} {name}"), asked.mutants)
            (
                tried,
                bad,
            ) = tried + counts.total(), bad + found
            print(f"{name}: {', '.join(f'{count} {code}' for code, count in counts.most_common())}", flush=True)
        rounds += 1
    guided = 0 if asked.only else sum(guide(target, asked.seed) for target in TARGETS)
    if bad or guided:
        print(f"fuzz FAILED: {bad} mutants and {guided} targets; inputs are in {CORPUS}")
        return 1
    print(f"fuzz ok: {tried} mutants of {len(chosen)} formats, {len(TARGETS)} guided targets, seed {asked.seed}")
    return 0


def mutants_of(name: str, data: bytes, random: Random, count: int) -> tuple[Counter[str], int]:
    """The outcomes of so many mutants of a file, and how many were no answer."""
    process, codes, bad = ExtractorProcess(LIMITS), Counter[str](), 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        for _ in range(count):
            made = mutant(data, random)
            path.write_bytes(made)
            code = outcome(process, path)
            codes[code] += 1
            if code not in SOUND:
                bad += 1
                kept = CORPUS / f"{hashlib.sha256(made).hexdigest()[:12]}{path.suffix}"
                kept.write_bytes(made)
                print(f"  {code}: {kept}", flush=True)
    process.close()
    return codes, bad


def guide(target: str, seed: int) -> int:
    """Whether coverage-guided inputs broke a target: 1 or 0."""
    command = [sys.executable, "-m", "tests.fuzz.guided", target, f"-atheris_runs={GUIDED_RUNS}", f"-seed={seed}"]
    command += ["-max_len=4096", f"-artifact_prefix={CORPUS}/{target}-", "-timeout=300"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    print(f"{target}: {'ok' if run.returncode == 0 else run.stderr[-2000:]}", flush=True)
    return int(run.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
