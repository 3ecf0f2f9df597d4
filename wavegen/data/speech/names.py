"""Names of files, made from names that somebody else chose."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Collection

_MOST_BYTES = 120  # a file system takes 255, with endings; some that encrypt names take 143
_NO_FILE_NAME = re.compile(r"""^[.\s]|[.\s]$|[/\\:*?"<>|]|~[0-9a-f]{12}$""")


def file_names(names: Collection[str]) -> dict[str, str]:
    """A file name without ending for each of ``names``, the same for the same names in whatever order.

    A name stays as it is where every file system would take it. A long one, one with characters that cannot
    be printed or that some system reserves, and those that differ by case or by Unicode composition alone
    become ``SLUG~HASH``: up to 60 plain characters of the name, and 48 bits of its SHA-256. No plain name has
    that form.
    """
    folded = Counter(_fold(name) for name in names)
    return {name: name if folded[_fold(name)] == 1 and _is_plain(name) else _hashed(name) for name in names}


def printable(text: str, most: int = 1000) -> str:
    """``text`` with escapes in place of what cannot be printed, and cut after ``most`` characters."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:most])
    return shown if len(text) <= most else f"{shown}…"


def _fold(name: str) -> str:
    """Equal where a file system that knows no case, or composes letters, would see one name."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _is_plain(name: str) -> bool:
    return (
        0 < len(name.encode("utf-8", "surrogatepass")) <= _MOST_BYTES
        and name.isprintable()
        and not _NO_FILE_NAME.search(name)
    )


def _hashed(name: str) -> str:
    slug = re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:60].strip("_")
    return f"{slug}~{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
