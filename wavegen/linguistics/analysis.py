"""Text to speech context, for a trained voice."""

from dataclasses import dataclass

from wavegen.linguistics.context import SpeechContext
from wavegen.linguistics.encoder import FeatureEncoder
from wavegen.linguistics.frontends.front_end import FrontEnd
from wavegen.linguistics.prosody.prosody import Plan, Prosody


@dataclass(frozen=True)
class TextAnalysis:
    """Converts text in three steps: front end (phones), prosody (durations, contours), encoder (features).

    Args:
        front_end: the front end with which the voice's corpus was prepared.
        prosody: of the voice.
        encoder: of the voice.
    """

    front_end: FrontEnd
    prosody: Prosody
    encoder: FeatureEncoder

    def analyse(self, text: str, *, pause_s: float = 0.0) -> tuple[SpeechContext, Plan]:
        """The unbatched context of ``text``, read literally, and the plan of phones and contours.

        Args:
            text: what is spoken.
            pause_s: seconds of silence after it, in the front end's time.

        Raises:
            UserError: ``text`` contains nothing that can be pronounced.
        """
        plan = self.prosody.plan(self.front_end.read(text).with_final_pause(pause_s))
        frames = self.encoder.layout.compact(plan.phones, plan.num_frames, plan.contours)
        return self.encoder.encode(frames), plan
