"""The keys of a composed configuration: look one up, list them, find those that a mistyped key may mean."""

import difflib
from collections.abc import Iterable, Iterator
from typing import cast

from omegaconf import DictConfig, OmegaConf, ValueNode

ABSENT = object()


def find(key: str, node: object) -> object:
    """Returns the value at a dotted key, None for one that is still to be given, or ``ABSENT``."""
    for name in key.split("."):
        if not isinstance(node, DictConfig) or name not in list(node.keys()):
            return ABSENT
        node = None if OmegaConf.is_missing(node, name) else node._get_node(name)
        if isinstance(node, ValueNode):
            node = node._value()
    return node


def is_foreign(key: str, base: DictConfig) -> bool:
    """Whether the key is an argument of a class that is not ours, and that has its own idea of what fits."""
    parts = key.split(".")
    for depth in range(1, len(parts)):
        node = find(".".join(parts[:depth]), base)
        target = node.get("_target_") if isinstance(node, DictConfig) else None
        if target is not None and not str(target).startswith("wavegen."):
            return True
    return False


def nearest(key: str, base: DictConfig, groups: Iterable[str]) -> list[str]:
    """The keys and groups of the recipe that a key may be meant for: three at most, the likeliest first.

    A key that ends alike is likelier than one that is spelt nearly alike, and that is likelier than one whose
    last part is spelt nearly alike. Of a key and one below it the likelier is named.
    """
    known = [name for name in _list_keys(base) if not _last(name).startswith("_")]
    known += [group for group in groups if group not in known]
    found = [name for name in known if _last(name) == _last(key)]
    found += difflib.get_close_matches(key, known, n=3, cutoff=0.6)
    endings = difflib.get_close_matches(_last(key), [_last(name) for name in known], n=1, cutoff=0.75)
    found += [name for name in known if _last(name) in endings]
    meant: list[str] = []
    for name in found:
        if not any(_is_within(name, likelier) or _is_within(likelier, name) for likelier in meant):
            meant.append(name)
    return meant[:3]


def _is_within(name: str, key: str) -> bool:
    return f"{name}.".startswith(f"{key}.")


def _last(key: str) -> str:
    return key.rpartition(".")[2]


def _list_keys(node: DictConfig, prefix: str = "") -> Iterator[str]:
    for name in cast(Iterable[str], node):
        yield f"{prefix}{name}"
        if not OmegaConf.is_missing(node, name) and not OmegaConf.is_interpolation(node, name):
            child = node[name]
            if isinstance(child, DictConfig):
                yield from _list_keys(child, f"{prefix}{name}.")
