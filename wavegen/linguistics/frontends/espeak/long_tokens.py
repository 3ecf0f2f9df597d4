"""Tokens that espeak-ng has no room for, broken."""

import re

# espeak-ng 1.52 fills some buffers on its stack without looking at their size: a chain of dotted letters
# ("A.B.C.", also "a.b. c.d.") goes into one of 80 bytes, a word's endings ("'s's's") into one of 200 phones.
# What runs over damages whatever lies behind, long before the process dies of it (so an address sanitizer).
# A chain must also end within its clause, which has room for 300 words, dots included: hence the comma.
_CHAIN_BYTES = 60
_WORD_CHARACTERS = 100

_SPACE_OR_MARK = r"[\s!-/:-@\[-`{-~]"  # white space and ASCII punctuation
_LETTER = (
    r"[^\s!-@\[-`{-~]"  # neither that nor a digit: accents and invisible characters go with their letters
)
_DOTTED = re.compile(rf"(?<!{_LETTER})({_LETTER}{{1,3}})(?!{_LETTER}){_SPACE_OR_MARK}*?\.{_SPACE_OR_MARK}*")
_IN_WORD = r"""[^\s.,;:!…/\\()\[\]{}<>"“”«»—–。，、！？；：-]"""  # "?" is an apostrophe there
_LONG_WORD = re.compile(rf"{_IN_WORD}{{{_WORD_CHARACTERS}}}(?=\S)")


def break_long_tokens(text: str) -> str:
    """``text`` with spaces in words of more than 100 characters, and commas instead of some dots in chains of
    dotted letters that hold more than 60 bytes of letters.

    Neither occurs in what people write: every other text comes back as it is.
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
