"""Safe file names from arbitrary names."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Collection

_MOST_BYTES = 120  # file systems allow 255 including the extension; some that encrypt names allow 143
_UNSAFE_NAME = re.compile(r"""^[.\s]|[.\s]$|[/\\:*?"<>|]|~[0-9a-f]{12}$""")


def file_names(names: Collection[str]) -> dict[str, str]:
    """A file name without extension for each of ``names``; the result does not depend on their order.

    A name is unchanged if every file system accepts it. Names that are long, contain unprintable or reserved
    characters, or differ only by case or Unicode composition become ``SLUG~HASH``: up to 60 plain characters
    of the name, and 48 bits of its SHA-256. No unchanged name has that form.
    """
    folded = Counter(_fold(name) for name in names)
    return {name: name if folded[_fold(name)] == 1 and _is_plain(name) else _hashed(name) for name in names}


def printable(text: str, most: int = 1000) -> str:
    """``text`` with unprintable characters escaped, truncated to ``most`` characters."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:most])
    return shown if len(text) <= most else f"{shown}…"


def _fold(name: str) -> str:
    """Maps names to the same string if some file system (case-insensitive or normalising) would not
    distinguish them."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _is_plain(name: str) -> bool:
    return (
        0 < len(name.encode("utf-8", "surrogatepass")) <= _MOST_BYTES
        and name.isprintable()
        and not _UNSAFE_NAME.search(name)
    )


def _hashed(name: str) -> str:
    slug = re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:60].strip("_")
    return f"{slug}~{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
