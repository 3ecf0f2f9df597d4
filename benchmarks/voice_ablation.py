"""What each part of the method of a voice is worth: rows of equal wall time, measured on dev utterances.

    .venv/bin/python benchmarks/voice_ablation.py DIR [--rows NAME …] [--minutes 18] [--seed 0]

DIR is a folder in LJSpeech layout. Every row is a training by the command line, which the script prints, on
one core, two rows at a time, in ``runs/ablation``; then its models speak the dev utterances whole. A row that
has been measured by the same command is not repeated, an interrupted one goes on. Rows of students share the
teacher of the row ``teacher`` with the seed ``--teacher-seed``, which comes first. The script writes
``benchmarks/results/voice_ablation.json`` and prints a table.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from threading import Lock

from wavegen.files import write_bytes
from wavegen.report.tables import text_table

RUNS = Path("runs/ablation")
CLASSIFIER = RUNS / "classifier"
RESULTS = Path("benchmarks/results/voice_ablation.json")
SOURCE_FILTER_SHARE = 0.35
"""Of a row's minutes, where the source-filter stage is trained before a teacher."""
METRICS = {
    "bits": "bits_per_sample",
    "LSD": "log_spectral_distance_db",
    "MCD": "mel_cepstral_distortion_db",
    "STOI": "extended_stoi",
    "harmonicity": "harmonicity_db",
    "level": "voiced_level_db",
    "phones": "phone_accuracy",
}


@dataclass(frozen=True)
class Row:
    """A training.

    Args:
        name: of the row and its run folder.
        recipe: ``source_filter``, ``teacher`` or ``distill``; it also names the model that is measured.
        words: overrides of the recipe's configuration.
    """

    name: str
    recipe: str
    words: tuple[str, ...] = ()

    @property
    def system(self) -> str:
        return "student" if self.recipe == "distill" else self.recipe


PLAIN = ("source_filter=none",)
NO_POWER = ("objective.power=null",)
FEATURES = (
    "{_target_:wavegen.nets.conditioning.FrameConditioning,in_channels:${voice.num_features},channels:16,"
    "hidden_channels:96,hop_samples:${voice.hop_samples},"
    "upsampling:{_target_:wavegen.nets.conditioning.SharedUpsampling,_partial_:true}}"
)
LIKE_LJSPEECH_CPU = (  # what experiment=ljspeech_cpu sets for `wavegen distill`
    "teacher=small",
    "teacher_training.batch_size=4",
    "teacher_training.optimizer.lr=1.5e-3",
    "teacher_training.average_decay=0.999",
    "teacher_training.validate_every_steps=250",
    "teacher_training.dev_batches=12",
)
ROWS = [
    Row("source_filter", "source_filter"),
    Row("source_filter_no_loudness", "source_filter", ("corpus.layout.loudness=false",)),
    Row("source_filter_no_prediction_error", "source_filter", (
        "source_filter_training.residual_losses.prediction_error=null",
    )),
    Row("teacher", "teacher"),
    Row("teacher_plain", "teacher", (*PLAIN, "conditioning=linguistic")),
    Row("teacher_phase", "teacher", PLAIN),
    Row("teacher_linear_prediction", "teacher", (
        "conditioning=linguistic", "source_filter.long_term=null",
        f"source_filter.pulses.conditioning=[{FEATURES}]",
    )),
    Row("teacher_no_long_term", "teacher", ("source_filter.long_term=null",)),
    Row("teacher_input_dropout", "teacher", ("teacher.wavenet.input_dropout=0.2",)),
    Row("student_kl", "distill", NO_POWER),
    Row("student_power", "distill"),
    Row("student_paper_power", "distill", (*NO_POWER, "term=[paper_power]")),
    Row("student_spectral", "distill", (*NO_POWER, "term=[spectral_shape,frame_level]")),
    Row("student_power_and_shape", "distill", ("term=[spectral_shape]",)),
    Row("student_perceptual", "distill", ("term=[perceptual]", f"classifier_checkpoint={CLASSIFIER}")),
    Row("student_contrastive", "distill", ("term=[contrastive]",)),
    Row("student_adversarial", "distill", ("term=[adversarial]",)),
    Row("student_independent_draws", "distill", ("objective=independent_draws",)),
]  # fmt: skip


class RowError(Exception):
    """A command of a row failed."""


