"""Hidden Markov models of the phones of one voice: they time the phones of its recordings."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import librosa
import numpy as np
import torch

from wavegen.audio.pitch import FRAME_S
from wavegen.audio.resampling import resample
from wavegen.audio.spectra import mel_spectrogram
from wavegen.linguistics.phone_chain import NUM_STATES, PhoneChain, best_states
from wavegen.linguistics.phones import SILENCE, TimedPhone

_RATE, _HOP = 16000, 80
_NUM_CEPSTRA = 13
_RANGE_DB = 70.0
_VARIANCE_FLOOR = 0.05  # of the variance of all frames
_PRIOR_FRAMES = 5  # weight of the variance of all frames in that of a state
_SHORTEST_PAUSE_S = 0.05

Example = tuple[np.ndarray, Sequence[TimedPhone]]


def acoustic_observations(waveform: np.ndarray, sample_rate: int, num_frames: int) -> np.ndarray:
    """Mel cepstra 0–12 with first and second slopes, ``(num_frames, 39)``, at the centres of 5 ms frames.

    Each is normalised over the utterance.
    """
    waveform = resample(np.asarray(waveform, np.float32), sample_rate, _RATE)
    mel = mel_spectrogram(
        torch.as_tensor(waveform), _RATE, fft_size=512, hop_samples=_HOP, window_samples=400, num_mels=40
    ).numpy()
    log_mel = librosa.amplitude_to_db(mel, ref=np.max, amin=1e-5, top_db=_RANGE_DB)
    edges = librosa.feature.mfcc(
        S=log_mel, n_mfcc=_NUM_CEPSTRA
    )  # column n is centred on the start of frame n
    edges = np.pad(edges, ((0, 0), (0, max(0, num_frames + 1 - edges.shape[1]))), mode="edge")
    cepstra = (edges[:, :num_frames] + edges[:, 1 : num_frames + 1]) / 2
    slopes = [librosa.feature.delta(cepstra, width=9, order=order, mode="nearest") for order in (1, 2)]
    stacked = np.concatenate([cepstra, *slopes]).T
    return (stacked - stacked.mean(0)) / (stacked.std(0) + 1e-3)


@dataclass(frozen=True)
class PhoneModels:
    r"""A Gaussian with diagonal covariance for each of the three states of every phone.

    .. math:: \log p(o_{1:T}, s_{1:T}) = \sum_t \log N(o_t; \mu_{s_t}, \sigma^2_{s_t}) + \log a_{s_{t-1} s_t}

    A phone passes its states from left to right; between two words there may be a pause. :meth:`fit`
    alternates between the most probable states of all utterances (Viterbi) and the means, variances and
    transition probabilities that these states have: Viterbi training, as in HTK and Kaldi.

    The models are of one voice in one corpus. They correct timings that another voice's speech gave
    (:func:`~wavegen.linguistics.alignment.align_by_dtw`), whose errors are consistent neither in direction
    nor in size, and average out over the occurrences of a phone.

    Args:
        symbols: names of the phones that were seen, with silence.
        means, variances: ``(symbols, 3, observations)``.
        log_stay, log_move: logarithms of the probabilities to stay in a state and to leave it,
            ``(symbols, 3)``.
        mean, variance: of all frames, ``(observations,)``; they stand for a phone that was not seen.
    """

    symbols: tuple[str, ...]
    means: np.ndarray
    variances: np.ndarray
    log_stay: np.ndarray
    log_move: np.ndarray
    mean: np.ndarray
    variance: np.ndarray

    @classmethod
    def fit(cls, examples: Sequence[Example], *, num_iterations: int = 6) -> "PhoneModels":
        """The models of these utterances.

        Args:
            examples: observations ``(frames, observations)`` and phones with approximate times, from 0 s on.
            num_iterations: of Viterbi training.
        """
        chains = [PhoneChain.of(phones) for _, phones in examples]
        observed = [observations for observations, _ in examples]
        states = [
            chain.states_at(len(observations)) for chain, observations in zip(chains, observed, strict=True)
        ]
        models = cls._of_states(chains, observed, states)
        for _ in range(num_iterations):
            states = [models._best_states(chain, o) for chain, o in zip(chains, observed, strict=True)]
            models = cls._of_states(chains, observed, states)
        return models

    @classmethod
    def _of_states(
        cls, chains: Sequence[PhoneChain], observed: Sequence[np.ndarray], states: Sequence[np.ndarray]
    ) -> "PhoneModels":
        """Moments of the frames of each state, and of its visits."""
        symbols = tuple(sorted({symbol for chain in chains for symbol in chain.symbols} | {SILENCE}))
        index = {symbol: i for i, symbol in enumerate(symbols)}
        size = (len(symbols), NUM_STATES)
        counts, visits = np.zeros(size), np.zeros(size)
        sums, squares = (np.zeros((*size, observed[0].shape[1])) for _ in range(2))
        for chain, observations, path in zip(chains, observed, states, strict=True):
            unit = np.array([index[symbol] for symbol in chain.symbols])[path // NUM_STATES]
            where = (unit, path % NUM_STATES)
            np.add.at(counts, where, 1)
            np.add.at(visits, where, np.diff(path, prepend=-1) != 0)
            np.add.at(sums, where, observations)
            np.add.at(squares, where, observations**2)
        total = counts.sum()
        mean = sums.sum((0, 1)) / total
        variance = squares.sum((0, 1)) / total - mean**2
        frames = counts[..., None]
        means = (sums + mean) / (frames + 1)
        scatter = np.maximum(squares - sums**2 / np.maximum(frames, 1), 0)
        variances = np.maximum(
            (scatter + _PRIOR_FRAMES * variance) / (frames + _PRIOR_FRAMES), _VARIANCE_FLOOR * variance
        )
        leave = np.clip((visits + 0.2) / (counts + 1), 0.02, 0.9)
        return cls(symbols, means, variances, np.log1p(-leave), np.log(leave), mean, variance)

    def align(self, observations: np.ndarray, phones: Sequence[TimedPhone]) -> list[TimedPhone]:
        """The phones with their most probable times, contiguous from 0 s to the end of the last frame.

        Pauses between words are found anew; one shorter than 50 ms belongs to the phone before it. If there
        are fewer frames than states, the phones are returned as they are.

        Args:
            observations: ``(frames, observations)``.
            phones: in order; their times are ignored.
        """
        chain = PhoneChain.of(phones)
        if len(observations) < chain.least_frames:
            return list(phones)
        units = self._best_states(chain, observations) // NUM_STATES
        starts = np.flatnonzero(np.diff(units, prepend=-1))
        spans_s = zip(starts * FRAME_S, [*starts[1:] * FRAME_S, len(units) * FRAME_S], strict=True)
        aligned: list[TimedPhone] = []
        for unit, (start_s, end_s) in zip(units[starts], spans_s, strict=True):
            inner = 0 < unit < len(chain.symbols) - 1
            if inner and chain.optional[unit] and end_s - start_s < _SHORTEST_PAUSE_S - 1e-9:
                aligned[-1] = replace(aligned[-1], end_s=end_s)
            else:
                aligned.append(replace(chain.phones[unit], start_s=float(start_s), end_s=float(end_s)))
        return aligned

    def _best_states(self, chain: PhoneChain, observations: np.ndarray) -> np.ndarray:
        """The state of every frame, ``(frames,)``: NUM_STATES · unit + state."""
        index = {symbol: i for i, symbol in enumerate(self.symbols)}
        unit = np.array([index.get(symbol, len(self.symbols)) for symbol in chain.symbols])
        state = np.tile(np.arange(NUM_STATES), len(unit)), np.repeat(unit, NUM_STATES)
        log_probs = self._log_probs(observations)[:, state[1], state[0]]
        stay, move = (
            np.append(table, np.full((1, NUM_STATES), np.log(0.5)), 0)[state[1], state[0]]
            for table in (self.log_stay, self.log_move)
        )
        return best_states(log_probs, stay, move, np.repeat(chain.optional, NUM_STATES), NUM_STATES)

    def _log_probs(self, observations: np.ndarray) -> np.ndarray:
        """``(frames, symbols + 1, 3)``; the last symbol stands for a phone that was not seen."""
        shape = (1, NUM_STATES, len(self.mean))
        means = np.append(self.means, np.broadcast_to(self.mean, shape), 0)
        variances = np.append(self.variances, np.broadcast_to(self.variance, shape), 0)
        precision = 1 / variances
        constant = -0.5 * (np.log(2 * np.pi * variances) + means**2 * precision).sum(-1)
        linear, quadratic = (means * precision).reshape(-1, shape[-1]), precision.reshape(-1, shape[-1])
        inner = observations @ linear.T - 0.5 * observations**2 @ quadratic.T
        return inner.reshape(len(observations), *constant.shape) + constant
