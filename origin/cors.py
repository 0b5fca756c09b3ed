"""Fields that let a player in a web page of any site use what is served here.

They are on every response, refusals included: without them such a player sees neither the
status nor the body. The lists are fixed: nothing that a client sends is reflected. Only pages of
sites that are named may send cookies, and those are told so by name.

Source: the Fetch standard, "CORS protocol"; CTA-5004 for the CMCD fields.
"""

from __future__ import annotations

CORS: tuple[tuple[str, str], ...] = (
    ("Access-Control-Allow-Origin", "*"),
    (
        "Access-Control-Expose-Headers",
        (
            "Abr-Refusal, Accept-Ranges, Age, Cache-Status, CMSD-Dynamic, CMSD-Static, "
            "Content-Length, Content-Range, CTA-Common-Access-Token, Date, ETag, Retry-After"
        ),
    ),
    ("Timing-Allow-Origin", "*"),
    ("Cross-Origin-Resource-Policy", "cross-origin"),
)
"""On every response."""


def for_page(origin: str) -> tuple[tuple[str, str], ...]:
    """Fields for a page of a site that may send cookies, in place of those above."""
    return (
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Credentials", "true"),
    )


PREFLIGHT: tuple[tuple[str, str], ...] = (
    *CORS,
    ("Access-Control-Allow-Methods", "GET, HEAD, POST, OPTIONS"),
    (
        "Access-Control-Allow-Headers",
        # "*" does not cover Authorization, and older browsers do not know it.
        (
            "Authorization, Range, If-Range, If-None-Match, If-Modified-Since, Cache-Control, "
            "Content-Type, CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status, "
            "CTA-Common-Access-Token, *"
        ),
    ),
    ("Access-Control-Max-Age", "86400"),
)
"""The answer to an OPTIONS request, status 204."""
