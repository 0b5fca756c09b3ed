"""The claims of a Common Access Token, and what they demand.

Every claim of a token is either kept or the token is refused (``not-understood``): a claim that
is passed over would be a limit that nobody keeps. Not understood are, beside what CTA-5007 does
not know: probability of rejection, ALPN, header, place, TLS key and proof-of-possession claims,
and composite and encrypted claims.

Sources: CTA-5007 (through two open implementations of it: Eyevinn's node-cat 0.16.4 and the CAT
module of Akamai's EdgeWorkers examples), RFC 8392 §2 and §3.1 (times, issuer, audience, id).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from origin.tokens.cat.limits import Methods, Networks, UriParts
from origin.tokens.cat.otherwise import Otherwise
from origin.tokens.cat.renewal import Catr, CatRenewal
from origin.tokens.issuers import Issuer
from origin.tokens.permission import Limit, Permission, Reuse
from origin.tokens.refusals import refuse

NAME = "cat"
"""As in ``Permission.form``."""

VERSION = 1
"""The version of CAT (``catv``) that is understood."""

# 2 leaves it to the server what to do about tokens that are used again: they are counted.
_REUSES: Mapping[int, Reuse] = {0: "other-objects", 1: "nothing", 2: "anything"}
_MAX_TIME_S = 1e11


def permission_of(
    claims: Mapping[str, Any], *, kid: str, issuer: Issuer, payload_id: str = ""
) -> Permission:
    """What the claims of a genuine token permit.

    Args:
        claims: By name.
        kid: Id of the key that the token is signed with.
        issuer: Whose key that is.
        payload_id: What a token without an id of its own is known by.

    Raises:
        TokenError: the claims are ``malformed``, ``not-understood``, or for somebody else.
    """
    if _whole(claims, "catv", VERSION) != VERSION:
        refuse("not-understood")
    if _text(claims, "iss") not in ("", issuer.name):
        refuse("unknown-issuer")
    _check_audience(claims, issuer)
    cti = _bytes(claims, "cti")
    reuse = _whole(claims, "catreplay", 0)
    if reuse not in _REUSES:
        refuse("not-understood")
    if reuse and not cti:  # nothing to know it by
        refuse("malformed")
    return Permission(
        form=NAME,
        kid=kid,
        issuer=issuer.name,
        # A token that never ends is not taken, whoever signed it: a leak could not be mended.
        expires_s=_time(claims, "exp"),
        starts_s=_time(claims, "nbf", -math.inf),
        issued_s=_time(claims, "iat", -math.inf),
        token_id=cti.hex() if cti else payload_id,
        nonce=f"{issuer.name}\n{cti.hex()}" if reuse else "",
        reuse=_REUSES[reuse],
        session=_text(claims, "sub"),
        account=_text(claims, "acc"),
        limits=(*issuer.limits, *_limits(claims, issuer)),
        max_height=_whole(claims, "mh", 0) if "mh" in claims else None,
        watermark=_bytes(claims, "wm"),
        renewal=_renewal(claims, issuer),
        otherwise=(
            Otherwise.read(claims["catif"], key=issuer.renewing) if "catif" in claims else None
        ),
    )


def _limits(claims: Mapping[str, Any], issuer: Issuer) -> tuple[Limit, ...]:
    limits: list[Limit] = []
    if "catm" in claims:
        limits.append(Methods.read(claims["catm"]))
    if "catnip" in claims:
        limits.append(Networks.read(claims["catnip"]))
    if "catu" in claims:
        limits.append(UriParts.read(claims["catu"], base=issuer.base))
    return tuple(limits)


def _renewal(claims: Mapping[str, Any], issuer: Issuer) -> CatRenewal | None:
    if "catr" not in claims:
        return None
    catr = Catr.read(claims["catr"])
    if issuer.renewing is None:
        return None
    return CatRenewal(claims=dict(claims), catr=catr, key=issuer.renewing, base=issuer.base)


def _check_audience(claims: Mapping[str, Any], issuer: Issuer) -> None:
    if "aud" not in claims:
        return
    named = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if not all(isinstance(name, str) for name in named):
        refuse("malformed")
    if not issuer.audience or issuer.audience not in named:
        refuse("wrong-audience")


def _time(claims: Mapping[str, Any], name: str, absent: float | None = None) -> float:
    """Unix seconds, which may have a fraction (RFC 8392 §2: without a tag)."""
    if name not in claims and absent is not None:
        return absent
    value = claims.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        refuse("malformed")
    if not -_MAX_TIME_S < value < _MAX_TIME_S:
        refuse("malformed")
    return float(value)


def _whole(claims: Mapping[str, Any], name: str, absent: int) -> int:
    value = claims.get(name, absent)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        refuse("malformed")
    return value


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name, "")
    if not isinstance(value, str) or (name in claims and not value):
        refuse("malformed")
    return value


def _bytes(claims: Mapping[str, Any], name: str) -> bytes:
    value = claims.get(name, b"")
    if not isinstance(value, bytes):
        refuse("malformed")
    return value
