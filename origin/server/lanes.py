"""What a lane is: an answer to plain requests for keys, ready or on its way, for a connection."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple, Protocol

from origin.keyhead import KeyHead


class Client(NamedTuple):
    """Who asks, as far as permission needs to know."""

    address: str
    scheme: str


class Whole(NamedTuple):
    """A whole response with a small body."""

    status: int
    head: bytes
    """Status line and fields, with the empty line after them."""
    data: bytes
    """The body."""


class Coming(ABC):
    """A response that is being fetched."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    @abstractmethod
    def give_up(self) -> None:
        """End it: nobody waits for it any more. ``done`` is not called then."""


class Lane(Protocol):
    """Answers plain requests for keys."""

    def begin(
        self, head: KeyHead, client: Client, done: Callable[[Whole | None], None]
    ) -> Whole | Coming | None:
        """The response to a request, or what fetches it; None when it is not for this lane.

        Permission is part of it: None as well for whoever has none.

        Args:
            head: The request.
            client: Who asks.
            done: Called later, once, with a response that was fetched; with None when the
                request is to be answered as any other.
        """
        ...
