"""How near generated traces come to what is stated of real ones, and to real files.

    python tests/perf/generator_goodness.py [--lags] [CORPUS]

For every model and kind: the Kolmogorov-Smirnov distance of capacities and the
autocorrelation at lags of 1 to 10 periods, of as many draws as traces were fitted (120 at
most), as long as those were on average. ``stated`` is what the model file says of the
real traces: the product of its quantiles of means and of ratios, and its autocorrelation.
``held out`` is the distance the file states from traces that were kept from the fit.
CORPUS (../shared/traces beside this checkout) holds real files of four classes; ``by
chance`` is the distance that 1 in 20 sets of as many draws have from the model itself.
Bars: distances at most 0.15, lag 1 within 0.15. Exit code 1 when a class that is not known
to fall short misses the stated figures.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from abr.files.models import model, names
from abr.generators import KINDS, Kind, Model, generate
from abr.generators.measures import autocorrelation, ks_distance, resample
from abr.media import FloatArray
from abr.traceformats import read_trace

KS_BAR = LAG_BAR = 0.15
LAGS = 10
TRACES = 120
GRID = 400
SETS = 40
BESIDE = Path(__file__).parents[3] / "shared" / "traces"
FALL_SHORT = {("fcc-home", "chain")}
"""Autocorrelation of the stated figures missed; docs/traces.md says why."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Real files that a class can be held against."""

    pattern: str
    kind: str
    scale: float = 1.0
    """What the files' figures are times: one corpus holds bytes where it says bits."""


CORPORA = {
    "3g-commute": Corpus("hsdpa_norway/*", "cooked"),
    "fcc-home": Corpus("fcc_cooked/trace_*", "cooked"),
    "puffer-home": Corpus("puffer_cooked/trace*", "cooked", 8.0),
    "lte-driving": Corpus("mahimahi/*LTE*", "mahimahi"),
}


@dataclass(frozen=True, slots=True)
class Against:
    """Generated traces against others."""

    ks: float
    """Distance of capacities."""
    ks_ratio: float
    """Distance of capacities over the mean of their trace."""
    acf: tuple[float, ...]
    """Autocorrelation of the generated ones."""
    acf_other: tuple[float, ...]
    """That of the others."""

    @property
    def lag_gap(self) -> float:
        """How far lag 1 is off."""
        return abs(self.acf[0] - self.acf_other[0])

    @property
    def holds(self) -> bool:
        """Both bars."""
        return self.ks <= KS_BAR and self.lag_gap <= LAG_BAR


def drawn(held: Model, kind: Kind, lengths_s: list[float], count: int) -> list[FloatArray]:
    """Capacities of seeds 0, 1, ..., of these lengths in turn."""
    return [
        generate(held, seed=k, duration_s=lengths_s[k % len(lengths_s)], kind=kind).capacity_bps
        for k in range(count)
    ]


def stated_capacities(held: Model) -> FloatArray:
    """The distribution the file states: every mean with every ratio."""
    levels = ((np.arange(GRID) + 0.5) / GRID).tolist()
    means = np.array([held.copula.mean_bps.at(level) for level in levels])
    ratios = np.array([held.copula.ratios.at(level) for level in levels])
    return np.outer(means, ratios).ravel()


def against_stated(held: Model, kind: Kind) -> Against:
    """As many draws as were fitted, against what the file says of the real ones."""
    count = min(held.fitted_traces, TRACES)
    rows = drawn(held, kind, [held.fitted_s / held.fitted_traces], count)
    levels = ((np.arange(GRID) + 0.5) / GRID).tolist()
    ratios = np.array([held.copula.ratios.at(level) for level in levels])
    return Against(
        ks=ks_distance(np.concatenate(rows), stated_capacities(held)),
        ks_ratio=ks_distance(over_mean(rows), ratios),
        acf=autocorrelation(rows, LAGS),
        acf_other=held.goodness["copula"].acf_real,  # of all traces; the chain's is of half
    )


