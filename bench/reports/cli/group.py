"""``abr bench``: experiments that can be repeated and believed.

The group stands with the reports, which know experiments; those know no reports.
"""

from __future__ import annotations

import click

from bench.experiments.cli import plan, run
from bench.reports.cli.experiment import compare, p1203, report


@click.group(no_args_is_help=True)
def bench() -> None:
    """Compare algorithms over many networks, with intervals.

    A plan names algorithms, networks and presentations; every algorithm plays every
    presentation over every network. Reports show differences on the same networks,
    each with its confidence interval.

    \b
    Examples:
      abr bench run --quick --out results
      abr bench report results --html report.html
      abr bench plan > plan.toml
      abr bench run plan.toml --out results
      abr bench compare old-results new-results
    """


for _command in (plan, run, report, compare, p1203):
    bench.add_command(_command)
