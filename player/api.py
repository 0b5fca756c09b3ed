"""What experiments import: play one presentation in one of three ways, and get a log.

``simulate`` needs no network and no real time; ``play`` fetches over HTTP in real time;
``replay`` runs a recorded session again. All three use the same ``PlaybackSession`` and
return the same kind of log.
"""

from __future__ import annotations

import contextlib
import math
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from abr import registry
from abr.arguments import kind_of
from abr.decision import Algorithm, Chooser, Rule, fresh
from abr.errors import AlgorithmError, ConfigError, InputError, LogFormatError, PlaybackError
from abr.link import Link, SharedLink
from abr.log import SessionLog
from abr.media import Presentation, constant_presentation
from abr.qoe import shortfall
from abr.redaction import Redactor
from abr.trace import Trace
from origin.tokens.redaction import redact
from player.arguments import check, refuse_coroutines
from player.bounds import PLANNED, about_bound
from player.config import PlayerConfig
from player.playback.session import PlaybackSession
from player.provenance import (
    KEPT_AT_REPLAY,
    about_stop,
    about_trace,
    recorded_config,
    recorded_source,
    recorded_trace,
)
from transcode.encryption import decrypt, encrypt
from transcode.playlist import parse

if TYPE_CHECKING:
    from player.drivers.live import MediaSink
    from player.playback.cmcd import CmcdConfig, Spokesman
    from player.shaping.proxy import Shaper

DEFAULT_ALGORITHM = "bola-sabre"


def simulate(
    source: str | Path | Presentation,
    *,
    trace: Trace | str | Path | None = None,
    algorithm: str | Algorithm | Chooser = DEFAULT_ALGORITHM,
    params: Mapping[str, Any] | None = None,
    config: PlayerConfig | None = None,
    max_play_s: float = math.inf,
    link: Link | None = None,
    raise_on_error: bool = False,
) -> SessionLog:
    """Play a package folder or a presentation over a simulated link.

    Args:
        source: Folder made by ``abr transcode``, or a ``Presentation``.
        trace: Capacity of the link; time 0 is when play is asked. Also a file, or what
            ``abr simulate --trace`` takes.
        algorithm: A registered name, a ``Rule``, something that makes an object with
            ``choose(seen)``, or such an object: it is copied and stays as it was.
        params: Parameters of a registered algorithm.
        config: Buffering, starting and retrying.
        max_play_s: The viewer leaves this many seconds after asking to play.
        link: A link of your own, in place of ``trace``.
        raise_on_error: Raise when it does not play what was asked, with the log as ``exc.log``.

    Returns:
        The session log; score it with ``abr.qoe.summary``. A playback that fails is a result as
        any other, unless ``raise_on_error``.

    Raises:
        MissingFileError: the folder is not a package, or there is no such trace.
        TraceFormatError: the file holds no trace, or several.
        AlgorithmError: unknown algorithm, or one that breaks its contract.
        PlaybackError: it did not play what was asked, with ``raise_on_error``.
        ArgumentError: an argument of the wrong type.
        ConfigError: neither or both of ``trace`` and ``link`` are given, or a negative time.
    """
    from player.drivers.virtual import (
        PackageOrigin,
        PresentationOrigin,
        VirtualDriver,
        VirtualOrigin,
    )
    from transcode.files.reader import is_package, read_presentation

    check("simulate", source=source, trace=trace, params=params, config=config, link=link)
    check("simulate", max_play_s=max_play_s, raise_on_error=raise_on_error)
    if (trace is None) == (link is None):
        raise ConfigError("give either a trace or a link")
    config = config or PlayerConfig()
    trace = as_trace(trace)
    origin: VirtualOrigin
    if isinstance(source, Presentation):
        origin = PresentationOrigin(source)
    elif is_package(Path(source)):
        origin = PresentationOrigin(read_presentation(source))
    else:
        origin = PackageOrigin(Path(source))
    if trace is not None:
        link = SharedLink(
            trace,
            rtt_s=config.rtt_s,
            connections=config.connections,
            overhead_bytes=config.response_overhead_bytes,
            server_s=config.server_s,
        )
    assert link is not None
    chosen = as_algorithm(algorithm, params)
    if isinstance(algorithm, str):
        chosen = told_of_player(chosen, config, params or {})
    about = {**about_trace(trace), **about_stop(max_play_s), **about_bound(chosen, config)}
    session = PlaybackSession(
        origin.url,
        chosen,
        config,
        trace=trace,
        provenance={"driver": "virtual", **about},
    )
    log = VirtualDriver(session, origin, link, stop_at_s=max_play_s).run()
    return checked(log) if raise_on_error else log


