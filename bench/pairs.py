# SPDX-License-Identifier: BSD-2-Clause
"""Guests that take turns, and the host's floor between: figures of one run that can be compared.

The machine that runs this is shared and noisy: single figures mean little, so every pair measures
all guests, mostly two, within seconds of each other, the first pair warms up and is dropped, and what is
reported is the ratio of the two medians.
"""


def run_pairs(guests, pairs, turn, floor, progress):
    """Runs pairs + 1 interleaved pairs and drops the first. `guests` maps a name to a guest; all
    but the one whose turn it is are stopped, so that they cost the host nothing. Which one goes
    first alternates. `turn` gives what it measured of a guest, `floor` of the host alone.
    Returns ({name: [what each turn gave]}, [what each floor gave])."""
    samples = {name: [] for name in guests}
    floors = []
    for guest in guests.values():
        guest.pause()
    for pair in range(pairs + 1):
        order = list(guests) if pair % 2 == 0 else list(guests)[::-1]
        results = {}
        for name in order:
            guests[name].resume()
            results[name] = turn(guests[name])
            guests[name].pause()
            progress(pair, name, results[name])
        host = floor()
        if pair > 0:
            floors.append(host)
            for name, result in results.items():
                samples[name].append(result)
    return samples, floors
