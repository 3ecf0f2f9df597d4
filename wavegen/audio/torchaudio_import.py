"""Imports torchaudio, and repairs its installation beside a CPU build of torch.

torchaudio's Linux wheel links CUDA libraries, which a CPU build of torch does not include. The compiled
extension then fails to load, and so does the import of torchaudio. torchaudio treats that extension as
optional: without its shared objects, ``transforms`` and ``functional`` work, and wavegen uses nothing else
(soundfile reads and writes files). To repair an installation::

    python -m wavegen.audio.torchaudio_import --repair
"""

import argparse
import functools
import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from wavegen.errors import UserError

REPAIR_COMMAND = "python -m wavegen.audio.torchaudio_import --repair"
ASIDE_SUFFIX = ".aside"  # torchaudio looks for *.so only


def import_torchaudio() -> ModuleType:
    """Returns the torchaudio module with ``transforms`` and ``functional`` imported.

    Raises:
        UserError: torchaudio is missing or cannot be imported; the message says what to do.
    """
    try:
        module = importlib.import_module("torchaudio")
        importlib.import_module("torchaudio.functional")
        importlib.import_module("torchaudio.transforms")
    except (ImportError, OSError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"torchaudio cannot be imported with this torch ({reason}): run `{REPAIR_COMMAND}`, "
            "or install the torchaudio that was built for your torch"
        ) from error
    return module


@functools.cache
def torchaudio_functional() -> ModuleType:
    """``torchaudio.functional``, used for spectra and resampling. Raises as :func:`import_torchaudio`."""
    return import_torchaudio().functional


def find_import_failure() -> str | None:
    """Returns the last line of the traceback of importing torchaudio, or None if the import works.

    The import runs in another process, because a failed import leaves partly initialised modules.
    """
    result = _run_python("import torchaudio.functional, torchaudio.transforms")
    if result.returncode == 0:
        return None
    lines = result.stderr.strip().splitlines()
    return lines[-1] if lines else f"the import ended with status {result.returncode}"


def repair() -> list[Path]:
    """Moves torchaudio's shared objects aside if they prevent its import with a CPU build of torch.

    Returns:
        The original paths of the moved files; empty if torchaudio can be imported.

    Raises:
        UserError: torchaudio is not installed, or fails for another reason; in that case nothing is changed.
    """
    failure = find_import_failure()
    if failure is None:
        return []
    package_file = _package_file()
    if _run_python("import sys, torch; sys.exit(torch.version.cuda or torch.version.hip)").returncode != 0:
        raise UserError(
            f"torchaudio cannot be imported ({failure}), and torch is not a CPU build: "
            "install the torchaudio that was built for your torch"
        )
    moved = [(path, path.with_name(path.name + ASIDE_SUFFIX)) for path in _find_shared_objects(package_file)]
    for path, aside in moved:
        path.replace(aside)
    failure = find_import_failure()
    if failure is not None:
        for path, aside in moved:
            aside.replace(path)
        raise UserError(
            f"torchaudio cannot be imported even without its compiled extension ({failure}): "
            "install the torchaudio that was built for your torch"
        )
    return [path for path, _ in moved]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m wavegen.audio.torchaudio_import",
        description="Reports whether torchaudio can be imported with the installed torch; can repair it.",
    )
    parser.add_argument("--repair", action="store_true", help="move the CUDA extension of torchaudio aside")
    if parser.parse_args(arguments).repair:
        try:
            moved = repair()
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        if moved:
            print(f"torchaudio: moved {', '.join(path.name for path in moved)} aside in {moved[0].parent}")
    failure = find_import_failure()
    if failure is not None:
        print(f"error: torchaudio cannot be imported ({failure}): run `{REPAIR_COMMAND}`", file=sys.stderr)
        return 2
    print("torchaudio: imports")
    return 0


def _package_file() -> str:
    spec = importlib.util.find_spec("torchaudio")
    if spec is None or spec.origin is None:
        raise UserError("torchaudio is not installed: run `pip install torchaudio`")
    return spec.origin


def _find_shared_objects(package_file: str) -> list[Path]:
    return sorted((Path(package_file).parent / "lib").glob("*.so"))


def _run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
