"""What stands in a log or message for the secrets of any service.

Nobody can tell which part of a stranger's URL is a secret, so all that may be one is replaced: the
values of a query, user and password, fragments, what a ``data:`` URL holds, and parts of a path
that look like tokens or signatures. A ``Redactor`` puts a number in their place, ``(1)``, ``(2)``
and so on by order of appearance: the same value has the same number wherever it stands. So what
differs still differs, what is relative still resolves, and redacting what was redacted changes
nothing, which is why a log can be replayed.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection
from urllib.parse import unquote_plus

_STAND_IN = r"\([0-9]+\)"
_IS_STAND_IN = re.compile(_STAND_IN)
_MOST_KNOWN = 100_000
"""More secrets than this share one number: a long playback must not grow a table without end."""

_MOST_FOLDERS = 1000

_URL_IN_WORDS = re.compile(
    r"(?:https?|ftp|wss?)://[^\s\"'<>]+|data:[^\s\"',<>]{0,200},[^\s\"'<>]*", re.IGNORECASE
)
_QUERY_IN_WORDS = re.compile(r"(?<=\?)[^\s\"'?<>=]{1,200}=[^\s\"'<>]*")
_PUNCTUATION = ":,.;"
"""What follows a URL in a sentence."""
_JWT_IN_WORDS = re.compile(r"eyJ[\w%=-]{8,}(?:\.[\w%=-]+)*")
# RFC 3986, 3: scheme, authority and path; query; fragment. No part is decoded.
_PARTS = re.compile(r"([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL)
_HEAD = re.compile(r"(?:[a-zA-Z][a-zA-Z0-9+.-]*:)?(?://[^/]*)?")
_DATA = re.compile(r"(?P<kind>data:[^,]*,)(?P<held>.*)", re.IGNORECASE | re.DOTALL)
_VARIABLE = re.compile(r"(\{\$[\w-]+\})")
"""A variable of a playlist keeps its place, or what it stands for could not be put there."""
_PLAIN = re.compile(r"(?!.*eyJ)(?:[\w-]{1,19}(?:[./~:]+|$))*", re.ASCII)
"""A URL in which nothing can be a secret that nobody has told of."""

_PIECES = re.compile(r"([.,:~!()]+)")
_LEAST_RANDOM = 16
_LONG = re.compile(r"[\w-]{20,}", re.ASCII)
_KIND = str.maketrans(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "A" * 26 + "a" * 26 + "0" * 10
)
_CAPITALISED = re.compile("A(?=a)")
"""A capital before a small letter begins a word."""
_RANDOM_CHANGES = 0.25
"""Share of neighbours of different kind (capital, small, digit) from which on a name looks drawn by
chance: about 0.5 in hexadecimal numbers and base64, mostly below 0.2 in names that people give."""

_TELLING = re.compile(
    r"tok|sig|hmac|key|auth|pol|pass|pw|secret|cred|exp|hdn|jwt|sess|acl|st$", re.IGNORECASE
)
"""Names in a path (``;name=value``) whose values are secrets however short."""
_LONG_VALUE = 12
_LEAST_SECRET = 6
"""A variable of fewer characters is no secret, and would be found in names that were shown before:
one file would get two names, which no replay could follow."""


class Redactor:
    """Numbers for the secrets of one log.

    Args:
        token: A secret that is shown as ``-``: our own token in the source of a playback.
        secrets: Parts of paths that are known to be secrets, whatever they look like.
    """

    def __init__(self, token: str | None = None, secrets: Collection[str] = ()) -> None:
        self._token = token or "\n"  # which no URL holds
        self._told = frozenset(secrets)
        self._known: dict[str, str] = {} if token is None else {token: "-"}
        self._issued: set[str] = set()
        self._is_closed = False
        self._arguments: dict[str, str] = {}
        self._folders: dict[str, str] = {}
        self._anywhere: list[str] = []
        self._within = re.compile(f"({_STAND_IN})")

    def __repr__(self) -> str:
        return f"<Redactor of {len(self._known)} secrets>"

    def secret(self, value: str) -> str:
        """What stands for ``value``, which is a secret as a whole."""
        if value in ("", "-") or (self._is_closed and value in self._issued):
            return value
        known = self._known.get(value)
        if known is None:
            if self._is_closed:
                return "-"
            known = f"({min(len(self._issued) + 1, _MOST_KNOWN)})"
            if len(self._issued) < _MOST_KNOWN:
                self._known[value] = known
                self._issued.add(known)
        return known

    def url(self, url: str) -> str:
        """A URL, absolute or relative."""
        if self._is_plain(url):
            return url
        if data := _DATA.fullmatch(url):
            return f"{data['kind']}{self._around_variables(data['held'], self.secret)}"
        parts = _PARTS.fullmatch(url)
        assert parts is not None  # any text has these parts
        place, query, fragment = parts.groups()
        shown = self._place(place)
        if query is not None:
            shown += f"?{self.query(query)}"
        if fragment is not None:
            shown += f"#{self._around_variables(fragment, self.secret)}"
        return shown

    def query(self, query: str) -> str:
        """A query: its names, and numbers for its values."""
        return "&".join(self._argument(each) for each in query.split("&"))

    def words(self, text: str) -> str:
        """A message for people: the URLs, queries and tokens in it.

        What was not met before is ``-``: sentences are no place to find names for things.
        """
        self._is_closed = True
        try:
            text = _URL_IN_WORDS.sub(lambda found: _within_words(found[0], self.url), text)
            text = _QUERY_IN_WORDS.sub(lambda found: _within_words(found[0], self.query), text)
            return _JWT_IN_WORDS.sub(lambda found: self.secret(found[0]), text)
        finally:
            self._is_closed = False

    def segment(self, text: str) -> str:
        """One part of a path, such as a file's name."""
        return self._around_variables(text, self._plain_segment)

    # --- values that are put into URLs ---------------------------------------------------------

    def variable(self, value: str) -> str:
        """The value of a variable, which may come to stand anywhere in a URL."""
        if "=" in value:
            return re.sub(r"(?<==)[^&]+", lambda found: self._found_anywhere(found[0]), value)
        if "/" in value or ":" in value:
            return self.url(value)
        is_short = len(value) < _LEAST_SECRET and not _IS_STAND_IN.fullmatch(value)
        return value if is_short else self._found_anywhere(value)

    def put_argument(self, name: str) -> None:
        """The value of an argument of a URL that was seen may stand anywhere from now on."""
        values = (value for each, value in self._arguments.items() if unquote_plus(each) == name)
        if value := next(values, ""):
            shown, decoded = self._found_anywhere(value), unquote_plus(value)
            self._known.setdefault(decoded, shown)  # what a playlist takes from a query is decoded
            self._found_anywhere(decoded)

    def _found_anywhere(self, value: str) -> str:
        shown = self.secret(value)
        if value not in self._anywhere:
            self._folders.clear()
            self._anywhere = sorted([*self._anywhere, value], key=len, reverse=True)
            patterns = [re.escape(each) for each in self._anywhere]
            self._within = re.compile("|".join([f"({_STAND_IN}", *patterns]) + ")")
        return shown

    def _is_plain(self, url: str) -> bool:
        """Whether nothing in ``url`` can be a secret."""
        is_known = self._anywhere or self._token in url or any(each in url for each in self._told)
        return not is_known and _PLAIN.fullmatch(url) is not None

    # --- parts of a URL --------------------------------------------------------------------------

    def _argument(self, argument: str) -> str:
        name, equals, value = argument.partition("=")
        if not equals:
            return self._around_variables(argument, self.secret)
        self._arguments.setdefault(name, value)
        return f"{name}={self._around_variables(value, self.secret)}"

    def _head(self, head: str) -> str:
        scheme, slashes, authority = head.partition("//")
        user, at, host = authority.rpartition("@")
        return f"{scheme}{slashes}{self.secret(user)}{at}{host}"

    def _place(self, place: str) -> str:
        """Scheme, authority and path; folders are remembered, since many files share one."""
        folder, slash, name = place.rpartition("/")
        if not self._is_plain(name):
            head = _HEAD.match(place)
            assert head is not None  # it may be empty
            return self._head(head[0]) + self._path(place[head.end() :])
        folder += slash
        shown = self._folders.get(folder)
        if shown is None:
            head = _HEAD.match(folder)
            assert head is not None
            shown = self._head(head[0]) + self._path(folder[head.end() :])
            if len(self._folders) < _MOST_FOLDERS and not self._is_closed:
                self._folders[folder] = shown
        return shown + name

    def _path(self, path: str) -> str:
        return "/".join(map(self.segment, path.split("/")))

    def _plain_segment(self, segment: str) -> str:
        if segment == self._token:
            return "-"
        if segment in self._told:
            return self.secret(segment)
        parts = self._within.split(segment)
        return "".join(
            self.secret(part) if at % 2 else self._parameters(part) for at, part in enumerate(parts)
        )

    def _parameters(self, text: str) -> str:
        if "=" in text:
            return ";".join(self._parameter(each) for each in text.split(";"))
        name, colon, value = text.partition(":")
        if colon and value and _TELLING.search(name):
            return f"{name}:{self.secret(value)}"
        if len(text) < _LONG_VALUE:
            return text
        pieces = _PIECES.split(text)
        is_jwt = any(piece.startswith("eyJ") for piece in pieces)  # base64url of '{"'
        return "".join(
            self.secret(piece) if _is_random(piece) or (is_jwt and len(piece) >= 8) else piece
            for piece in pieces
        )

    def _parameter(self, text: str) -> str:
        name, equals, value = text.partition("=")
        is_secret = _TELLING.search(name) or len(value) >= _LONG_VALUE or "=" in value.rstrip("=")
        if equals and value.strip("=") and is_secret:
            return f"{name}={self.secret(value)}"
        return text

    def _around_variables(self, text: str, show: Callable[[str], str]) -> str:
        if "{$" not in text:
            return show(text)
        parts = _VARIABLE.split(text)
        return "".join(part if at % 2 else show(part) for at, part in enumerate(parts))


