import pytest
import torch

from wavegen.errors import UserError
from wavegen.models.speech.phone_classifier import PhoneClassifier
from wavegen.runs.classifier import CLASSIFIER, load_classifier
from wavegen.runs.manifest import MANIFEST, write_manifest
from wavegen.runs.weights import build_model, save_weights


@pytest.fixture
def run(tmp_path):
    config = {"_target_": "wavegen.models.speech.phone_classifier.PhoneClassifier", "num_phones": 3}
    config |= {"sample_rate": 8000, "hop_samples": 40, "num_filters": 4, "channels": 4, "num_layers": 2}
    classifier = build_model(config, source=CLASSIFIER)
    write_manifest(tmp_path, {CLASSIFIER: config}, {"sample_rate": 8000, "hop_samples": 40})
    save_weights(tmp_path, CLASSIFIER, classifier)
    return tmp_path, classifier.eval()


def test_it_hears_what_the_saved_one_heard(run):
    folder, saved = run
    loaded, waveform = load_classifier(str(folder), 8000), torch.randn(1, 400)
    assert isinstance(loaded, PhoneClassifier) and not loaded.training
    assert torch.equal(loaded(waveform), saved(waveform))


def test_what_is_no_classifier_for_this_corpus_is_named(run, tmp_path):
    folder, _ = run
    with pytest.raises(UserError, match="classifier_checkpoint must be given"):
        load_classifier(None, 8000)
    with pytest.raises(UserError, match="has the sample rate 8000, expected 16000, that of the corpus"):
        load_classifier(str(folder), 16000)
    manifest = (folder / MANIFEST).read_text()
    (folder / MANIFEST).write_text(manifest.replace('"num_filters": 4', '"num_filters": 60000'))
    with pytest.raises(UserError, match="the file has .* numbers, the model has more"):
        load_classifier(str(folder), 8000)
    (folder / "classifier.safetensors").unlink()
    with pytest.raises(UserError, match="contains no phone classifier, expected a run of `wavegen class"):
        load_classifier(str(folder), 8000)
    with pytest.raises(UserError, match="does not exist"):
        load_classifier(str(tmp_path / "none"), 8000)
