"""Random damage to files: a changed value of a JSON document, or changed bytes."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

DELETE, TWICE = "delete", "twice"
VALUES = [
    None, 0, -1, 0.5, 10**9, 10**30, float("nan"), float("inf"), True, "fast", "", "../../etc/passwd",
    "a" * 10_000, [], {}, [1, 2], [[]], {"a": {}}, {"_target_": "os.system"}, DELETE, TWICE,
]  # fmt: skip


def places(node: Any, path: tuple = ()) -> Iterator[tuple]:
    """The paths of all values of a document; of a list, those of its first two entries."""
    if isinstance(node, dict):
        entries = list(node.items())
    else:
        entries = list(enumerate(node[:2])) if isinstance(node, list) else []
    for key, value in entries:
        yield (*path, key)
        yield from places(value, (*path, key))


def changed_document(document: Any, rng: random.Random) -> tuple[Any, str]:
    """The document with one value changed, and a description of the change."""
    path, value = rng.choice(list(places(document))), rng.choice(VALUES)
    damaged = copy.deepcopy(document)
    parent = damaged
    for key in path[:-1]:
        parent = parent[key]
    if value == DELETE:
        del parent[path[-1]]
    elif value == TWICE:
        if isinstance(parent, list):
            parent.append(parent[path[-1]])
        else:
            parent[f"{path[-1]}_"] = parent[path[-1]]
    else:
        parent[path[-1]] = copy.deepcopy(value)
    return damaged, f"{'.'.join(map(str, path))} = {str(value)[:60]!r}"


def changed_json(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """As :func:`changed_document`, of the bytes of a JSON file; sometimes its bytes are changed instead."""
    if rng.random() < 0.2:
        return changed_bytes(content, rng)
    damaged, what = changed_document(json.loads(content), rng)
    return json.dumps(damaged).encode(), what


def changed_bytes(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """The bytes with a flip, a cut, a repetition or an insertion, most often in the header, at the start."""
    place = min(len(content) - 1, int(len(content) * rng.random() ** 4))
    length = min(len(content) - place, 1 + int(rng.expovariate(0.05)))
    kind = rng.choice(("flip", "cut", "end", "repeat", "insert", "zeros"))
    before, here, after = content[:place], content[place : place + length], content[place + length :]
    middle = {
        "flip": bytes([here[0] ^ (1 << rng.randrange(8))]) + here[1:],
        "cut": b"",
        "end": b"",
        "repeat": here + here,
        "insert": rng.randbytes(length) + here,
        "zeros": bytes(length),
    }[kind]
    return before + middle + (b"" if kind == "end" else after), f"{kind} of {length} bytes at {place}"
