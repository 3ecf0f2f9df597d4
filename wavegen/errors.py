"""Defines ``UserError``, the exception whose message is for the user, and quotes other errors in one."""


class UserError(Exception):
    """A mistake that the user can correct.

    The message is one sentence that names the file, key or shape, what was expected and what was got. The
    command line prints it as ``error: …`` without a traceback and exits with status 2.
    """


def reason_of(error: BaseException) -> str:
    """The first line of what another library's error says, to be quoted in a message; its type if it says
    nothing, or only a number or key.

    Example:
        >>> reason_of(ValueError("bad header\\nat byte 3"))
        'bad header'
        >>> reason_of(KeyError("name")), reason_of(EOFError())
        ("KeyError: 'name'", 'EOFError')
    """
    text = str(error).strip().partition("\n")[0]
    if not text:
        return type(error).__name__
    return f"{type(error).__name__}: {text}" if isinstance(error, KeyError | IndexError) else text
