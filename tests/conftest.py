"""What holds for every test: same numbers on every run, denormals flushed, no more threads than asked for."""

import errno
import functools
import os
import runpy
import signal
from pathlib import Path

import pytest
import torch
from device_option import (  # noqa: F401
    device,
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_configure,
)
from hypothesis import settings
from matplotlib.figure import Figure

from wavegen.distributions.logistic import Logistic
from wavegen.flows.linear_prediction import LinearPrediction
from wavegen.interruption import SIGNALS
from wavegen.linguistics.context import SpeechContext
from wavegen.linguistics.frontends.espeak.front_end import EspeakFrontEnd
from wavegen.models.speech.long_term_prediction import LongTermPrediction
from wavegen.models.speech.mixed_source import MixedSource
from wavegen.models.speech.pulse_source import PulseSource
from wavegen.models.speech.source_filter import SourceFilter
from wavegen.models.speech.student import WaveNetStudent
from wavegen.models.speech.teacher import WaveNetTeacher
from wavegen.nets.conditioning import FrameConditioning, GlottalPhase
from wavegen.nets.frame_net import FrameNet
from wavegen.nets.wavenet import WaveNet
from wavegen.runtime import prepare_process

# The same examples each time, so that a red test stays red; HYPOTHESIS_PROFILE=explore looks further.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

pytest_xdist_make_scheduler = runpy.run_path(str(Path(__file__).with_name("file_scheduling.py")))[
    "pytest_xdist_make_scheduler"
]

# Two processes that compile and keep one function at a time may leave a cache that crashes the next (ufuncs
# behind librosa's pYIN did): every worker has its own. Numba reads this when it is imported, which is later.
CACHES = Path(__file__).parent.parent / ".pytest_cache"
os.environ["NUMBA_CACHE_DIR"] = str(CACHES / f"numba-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}")

prepare_process()
if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seed() -> None:
    """Every test starts from the same state of torch's generator, alone or among others."""
    torch.manual_seed(0)


@pytest.fixture
def heeded_signals():
    """A signal that nobody takes fails the test; it is heeded even where the tests run under nohup."""

    def missed(signum, frame):
        raise AssertionError(f"nobody took signal {signum}")

    before = {signum: signal.signal(signum, missed) for signum in SIGNALS}
    yield
    for signum, there in before.items():
        signal.signal(signum, there)


@pytest.fixture
def drawn(monkeypatch):
    """The figures that a test saves, in their order; their files are written as ever."""
    figures, whole = [], Figure.savefig

    def savefig(figure, *arguments, **options):
        figures.append(figure)
        whole(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", savefig)
    return figures


@pytest.fixture
def full_disk(monkeypatch):
    """A disk that takes the beginning of a figure and no more."""

    def savefig(figure, path, **options):
        Path(path).write_bytes(b"\x89PNG")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Figure, "savefig", savefig)


@pytest.fixture(scope="session")
def mini_corpus(tmp_path_factory):
    """Nine short sentences at 8 kHz, prepared like any corpus."""
    from wavegen.data.speech.prepare import prepare_corpus
    from wavegen.data.speech.sources.sentences import SpokenSentences

    folder = tmp_path_factory.mktemp("mini_corpus")
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    sentences = folder / "sentences.txt"
    sentences.write_text("\n".join(f"Number {word} is here." for word in words) + "\n")
    source = SpokenSentences(EspeakFrontEnd(), sentences=str(sentences), name="espeak")
    return prepare_corpus(source, folder / "corpus", sample_rate=8000, num_dev=2, num_test=2, num_jobs=1)


# Models of a handful of channels in float64, conditioned on three features a frame at a hop of four samples.


def small_wavenet():
    part = FrameConditioning(in_channels=3, channels=2, hidden_channels=4, hop_samples=4)
    return functools.partial(
        WaveNet,
        dilations=[1, 2],
        kernel_size=2,
        residual_channels=4,
        gate_channels=6,
        skip_channels=0,
        output_channels=5,
        conditioning=[part],
    )


def perturbed(model):
    """In float64 and off the initial weights, some of which are zero or small."""
    model.double().requires_grad_(True)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


@pytest.fixture
def make_source_filter():
    """``make_source_filter(hop_samples, num_features)``: float64, whose frames differ."""

    def make(hop_samples=40, num_features=7):
        net = functools.partial(FrameNet, in_channels=num_features, hidden_channels=8, kernel_size=3)
        model = SourceFilter(
            filter=LinearPrediction(
                order=5,
                hop_samples=hop_samples,
                parameters=net,
                bandwidth_expansion=0.9,
                initial_log_gain=-3.0,
            ),
            pulses=PulseSource(
                conditioning=[GlottalPhase(hop_samples=hop_samples, num_harmonics=2)], hidden_channels=4
            ),
            mixture=MixedSource(parameters=net, num_bands=3, hop_samples=hop_samples, noise_order=3),
            long_term=LongTermPrediction(parameters=net, hop_samples=hop_samples, reach=1),
            hop_samples=hop_samples,
        )
        with torch.no_grad():
            parts = (model.filter, model.mixture, model.long_term)
            for own in (part.parameter_source for part in parts):
                own.last.weight.mul_(10)
        return model.double().eval()

    return make


@pytest.fixture
def speech_context():
    """``speech_context(batch, frames)``: seven random features, phase and voicing, in float64."""

    def make(batch, frames):
        return SpeechContext(
            features=torch.randn(batch, 7, frames, dtype=torch.float64),
            cycles=torch.rand(batch, frames, dtype=torch.float64).cumsum(-1),
            voiced=(torch.rand(batch, frames) > 0.3).double(),
        )

    return make


@pytest.fixture
def make_teacher():
    def make(head, **options):
        return perturbed(WaveNetTeacher(head=head, wavenet=small_wavenet(), **options))

    return make


@pytest.fixture
def make_student():
    def make(family=Logistic, num_flows=2, initial_scale=0.05):
        wavenets = [small_wavenet() for _ in range(num_flows)]
        student = WaveNetStudent(wavenets=wavenets, family=family, hop_samples=4, initial_scale=initial_scale)
        return perturbed(student)

    return make


@pytest.fixture
def make_context():
    """``make_context(batch, frames)``: random features, float64."""

    def make(batch, frames):
        return SpeechContext(features=torch.randn(batch, 3, frames, dtype=torch.float64))

    return make
