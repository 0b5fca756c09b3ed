"""``abr traces generate`` and ``fit``: traces out of a model, a model out of traces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abr.cli.traces import columns_option
from abr.errors import InputError
from bench.traces.cli.write import FORCE_HELP

if TYPE_CHECKING:
    from abr.generators import Model


@click.command("generate", no_args_is_help=True, short_help="Draw traces of a class of networks.")
@click.argument("model_name", metavar="CLASS")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seed of the first trace; the others use the numbers after it.",
)
@click.option(
    "--count", type=click.IntRange(min=1), default=1, show_default=True, help="Number of traces."
)
@click.option(
    "--duration",
    "duration_s",
    type=click.FloatRange(min=0.001),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="Length of each trace.",
)
@click.option(
    "--kind",
    type=click.Choice(["chain", "copula"]),
    help="Regimes and outages, or two time scales. [whichever fits the class better]",
)
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder for the files; created if missing.",
)
@click.option(
    "--format",
    "form",
    default="csv",
    show_default=True,
    metavar="FORMAT",
    help="Format of the files.",
)
@click.option("--force", is_flag=True, help=FORCE_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def generate_traces(
    model_name: str,
    seed: int,
    count: int,
    duration_s: float,
    kind: str | None,
    out: Path,
    form: str,
    force: bool,
    as_json: bool,
) -> None:
    """Draw traces of a CLASS of networks: a built-in model, or a model file of your own.

    The same class, kind, seed and duration give the same bytes on every machine.
    `abr traces list` shows the classes.

    \b
    Examples:
      abr traces generate lte-walking --seed 1 --count 20 --duration 300 --out lte/
      abr traces generate 3g-commute --kind chain --out 3g/ --format mahimahi
      abr traces generate model.json --seed 7 --out mine/
    """
    from abr.files.models import find_model
    from abr.generators import generate
    from abr.shell import note
    from abr.traceformats import write_trace
    from bench.traces.cli.write import check_folder, check_free, check_writable_format, write_result
    from bench.traces.files import progress
    from bench.traces.names import suffix_of

    check_writable_format(form)
    check_folder(out)
    model = find_model(model_name)
    chosen: Any = kind or model.default_kind
    seeds = range(seed, seed + count)
    paths = [out / f"{model.name}-{chosen}-{each}{suffix_of(form)}" for each in seeds]
    check_free(paths, force=force)
    means = []
    for each, path in progress(zip(seeds, paths, strict=True), "generating"):
        try:
            trace = generate(model, seed=each, duration_s=duration_s, kind=chosen)
        except ValueError as exc:
            raise InputError(str(exc)) from exc
        write_result(path, write_trace(trace, form), force=force)
        means.append(trace.mean_bps)
    if as_json:
        shown = {"model": model.name, "kind": chosen, "duration_s": duration_s}
        rows = [
            {"file": str(path), "seed": each, "mean_bps": mean}
            for path, each, mean in zip(paths, seeds, means, strict=True)
        ]
        click.echo(json.dumps({**shown, "caution": model.caution, "traces": rows}))
        return
    spread = f"mean {min(means) / 1e6:.3g} to {max(means) / 1e6:.3g} Mbit/s"
    click.echo(f"{out}: {count} of {model.name} ({chosen}), {duration_s:g} s each, {spread}")
    if model.caution:
        note(f"{model.name}: {model.caution}")


@click.command("fit", no_args_is_help=True, short_help="Make a model from traces.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--name", required=True, help="Name of the model: letters, digits, - _ and dots.")
@click.option(
    "-o",
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The model file. [NAME.json]",
)
@click.option("--format", "form", metavar="FORMAT", help="Format of the traces. [detected]")
@columns_option
@click.option(
    "--period",
    "period_s",
    type=click.FloatRange(min=0.001),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Capacities are averaged, and later drawn, over this time.",
)
@click.option(
    "--source", default="", metavar="TEXT", help="Where the traces come from; kept in the file."
)
@click.option("--force", is_flag=True, help=FORCE_HELP)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def fit_model(
    files: tuple[str, ...],
    name: str,
    out: Path | None,
    form: str | None,
    columns: str | None,
    period_s: float,
    source: str,
    force: bool,
    as_json: bool,
) -> None:
    """Make a model from traces of one class of networks, to generate more of them.

    Prints how well each kind of model matches the traces it was made from.

    \b
    Examples:
      abr traces fit traces/bus/ --name bus --out bus.json
      abr traces fit "logs/*.log" --name tram --source "line 12, May"
      abr traces generate bus.json --count 10 --out bus-made/
    """
    from abr.generators import fit, write_model
    from bench.traces.cli.write import check_free, write_result
    from bench.traces.files import Doubts, check_format, need_some, note_left_out, read_each

    check_format(files, form, columns)
    path = out or Path(f"{name}.json")
    check_free([path], force=force)
    reads = list(read_each(files, form, "reading", columns))
    bad = [each for each in reads if each.error]
    found = [trace for each in reads for trace in each.traces]
    need_some(len(found), bad)
    note_left_out(bad)
    doubts = Doubts()
    doubts.add(reading for each in reads for reading in each.readings)
    doubts.tell()
    model = fit(found, name=name, period_s=period_s, source=source)
    write_result(path, write_model(model).encode(), force=force)
    click.echo(json.dumps(_fitted(model, path)) if as_json else _fitted_text(model, path))


def _fitted(model: Model, path: Path) -> dict[str, Any]:
    goodness = {
        kind: {
            "ks": each.ks,
            "acf_real": each.acf_real,
            "acf_generated": each.acf_generated,
            "outage_ratio_real": each.outage_ratio_real,
            "outage_ratio_generated": each.outage_ratio_generated,
        }
        for kind, each in model.goodness.items()
    }
    return {
        "out": str(path),
        "name": model.name,
        "traces": model.fitted_traces,
        "fitted_s": model.fitted_s,
        "default_kind": model.default_kind,
        "goodness": goodness,
    }


def _fitted_text(model: Model, path: Path) -> str:
    lines = [f"{path}: {model.name}, of {model.fitted_traces} traces, {model.fitted_s:.6g} s"]
    for kind, each in model.goodness.items():
        near = f"KS distance {each.ks:.3f}"
        if each.acf_real and each.acf_generated:
            near += f", lag-1 autocorrelation {each.acf_generated[0]:.2f} ({each.acf_real[0]:.2f})"
        near += f", outages {each.outage_ratio_generated:.1%} ({each.outage_ratio_real:.1%})"
        chosen = ", the default" if kind == model.default_kind else ""
        lines.append(f"  {kind:<7} {near}{chosen}")
    return "\n".join([*lines, "In parentheses: of the traces it was made of."])