class Ablation:
    """Runs rows and keeps what was measured.

    Args:
        root: of the corpus.
        minutes: of training, all stages of a row together.
        seed: of initial weights, segments and noise.
        teacher_seed: of the teacher of the rows of students.
    """

    def __init__(self, root: str, minutes: float, seed: int, teacher_seed: int) -> None:
        self.root, self.minutes, self.lock = root, minutes, Lock()
        self.seed, self.teacher_seed = seed, teacher_seed
        self.results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}

    def key(self, row: Row) -> str:
        return row.name if self.seed == 0 else f"{row.name}, seed {self.seed}"

    def run(self, name: str, seed: int) -> Path:
        """The run folder of a row."""
        return RUNS / (name if seed == 0 else f"{name}-{seed}")

    def command(self, row: Row) -> list[str]:
        """The command of a row: recipe and words."""
        run = self.run(row.name, self.seed)
        first = self.minutes if row.recipe == "source_filter" else SOURCE_FILTER_SHARE * self.minutes
        rest = self.minutes if "source_filter=none" in row.words else self.minutes - first
        corpus = "ljspeech" if "corpus.layout.loudness=false" not in row.words else "ljspeech-no-loudness"
        words = ["corpus=ljspeech", f"corpus.root={self.root}", f"corpus.directory={RUNS / corpus}"]
        words += [f"run={run}", f"seed={self.seed}", f"source_filter_training.max_minutes={first:g}"]
        words += ["source_filter_training.max_steps=100000", "source_filter_training.num_workers=0"]
        if row.recipe == "teacher":
            words += [*LIKE_LJSPEECH_CPU, f"teacher_training.max_minutes={rest:g}"]
            words += ["teacher_training.max_steps=100000", "teacher_training.num_workers=0"]
            words += ["teacher_training.speak_every_num_validations=100000"]
        elif row.recipe == "distill":
            teacher = self.run("teacher", self.teacher_seed)
            words += ["experiment=ljspeech_cpu", f"teacher_checkpoint={teacher}"]
            words += [f"student_training.max_minutes={self.minutes:g}", "student_training.max_steps=100000"]
            words += ["student_training.num_workers=0", "student_training.speak_every_num_validations=100000"]
        if row.recipe != "teacher":  # measured below, and not on test
            words += [
                "evaluation.split=dev",
                "evaluation.max_utterances=1",
                "evaluation.max_spoken_utterances=1",
            ]
        return [row.recipe, *words, *row.words]

    def measure(self, row: Row) -> bool:
        """Train and evaluate a row, unless its figures are known; whether they are known afterwards."""
        command = self.command(row)
        shown = ["corpus.root=DIR" if word.startswith("corpus.root=") else word for word in command]
        line = shlex.join(["wavegen", *shown])
        if self.results.get(self.key(row), {}).get("command") == line:
            return True
        run = self.run(row.name, self.seed)
        print(line, flush=True)
        try:
            self.train_and_speak(row, run, command)
        except RowError as error:  # the other rows go on
            print(error, flush=True)
            return False
        found = json.loads((run / "dev" / "metrics.json").read_text(encoding="utf-8"))
        systems = (row.system, "source_filter", "recording")
        kept = {key: value for key, value in found.items() if key.split("/")[0] in systems}
        with self.lock:
            self.results[self.key(row)] = {"command": line, "metrics": kept}
            write_bytes(RESULTS, json.dumps(self.results, indent=1, sort_keys=True).encode() + b"\n")
        return True

    def train_and_speak(self, row: Row, run: Path, command: list[str]) -> None:
        """The two commands of a row."""
        wavegen(f"{run.name}-training", command)
        wavegen(f"{run.name}-evaluation", [
            "evaluate", f"checkpoint={run}", f"output={run / 'dev'}", "evaluation.split=dev",
            f"evaluation.max_teacher_seconds={1 if row.recipe == 'distill' else 'null'}",
            "evaluation.max_shown_utterances=1",
        ])  # fmt: skip

    def table(self, rows: Sequence[Row]) -> str:
        """What was measured of the rows."""
        lines = []
        for row in rows:
            metrics = self.results.get(self.key(row), {}).get("metrics")
            if metrics is not None:
                values = [metrics.get(f"{row.system}/{name}") for name in METRICS.values()]
                lines.append([row.name, *("" if value is None else f"{value:.3g}" for value in values)])
        return "\n".join(text_table(["row", *METRICS], lines))


def wavegen(name: str, words: list[str]) -> None:
    """Runs a command on one core; its output goes to the log of that name."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    log = RUNS / "logs" / f"{name}.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        ended = subprocess.run(
            [Path(sys.executable).with_name("wavegen"), *words],
            env=environment, stdout=output, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
    if ended.returncode:
        raise RowError(f"{shlex.join(['wavegen', *words])} failed, see {log}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", metavar="DIR", help="folder in LJSpeech layout")
    names = [row.name for row in ROWS]
    parser.add_argument(
        "--rows", nargs="*", choices=names, metavar="ROW", help=f"all by default: {', '.join(names)}"
    )
    parser.add_argument("--minutes", type=float, default=18.0, help="of training a row (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    parser.add_argument("--teacher-seed", type=int, default=0, help="of the students' teacher (%(default)s)")
    parser.add_argument("--parallel", type=int, default=2, help="rows at a time, a core each (%(default)s)")
    options = parser.parse_args()
    ablation = Ablation(options.root, options.minutes, options.seed, options.teacher_seed)
    rows = [row for row in ROWS if options.rows is None or row.name in options.rows]
    prepare = ablation.command(ROWS[0])[1:4]
    wavegen("prepare", ["prepare", *prepare])
    if any(f"classifier_checkpoint={CLASSIFIER}" in row.words for row in rows):
        wavegen(
            "classifier", ["classifier", *prepare, f"run={CLASSIFIER}", "classifier_training.max_minutes=6"]
        )
    rows.sort(key=lambda row: row.recipe == "distill")
    waves = [list(wave) for _, wave in groupby(rows, lambda row: row.recipe == "distill")]
    with ThreadPoolExecutor(options.parallel) as pool:
        measured = [known for wave in waves for known in list(pool.map(ablation.measure, wave))]
    print(ablation.table(rows))
    if not all(measured):
        failed = [row.name for row, known in zip(rows, measured, strict=True) if not known]
        raise SystemExit(f"not measured: {', '.join(failed)}")


if __name__ == "__main__":
    main()
