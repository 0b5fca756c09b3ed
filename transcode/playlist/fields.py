"""Values of one tag, typed and bounded.

Takes what the line splitter gives (text, numbers or nothing, by attribute name in lower case)
and returns values of this package's types, or fails naming the line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from transcode.playlist.model import ByteRange
from transcode.playlist.outline import Outline

_LARGEST = 2**64 - 1  # RFC 8216bis, 4.2: decimal-integer
_LONGEST_S = 1e9


@dataclass(frozen=True, slots=True)
class Fields:
    """Attributes of one line."""

    values: Mapping[str, Any]
    outline: Outline
    line: int
    tag: str

    def fail(self, what: str) -> NoReturn:
        """Raise the error of this tag."""
        self.outline.fail(self.line, f"{self.tag}: {what}")

    def text(self, name: str) -> str | None:
        """Text that is not empty, or None."""
        value = self.values.get(name)
        return None if value is None or value == "" else str(value)

    def required(self, name: str) -> str:
        """Text that is required."""
        value = self.text(name)
        if value is None:
            self.fail(f"no {_attribute_name(name)}; expected one")
        return value

    def expected(self, name: str, *, otherwise: str | None) -> str:
        """Text that ought to be there; ``otherwise`` with a remark."""
        value = self.text(name)
        if value is None:
            self.outline.remark(self.line, f"{self.tag}: no {_attribute_name(name)}; expected one")
        return value or otherwise or "-"

    def yes(self, name: str) -> bool:
        """Whether its value is YES."""
        return self.text(name) == "YES"

    def integer(self, name: str) -> int | None:
        """A whole number of 0 to 2^64-1, or None."""
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or not 0 <= value <= _LARGEST:
            self._bad(name, "a whole number from 0 to 2^64-1")
        return value

    def expected_integer(self, name: str) -> int:
        """A whole number that ought to be there; 0 with a remark."""
        value = self.integer(name)
        if value is None:
            self.outline.remark(self.line, f"{self.tag}: no {_attribute_name(name)}; expected one")
        return value or 0

    def required_integer(self, name: str) -> int:
        """A whole number that is required."""
        value = self.integer(name)
        if value is None:
            self.fail(f"no {_attribute_name(name)}; expected one")
        return value

    def number(self, name: str) -> float:
        """A finite number of 0 or more; 0 when absent."""
        value = self.values.get(name, 0.0)
        if not isinstance(value, float) or not 0 <= value <= _LONGEST_S:
            self._bad(name, "a finite number of 0 or more")
        return value

    def offset(self, name: str) -> float | None:
        """A finite number of any sign; None, with a remark, when there is none."""
        value = self.values.get(name)
        if isinstance(value, int | float) and abs(value) <= _LONGEST_S:
            return float(value)
        self.outline.remark(self.line, f"{self.tag}: no {_attribute_name(name)}; expected seconds")
        return None

    def decimal(self, name: str) -> float | None:
        """A finite number of 0 or more that is kept as text; None when absent."""
        value = self.text(name)
        if value is None:
            return None
        match = re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value)
        if match is None:
            self._bad(name, "a finite number of 0 or more")
        return float(value)

    def resolution(self, name: str) -> tuple[int, int]:
        """Width and height; zeros when absent."""
        value = self.text(name)
        if value is None:
            return 0, 0
        match = re.fullmatch(r"([0-9]{1,9})x([0-9]{1,9})", value)
        if match is None:
            self._bad(name, "WIDTHxHEIGHT")
        return int(match[1]), int(match[2])

    def initialisation_vector(self, name: str) -> bytes | None:
        """16 bytes from hexadecimal digits, padded with zeros on the left."""
        value = self.text(name)
        if value is None:
            return None
        match = re.fullmatch(r"0[xX]([0-9a-fA-F]{1,32})", value)
        if match is None:
            self._bad(name, "0x and up to 32 hexadecimal digits")
        return bytes.fromhex(match[1].zfill(32))

    def key_id(self, name: str) -> str:
        """32 lower-case hexadecimal digits; empty when absent or of another form.

        Systems of keys that we do not know may write it as they like.
        """
        match = re.fullmatch(r"0[xX]([0-9a-fA-F]{32})", self.text(name) or "")
        return match[1].lower() if match else ""

    def byte_range(self, name: str, *, otherwise: int | None) -> ByteRange | None:
        """``LENGTH[@OFFSET]``; ``otherwise`` is the offset when none is written."""
        value = self.text(name)
        if value is None:
            return None
        match = re.fullmatch(r"([0-9]{1,18})(?:@([0-9]{0,18}))?", value)
        if match is None:
            self._bad(name, "LENGTH or LENGTH@OFFSET")
        offset = int(match[2]) if match[2] else otherwise
        if offset is None:
            self.outline.remark(
                self.line, "a range without offset; expected one, or a range of that URI before it"
            )
            offset = 0
        return ByteRange(offset, int(match[1]))

    def _bad(self, name: str, expected: str) -> NoReturn:
        self.fail(f"{_attribute_name(name)} of another form; expected {expected}")


def _attribute_name(name: str) -> str:
    return name.upper().replace("_", "-")
