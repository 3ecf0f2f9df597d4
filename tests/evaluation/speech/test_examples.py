import soundfile
import torch

from wavegen.evaluation.speech.examples import write_examples


def test_only_what_a_system_speaks_is_written(corpus, tmp_path):
    utterances = list(corpus.utterances("test"))
    recordings = [utterance.waveform for utterance in utterances]
    spoken = {"recording": recordings, "teacher": [0.5 * recordings[0][:800]], "white_noise": recordings}
    entries = write_examples(spoken, utterances, corpus.sample_rate, tmp_path, pitch=corpus.pitch)
    assert [list(entry["samples"]) for entry in entries] == [
        ["recording", "teacher", "white_noise"],
        ["recording", "white_noise"],
    ]
    assert [entry["cut_short"] for entry in entries] == [["teacher"], []]
    assert [entry["text"] for entry in entries] == [utterance.text for utterance in utterances]
    for entry, recording in zip(entries, recordings, strict=True):
        sound, rate = soundfile.read(tmp_path / entry["samples"]["recording"], dtype="float32")
        assert rate == corpus.sample_rate and torch.equal(torch.from_numpy(sound), recording)
        for picture in (*entry["spectrograms"].values(), entry["pitch"]):
            assert (tmp_path / picture).stat().st_size > 2000
