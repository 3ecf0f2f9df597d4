"""What holds for every test: same numbers on every run, denormals flushed, no more threads than asked for."""

import os

import pytest
import torch
from hypothesis import settings

from wavegen.runtime import prepare_process

# The same examples each time, so that a red test stays red; HYPOTHESIS_PROFILE=explore looks further.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

prepare_process()
if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seed() -> None:
    """Every test starts from the same state of torch's generator, alone or among others."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def mini_corpus(tmp_path_factory):
    """Nine short sentences at 8 kHz, prepared like any corpus."""
    from wavegen.corpora.espeak_corpus import EspeakCorpus
    from wavegen.corpora.prepare import prepare_corpus

    folder = tmp_path_factory.mktemp("mini_corpus")
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    sentences = folder / "sentences.txt"
    sentences.write_text("\n".join(f"Number {word} is here." for word in words) + "\n")
    source = EspeakCorpus(sentences=str(sentences))
    return prepare_corpus(source, folder / "corpus", sample_rate=8000, num_dev=2, num_test=2, num_jobs=1)
