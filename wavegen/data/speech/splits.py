"""Assigns utterances to train, dev and test."""

import random

from wavegen.data.speech.corpus import SPLITS


def split_ids(ids: list[str], seed: int, num_dev: int, num_test: int) -> dict[str, list[str]]:
    """The ids of train, dev and test, drawn with ``seed``, each sorted.

    Dev and test take at most a third each. A single utterance is used in all three splits. Of two utterances,
    the second is used in dev and test.
    """
    shuffled = sorted(ids)
    random.Random(seed).shuffle(shuffled)
    if len(shuffled) < 3:
        return {"train": shuffled[:1], "dev": shuffled[-1:], "test": shuffled[-1:]}
    most = len(shuffled) // 3
    num_test, num_dev = (min(max(1, number), most) for number in (num_test, num_dev))
    chosen = {
        "train": shuffled[num_test + num_dev :],
        "dev": shuffled[num_test : num_test + num_dev],
        "test": shuffled[:num_test],
    }
    return {split: sorted(chosen[split]) for split in SPLITS}
