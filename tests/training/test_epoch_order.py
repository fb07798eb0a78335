import itertools

from hf_bionerkd.training.epoch_order import EpochOrder


def test_orders_are_shuffles_of_seed_and_epoch():
    class Data:
        def __init__(self, epoch):
            self.epoch, self.lengths = epoch, [i % 13 for i in range(101)]

        def __len__(self):
            return 101

    orders = [
        list(EpochOrder(Data(epoch), seed, size)) for epoch, seed, size in itertools.product((0, 1), (0, 1), (0, 8))
    ]
    assert all(sorted(order) == list(range(101)) for order in orders)
    assert len({tuple(order) for order in orders}) == len(orders)
    assert list(EpochOrder(Data(1), 0, 8)) == orders[5]
    filled = EpochOrder(Data(1), 0, 8, multiple_of=16)
    assert list(filled) == orders[5] + [-1] * 11 and len(filled) == 112
    by_length = orders[1]
    spread = [
        max(by_length[i + j] % 13 for j in range(8)) - min(by_length[i + j] % 13 for j in range(8))
        for i in range(0, 96, 8)
    ]
    assert max(spread) <= 2
    assert [by_length[i] % 13 for i in range(0, 96, 8)] != sorted(
        (by_length[i] % 13 for i in range(0, 96, 8)), reverse=True
    )
