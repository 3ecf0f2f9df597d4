"""What every front end offers."""

from typing import Protocol, runtime_checkable

from wavegen.linguistics.pronunciation import Pronunciation


@runtime_checkable
class FrontEnd(Protocol):
    """From a text, or from a file of labels, to phones with timing and context.

    A front end is a frozen dataclass of plain settings: it is sent to other processes, and a voice carries
    its description (``wavegen/untrusted/parts.py``). To add one, write a file with such a class here, and a
    configuration ``configs/front_end/NAME.yaml``.
    """

    def read(self, text: str) -> Pronunciation:
        """The text as it stands, pronounced.

        Raises:
            UserError: where it holds nothing that can be pronounced.
        """
        ...
