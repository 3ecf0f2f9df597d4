"""Measure speed and memory of samplers, student and training on this machine.

It measures the machine's best matrix product, the teacher with and without cached states, the student in
PyTorch and in its engine, training steps, time to first audio, peak memory, and cost against length, depth
and width. The peer's sampler is included if it is installed (`pip install 'wavegen[bench]'`). Subjects that
are compared run interleaved in one process. Every table is printed when it is complete. A slow machine
measures less, to end in time, and skips products that torch would compute in a reference loop. Absolute
figures depend
on the machine and its load: compare ratios.

Examples:
  wavegen benchmark
  wavegen benchmark only=[machine,student] run=runs/student_speed
  wavegen benchmark device=cuda run=runs/gpu_speed
  wavegen benchmark threads=1 repeats=9 run=runs/one_thread
"""

from omegaconf import DictConfig, OmegaConf

from wavegen.benchmark.report import Report
from wavegen.benchmark.sections import chosen_sections, measure
from wavegen.runs.folder import open_run


def main(config: DictConfig) -> None:
    sections = chosen_sections(config.only, config.device)
    run = open_run(config)
    report = Report(run)
    results = measure(OmegaConf.to_container(config, resolve=True), sections, report.show)
    report.finish(results)
    print(f"The figure is {run / 'benchmark.png'}.")
