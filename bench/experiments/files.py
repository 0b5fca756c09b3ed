"""The folder of an experiment: blocks that make it resumable, and the results.

::

    results/
      results.jsonl      header and rows, in the order of the plan (or results.parquet)
      timing.json        times, which differ from run to run
      runs/ID.jsonl      a block: the rows of one run, which is then not played again
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from abr.arguments import as_path
from abr.errors import InputError, MissingFileError, ToolMissingError
from abr.files.whole import write_whole
from bench.experiments.experiment import Run
from bench.experiments.results import (
    FIELDS,
    FORMAT,
    VERSION,
    Results,
    ResultsError,
    Row,
    StoredBlock,
    check_header,
    compact,
    print_results,
    read_block,
    read_results,
    results_of,
)

JSON_LINES = "results.jsonl"
PARQUET = "results.parquet"
TIMING = "timing.json"
RUNS = "runs"

_BLOCK = re.compile(r"[0-9a-f]{16,64}\.(jsonl|partial)")
_FILES = (JSON_LINES, PARQUET, TIMING, RUNS)
Form = Literal["jsonl", "parquet"]


def prepare(folder: Path, *, name: str, force: bool) -> None:
    """Make the folder of an experiment, or check that the experiment may resume in it.

    Raises:
        InputError: it holds something else, or results of another plan.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: not a folder; expected one for results")
    there = _header_of(folder)
    if there is not None and there.get("name") != name and not force:
        raise InputError(
            f"{folder}: holds results of the plan {there.get('name')!r}, not {name!r}; choose "
            "another --out, or --force to replace them"
        )
    taken = [name for name in _FILES if (folder / name).exists()]
    is_ours = there is not None or (RUNS in taken and _are_blocks(folder / RUNS))
    if taken and not is_ours:
        raise InputError(
            f"{folder / taken[0]}: not of an experiment, and --force replaces results only; choose "
            "another --out"
        )
    if folder.is_dir() and any(folder.iterdir()) and not is_ours and not force:
        raise InputError(f"{folder}: not empty, and no results in it; choose another --out")
    (folder / RUNS).mkdir(parents=True, exist_ok=True)
    for file in (JSON_LINES, PARQUET, TIMING):
        for left in folder.glob(f".{file}.*.partial"):  # of a run that was killed
            left.unlink(missing_ok=True)


def _are_blocks(folder: Path) -> bool:
    """Whether a folder holds nothing but blocks; others call a folder so, too."""
    return folder.is_dir() and all(_BLOCK.fullmatch(each.name) for each in folder.iterdir())


def has_results(folder: Path) -> bool:
    """Whether results of some plan are there, so that few runs may have to be played."""
    return (folder / JSON_LINES).is_file() or (folder / PARQUET).is_file()


def _header_of(folder: Path) -> Mapping[str, Any] | None:
    try:
        if (folder / JSON_LINES).is_file():
            with (folder / JSON_LINES).open(encoding="utf-8") as file:
                found: Any = json.loads(file.readline())
            is_ours = isinstance(found, dict) and found.get("format") == FORMAT
            return found if is_ours else None
        if (folder / PARQUET).is_file():
            return read_folder(folder).header
    except (OSError, ValueError):
        pass
    return None


def block_there(folder: Path, run: Run) -> StoredBlock | None:
    """The whole block of a run; None when there is none."""
    try:
        data = (folder / RUNS / f"{run.id}.jsonl").read_bytes()
    except OSError:
        return None
    return read_block(data, run=run.id, rows=run.sessions)


def keep(folder: Path, run: Run, block: bytes) -> None:
    """Write the block of a run, as ``print_block`` printed it.

    It is not flushed to disk, which would take longer than playing it: a block that a power
    failure damages no longer matches its digest, and the run is played again.
    """
    path = folder / RUNS / f"{run.id}.jsonl"
    partial = path.with_suffix(".partial")
    partial.write_bytes(block)
    partial.replace(path)


def assemble(
    folder: Path, header: Mapping[str, Any], bodies: Sequence[bytes], *, form: Form
) -> Path:
    """Write the results: the rows of all complete runs as lines of JSON, in their order.

    Raises:
        ToolMissingError: Parquet was asked for without pyarrow.
    """
    path = folder / (JSON_LINES if form == "jsonl" else PARQUET)
    if form == "jsonl":
        if not _holds(path, [print_results(header, []), *bodies]):
            write_whole(path, print_results(header, bodies))
        (folder / PARQUET).unlink(missing_ok=True)
    else:
        write_parquet(
            path, header, [json.loads(line) for each in bodies for line in each.splitlines()]
        )
        (folder / JSON_LINES).unlink(missing_ok=True)
    return path


