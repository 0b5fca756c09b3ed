"""What a request asks for, in the terms of tokens, and what an answer does for its token."""

from __future__ import annotations

import socket
from typing import NamedTuple

from aiohttp import web

from origin.paths import PLAYLISTS, Target, path_form_of, with_prefix
from origin.server.answers import moved_response
from origin.server.connection import add_to_answer
from origin.tierfields import asked_by_tier
from origin.tokens.permission import Asked, Permission

CLIENT = "Abr-Client"
"""Scheme and address of who asks, in a request that a process of a server passes on to another of
the same server; only these can connect to the socket on which it counts."""


def is_from_worker(request: web.BaseRequest) -> bool:
    """Whether another process of this server passed it on, which has checked its token."""
    transport = request.transport
    sock = None if transport is None else transport.get_extra_info("socket")
    return sock is not None and sock.family == socket.AF_UNIX


def client_of(request: web.BaseRequest) -> tuple[str, str]:
    """Scheme and address of who asks; the address is empty when it is not known."""
    if is_from_worker(request):
        scheme, _, address = request.headers.get(CLIENT, "").partition(" ")
        return scheme, address
    peer = None if request.transport is None else request.transport.get_extra_info("peername")
    return request.scheme, peer[0] if isinstance(peer, tuple) else ""


def asked_of(request: web.Request, target: Target) -> Asked:
    """The facts of a request that a token can limit."""
    scheme, address = client_of(request)
    return Asked(
        title=target.title,
        path=target.path,
        method=request.method,
        scheme=scheme,
        authority=request.host,
        query=target.query,
        address=address,
        carriage=target.carrier,
    )


class Moved(NamedTuple):
    """Where a viewer is sent for the same thing with a token as a path prefix."""

    response: web.Response
    is_fresh: bool
    """The token is a fresh one, so the one that was shown has been used for it."""


def moved_to(
    request: web.Request, target: Target, permission: Permission, *, asked: Asked, now_s: float
) -> Moved | None:
    """Where a viewer is to ask instead; None: nowhere else."""
    renewal = permission.renewal
    if target.kind != "object" or asked_by_tier(request.headers.items()):
        return None
    form = path_form_of(target)
    # What follows the prefix of a playlist inherits it; below an old prefix all would be sent on.
    may_move = target.carrier in ("parameter", "query") or target.path.endswith(PLAYLISTS)
    if renewal is not None and may_move:
        moved = renewal.moves(asked=asked, now_s=now_s)
        if moved is not None:
            status, token = moved
            return Moved(moved_response(with_prefix(target, token), status=status), is_fresh=True)
    if form is None or (renewal is not None and renewal.is_kept(asked)):
        return None
    return Moved(moved_response(form), is_fresh=False)


def hand_over(
    request: web.Request, target: Target, permission: Permission, *, asked: Asked, now_s: float
) -> None:
    """Give a viewer a fresh token with the answer, if the token that was shown asks for that.

    One in the path needs none: the next request has the same again, and it would count first.
    """
    if permission.renewal is None or target.carrier == "prefix" or is_from_worker(request):
        return
    if not asked_by_tier(request.headers.items()):
        add_to_answer(request, permission.renewal.fields(asked=asked, now_s=now_s))
