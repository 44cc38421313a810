"""Idempotent producers: their ids, epochs and sequences."""

from cases.logs import produce, read
from cases.produce import IDEMPOTENT
from script import Ask, Batch, Case, Sum, Topic


def init(**fields):
    """InitProducerId, without a transactional id unless one is given."""
    return Ask("InitProducerId", {"transactional_id": None, "transaction_timeout_ms": 60_000, **fields},
               save={"producer": "producer_id"} if not fields else {})


def sent(epoch, sequence, *values, id="$producer"):
    """A batch of the producer."""
    return produce((0, Batch(*(values or ("a",)), producer=(id, epoch, sequence))))


def sequences(title, *batches):
    """What a producer's batches lead to, and what is in the log then."""
    return Case("Produce", title, Topic(), IDEMPOTENT, *batches, read(), versions=range(7, 14, 3))


CASES = [
    Case("InitProducerId", "an id", init(), init()),
    Case("InitProducerId", "an empty transactional id", init(transactional_id="")),
    Case("InitProducerId", "an id that nobody has, to be renewed", init(producer_id=123_456, producer_epoch=3)),
    Case("InitProducerId", "its own id, to be renewed", init(), init(producer_id="$producer", producer_epoch=0)),
    Case("InitProducerId", "an id without an epoch", init(producer_id=5, producer_epoch=-1)),
    Case("InitProducerId", "an epoch without an id", init(producer_id=-1, producer_epoch=5)),
    Case("InitProducerId", "no time for a transaction", init(transaction_timeout_ms=0), init(transaction_timeout_ms=-1)),
    sequences("sequences in order", sent(0, 0, "a", "b"), sent(0, 2), sent(0, 3)),
    sequences("the newest batch again", sent(0, 0, "a", "b"), sent(0, 2), sent(0, 2)),
    sequences("an older batch again", *(sent(0, at) for at in range(4)), sent(0, 1)),
    sequences("a batch that is too old to be known", *(sent(0, at) for at in range(7)), sent(0, 0), sent(0, 1)),
    sequences("a gap", sent(0, 0), sent(0, 2)),
    sequences("a part of a batch again", sent(0, 0, "a", "b", "c"), sent(0, 1, "b", "c")),
    sequences("a batch again, but longer", sent(0, 0, "a", "b"), sent(0, 0, "a", "b", "c")),
    sequences("a first sequence that is not 0", sent(0, 5), sent(0, 6), sent(0, 8)),
    sequences("a new epoch", sent(0, 0), sent(1, 0), sent(1, 1)),
    sequences("a new epoch that does not begin at 0", sent(0, 0), sent(1, 3)),
    sequences("an old epoch", sent(3, 0), sent(2, 0), sent(3, 1)),
    sequences("a negative epoch", sent(-1, 0)),
    sequences("a negative sequence", sent(0, -1)),
    sequences("a sequence below -1", sent(0, -2)),
    sequences("an epoch with a negative sequence below", sent(-2, -2)),
    sequences("an id that nobody gave out", sent(0, 0, id=987_654_321), sent(0, 1, id=987_654_321)),
    sequences("an id without epoch and sequence", sent(-1, -1)),
    sequences("sequences past the largest", sent(0, 2**31 - 1), sent(0, 0), sent(0, 1)),
    sequences("a batch across the largest sequence", sent(0, 2**31 - 2, "a", "b", "c"), sent(0, 1)),
    sequences("two producers", IDEMPOTENT, sent(0, 0), produce((0, Batch("b", producer=(Sum("$producer", -1), 0, 0)))), sent(0, 1)),
]
