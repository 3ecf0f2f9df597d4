"""Copy a trained voice into a folder to keep or to give away: a few megabytes instead of a whole run.

The folder has the weights of source-filter model, teacher and student, rounded to bfloat16, their sums
(SHA256SUMS), the configuration and the manifest. The sums are checked whenever the voice is loaded, and by
sha256sum -c. The folder is a run folder like any other: it speaks, is measured, and can be the teacher of
another student. Checkpoints, curves and reports are left out. Measure the packed voice itself with wavegen
evaluate.

Examples:
  wavegen pack checkpoint=runs/quickstart output=voices/mine
  wavegen synthesize text="Good morning." checkpoint=voices/mine
"""

from omegaconf import DictConfig

from wavegen.runs.packing import pack_voice


def main(config: DictConfig) -> None:
    size_bytes = pack_voice(config.checkpoint, config.output, config.precision)
    print(f"{config.output}: {size_bytes / 1e6:.1f} MB, weights in {config.precision}")
