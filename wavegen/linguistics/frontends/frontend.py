"""Text → context of speech, for a trained voice."""

from dataclasses import replace

import numpy as np

from wavegen.audio.pitch import FRAME_S, PitchTrack, PraatPitch, frame_centres_s
from wavegen.linguistics.context import SpeechContext
from wavegen.linguistics.features import FeatureEncoder, compact_frames
from wavegen.linguistics.frontends.espeak.voice import EspeakVoice
from wavegen.linguistics.phones import TimedPhone
from wavegen.linguistics.register import VoiceRegister


class TextFrontEnd:
    """espeak's phones, durations and pitch of a text, brought to the rate and register of a voice.

    Args:
        espeak_voice: who pronounces; the one the corpus was prepared with.
        encoder: of the model.
        register: of the voice.
        pitch: tracker for espeak's own audio; :class:`wavegen.audio.pitch.PraatPitch` by default.
    """

    def __init__(
        self,
        espeak_voice: EspeakVoice,
        encoder: FeatureEncoder,
        register: VoiceRegister,
        pitch: object | None = None,
    ):
        self.espeak_voice = espeak_voice
        self.encoder = encoder
        self.register = register
        self.pitch = PraatPitch() if pitch is None else pitch

    def analyse(self, text: str) -> tuple[SpeechContext, list[TimedPhone], int]:
        """Analyse ``text``, taken as it stands.

        F0 is mapped log-linearly into the voice's register, durations are multiplied by the ratio of the two
        speaking rates, and glottal cycles are integrated from the mapped F0, since there are no pulses to
        count.

        Returns:
            the unbatched context of speech, the timed phones, and the number of 5 ms frames.

        Raises:
            UserError: ``text`` holds nothing that can be pronounced.
        """
        spoken = self.espeak_voice.speak(text)
        spoken_frames = max(1, int(np.ceil(spoken.duration_s / FRAME_S)))
        track = self.pitch(spoken.waveform, spoken.sample_rate, spoken_frames)

        ratio = self.register.duration_ratio
        phones = [replace(p, start_s=p.start_s * ratio, end_s=p.end_s * ratio) for p in spoken.phones]
        num_frames = max(1, int(np.ceil(spoken.duration_s * ratio / FRAME_S)))
        centres_s = frame_centres_s(num_frames) / ratio  # in espeak's time
        log_f0 = np.interp(centres_s, frame_centres_s(spoken_frames), np.log(track.f0_hz))
        nearest = np.clip((centres_s / FRAME_S).astype(int), 0, spoken_frames - 1)
        mapped = PitchTrack(np.exp(self.register.map_log_f0(log_f0)), track.voiced[nearest])

        frames = compact_frames(phones, num_frames, self.encoder.layout, mapped)
        return self.encoder.encode(frames), phones, num_frames