def against_files(held: Model, kind: Kind, real: list[FloatArray]) -> Against:
    """Draws of the lengths of the real files, against these."""
    lengths_s = [len(row) * held.period_s for row in real]
    rows = drawn(held, kind, lengths_s, max(TRACES, len(real)))
    return Against(
        ks=ks_distance(np.concatenate(rows), np.concatenate(real)),
        ks_ratio=ks_distance(over_mean(rows), over_mean(real)),
        acf=autocorrelation(rows, LAGS),
        acf_other=autocorrelation(real, LAGS),
    )


def by_chance(held: Model, kind: Kind, real: list[FloatArray]) -> float:
    """The distance that 1 in 20 sets of as many draws have from the model itself."""
    lengths_s = [len(row) * held.period_s for row in real]
    rows = drawn(held, kind, lengths_s, SETS * len(real))
    whole = np.concatenate(rows)
    sets = [rows[k * len(real) : (k + 1) * len(real)] for k in range(SETS)]
    return float(np.quantile([ks_distance(np.concatenate(part), whole) for part in sets], 0.95))


def over_mean(rows: list[FloatArray]) -> FloatArray:
    """Capacities over the mean of their trace."""
    return np.concatenate([row / row.mean() for row in rows])


def real_series(corpus: Corpus, folder: Path, period_s: float) -> list[FloatArray]:
    """What the files of a corpus hold, at the model's period."""
    files = sorted(folder.glob(corpus.pattern))
    traces = [read_trace(file.read_bytes(), name=file.name, format=corpus.kind) for file in files]
    rows = [corpus.scale * resample(trace, period_s) for trace in traces]
    return [row for row in rows if len(row) > LAGS]


def stated_row(name: str, kind: Kind) -> tuple[str, Against]:
    """One line of the first table."""
    held = model(name)
    found = against_stated(held, kind)
    said = held.goodness[kind]
    verdict = "holds" if found.holds and said.ks <= KS_BAR else "falls short"
    own = "" if said.ks_real is None else f"{said.ks_real:.3f}"
    cells = (
        f"`{name}`",
        kind,
        f"{found.ks:.3f}",
        f"{said.ks:.3f}",
        own,
        *(f"{found.acf[lag - 1]:.2f} / {found.acf_other[lag - 1]:.2f}" for lag in (1, 2, 5, 10)),
        verdict,
    )
    return "| " + " | ".join(cells) + " |", found


def file_row(name: str, kind: Kind, real: list[FloatArray]) -> str:
    """One line of the second table."""
    found = against_files(model(name), kind, real)
    cells = (
        f"`{name}`",
        kind,
        f"{len(real)}",
        f"{found.ks:.3f}",
        f"{by_chance(model(name), kind, real):.3f}",
        f"{found.ks_ratio:.3f}",
        *(f"{found.acf[lag - 1]:.2f} / {found.acf_other[lag - 1]:.2f}" for lag in (1, 2, 5, 10)),
        "holds" if found.holds else "falls short",
    )
    return "| " + " | ".join(cells) + " |"


def main(arguments: list[str]) -> int:
    """Print both tables."""
    every_lag = "--lags" in arguments
    folders = [argument for argument in arguments if not argument.startswith("-")]
    corpus = Path(folders[0]) if folders else BESIDE
    missed = []
    print("| class | kind | KS, stated | KS, held out | KS, real halves ", end="")
    print("| lag 1 | lag 2 | lag 5 | lag 10 | bars |")
    print("|---" * 10 + "|")
    for name in names():
        for kind in KINDS:
            line, found = stated_row(name, kind)
            print(line)
            if every_lag:
                print("    drawn ", *(f"{value:6.3f}" for value in found.acf))
                print("    stated", *(f"{value:6.3f}" for value in found.acf_other))
            if not found.holds and (name, kind) not in FALL_SHORT:
                missed.append((name, kind))
    if not corpus.is_dir():
        print("\nno real files beside this checkout: the second table is left out")
    else:
        print("\n| class | kind | files | KS | by chance | KS of ratios ", end="")
        print("| lag 1 | lag 2 | lag 5 | lag 10 | bars |")
        print("|---" * 11 + "|")
        for name, files in CORPORA.items():
            real = real_series(files, corpus, model(name).period_s)
            for kind in KINDS:
                print(file_row(name, kind, real))
    for name, kind in missed:
        print(f"MISSED: {name} {kind}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
