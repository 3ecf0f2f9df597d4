"""The interface of front ends."""

from typing import Protocol, runtime_checkable

from wavegen.linguistics.pronunciation import Pronunciation


@runtime_checkable
class FrontEnd(Protocol):
    """Converts a text, or a file of labels, to phones with timing and context.

    A front end is a frozen dataclass of plain settings. It is sent to other processes, and a voice stores its
    description (``wavegen/untrusted/parts.py``). To add one, write a file with such a class here, and a
    configuration ``configs/front_end/NAME.yaml``, whose first line is ``# @package corpus.front_end``.
    """

    def read(self, text: str) -> Pronunciation:
        """The pronunciation of the text, read literally.

        Raises:
            UserError: if it contains nothing that can be pronounced.
        """
        ...
