"""Objects in a bucket of S3, or of a server that speaks its protocol; needs ``abrkit[s3]``.

The library is obstore, by its synchronous interface: its asynchronous one aborts the
interpreter at exit at times (0.12.1). Where the server is and who asks comes from the
variables that other S3 tools read: ``AWS_ENDPOINT_URL``, ``AWS_REGION``,
``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_SESSION_TOKEN``.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from abr.errors import InputError, ToolMissingError
from transcode.storage.objects import (
    NoObjectError,
    ObjectExistsError,
    ObjectInfo,
    StoreError,
    check_key,
)

SCHEME = "s3"
_CONNECT_S, _REQUEST_S, _RETRY_S, _RETRIES = 5, 60, 20, 3
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
_STATUS = re.compile(r"status code: (\d{3}[ \w]{0,40})")
_CREDENTIALS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_ADVICE = {
    "SignatureDoesNotMatch": f"the secret key is wrong; check {_CREDENTIALS}",
    "InvalidAccessKeyId": f"the access key is unknown; check {_CREDENTIALS}",
    "AccessDenied": f"access is denied; check the bucket's policy, {_CREDENTIALS}",
    "NoSuchBucket": "there is no such bucket; create it, or check the name",
    "RequestTimeTooSkewed": "this machine's clock is wrong",
}


class S3Objects:
    """An ``ObjectStore`` in a bucket, below a prefix."""

    def __init__(self, url: str, environ: Mapping[str, str] | None = None) -> None:
        """Open ``s3://BUCKET`` or ``s3://BUCKET/PREFIX``; nothing is asked of the server yet.

        Raises:
            InputError: not such a URL.
            ToolMissingError: obstore is not installed.
        """
        parts = urlsplit(url)
        prefix = parts.path.strip("/")
        if parts.scheme != SCHEME or not _BUCKET.fullmatch(parts.netloc) or parts.query:
            raise InputError(f"{url[:80]}: expected s3://BUCKET or s3://BUCKET/PREFIX")
        if prefix:
            check_key(prefix)
        try:
            from obstore.store import S3Store
        except ImportError as exc:
            raise ToolMissingError(
                "obstore is not installed, which s3:// needs: pip install 'abrkit[s3]'"
            ) from exc
        environ = os.environ if environ is None else environ
        endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
        self._prefix = f"{prefix}/" if prefix else ""
        self._url = f"{SCHEME}://{parts.netloc}/{prefix}".rstrip("/")
        self._endpoint = endpoint or "AWS"
        settings: dict[str, Any] = {
            "endpoint": endpoint,
            "access_key_id": environ.get("AWS_ACCESS_KEY_ID"),
            "secret_access_key": environ.get("AWS_SECRET_ACCESS_KEY"),
            "session_token": environ.get("AWS_SESSION_TOKEN"),
        }
        self._store: Any = S3Store(
            parts.netloc,
            region=environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1",
            virtual_hosted_style_request=False,
            client_options={
                "allow_http": (endpoint or "").startswith("http://"),
                "connect_timeout": timedelta(seconds=_CONNECT_S),
                "timeout": timedelta(seconds=_REQUEST_S),
            },
            retry_config={
                "max_retries": _RETRIES,
                "retry_timeout": timedelta(seconds=_RETRY_S),
            },
            **{name: value for name, value in settings.items() if value},
        )

    def __repr__(self) -> str:
        return f"<S3Objects {self._url} at {self._endpoint}>"

    @property
    def where(self) -> str:
        """The URL of the bucket and prefix."""
        return self._url

    def put(self, key: str, data: bytes, *, replace: bool = False) -> None:
        """See ``ObjectStore``."""
        with self._explained(key):
            self._store.put(
                self._prefix + check_key(key), data, mode="overwrite" if replace else "create"
            )

    def get(self, key: str) -> tuple[ObjectInfo, bytes]:
        """See ``ObjectStore``."""
        with self._explained(key):
            found = self._store.get(self._prefix + check_key(key))
            data = bytes(found.bytes())
            return self._info(found.meta), data

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """See ``ObjectStore``."""
        with self._explained(key):
            # A range beyond the end is an error of HTTP, and an empty answer here.
            size_bytes = self.head(key).size_bytes
            length = min(length, size_bytes - start)
            if length <= 0:
                return b""
            path = self._prefix + check_key(key)
            return bytes(self._store.get_range(path, start=start, length=length))

    def head(self, key: str) -> ObjectInfo:
        """See ``ObjectStore``."""
        with self._explained(key):
            return self._info(self._store.head(self._prefix + check_key(key)))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """See ``ObjectStore``."""
        # obstore lists whole names only: the folder in which the prefix ends is asked for.
        folder = f"{self._prefix}{prefix}".rpartition("/")[0]
        found: list[ObjectInfo] = []
        with self._explained(prefix):
            for batch in self._store.list(folder or None):
                found.extend(
                    self._info(meta)
                    for meta in batch
                    if meta["path"].startswith(self._prefix + prefix)
                )
        yield from sorted(found, key=lambda each: each.key)

    def delete(self, key: str) -> None:
        """See ``ObjectStore``."""
        with contextlib.suppress(NoObjectError), self._explained(key):
            self._store.delete(self._prefix + check_key(key))

    def _info(self, meta: Mapping[str, Any]) -> ObjectInfo:
        return ObjectInfo(
            key=meta["path"].removeprefix(self._prefix),
            size_bytes=int(meta["size"]),
            etag=str(meta["e_tag"] or "").strip('"'),
            modified_s=meta["last_modified"].timestamp(),
        )

    @contextlib.contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        """Turn errors of the library into ours; its messages may hold signatures."""
        from obstore import exceptions

        where = f"{self._url}/{key}"
        try:
            yield
        except exceptions.AlreadyExistsError:
            raise ObjectExistsError(f"{where}: exists already; expected a new key") from None
        except (exceptions.BaseError, FileNotFoundError, OSError, ValueError) as exc:
            if isinstance(exc, (NoObjectError, StoreError, InputError)):
                raise
            text = str(exc)
            code = _CODE.search(text)
            if isinstance(exc, FileNotFoundError) and (code is None or code[1] != "NoSuchBucket"):
                raise NoObjectError(f"{where}: no such object") from None
            raise StoreError(f"{where}: {self._reason(text, code)}") from None

    def _reason(self, text: str, code: re.Match[str] | None) -> str:
        if code is not None:
            return f"{code[1]}: {_ADVICE.get(code[1], 'the server refused')}"
        if (status := _STATUS.search(text)) is not None:
            number = status[1].strip()
            advice = f"; check {_CREDENTIALS}" if number[:3] in ("401", "403") else ""
            return f"the server at {self._endpoint} answered {number}{advice}"
        return (
            f"no answer from {self._endpoint} after {_RETRIES + 1} attempts; "
            "check AWS_ENDPOINT_URL and that the server runs"
        )