async def play(
    url: str,
    *,
    trace: Trace | str | Path | None = None,
    algorithm: str | Algorithm | Chooser = DEFAULT_ALGORITHM,
    params: Mapping[str, Any] | None = None,
    config: PlayerConfig | None = None,
    max_play_s: float = math.inf,
    on_progress: Callable[[PlaybackSession], None] | None = None,
    sink: MediaSink | None = None,
    headers: Mapping[str, str] | None = None,
    insecure: bool = False,
    on_end: Callable[[SessionLog], None] | None = None,
    raise_on_error: bool = False,
    cmcd: CmcdConfig | None = None,
) -> SessionLog:
    """Play a URL over HTTP in real time, through a shaping proxy when a trace is given.

    Args:
        url: A multivariant or media playlist.
        trace: What the link between server and player can carry; None: as it is.
        algorithm, params, config, max_play_s, raise_on_error: As in ``simulate``.
        on_progress: Called with the session after every input.
        sink: Takes the decrypted media.
        headers: Fields sent with each request to the server of ``url``, and to no other;
            ``User-Agent`` goes to all. They are not written into the log.
        insecure: Take certificates of HTTPS servers as they are.
        on_end: Called with the log that there is, however the playback ends: also when it is
            cancelled, or a fault of an algorithm or a callback ends it.

    Returns:
        The session log. With a trace its provenance holds the proxy's own report
        (``shaper``): a run on an overloaded machine shows there, and so does what did not
        cross the link (``outside_bytes``).

    Raises:
        InputError: not an HTTP URL.
        ArgumentError, ConfigError: as ``simulate``.
        AlgorithmError: unknown algorithm, one that breaks its contract, or one that must
            know the network beforehand.
        MissingFileError, TraceFormatError, PlaybackError: as ``simulate``.
        TypeError: ``on_progress`` or the ``add`` of ``sink`` is a coroutine function.
        Exception: whatever ``on_progress`` or ``sink`` raised, as it was.
    """
    from player.drivers.live import LiveDriver
    from player.drivers.transport import HttpTransport

    check("play", url=url, trace=trace, params=params, config=config, max_play_s=max_play_s)
    check("play", insecure=insecure, raise_on_error=raise_on_error)
    check("play", on_progress=on_progress, on_end=on_end, sink=sink, headers=headers, cmcd=cmcd)
    wrong = f"{redact(Redactor().url(url))}: not an HTTP URL; expected http://HOST/.../multivariant.m3u8"
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as exc:  # brackets without an end, a port that is none
        raise InputError(wrong) from exc
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(wrong)
    refuse_coroutines(on_progress=on_progress, sink=getattr(sink, "add", None))
    config = config or PlayerConfig()
    trace = as_trace(trace)
    chosen = as_algorithm(algorithm, params)
    _refuse_foresight(chosen)
    _rehearse(chosen)
    session = PlaybackSession(
        url,
        chosen,
        config,
        provenance={
            "driver": "live",
            "clock_resolution_s": _clock_resolution_s(),
            **about_trace(trace),
            **about_stop(max_play_s),
        },
    )

    spokesman = None if cmcd is None else _spokesman(session, cmcd)

    async def drive(shaper: Shaper | None) -> SessionLog:
        async with HttpTransport(
            url,
            router=shaper,
            connections=config.connections,
            headers=headers,
            insecure=insecure,
            annotate=None if spokesman is None else spokesman.annotate,
        ) as transport:
            try:
                return await LiveDriver(
                    session,
                    transport,
                    sink=sink,
                    stop_at_s=max_play_s,
                    on_start=None if shaper is None else shaper.start_clock,
                    on_progress=on_progress,
                ).run()
            finally:
                if shaper is not None:
                    session.log.provenance["shaper"] = {
                        **shaper.report.as_dict(),
                        "outside_bytes": transport.outside_bytes,
                    }

    try:
        if trace is None:
            log = await drive(None)
        else:
            from player.shaping.proxy import Shaper

            async with Shaper(trace, parts.hostname, port, rtt_s=config.rtt_s) as shaper:
                log = await drive(shaper)
    finally:
        if on_end is not None:
            on_end(session.log)
    return checked(log) if raise_on_error else log


