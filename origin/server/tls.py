"""TLS on the connections of a server, with little memory for each.

asyncio keeps a buffer of 256 KiB for each TLS connection, and breaks a transport that loses its
client at the moment that it tells of room. Both are put right here, on top of its own protocol.
"""

from __future__ import annotations

import asyncio
import asyncio.sslproto
import ssl

from abr.errors import ConfigError
from origin.config import ServerLimits


def tls_context(cert: str, key: str) -> ssl.SSLContext | None:
    """A context for servers: TLS 1.2 and later, with the ciphers that Python recommends.

    Args:
        cert: PEM file with the certificate, followed by those between it and the root. Empty:
            there is to be no TLS, and None is returned.
        key: PEM file with its private key, not encrypted.

    Raises:
        ConfigError: a file cannot be read, is not PEM, or the two do not belong together.
    """
    if not cert:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a password of its own, OpenSSL would ask for one at the terminal.
        context.load_cert_chain(cert, key, password="")
    except (OSError, ValueError) as exc:  # SSLError is an OSError
        why = exc.strerror if isinstance(exc, FileNotFoundError | PermissionError) else exc.args[-1]
        raise ConfigError(
            f"tls {cert}, {key}: {why}; expected PEM files of a certificate and its private key"
        ) from exc
    return context


def renew_certificate(context: ssl.SSLContext, cert: str, key: str) -> None:
    """Use what the files hold now for connections that begin from now on.

    Raises:
        ConfigError: as ``tls_context``; the certificate in use stays.
    """
    if tls_context(cert, key) is not None:  # so a bad pair leaves nothing half done
        context.load_cert_chain(cert, key, password="")


def encrypted(
    connection: asyncio.Protocol,
    context: ssl.SSLContext,
    loop: asyncio.AbstractEventLoop,
    limits: ServerLimits,
) -> asyncio.BaseProtocol:
    """``connection`` behind TLS; the handshake has as much time as a request's head."""
    return _Tls(
        loop,
        connection,
        context,
        waiter=None,  # type: ignore[arg-type]  # typeshed: as in asyncio's own calls
        server_side=True,
        ssl_handshake_timeout=limits.header_s,  # type: ignore[arg-type]  # any number will do
    )


class _Tls(asyncio.sslproto.SSLProtocol):
    """asyncio's TLS with a smaller buffer, and safe against clients that leave."""

    max_size = 16 << 10
    """One record; asyncio allocates and touches this for each connection."""

    def __repr__(self) -> str:
        return f"<_Tls on {self._transport!r}>"

    def resume_writing(self) -> None:
        """Go on with what waits to be sent."""
        # Not at once: a transport that fails within this call would be closed twice.
        self._loop.call_soon(self._resume)

    def _resume(self) -> None:
        if self._transport is not None:
            super().resume_writing()