def _holds(path: Path, pieces: Sequence[bytes]) -> bool:
    """Whether a file holds just that already; to read it takes a tenth of writing it."""
    try:
        with path.open("rb") as file:
            return all(file.read(len(piece)) == piece for piece in pieces) and not file.read(1)
    except OSError:
        return False


def read_folder(folder: str | os.PathLike[str]) -> Results:
    """The results in a folder, or in a results file that is named itself.

    Raises:
        MissingFileError: there are none.
        ResultsError: they cannot be read.
    """
    folder = as_path(folder, "read_folder(folder=...)")
    candidates = [folder] if folder.is_file() else [folder / JSON_LINES, folder / PARQUET]
    path = next((each for each in candidates if each.is_file()), None)
    if path is None:
        unfinished = (folder / RUNS).is_dir()
        what = "unfinished: run `abr bench run` again to resume" if unfinished else "no results"
        raise MissingFileError(f"{folder}: {what}; expected a folder of `abr bench run`")
    if path.suffix == ".parquet":
        return _read_parquet(path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as exc:
        raise ResultsError(f"{path}: not text; expected results in JSON Lines") from exc
    return read_results(text, name=str(path))


def _arrow() -> Any:
    try:
        arrow = import_module("pyarrow")
        import_module("pyarrow.parquet")
    except ImportError as exc:
        raise ToolMissingError(
            "pyarrow is not installed, which Parquet needs: pip install 'abrkit[parquet]'"
        ) from exc
    return arrow


def check_form(form: Form) -> None:
    """Fail early when results of this form cannot be written here.

    Raises:
        ToolMissingError: Parquet was asked for without pyarrow.
    """
    if form == "parquet":
        _arrow()


def _schema(arrow: Any, header: Mapping[str, Any]) -> Any:
    types = {
        "text": arrow.string(),
        "object": arrow.string(),
        "whole": arrow.int64(),
        "number": arrow.float64(),
        "number or null": arrow.float64(),
        "number where measured": arrow.float64(),
        "rungs": arrow.list_(arrow.int16()),
        "stalls": arrow.list_(arrow.list_(arrow.float64())),
    }
    head = {"format": FORMAT, "version": VERSION, **header}
    return arrow.schema(
        [(name, types[kind]) for name, kind in FIELDS.items()],
        metadata={"abrkit": compact(head)},
    )


def write_parquet(path: Path, header: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """Rows as Parquet, the header in the schema's metadata, objects as JSON text.

    Raises:
        ToolMissingError: pyarrow is not installed.
    """
    arrow = _arrow()
    flat = [
        {
            name: compact(row[name]) if kind == "object" else row.get(name)
            for name, kind in FIELDS.items()
        }
        for row in rows
    ]
    sink = arrow.BufferOutputStream()
    table = arrow.Table.from_pylist(flat, schema=_schema(arrow, header))
    arrow.parquet.write_table(table, sink, compression="zstd")
    write_whole(path, sink.getvalue().to_pybytes())


def _read_parquet(path: Path) -> Results:
    arrow = _arrow()
    try:
        table = arrow.parquet.read_table(path)
    except (OSError, arrow.ArrowException) as exc:
        raise ResultsError(f"{path}: not Parquet ({exc}); expected results") from exc
    try:
        header = json.loads((table.schema.metadata or {}).get(b"abrkit", b"null"))
    except ValueError:
        header = None
    check_header(header, name=str(path))
    rows = table.to_pylist()
    for row in rows:
        for name, kind in FIELDS.items():
            if kind == "object" and isinstance(row.get(name), str):
                row[name] = json.loads(row[name])
    about = {key: value for key, value in header.items() if key not in ("format", "version")}
    return results_of(
        {"format": FORMAT, "version": header["version"], **about}, rows, name=str(path)
    )


def read_timing(folder: Path) -> Mapping[str, Any]:
    """The content of ``timing.json``; empty when there is none."""
    try:
        found = json.loads((folder / TIMING).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_timing(folder: Path, timing: Mapping[str, Any]) -> None:
    """Write ``timing.json``."""
    write_whole(folder / TIMING, (json.dumps(timing, indent=1) + "\n").encode())
