"""``abr traces``: what is in trace files, and other trace files made of them."""

from __future__ import annotations

import click

from bench.traces.cli.convert import convert
from bench.traces.cli.edit import concat, scale, slice_trace
from bench.traces.cli.look import list_traces, stats, validate
from bench.traces.cli.models import fit_model, generate_traces
from bench.traces.cli.plot import plot


@click.group(no_args_is_help=True)
def traces() -> None:
    """Inspect, convert, draw, generate and edit network traces.

    A trace is the capacity of a link over time. Files may be of any known format,
    which is detected from their content. Where a command takes several, a folder stands for
    all files in and below it, and a quoted pattern for the files that match.

    \b
    Examples:
      abr traces list
      abr traces stats traces/
      abr traces validate "traces/**/*.log"
      abr traces convert traces/ --to mahimahi --out mahimahi/
      abr traces plot train.csv home.csv --out traces.png
      abr traces generate lte-walking --seed 1 --count 20 --duration 300 --out lte/
    """


for _command in (
    list_traces,
    stats,
    validate,
    convert,
    plot,
    generate_traces,
    fit_model,
    slice_trace,
    scale,
    concat,
):
    traces.add_command(_command)
