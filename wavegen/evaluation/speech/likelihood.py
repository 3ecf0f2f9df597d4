"""Measures the likelihood of the test recordings, and the divergence of the student from the teacher."""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from tqdm import tqdm

from wavegen.data.speech.corpus import Utterance
from wavegen.evaluation.speech.systems import seed_of
from wavegen.evaluation.tally import Tally
from wavegen.linguistics.context import SpeechContext
from wavegen.metrics import LinearPredictor, speech_samples
from wavegen.models.speech.protocols import ParallelModel, SequentialModel
from wavegen.objectives.distillation import DistillationStep
from wavegen.objectives.draws import StratifiedDraws
from wavegen.objectives.monte_carlo_kl import MonteCarloKL

BITS = -1 / math.log(2)
LINEAR_PREDICTION_ORDER = 32
# Enough to fit 32 taps and one scale: with more, only the third decimal changes.
LINEAR_PREDICTION_SECONDS = 300.0


@torch.inference_mode()
def tally_bits(
    name: str,
    model: SequentialModel,
    utterances: Sequence[Utterance],
    sample_rate: int,
    tally: Tally,
    *,
    progress: bool = False,
) -> None:
    """Bits per sample of the recordings' exact 16-bit mass: total, in speech only, with wrong conditioning.

    The wrong conditioning is that of the next utterance, repeated to the right length; for a single utterance
    its own, shifted by half its length. ``shuffled_gap_bits`` is the difference: at zero the model does not
    use its conditioning.

    Args:
        name: of the model in the metrics' keys.
    """
    listed = tqdm(utterances, desc=f"{name}'s bits", unit="utterance", disable=not progress, leave=False)
    for index, utterance in enumerate(listed):
        waveform = utterance.waveform
        speech = speech_samples(waveform, sample_rate)
        wrong = another_context(utterances, index)
        bits = BITS * _log_prob(model, waveform, utterance.context)
        shuffled = BITS * _log_prob(model, waveform, wrong)
        count, spoken = waveform.shape[-1], int(speech.sum())
        tally.add(f"{name}/bits_per_sample", bits.mean(), count)
        tally.add(f"{name}/bits_per_sample_without_pauses", bits[speech].mean(), spoken)
        tally.add(f"{name}/bits_per_sample_shuffled", shuffled.mean(), count)
        tally.add(f"{name}/shuffled_gap_bits", (shuffled - bits).mean(), count)


def tally_linear_predictor(
    train: Iterable[Utterance], utterances: Sequence[Utterance], sample_rate: int, tally: Tally
) -> None:
    """Bits per sample of a linear predictor with one logistic residual, fitted on the training recordings."""
    waveforms, available = [], LINEAR_PREDICTION_SECONDS * sample_rate
    for utterance in train:
        waveforms.append(utterance.waveform)
        available -= utterance.waveform.shape[-1]
        if available <= 0:
            break
    predictor = LinearPredictor.fit(waveforms, order=LINEAR_PREDICTION_ORDER)
    for utterance in utterances:
        speech = speech_samples(utterance.waveform, sample_rate)
        bits = BITS * predictor.log_prob(utterance.waveform)
        tally.add("linear_predictor/bits_per_sample", bits.mean(), len(bits))
        tally.add("linear_predictor/bits_per_sample_without_pauses", bits[speech].mean(), int(speech.sum()))


@torch.inference_mode()
def tally_divergence(
    student: ParallelModel,
    teacher: SequentialModel,
    utterances: Sequence[Utterance],
    seed: int,
    tally: Tally,
    *,
    num_draws: int = 8,
    progress: bool = False,
) -> None:
    """KL(student ‖ teacher) per sample in nats on the student's own speech, with its two terms.

    The estimator draws from every step's distribution, stratified over its quantiles. It does not depend on
    the estimator of the training, so that reports are comparable.
    """
    estimator = MonteCarloKL(draws=StratifiedDraws(num_draws=num_draws))
    device = next(student.parameters()).device
    for utterance in tqdm(
        utterances, desc="student's KL", unit="utterance", disable=not progress, leave=False
    ):
        shape = (1, utterance.waveform.shape[-1])
        noise = student.noise(shape, torch.Generator().manual_seed(seed_of(utterance, seed)))
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(seed_of(utterance, seed + 1))
            step = DistillationStep(
                teacher=teacher,
                student=student,
                recording=utterance.waveform[None].to(device),
                context=_batched(utterance.context, device),
                mask=torch.ones(shape, dtype=torch.bool, device=device),
                noise=noise,
            )
            log = estimator(step).log
        for name in ("kl_nats", "cross_entropy_nats", "entropy_nats"):
            tally.add(f"student/{name}_per_sample", log[name], shape[1])


def another_context(utterances: Sequence[Utterance], index: int) -> SpeechContext:
    """The next utterance's context, repeated or cut to the frames of this one; see ``tally_bits``."""
    other = utterances[(index + 1) % len(utterances)].context
    if len(utterances) == 1:
        other = other.roll(other.num_frames // 2)
    return other.take(torch.arange(utterances[index].context.num_frames) % other.num_frames)


def _log_prob(model: SequentialModel, waveform: Tensor, context: SpeechContext) -> Tensor:
    """Log-probability of each sample in nats, ``(time,)`` float64."""
    device = next(model.parameters()).device
    batch = waveform.unsqueeze(0).to(device)
    log_prob = model.conditionals(batch, _batched(context, device)).log_prob(batch)
    return log_prob[0].double().cpu()


def _batched(context: SpeechContext, device: torch.device) -> SpeechContext:
    return SpeechContext.collate([context]).to(device)
