"""The error of a front end for a text without speech."""

from wavegen.errors import UserError


class NothingToSay(UserError):
    """The text contains nothing that the front end can pronounce."""
