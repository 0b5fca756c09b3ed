"""What a server or a command needs to begin: a state by its place, a service by its settings."""

from __future__ import annotations

from origin.gateway.config import GatewayConfig
from origin.gateway.server.authenticating import open_authenticator
from origin.gateway.server.service import Service, TitleIndex
from origin.gateway.server.shared import SharedState
from origin.gateway.server.sqlite import wall_s
from origin.gateway.server.stateclient import StateClient
from origin.gateway.server.states import default_state, is_there, open_state
from origin.signing import Secrets

__all__ = ["default_state", "is_there", "notes_of_new", "open_service", "open_state"]


def notes_of_new(named: str | None) -> list[str]:
    """What to say of a state that was named and is not there, before it is made: a typing error?"""
    if not named or is_there(named):
        return []
    told = "so a new one is made, without sessions and revocations; origins and playback services"
    return [f"{named}: no state was there, {told} share them when they are given the same --state"]


def open_service(
    config: GatewayConfig, *, titles: TitleIndex, keys: Secrets, state: str
) -> Service:
    """A playback service by its settings; the state is opened when it is first asked.

    Raises:
        ConfigError, MissingFileError: accounts cannot be used.
        KeyStoreError: the key store is damaged.
    """
    config.check_authority()
    client = StateClient(lambda: open_state(state), rules=config.leases, now=wall_s)
    return Service(
        config,
        titles=titles,
        keys=keys,
        authenticator=open_authenticator(config, now=wall_s),
        state=client,
        now=wall_s,
        shared=SharedState(state),
    )
