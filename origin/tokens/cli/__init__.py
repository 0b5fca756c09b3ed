"""``abr token``: tokens of every form, minted, verified, explained and revoked."""

from __future__ import annotations

import click

from origin.tokens.cli.explain import explain, verify
from origin.tokens.cli.mint import mint
from origin.tokens.cli.revoke import revoke


@click.group()
def token() -> None:
    """Mint, verify, explain and revoke tokens.

    A token permits to fetch a title. Those of this service are signed with the key in the key
    store; those of others with keys in a file of issuers (--trust).

    \b
    Examples:
      abr token mint --title film
      abr token explain http://127.0.0.1:8081/t/TOKEN/film/multivariant.m3u8
      abr token revoke session SESSION
    """


for _command in (mint, verify, explain, revoke):
    token.add_command(_command)
