"""Copies a trained voice into a folder of its own: what speech needs, with rounded weights."""

from pathlib import Path

import torch

from wavegen.errors import UserError
from wavegen.files import write_bytes
from wavegen.runs.checksums import write_sums
from wavegen.runs.folder import CONFIG
from wavegen.runs.manifest import MANIFEST
from wavegen.runs.voice import MODELS, load_voice
from wavegen.runs.weights import save_weights, weights_file

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def pack_voice(run: str | Path, output: str | Path, precision: str = "bfloat16") -> int:
    """Write the weights with their SHA-256 sums, the manifest and the configuration of a run; checkpoints and
    curves stay behind.

    Parameters are rounded; buffers, which are not trained, are kept as they are. The result is a run folder.
    Its models compute in float32. The manifest is written last: a folder without it is not a voice.

    Args:
        run: folder of a trained voice, which need not be trusted.
        output: new folder.
        precision: of the weights in the files, ``float32`` or ``bfloat16``.

    Returns:
        The size of what was written, in bytes.

    Raises:
        UserError: as :func:`~wavegen.runs.voice.load_voice`; if the precision is unknown, the run has no
            configuration, ``output`` contains a voice, or it cannot be written.
    """
    run, output = Path(run), Path(output)
    if precision not in DTYPES:
        raise UserError(f"precision must be one of {', '.join(DTYPES)}, got {precision!r}")
    voice = load_voice(run)
    if not (run / CONFIG).is_file():
        raise UserError(f"{run / CONFIG} is missing, expected the configuration of the run")
    if (output / MANIFEST).exists():
        raise UserError(f"{output} contains a voice already, expected a new folder")
    sums = {
        weights_file(output, name): save_weights(output, name, model, dtype=DTYPES[precision])
        for name in MODELS
        if (model := getattr(voice, name)) is not None
    }
    written = [*sums, write_sums(output, {path.name: value for path, value in sums.items()})]
    for name in (CONFIG, MANIFEST):
        write_bytes(output / name, (run / name).read_bytes())
        written.append(output / name)
    return sum(path.stat().st_size for path in written)
