"""Schedules the slow way: the rule of native/schedule/schedule.hpp in Python's whole numbers."""

MASK = 2**32 - 1
ONE = 10**9


def philox(counter, key):
    """Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC11): four words of four, keyed by two."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & MASK, (p0 >> 32) ^ c3 ^ k1, p0 & MASK
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return c0, c1, c2, c3


def draws(words, seed, stream=0):
    """The first words of a seed's stream."""
    key = seed & MASK, seed >> 32
    return [word for block in range(-(-words // 4)) for word in philox((block, stream, 0, 0), key)][:words]


def slices(lots, lot, start, end, count, least, most, jitter, size_jitter, seed, stream=0):
    """[(ts, quantity)]: stratified in time, and in cumulative size around the straight line."""
    words = draws(2 * count, seed, stream)
    half = (end - start) // count // 2
    reach = min(jitter, half)
    times = [start + (end - start) * k // count + half - reach + (2 * reach * words[2 * k] >> 32) for k in range(count)]
    width = lots * size_jitter // ONE
    done = [0]
    for k in range(1, count):
        target = (2 * (k * lots + (width * words[2 * k + 1] >> 32) - width // 2) + count) // (2 * count)
        later = count - k
        low = max(done[-1] + least, lots - later * most)
        high = min(done[-1] + most, lots - later * least)
        done.append(min(max(target, low), high))
    done.append(lots)
    return [(ts, (done[k + 1] - done[k]) * lot) for k, ts in enumerate(times)]
