"""The phones of frames, as classes, from a speech context."""

from torch import Tensor

from wavegen.errors import UserError
from wavegen.linguistics.context import SpeechContext
from wavegen.linguistics.layout import FeatureLayout

COLUMN = "phone"


class PhoneTargets:
    """Reads the index of each frame's phone from the one-hot features of a context.

    Args:
        layout: of the features.

    Raises:
        UserError: if the layout has no column of phones.
    """

    def __init__(self, layout: FeatureLayout) -> None:
        columns = [column for column in layout.columns if column.name == COLUMN and column.categories]
        if not columns:
            raise UserError(
                f"the layout {type(layout).__name__} has no column '{COLUMN}' with categories, expected "
                "that of a corpus prepared with layout=phones"
            )
        names = columns[0].feature_names
        self.num_phones = len(names)
        self.first = layout.feature_names.index(names[0])

    def __call__(self, context: SpeechContext) -> Tensor:
        """Indices ``(batch, frames)`` int64, or ``(frames,)`` of a context without a batch axis."""
        one_hot = context["features"].narrow(-2, self.first, self.num_phones)
        return one_hot.argmax(-2)
