"""Whether the time of an answer tells why somebody cannot be reached: a report, not a test.

    python -m tests.rulebook.timing [--tries 2000] [--house sqlite]

Every cause is asked about so many times, one after the other in a changing order. For each two
causes the Kolmogorov-Smirnov statistic says how far their times' distributions are apart at most,
beside the 1 % point of what two samples of one distribution would show.
"""

from __future__ import annotations

import argparse
import asyncio
import bisect
import itertools
import math
import random
import statistics
import time

from tests.rulebook.alike import HOUSE_RULES, SOMEBODY_ELSE, ask, send, strangers
from tests.support import houses
from tests.support.careful_peer import careful
from tests.support.running import running_node

COMMANDS = ("message.send", "explain", "conversation.get")
ONE_PERCENT = 1.628  # of the statistic, times the root of 2/n, for two samples of n each


def apart(one: list[float], other: list[float]) -> float:
    """The Kolmogorov-Smirnov statistic of two samples."""
    one, other = sorted(one), sorted(other)
    return max(
        abs(bisect.bisect_right(one, at) / len(one) - bisect.bisect_right(other, at) / len(other))
        for at in itertools.chain(one, other)
    )


async def measured(tries: int) -> dict[str, list[float]]:
    """The times of every cause in microseconds, by what is asked and why."""
    chance = random.Random(1)
    async with running_node(policy=HOUSE_RULES) as server:
        frames = await strangers(server, "career-1")
        frames = {
            name: frame for name, frame in frames.items()
            if frame["cmd"] in COMMANDS and not name.endswith(SOMEBODY_ELSE)
        }  # fmt: skip
        async with careful(server, "sam.career-1") as (sam,):
            times: dict[str, list[float]] = {name: [] for name in frames}
            order = list(frames)
            for _ in range(tries):
                chance.shuffle(order)
                for name in order:
                    begun = time.perf_counter()
                    await ask(sam, frames[name])
                    times[name].append((time.perf_counter() - begun) * 1e6)
            await ask(sam, send("the-last"))
    return times


def report(times: dict[str, list[float]], tries: int) -> None:
    """The medians, and for each command the two causes that are furthest apart."""
    point = ONE_PERCENT * math.sqrt(2 / tries)
    print(f"{tries} tries of each cause; the 1 % point of one distribution is {point:.4f}\n")
    for cmd in COMMANDS:
        named = {name.split(": ")[1]: t for name, t in times.items() if name.startswith(cmd)}
        print(cmd)
        for cause, taken in named.items():
            others = [apart(taken, other) for name, other in named.items() if name != cause]
            print(
                f"  {cause:<16} median {statistics.median(taken):7.0f} µs"
                f"   apart from another by at most {max(others):.4f}"
            )
        pairs = {(a, b): apart(named[a], named[b]) for a, b in itertools.combinations(named, 2)}
        (a, b), most = max(pairs.items(), key=lambda pair: pair[1])
        print(f"  furthest apart: {a} and {b}, {most:.4f}\n")


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    arguments.add_argument("--tries", type=int, default=2_000)
    arguments.add_argument("--house", default=houses.EMBEDDED, choices=list(houses.HOUSES))
    chosen = arguments.parse_args()
    houses.CURRENT.set(chosen.house)
    report(asyncio.run(measured(chosen.tries)), chosen.tries)


if __name__ == "__main__":
    main()
