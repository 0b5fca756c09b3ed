"""Values of one tag, typed and bounded.

An attribute list becomes text by name (``attributes_of``); ``Fields`` gives values of this
package's types, fails naming the line where nobody could go on, and remarks where a player would.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from transcode.playlist.model import ByteRange
from transcode.playlist.outline import Line, Outline

_LARGEST = 2**64 - 1  # RFC 8216bis, 4.2: decimal-integer
_LONGEST_S = 1e9
_ATTRIBUTE = re.compile(r"""\s*([^=,"'\s]+)\s*=\s*("[^"]*"|'[^']*'|[^,]*)\s*(?:,|$)""")
_NUMBER = re.compile(r"(?:[0-9]{1,20}(?:\.[0-9]*)?|\.[0-9]+)")


def attributes_of(text: str) -> dict[str, str]:
    """Attributes by name in upper case, without quotation marks.

    RFC 8216bis, 4.2, and what hls.js takes beside it: white space, other quotation marks, names
    in lower case, and of an attribute that is there twice the last. What is no attribute is left
    out.
    """
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _ATTRIBUTE.match(text, at)
        if match is None:
            comma = text.find(",", at)
            at = len(text) if comma < 0 else comma + 1
            continue
        value = match[2]
        found[match[1].upper()] = value[1:-1] if value[:1] in ("'", '"') else value.rstrip()
        at = match.end()
    return found


@dataclass(frozen=True, slots=True)
class Fields:
    """Attributes of one line."""

    values: Mapping[str, str]
    outline: Outline
    line: int
    tag: str

    def fail(self, what: str) -> NoReturn:
        """Raise the error of this tag."""
        self.outline.fail(self.line, f"{self.tag}: {what}")

    def remark(self, what: str) -> None:
        """Note something wrong in this tag."""
        self.outline.remark(self.line, f"{self.tag}: {what}")

    def text(self, name: str) -> str | None:
        """Text that is not empty, or None."""
        return self.values.get(name) or None

    def required(self, name: str) -> str:
        """Text that is required."""
        value = self.text(name)
        if value is None:
            self.fail(f"no {name}; expected one")
        return value

    def lacks(self, *names: str) -> bool:
        """Whether one of these is missing, with a remark that the line is left out."""
        missing = [name for name in names if self.text(name) is None]
        if missing:
            self.remark(f"no {missing[0]}; expected one, left it out")
        return bool(missing)

    def expected(self, name: str, *, otherwise: str | None) -> str:
        """Text that ought to be there; ``otherwise`` with a remark."""
        value = self.text(name)
        if value is None:
            self.remark(f"no {name}; expected one")
        return value or otherwise or "-"

    def yes(self, name: str) -> bool:
        """Whether its value is YES."""
        return self.text(name) == "YES"

    def integer(self, name: str) -> int | None:
        """A whole number of 0 to 2^64-1, or None."""
        value = self.text(name)
        if value is None:
            return None
        if re.fullmatch("[0-9]{1,20}", value) and int(value) <= _LARGEST:
            return int(value)
        if re.fullmatch(r"[0-9]{1,15}\.[0-9]*", value):
            self.remark(f"{name}={value}; expected a whole number")
            return int(value.partition(".")[0])
        self._other_form(name, "a whole number from 0 to 2^64-1")
        return None

    def expected_integer(self, name: str) -> int:
        """A whole number that ought to be there; 0 with a remark."""
        if self.text(name) is None:
            self.remark(f"no {name}; expected one")
        return self.integer(name) or 0

    def required_integer(self, name: str) -> int:
        """A whole number that is required."""
        value = self.integer(name)
        if value is None:
            self.fail(f"no {name}; expected one")
        return value

    def number(self, name: str) -> float | None:
        """A finite number of 0 or more; None when absent."""
        value = self.text(name)
        if value is None:
            return None
        if _NUMBER.fullmatch(value) and float(value) <= _LONGEST_S:
            return float(value)
        self._other_form(name, "a finite number of 0 or more")
        return None

    def offset(self, name: str) -> float | None:
        """A finite number of any sign; None, with a remark, when there is none."""
        value = self.text(name) or ""
        if _NUMBER.fullmatch(value.lstrip("+-")) and abs(float(value)) <= _LONGEST_S:
            return float(value)
        self.remark(f"no {name}; expected seconds")
        return None

    def resolution(self, name: str) -> tuple[int, int]:
        """Width and height; zeros when absent."""
        value = self.text(name)
        if value is None:
            return 0, 0
        match = re.fullmatch(r"([0-9]{1,9})[xX]([0-9]{1,9})", value)
        if match is None:
            self._other_form(name, "WIDTHxHEIGHT")
            return 0, 0
        return int(match[1]), int(match[2])

    def initialisation_vector(self, name: str) -> bytes | None:
        """16 bytes from hexadecimal digits, padded with zeros on the left."""
        value = self.text(name)
        if value is None:
            return None
        match = re.fullmatch(r"0[xX]([0-9a-fA-F]{1,32})", value)
        if match is None:
            self.fail(f"{name} of another form; expected 0x and up to 32 hexadecimal digits")
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
            self.fail(f"{name} of another form; expected LENGTH or LENGTH@OFFSET")
        offset = int(match[2]) if match[2] else otherwise
        if offset is None:
            self.outline.remark(
                self.line, "a range without offset; expected one, or a range of that URI before it"
            )
            offset = 0
        return ByteRange(offset, int(match[1]))

    def _other_form(self, name: str, expected: str) -> None:
        self.remark(f"{name} of another form; expected {expected}")


def fields_of(line: Line, outline: Outline) -> Fields:
    """The attributes of a tag."""
    return Fields(attributes_of(line.value), outline, line.number, line.tag)
