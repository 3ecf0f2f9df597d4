"""Measure a trained voice on test utterances and write a listening report.

The voice's models speak test utterances from their true phones, timing, pitch and loudness. They are compared
with the recording and with systems without a model, from a vocoder to white noise. The recipe writes
metrics.json, samples/*.wav, figures/*.png and report.html, which opens in any browser and needs no network.
The default corpus is the run's own; give a prepared one (corpus.directory=DIR) or another one to prepare
(corpus=…). Results for another corpus are written to a separate folder in the run.

Examples:
  wavegen evaluate checkpoint=runs/distill-espeak-8000
  wavegen evaluate checkpoint=RUN corpus.directory=PREPARED output=evaluation
  wavegen evaluate checkpoint=RUN corpus=ljspeech corpus.root=DIR output=evaluation
"""

from pathlib import Path

from omegaconf import DictConfig

from wavegen.evaluation.speech.evaluate import evaluate_voice
from wavegen.evaluation.speech.test_set import default_output, open_corpus
from wavegen.runs.voice import load_voice


def main(config: DictConfig) -> None:
    voice = load_voice(config.checkpoint)
    corpus = open_corpus(config.corpus, config.checkpoint)
    split = config.evaluation.split
    output = Path(config.output or default_output(config.checkpoint, corpus, split))
    evaluate_voice(
        voice,
        corpus,
        output,
        seed=config.seed,
        device=config.device,
        run_directory=config.checkpoint,
        **config.evaluation,
    )
    print(f"Listen: {output / 'report.html'}")
