"""Breaks tokens that would overflow buffers of espeak-ng."""

import re

# espeak-ng 1.52 does not check the size of some stack buffers. A chain of dotted letters ("A.B.C.", also
# "a.b. c.d.") is copied to one of 80 bytes, the endings of a word ("'s's's") to one of 200 phones. An
# overflow corrupts other memory long before the process crashes (shown by an address sanitizer). A chain must
# also end within its clause, which has room for 300 words including dots; hence the comma.
_CHAIN_BYTES = 60
_WORD_CHARACTERS = 100

_SPACE_OR_MARK = r"[\s!-/:-@\[-`{-~]"  # white space and ASCII punctuation
_LETTER = r"[^\s!-@\[-`{-~]"  # not one of those and not a digit; includes accents and invisible characters
_DOTTED = re.compile(rf"(?<!{_LETTER})({_LETTER}{{1,3}})(?!{_LETTER}){_SPACE_OR_MARK}*?\.{_SPACE_OR_MARK}*")
_IN_WORD = r"""[^\s.,;:!…/\\()\[\]{}<>"“”«»—–。，、！？；：-]"""  # espeak reads "?" as an apostrophe
_LONG_WORD = re.compile(rf"{_IN_WORD}{{{_WORD_CHARACTERS}}}(?=\S)")


def break_long_tokens(text: str) -> str:
    """``text`` with spaces in words of more than 100 characters, and commas instead of some dots in chains of
    dotted letters that contain more than 60 bytes of letters.

    Ordinary texts contain neither and are returned unchanged.
    """
    chain_end, num_bytes = -1, 0

    def link(match: re.Match) -> str:
        nonlocal chain_end, num_bytes
        num_bytes = (num_bytes if match.start() == chain_end else 0) + len(match[1].encode("utf-8", "ignore"))
        chain_end = match.end()
        if num_bytes <= _CHAIN_BYTES:
            return match[0]
        num_bytes = 0
        return f"{match[1]}, "

    return _LONG_WORD.sub(r"\g<0> ", _DOTTED.sub(link, text))
