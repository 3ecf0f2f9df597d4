"""Text → context of speech, for a trained voice."""

from dataclasses import dataclass

from wavegen.linguistics.context import SpeechContext
from wavegen.linguistics.encoder import FeatureEncoder
from wavegen.linguistics.frontends.front_end import FrontEnd
from wavegen.linguistics.prosody.prosody import Plan, Prosody


@dataclass(frozen=True)
class TextAnalysis:
    """A front end reads, a prosody plans, an encoder says it in the voice's features.

    Args:
        front_end: the one that the voice's corpus was prepared with.
        prosody: of the voice.
        encoder: of the voice.
    """

    front_end: FrontEnd
    prosody: Prosody
    encoder: FeatureEncoder

    def analyse(self, text: str) -> tuple[SpeechContext, Plan]:
        """The unbatched context of ``text``, taken as it stands, and how it will be said.

        Raises:
            UserError: ``text`` holds nothing that can be pronounced.
        """
        plan = self.prosody.plan(self.front_end.read(text))
        frames = self.encoder.layout.compact(plan.phones, plan.num_frames, plan.pitch)
        return self.encoder.encode(frames), plan
