"""Repeats by remembering everything."""


class SeenBatches:
    """A set of (route, boot epoch, sequence)."""

    def __init__(self):
        self.seen = set()

    def mark_repeated(self, payloads):
        repeated = []
        for route, boot_epoch, sequence in payloads:
            identity = (route, boot_epoch, sequence)
            repeated.append(sequence != 0 and identity in self.seen)
            self.seen.add(identity)
        return repeated

    def gap_count(self):
        highest = {}
        for route, boot_epoch, sequence in self.seen:
            key = (route, boot_epoch)
            highest[key] = max(highest.get(key, 0), sequence)
        came = sum(1 for identity in self.seen if identity[2] != 0)
        return sum(highest.values()) - came
