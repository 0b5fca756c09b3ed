"""Sabre's sessions in Sabre's own units, bits and milliseconds, rules included.

A second implementation that shares nothing with ours, written from the description of
the reference tool and held to its recorded sessions. Tests compare ours with it on
networks and titles that nobody recorded. Sums are made in the tool's order: its rules
meet levels where two rungs score the same, and rounding decides.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Answer = tuple[int, float]
"""Rung, and milliseconds to wait."""


@dataclass
class Title:
    """What is played."""

    segment_ms: float
    rates: list[float]
    """kbit/s, ascending."""
    sizes: list[list[float]]
    """Bits per segment and rung."""


class Net:
    """A looping link: periods of (ms, kbit/s, latency ms)."""

    def __init__(self, periods: list[tuple[float, float, float]]) -> None:
        self.periods = periods
        self.k = 0
        self.left = periods[0][0]

    def _turn(self) -> None:
        self.k = (self.k + 1) % len(self.periods)
        self.left = self.periods[self.k][0]

    def latency(self) -> float:
        """Pay one unit of latency."""
        took, units = 0.0, 1.0
        while True:
            price = self.periods[self.k][2]
            cost = units * price
            if cost <= self.left:
                self.left -= cost
                return took + cost
            took += self.left
            units -= self.left / price
            self._turn()

    def idle(self, ms: float) -> None:
        while ms > self.left:
            ms -= self.left
            self._turn()
        self.left -= ms

    def all(self, bits: float) -> float:
        """Download ``bits``; how long that took."""
        took = 0.0
        while True:
            rate = self.periods[self.k][1]
            if bits <= self.left * rate:
                self.left -= bits / rate
                return took + bits / rate
            took += self.left
            bits -= self.left * rate
            self._turn()

    def some(self, bits: float, least_bits: float, least_ms: float) -> tuple[float, float]:
        """Download until both leasts are met, or all is there; bits and time."""
        got = took = 0.0
        while bits > 0 and (least_bits > 0 or least_ms > 0):
            rate = self.periods[self.k][1]
            if rate > 0:
                goal, room = max(least_bits, least_ms * rate), self.left * rate
                if min(bits, goal) <= room:
                    part = min(bits, goal)
                    self.left -= part / rate
                    return got + part, took + part / rate
                part, ms = room, self.left
                self._turn()
            elif least_bits > 0 or least_ms > self.left:
                part, ms = 0.0, self.left
                self._turn()
            else:
                part, ms = 0.0, least_ms
                self.left -= ms
            got, took = got + part, took + ms
            bits, least_bits, least_ms = bits - part, least_bits - part, least_ms - ms
        return got, took


class Means:
    """Throughput and latency: two decaying means, or the mean of the last few."""

    def __init__(self, title: Title, window: int) -> None:
        self.window = window
        self.lives = [3000.0, 8000.0]
        self.per_segment = [life / title.segment_ms for life in self.lives]
        self.sums = [[0.0, 0.0], [0.0, 0.0]]
        self.weights = [0.0, 0]
        self.past: list[tuple[float, float]] = []
        self.rate = self.wait = math.nan

    def add(self, ms: float, rate: float, wait: float) -> None:
        self.past.append((rate, wait))
        if self.window:
            last = self.past[-self.window :]
            self.rate = sum(r for r, _ in last) / len(last)
            self.wait = sum(w for _, w in last) / len(last)
            return
        self.weights[0] += ms
        self.weights[1] += 1
        rates, waits = [], []
        for i in range(2):
            keep = math.pow(0.5, ms / self.lives[i])
            self.sums[0][i] = keep * self.sums[0][i] + (1 - keep) * rate
            keep = math.pow(0.5, 1 / self.per_segment[i])
            self.sums[1][i] = keep * self.sums[1][i] + (1 - keep) * wait
            rates.append(self.sums[0][i] / (1 - math.pow(0.5, self.weights[0] / self.lives[i])))
            waits.append(
                self.sums[1][i] / (1 - math.pow(0.5, self.weights[1] / self.per_segment[i]))
            )
        self.rate, self.wait = min(rates), max(waits)


@dataclass
class World:
    """What rules may look at."""

    title: Title
    means: Means
    limit_ms: float
    flags: dict[str, Any]
    level: float = 0.0

    def sustained(self, rate: float) -> int:
        segment, rates, q = self.title.segment_ms, self.title.rates, 0
        while q + 1 < len(rates) and self.means.wait + segment * rates[q + 1] / rate <= segment:
            q += 1
        return q

    def affordable(self, q: int, caution: float) -> int:
        safe = caution * (self.level - self.means.wait) * self.means.rate
        for k in range(q):
            if self.title.rates[k + 1] * self.title.segment_ms > safe:
                return k
        return q


@dataclass
class Part:
    """A download under way: its figures in bits and milliseconds."""

    q: int
    size: float
    got: float
    ms: float
    wait: float
    level: float
    """Buffer now."""

    def scaled(self, rates: list[float], q: int) -> float:
        return self.size * rates[q] / rates[self.q]


class Throughput:
    def __init__(self, world: World) -> None:
        self.world, self.caution = world, 0.9

    def choose(self, index: int) -> Answer:
        q = self.world.sustained(self.world.means.rate * 0.9)
        if self.world.flags.get("ibr", True):
            q = self.world.affordable(q, self.caution)
            self.caution = max(self.caution * 0.9, 0.5)
        return q, 0.0

    def abandon(self, part: Part) -> int | None:
        moving = part.ms - part.wait
        if part.ms < 500 or moving <= 0:
            return None
        rate, left = part.got / moving, part.size - part.got
        if part.ms + left / rate <= 1.8 * self.world.title.segment_ms:
            return None
        q = self.world.sustained(rate * 0.9)
        if q >= part.q or part.scaled(self.world.title.rates, q) >= left:
            return None
        return q

    def waited(self, ms: float) -> None: ...

    def report(self, part: Part, target: int | None, *, again: bool) -> None: ...


class Bola:
    def __init__(self, world: World) -> None:
        self.world, self.last = world, 0
        offset = -math.log(world.title.rates[0])
        self.u = [math.log(rate) + offset for rate in world.title.rates]
        self.gp = 5.0
        self.vp = (world.limit_ms - world.title.segment_ms) / (self.u[-1] + self.gp)

    def choose(self, index: int) -> Answer:
        title, level = self.world.title, self.world.level
        if not self.world.flags.get("basic"):
            near = max(min(index, len(title.sizes) - index) / 2, 3) * title.segment_ms
            limit = min(self.world.limit_ms, near)
            self.vp = (limit - title.segment_ms) / (self.u[-1] + self.gp)
        q, wait = best(self.vp, self.gp, self.u, title.rates, level), 0.0
        if q > self.last:
            top = self.world.sustained(self.world.means.rate)
            if q > top:
                if self.last > top:
                    q = self.last
                elif self.world.flags.get("osc"):
                    q = top
                    if q < len(title.rates) - 1:
                        wait = max(0, level - self.vp * (self.gp + self.u[q]))
                else:
                    q = top + 1
        self.last = q
        return q, wait

    def abandon(self, part: Part) -> int | None:
        if self.world.flags.get("basic"):
            return None
        left = part.size - part.got
        score = (self.vp * (self.gp + self.u[part.q]) - part.level) / left
        if score < 0:
            return None
        target = better(self, part, part.level, left, score)
        self.last = self.last if target is None else target
        return target

    def waited(self, ms: float) -> None: ...

    def report(self, part: Part, target: int | None, *, again: bool) -> None: ...


class BolaE:
    def __init__(self, world: World) -> None:
        self.world, self.last, self.extra, self.caution = world, 0, 0.0, 0.0
        rates = world.title.rates
        offset = 1 - math.log(rates[0])
        self.u = [math.log(rate) + offset for rate in rates]
        if world.flags.get("ibr", True):
            limit = max(10000 + 2000 * len(rates), world.limit_ms)
            self.gp = (self.u[-1] - 1) / (limit / 10000 - 1)
            self.vp = 10000 / self.gp
        else:
            self.gp = 5.0 - 1
            self.vp = (world.limit_ms - world.title.segment_ms) / (self.u[-1] + self.gp)

    def least(self, q: int) -> float:
        level, b, u = 0.0, self.world.title.rates[q], self.u[q]
        for bb, uu in zip(self.world.title.rates[:q], self.u[:q], strict=True):
            if uu < u:
                level = max(level, self.vp * (self.gp + (b * uu - bb * u) / (b - bb)))
        return level

    def most(self, q: int) -> float:
        return self.vp * (self.u[q] + self.gp)

    def choose(self, index: int) -> Answer:
        world, level = self.world, self.world.level
        top = world.sustained(world.means.rate)
        if not self.caution:
            self.caution = 0.9
            self.extra = max(0, self.least(top) - level)
            return top, 0.0
        q = best(self.vp, self.gp, self.u, world.title.rates, level + self.extra)
        if q > self.last and q > top:
            q = max(self.last, top) + (0 if world.flags.get("osc") else 1)
        wait = max(level + self.extra - self.most(q), 0)
        paid = min(wait, self.extra)
        wait, self.extra = wait - paid, self.extra - paid
        if q == len(world.title.rates) - 1:
            wait = 0.0
        if world.flags.get("ibr", True):
            lower = world.affordable(q, self.caution)
            self.caution = max(self.caution * 0.9, 0.5)
            if lower < q:
                self.extra = min(max(0, self.least(lower) - level), self.extra)
                return lower, 0.0
        return q, wait

    def abandon(self, part: Part) -> int | None:
        level = max(0, part.level + self.extra - part.wait)
        left = part.size - part.got - part.wait * (part.got / (part.ms - part.wait))
        if left <= 0:
            return None
        score = (self.vp * (self.gp + self.u[part.q]) - level) / left
        return better(self, part, level, left, score)

    def waited(self, ms: float) -> None:
        self.extra += ms

    def report(self, part: Part, target: int | None, *, again: bool) -> None:
        self.last, level = part.q, self.world.level
        if target is None and again:
            self.extra += self.world.title.segment_ms
        elif target is None:
            was = level + part.ms
            self.extra = min(self.extra, max(0, self.most(part.q) - was))
            if level > 0:
                self.extra = max(self.extra, self.least(part.q) - was)
        elif not again:
            want = self.least(target) if target > 0 else 10000
            self.extra = min(self.extra, max(0, want - level))


class Dynamic:
    def __init__(self, world: World) -> None:
        self.world, self.high, self.low = world, Bola(world), Throughput(world)
        self.is_high = False

    def choose(self, index: int) -> Answer:
        b, t = self.high.choose(index), self.low.choose(index)
        if self.is_high and self.world.level < 10000 and b[0] < t[0]:
            self.is_high = False
        elif not self.is_high and self.world.level > 10000 and b[0] >= t[0]:
            self.is_high = True
        return b if self.is_high else t

    def abandon(self, part: Part) -> int | None:
        return self.low.abandon(part)

    def waited(self, ms: float) -> None: ...

    def report(self, part: Part, target: int | None, *, again: bool) -> None:
        self.is_high = self.is_high and not again


class DynamicDash:
    def __init__(self, world: World) -> None:
        self.world, self.high, self.low = world, BolaE(world), Throughput(world)
        self.now: BolaE | Throughput = self.low

    def choose(self, index: int) -> Answer:
        if self.now is self.high and self.world.level < 5000:
            self.now = self.low
        elif self.now is self.low and self.world.level > 10000:
            self.now = self.high
        return self.now.choose(index)

    def abandon(self, part: Part) -> int | None:
        return self.now.abandon(part)

    def waited(self, ms: float) -> None:
        self.high.waited(ms)

    def report(self, part: Part, target: int | None, *, again: bool) -> None:
        self.high.report(part, target, again=again)


def best(vp: float, gp: float, u: list[float], rates: list[float], level: float) -> int:
    scores = [(vp * (u[q] + gp) - level) / rates[q] for q in range(len(rates))]
    return scores.index(max(scores))


def better(rule: Bola | BolaE, part: Part, level: float, left: float, score: float) -> int | None:
    target = None
    for q in range(part.q):
        size = part.scaled(rule.world.title.rates, q)
        other = (rule.vp * (rule.gp + rule.u[q]) - level) / size
        if size < left and other > score:
            target, score = q, other
    return target


RULES: dict[str, Callable[[World], Any]] = {
    "bola": Bola,
    "bolae": BolaE,
    "throughput": Throughput,
    "dynamic": Dynamic,
    "dynamicdash": DynamicDash,
}


def configured(name: str) -> tuple[str, dict[str, Any]]:
    """Rule and flags of a configuration's name."""
    rule, _, word = name.partition("_")
    flags: dict[str, dict[str, Any]] = {
        "": {},
        "basic": {"basic": True},
        "osc": {"osc": True},
        "noibr": {"ibr": False},
        "b60": {"limit_ms": 60000.0},
        "slide": {"window": 3},
        "left": {"replace": "left"},
        "right": {"replace": "right"},
    }
    return rule, flags[word]


