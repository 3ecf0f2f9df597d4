"""Measure speed and memory of samplers, student and training on this machine.

The machine's best matrix product, the teacher with and without cached states, the student plainly and by its
engine, training steps, time to first audio, peak memory, and cost against length, depth and width; beside
them, where it is installed (`pip install 'wavegen[bench]'`), the peer's sampler. What is compared takes turns
in one process. Every table is printed when it is measured; a slow machine measures less, to end in time, and
what it would do by a reference loop is left out. Absolute figures are the machine's and the moment's: read
ratios.

Examples:
  wavegen benchmark
  wavegen benchmark only=[machine,student] run=runs/student_speed
  wavegen benchmark threads=1 repeats=9 run=runs/one_thread
"""

from omegaconf import DictConfig, OmegaConf

from wavegen.benchmark.report import Report
from wavegen.benchmark.sections import chosen_sections, measure
from wavegen.runs.folder import open_run


def main(config: DictConfig) -> None:
    sections = chosen_sections(config.only)
    run = open_run(config)
    report = Report(run)
    results = measure(OmegaConf.to_container(config, resolve=True), sections, report.tell)
    report.finish(results)
    print(f"The figure is {run / 'benchmark.png'}.")
