"""What fuzzing once broke gets an answer: an `ok`, or an error that says what is wrong with the file."""

from pathlib import Path
from random import Random

import pytest

from docmill.pipeline.extract.sandbox.process import ExtractorProcess
from tests.fuzz.guided import TARGETS, replay
from tests.fuzz.mutations import mutant
from tests.fuzz.outcomes import SOUND, outcome
from tests.fuzz.run import CORPUS, LIMITS
from tests.fuzz.seeds import seeds

KEPT = [path for path in sorted(CORPUS.iterdir()) if path.suffix]
GUIDED = [path for path in sorted(CORPUS.iterdir()) if not path.suffix]


@pytest.fixture(scope="module")
def process() -> ExtractorProcess:
    return ExtractorProcess(LIMITS)


@pytest.mark.parametrize("path", KEPT, ids=[path.name for path in KEPT])
def test_a_file_that_once_broke_the_sandbox(process: ExtractorProcess, path: Path) -> None:
    assert outcome(process, path) in SOUND


@pytest.mark.parametrize("path", GUIDED, ids=[path.name for path in GUIDED])
def test_an_input_that_once_broke_a_target(path: Path) -> None:
    replay(path.name.partition("-")[0], path.read_bytes())


@pytest.mark.parametrize("name", sorted(seeds()))
def test_some_mutants_of_each_format(process: ExtractorProcess, name: str, tmp_path: Path) -> None:
    random, path = Random(name), tmp_path / name
    for _ in range(10):
        path.write_bytes(mutant(seeds()[name], random))
        assert outcome(process, path) in SOUND


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_each_target_answers_something(target: str) -> None:
    for data in (b"", b"\0" * 100, b'{"query": "mill"}', "Mühle. Rye!".encode()):
        replay(target, data)
