"""A lock of a corpus: one holder at a time, released when its process dies, and nothing left over."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from wavegen.data.speech.exclusive import exclusively
from wavegen.data.speech.prepare import prepare_corpus
from wavegen.data.speech.sources.sentences import SpokenSentences
from wavegen.errors import UserError
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd

HOLD = """
import sys, time
from pathlib import Path
from wavegen.data.speech.exclusive import exclusively
with exclusively(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of ``tmp_path / "c"``."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "c")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_who_comes_first_does_not_wait_and_leaves_nothing(tmp_path):
    for _ in range(2):
        with exclusively(tmp_path / "new" / "c") as waited:
            assert not waited
    assert list((tmp_path / "new").iterdir()) == []


def test_a_process_that_is_killed_releases_it(tmp_path, holder, capsys):
    threading.Timer(0.3, holder.kill).start()
    with exclusively(tmp_path / "c") as waited:
        assert waited and holder.wait(10) < 0
    assert f"another process prepares {tmp_path / 'c'}; waiting for it" in capsys.readouterr().out


def test_who_waited_takes_the_corpus_as_it_is(tmp_path, sentences, holder, monkeypatch, capsys):
    """Two trainings of one corpus, or two nodes: the second does not prepare it again."""
    source = SpokenSentences(EspeakFrontEnd(), sentences=str(sentences))
    prepare_corpus(source, tmp_path / "other", 8000, num_jobs=1)
    (tmp_path / "other").rename(tmp_path / "c")
    before = (tmp_path / "c" / "corpus.json").stat().st_mtime_ns
    threading.Timer(0.3, holder.kill).start()
    corpus = prepare_corpus(source, tmp_path / "c", 8000, num_jobs=1)
    assert sum(corpus.sizes.values()) == 5
    assert (tmp_path / "c" / "corpus.json").stat().st_mtime_ns == before


def test_an_exception_releases_it(tmp_path):
    with pytest.raises(ValueError), exclusively(tmp_path / "c"):
        raise ValueError
    start = time.monotonic()
    with exclusively(tmp_path / "c") as waited:
        assert not waited
    assert time.monotonic() - start < 5


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write .*c.lock"), exclusively(Path(tmp_path, "file", "c")):
        pass
