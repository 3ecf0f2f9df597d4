"""Defines ``UserError``, the exception whose message is for the user."""


class UserError(Exception):
    """A mistake that the user can correct.

    The message is one sentence that names the file, key or shape, what was expected and what was got. The
    command line prints it as ``error: …`` without a traceback and exits with status 2.
    """
