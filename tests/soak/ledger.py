"""All that was acknowledged and all that was handled, by place: two numbers of eight bytes an offset, so that hours fit into memory."""

from array import array

from broker import Failure, check

NUMBER_BITS = 40
NOTHING = -1


class Ledger:
    """What is known of each offset of each partition, as the number of the writer and of its record in one."""

    def __init__(self):
        self.writers = {}
        self.acknowledged, self.handled = {}, {}
        self.records = self.repeated = 0

    def code(self, writer, number):
        return self.writers.setdefault(writer, len(self.writers)) << NUMBER_BITS | number

    def name(self, code):
        """A record as people call it."""
        writer = list(self.writers)[code >> NUMBER_BITS]
        return f"record {code & ((1 << NUMBER_BITS) - 1)} of {writer}"

    def acknowledge(self, writer, topic, partition, offset, number):
        """A line of a writer."""
        if not self.note(self.acknowledged, (topic, int(partition)), int(offset), self.code(writer, int(number))):
            raise Failure(f"{topic}-{partition} acknowledged offset {offset} twice")
        self.records += 1

    def handle(self, topic, partition, offset, writer, number):
        """A line of a member; it may come again."""
        if not self.note(self.handled, (topic, int(partition)), int(offset), self.code(writer, int(number))):
            self.repeated += 1

    def note(self, places, place, offset, code):
        """Whether that is new; fails when something else was there."""
        codes = places.setdefault(place, array("q"))
        if offset >= len(codes):
            codes.extend([NOTHING] * (offset + 1 - len(codes)))
        before = codes[offset]
        if before not in (NOTHING, code):
            raise Failure(f"{place} at {offset}: {self.name(before)} became {self.name(code)}")
        codes[offset] = code
        return before == NOTHING

    def missing(self):
        """[(place, offset, code)] of what was acknowledged and not handled; fails where another record is there."""
        found = []
        for place, codes in self.acknowledged.items():
            handled = self.handled.get(place, array("q"))
            for offset, code in enumerate(codes):
                there = handled[offset] if offset < len(handled) else NOTHING
                if code == NOTHING or code == there:
                    continue
                check(there == NOTHING, f"{place} at {offset}: {self.name(code)} was acknowledged, {self.name(there)} is there")
                found.append((place, offset, code))
        return found

    def check_order(self):
        """Each writer's records stand once and in their order in every partition."""
        for place, codes in self.handled.items():
            last = {}
            for offset, code in enumerate(codes):
                if code == NOTHING:
                    continue
                writer = code >> NUMBER_BITS
                check(last.get(writer, NOTHING) < code, f"{place} at {offset}: {self.name(code)} is repeated or late")
                last[writer] = code

    def check_log(self, place, start, rows):
        """A partition's log, read from its start: no gap, no other record than was acknowledged or handled."""
        acknowledged = self.acknowledged.get(place, array("q"))
        expected = start
        for offset, writer, number in rows:
            check(offset == expected, f"{place}: offset {offset} came, not {expected}")
            self.note(self.handled, place, offset, self.code(writer, number))
            expected += 1
        check(expected >= len(acknowledged), f"{place} ends at {expected}, acknowledged was {len(acknowledged) - 1}")
