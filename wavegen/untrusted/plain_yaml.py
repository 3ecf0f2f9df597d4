"""Reads untrusted YAML files: a mapping of plain values, without tags and aliases."""

import io
from pathlib import Path
from typing import Any, cast

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from wavegen.errors import UserError

LARGEST_BYTES = 2**20  # a run's configuration has about ten thousand
DEEPEST = 50


def read_plain_yaml(path: str | Path) -> dict[str, Any]:
    """The content of a YAML file, with unresolved interpolations.

    Scalars are read as OmegaConf writes them (``1e-3`` is a number). Tags are refused because they can create
    arbitrary objects; aliases because a few nested ones make a mapping of any size.

    Raises:
        UserError: if the file cannot be read, is not a mapping, or contains a tag or an alias.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST_BYTES + 1)
        if len(content) > LARGEST_BYTES:
            raise UserError(f"{path} is larger than {LARGEST_BYTES} bytes, expected a run's configuration")
        text = content.decode("utf-8")
        _refuse_all_but_plain(text, path)
        return cast(dict[str, Any], OmegaConf.to_container(OmegaConf.load(io.StringIO(text)), resolve=False))
    except (OSError, OmegaConfBaseException, yaml.YAMLError, ValueError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(f"{path} cannot be read as YAML ({reason})") from error


def _refuse_all_but_plain(text: str, path: str | Path) -> None:
    """Check the parser's events before objects are made from them."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        assert event.start_mark is not None  # a parser's events know their place
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise UserError(f"{path}, line {line}: expected plain values, got the alias *{event.anchor}")
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise UserError(f"{path}, line {line}: expected plain values, got the tag {tag}")
        # The first node must be a mapping: OmegaConf parses a single string as YAML again.
        if depth == 0 and isinstance(event, yaml.ScalarEvent | yaml.SequenceStartEvent):
            raise UserError(f"{path} contains no settings, expected a mapping as in 'key: value'")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise UserError(f"{path}, line {line}: nested too deeply, expected at most {DEEPEST} levels")
