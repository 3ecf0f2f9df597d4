"""Prepares the synthesis of a text with a trained voice."""

import logging
import sys
from pathlib import Path

import torch

from wavegen.devices import explain_device
from wavegen.engines.precision import explain_precision
from wavegen.errors import UserError
from wavegen.linguistics.scripts import foreign_letters
from wavegen.runs.voice import MODELS, Voice
from wavegen.synthesis.parallel import ParallelSampler
from wavegen.synthesis.sentences import Piece, split_sentences
from wavegen.synthesis.sequential import SequentialSampler
from wavegen.synthesis.speech import Speech
from wavegen.synthesis.spoken_text import SpokenText
from wavegen.synthesis.temperature import VoicedTemperature

log = logging.getLogger(__name__)


def read_text(text: str | None, text_file: str | None) -> str:
    """The text itself, or a UTF-8 file's content; the file ``-`` is standard input.

    Raises:
        UserError: unless exactly one of the two is given; if the file cannot be read as UTF-8.
    """
    if (text is None) == (text_file is None):
        got = "neither" if text is None else "both"
        raise UserError(f"expected either text=… or text_file=…, got {got}")
    if text is not None:
        return text
    assert text_file is not None
    try:
        content = sys.stdin.buffer.read() if text_file == "-" else Path(text_file).read_bytes()
        return content.decode("utf-8")
    except OSError as error:
        raise UserError(f"text_file={text_file} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UserError(f"text_file={text_file} is not UTF-8 (byte {error.start})") from error


def sampler_of(
    voice: Voice,
    model: str,
    temperature: float,
    precision: str = "float32",
    *,
    voiced_temperature: float = 1.0,
) -> ParallelSampler | SequentialSampler:
    """The sampler of the voice's ``student``, ``teacher`` or ``source_filter``.

    ``voiced_temperature`` multiplies the temperature of a teacher in voiced frames.

    Raises:
        UserError: if the name is another one, or the voice has no such model.
    """
    if model not in MODELS:
        raise UserError(f"model must be one of {', '.join(MODELS)}, got '{model}'")
    trained = getattr(voice, model)
    if trained is None:
        others = " or ".join(f"model={name}" for name in MODELS if getattr(voice, name) is not None)
        raise UserError(f"this voice has no {model}: use {others}")
    if model == "source_filter":
        return ParallelSampler(trained.voice, temperature=temperature)
    if model == "student":
        return ParallelSampler(trained, temperature=temperature, precision=precision)
    own = VoicedTemperature(voiced_temperature * temperature, temperature, voice.hop_samples)
    return SequentialSampler(trained, temperature=own, precision=precision)


def explain_computation(precision: str, model: str, device: torch.device) -> str:
    """Precision and device in words, the CPU by its silence: "in float32 on cuda:0 (NVIDIA H200)"."""
    said = f"in {explain_precision(precision, model, device.type)}"
    if device.type == "cpu":
        return said
    if model == "teacher":
        return f"{said}: by the CPU, which takes one sample after another; its conditioning on {device}"
    return f"{said} on {explain_device(device)}"


def prepare_speech(
    voice: Voice,
    text: str,
    *,
    model: str = "student",
    temperature: float = 1.0,
    voiced_temperature: float = 1.0,
    precision: str = "float32",
    seed: int = 0,
) -> Speech:
    """Analyse the text as one utterance and return the speech, ready to be synthesised.

    Args:
        voice: see :func:`wavegen.runs.voice.load_voice`.
        text: any text; it is not interpreted as markup.
        model: ``student`` (all samples at once), ``teacher`` (one after the other, slower) or
            ``source_filter`` (without a WaveNet).
        temperature: of the sampling; 1 samples the model.
        voiced_temperature: factor on the temperature of a teacher in voiced frames.
        precision: ``float32``; ``bfloat16``, which rounds the weights; ``auto``, the faster one on this CPU.
        seed: of the noise.

    Raises:
        UserError: if nothing in the text can be pronounced, the voice has no such model, or a temperature or
            the seed is negative.
    """
    sampler = sampler_of(voice, model, temperature, precision, voiced_temperature=voiced_temperature)
    return next(SpokenText(voice, sampler, [Piece(text, 0.0)], seed).speeches())


def prepare_text(
    voice: Voice, text: str, sampler: ParallelSampler | SequentialSampler, *, seed: int = 0
) -> SpokenText:
    """A text of any length, to be spoken sentence by sentence.

    Args:
        sampler: of one of the voice's models, see :func:`sampler_of`.
        seed: of the noise.

    Raises:
        UserError: if the seed is negative.
    """
    warn_of_foreign_letters(voice, text)
    return SpokenText(voice, sampler, split_sentences(text), seed)


def warn_of_foreign_letters(voice: Voice, text: str) -> None:
    """Log a warning if the text has letters of a script that the voice's front end does not read.

    A front end that names no ``scripts`` is taken to read all.
    """
    front_end = voice.analysis.front_end
    scripts = getattr(front_end, "scripts", None)
    foreign = foreign_letters(text, scripts) if scripts is not None else None
    if scripts is not None and foreign:
        log.warning(
            "%d of the text's letters are %s, but the front end of this voice reads %s only: it skips them "
            "or says their names",
            foreign.total(),
            " or ".join(sorted(foreign)),
            " and ".join(sorted(scripts)),
        )