def replay(
    recorded: SessionLog | str | Path, *, algorithm: str | Algorithm | Chooser | None = None
) -> SessionLog:
    """Run a recorded session again; the new log must equal the old, record by record.

    Args:
        recorded: A log, or a file that holds one.
        algorithm: The one that was used, if it is not registered; another one to see
            where decisions would first differ.

    Raises:
        ArgumentError: neither a log nor a path.
        LogFormatError: no usable log.
        AlgorithmError: the recorded algorithm is not known here.
    """
    from player.drivers.replay import ReplayDriver
    from player.files import read_log

    check("replay", recorded=recorded)
    log = recorded if isinstance(recorded, SessionLog) else read_log(Path(recorded))
    past = log.provenance
    config = recorded_config(past)
    if algorithm is None:
        name = past.get("algorithm")
        if name is None:
            raise LogFormatError(
                "the log names no algorithm: playback never began; nothing to replay"
            )
        try:
            algorithm = registry.load(name, **past.get("params", {}))
        except AlgorithmError as exc:
            raise AlgorithmError(
                f"the log was made with an algorithm that is not registered here ({exc}); give it: "
                "replay(log, algorithm=...)"
            ) from exc
    kept = {name: past[name] for name in KEPT_AT_REPLAY if name in past}
    source = recorded_source(log)
    session = PlaybackSession(
        source,
        as_algorithm(algorithm),
        config,
        trace=recorded_trace(past),
        provenance={"driver": "replay", **kept},
    )
    url = source if isinstance(source, str) else ""
    return ReplayDriver(session, log, url=url).run()


def as_trace(trace: Trace | str | Path | None) -> Trace | None:
    """A trace, or the only one of a file or name.

    Raises:
        MissingFileError: there is no such file.
        TraceFormatError: it holds no trace, or several.
    """
    if trace is None or isinstance(trace, Trace):
        return trace
    from abr.files.traces import resolve_trace

    return resolve_trace(str(trace))


def checked(log: SessionLog) -> SessionLog:
    """``log``, of a session that played what was asked.

    Raises:
        PlaybackError: it did not; ``log`` is of the error too.
    """
    if what := shortfall(log):
        failed = PlaybackError(what)
        failed.log = log
        raise failed
    return log


def as_algorithm(
    algorithm: str | Algorithm | Chooser, params: Mapping[str, Any] | None = None
) -> Algorithm:
    """A registered algorithm by name, or what was given.

    Raises:
        AlgorithmError: unknown name or parameter.
        ConfigError: parameters given with something that is not a name.
    """
    if isinstance(algorithm, str):
        return registry.load(algorithm, **(params or {}))
    if params:
        raise ConfigError("params belong to a registered name; give a Rule with its parameters")
    if not (callable(algorithm) or isinstance(algorithm, Rule) or hasattr(algorithm, "choose")):
        raise AlgorithmError(
            f"algorithm is {kind_of(algorithm)}; expected a name, a Rule, or what makes one"
        )
    return fresh(algorithm)


def told_of_player(
    algorithm: Algorithm, config: PlayerConfig, given: Mapping[str, Any]
) -> Algorithm:
    """An upper bound plans with this player's settings, unless ``given`` settings of its own."""
    if not isinstance(algorithm, Rule) or not algorithm.needs_trace:
        return algorithm
    known = {
        name: float(getattr(config, name))
        for name in PLANNED
        if name in algorithm.params._fields and name not in given
    }
    return replace(algorithm, params=algorithm.params._replace(**known))


def _spokesman(session: PlaybackSession, config: CmcdConfig) -> Spokesman:
    from player.playback.cmcd import Spokesman

    spokesman = Spokesman(session, config, session_id=str(uuid.uuid4()))
    session.log.provenance["cmcd"] = spokesman.provenance
    return spokesman


def _refuse_foresight(algorithm: Algorithm) -> None:
    """Nobody knows a real network beforehand, not even through our shaping proxy."""
    if isinstance(algorithm, Rule) and algorithm.needs_trace:
        raise AlgorithmError(
            f"algorithm {algorithm.name!r} is an upper bound that must know the network "
            "beforehand; use `abr simulate` with a trace"
        )


_rehearsed: set[str] = set()


def _rehearse(algorithm: Algorithm) -> None:
    """Meet everything before the clock runs, once in the life of a process.

    Libraries load parts of themselves on first use: within the startup of the first playback.
    """
    name = algorithm.name if isinstance(algorithm, Rule) else "fixed"
    if name in _rehearsed:
        return
    _rehearsed.add(name)
    rehearsed = algorithm if isinstance(algorithm, Rule) else registry.load(name)
    presentation = constant_presentation([1e5, 2e5], segments=2, segment_s=1.0)
    with contextlib.suppress(AlgorithmError):  # a rung this one lacks; the real one may have it
        simulate(presentation, trace=Trace.constant(1e6), algorithm=rehearsed)
    parse("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\ns\n#EXT-X-ENDLIST\n")
    decrypt(encrypt(b"", bytes(16), bytes(16)), bytes(16), bytes(16))


def _clock_resolution_s() -> float:
    return time.get_clock_info("monotonic").resolution
