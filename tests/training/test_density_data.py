import torch

from wavegen.data.images.bundled import digits
from wavegen.training.density_data import Batch, DensityData, ShuffledBatches, in_order


def test_batches_go_through_the_training_part_once_an_epoch_and_follow_the_step():
    x, labels = torch.arange(10)[:, None], torch.arange(10) % 3
    stream = ShuffledBatches(x, labels, batch_size=4, seed=1)
    batches = [stream.batch(number) for number in range(5)]
    seen = torch.cat([batch.x for batch in batches]).flatten()
    assert sorted(seen[:10].tolist()) == sorted(seen[10:].tolist()) == list(range(10))
    assert seen[:10].tolist() != seen[10:].tolist()
    torch.testing.assert_close(torch.cat([batch.labels for batch in batches]), seen % 3)
    later = iter(ShuffledBatches(x, labels, batch_size=4, seed=1, first_batch=3))
    torch.testing.assert_close(next(later).x, batches[3].x)
    torch.testing.assert_close(next(later).x, batches[4].x)
    assert not torch.equal(ShuffledBatches(x, labels, batch_size=4, seed=2).batch(0).x, batches[0].x)


def test_processes_share_an_epoch_without_overlap():
    x = torch.arange(12)[:, None]
    streams = [ShuffledBatches(x, None, batch_size=2, seed=0, rank=r, num_processes=3) for r in range(3)]
    seen = torch.cat([stream.batch(number).x for stream in streams for number in range(2)])
    assert sorted(seen.flatten().tolist()) == list(range(12))


def test_dev_batches_are_the_dev_part_in_order():
    data = digits()
    batches = list(DensityData(data=data, batch_size=64, seed=0).val_dataloader())
    torch.testing.assert_close(torch.cat([batch.x for batch in batches]), data.dev)
    torch.testing.assert_close(torch.cat([batch.labels for batch in batches]), data.labels["dev"])


def test_events_in_order_are_all_events_once():
    x, labels = torch.arange(7)[:, None], torch.arange(7) % 2
    batches = list(in_order(x, labels, 3))
    assert [len(batch.x) for batch in batches] == [3, 3, 1]
    assert torch.equal(torch.cat([batch.x for batch in batches]), x)
    assert torch.equal(torch.cat([batch.labels for batch in batches]), labels)
    assert [batch.labels for batch in in_order(x, None, 4)] == [None, None]


def test_a_batch_moves_whole():
    batch = Batch(torch.zeros(2, 3), torch.zeros(2, dtype=torch.long)).to("meta")
    assert batch.x.is_meta and batch.labels.is_meta
    assert Batch(torch.zeros(2, 3), None).to("meta").labels is None