# Where players of such services put user and password: /live/USER/PASSWORD/1234.m3u8.
_USER_AND_PASSWORD = re.compile(
    r"[^?#]*/(?:live|movie|series|timeshift)/([^/?#]+)/([^/?#]+)(?:/[^/?#]+)?/[0-9]+(?:\.[a-z0-9]+)?"
    r"(?:[?#].*)?",
    re.IGNORECASE | re.DOTALL,
)


def secrets_in_source(url: str) -> tuple[str, ...]:
    """Parts of the path of a source that are a user and a password, where it is built so."""
    found = _USER_AND_PASSWORD.fullmatch(url)
    return found.groups() if found else ()


def _within_words(found: str, show: Callable[[str], str]) -> str:
    """What stands for ``found``, without the punctuation of its sentence."""
    bare = found.rstrip(_PUNCTUATION)
    return show(bare) + found[len(bare) :]


def _is_random(text: str) -> bool:
    """Whether a part of a name looks drawn by chance."""
    if not _LONG.fullmatch(text):
        return False
    kinds = _CAPITALISED.sub("a", text.translate(_KIND)).replace("_", "").replace("-", "")
    changes = sum(one != two for one, two in itertools.pairwise(kinds))
    return len(kinds) >= _LEAST_RANDOM and changes >= _RANDOM_CHANGES * (len(kinds) - 1)
