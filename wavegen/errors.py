"""The one exception that is written for the user and not for the developer."""


class UserError(Exception):
    """A mistake the user can mend.

    The message is one sentence that names the file, key or shape, says what was expected and what was
    got. The command line prints it as ``error: …`` without a traceback and exits with status 2.
    """