@dataclass
class Outcome:
    """What one session came to."""

    rungs: list[int] = field(default_factory=list)
    stall_ms: float = 0.0
    stalls: int = 0
    total_ms: float = 0.0
    downloads: int = 0
    abandoned: int = 0


class EndlessError(Exception):
    """The tool would abandon for ever."""


class Session:
    """Sabre's loop."""

    def __init__(self, config: str, title: Title, net: Net, *, abandon: bool) -> None:
        rule, flags = configured(config)
        self.title, self.net, self.abandon = title, net, abandon
        limit_ms = flags.get("limit_ms", 25000.0)
        self.world = World(title, Means(title, flags.get("window", 0)), limit_ms, flags)
        self.rule = RULES[rule](self.world)
        self.replace = flags.get("replace", "")
        self.held: list[int] = []
        self.consumed = 0.0
        self.out = Outcome()

    def look(self) -> None:
        self.world.level = self.title.segment_ms * len(self.held) - self.consumed

    def play(self, ms: float) -> None:
        out, segment = self.out, self.title.segment_ms
        out.total_ms += ms
        if not self.held:
            out.stall_ms += ms
            return
        if self.consumed > 0:
            if ms + self.consumed < segment:
                self.consumed += ms
                self.look()
                return
            ms -= segment - self.consumed
            self.held.pop(0)
            self.consumed = 0.0
        while ms > 0 and self.held:
            if ms < segment:
                self.consumed, ms = ms, 0.0
            else:
                self.held.pop(0)
                ms -= segment
        if ms > 0:
            out.stall_ms += ms
            out.stalls += 1
        self.look()

    def to_replace(self, q: int) -> int | None:
        """Place from the end of the buffer, a negative number."""
        skip = math.ceil(1.5 + self.consumed / self.title.segment_ms)
        places = list(range(skip, len(self.held)))
        if self.replace == "right":
            places.reverse()
        for i in places if self.replace else []:
            if self.held[i] < q:
                return i - len(self.held)
        return None

    def fetch(
        self, size: float, q: int, ask: Callable[[Part], int | None] | None
    ) -> tuple[Part, int | None]:
        wait = self.net.latency()
        if ask is None:
            return Part(q, size, size, wait + self.net.all(size), wait, 0), None
        part, pause = Part(q, size, 0.0, wait, wait, 0), 50 - wait
        target = None
        while part.got < size and target is None:
            got, took = self.net.some(size - part.got, 12000, pause)
            part.ms += took
            part.got += got
            part.level = max(0, self.world.level - part.ms)
            if part.got < size:
                target = ask(part)
            pause = 50
        return part, target

    def run(self) -> Outcome:
        title, world, out = self.title, self.world, self.out
        first, _ = self.fetch(title.sizes[0][0], 0, None)
        self.learn(first)
        self.held, out.rungs, out.total_ms, out.downloads = [0], [0], first.ms, 1
        self.look()
        while len(out.rungs) < len(title.sizes):
            self.once(len(out.rungs))
        out.total_ms += world.level
        return out

    def once(self, index: int) -> None:
        """One turn of the loop."""
        title, world, out = self.title, self.world, self.out
        if out.abandoned >= 1000 * len(title.sizes):
            raise EndlessError
        full = world.level + title.segment_ms - world.limit_ms
        if full > 0:
            self.play(full)
            self.net.idle(full)
            self.rule.waited(full)
        q, wait = self.rule.choose(index)
        back = self.to_replace(q)
        if back is None and wait > 0:
            self.play(wait)
            self.net.idle(wait)
        wanted = index + (back or 0)

        def late(part: Part) -> int | None:
            return -1 if part.level + title.segment_ms * (back or 0) <= 0 else None

        ask = self.rule.abandon if back is None else late
        part, target = self.fetch(title.sizes[wanted][q], q, ask if self.abandon else None)
        self.play(part.ms)
        out.downloads += 1
        out.abandoned += target is not None
        if target is None:
            if back is None:
                self.held.append(q)
                out.rungs.append(q)
            elif world.level + title.segment_ms * back >= 0:
                self.held[back] = q
                out.rungs[wanted] = q
            self.look()
        self.rule.report(part, target, again=back is not None)
        if target is None:
            self.learn(part)

    def learn(self, part: Part) -> None:
        moving = part.ms - part.wait
        self.world.means.add(moving, part.got / moving, part.wait)
