"""Settings of transcoding and packaging."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from abr.errors import ConfigError
from transcode.ladders.rungs import CODECS, suggest
from transcode.packaging.keygroups import KeysPer
from transcode.packaging.sampleencryption import Scheme

Preset = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscodeConfig:
    """Everything that shapes a package; checked by ``check``."""

    segment_s: float = 4.0
    """Target seconds of a segment; met to the nearest whole number of frames."""
    gop_s: float = 2.0
    """Most seconds from one key frame to the next; a segment is a whole number of groups."""
    ladder: str = ""
    """Rungs as ``HEIGHT:KBPS,…``, lowest first; ``auto``, ``apple`` or ``small`` by a table;
    ``per-title`` by trials; or a ladder file ending in ``.toml``. Empty is ``auto``."""
    quality: Literal["auto", "none", "vmaf", "xpsnr", "ssim"] = "auto"
    """Measure the quality of every segment and rung, in this metric; ``auto`` measures
    per-title ladders only."""
    codec: str = "h264"
    """Codecs of the picture, of ``h264``, ``hevc`` and ``av1``, separated by commas: a ladder
    in each. Players that do not choose play the first."""
    tone_map: bool = False
    """Bring a high dynamic range to the standard one in every codec, not in H.264 alone."""
    chunk_s: float = 16.0
    """Seconds that are encoded at once, about; chunks of films under two minutes are shorter."""
    preset: Preset = "veryfast"
    """How much time encoders spend to save bits, by x264's names."""
    peak_ratio: float = 1.5
    """Peak bit rate of a rung, as a multiple of its target."""
    video: str = ""
    """Number of the master's stream that is the picture; empty: found by the rule."""
    background: str = "black"
    """What pictures with alpha are put over: ``black``, ``white``, ``grey`` or ``#RRGGBB``."""
    audio: str = ""
    """Sounds to keep, the default one first, separated by commas: numbers of streams, ``2+3`` for
    left and right in two of them, or languages; ``none`` for silence; empty: the main sound."""
    all_audio: bool = False
    """Keep a sound of every language and kind."""
    audio_kbps: int = 128
    """Stereo bit rate in kbit/s; surround has three times as much."""
    surround: bool = False
    """Beside stereo, keep 5.1 of sounds that have as many channels or more."""
    audio_codec: Literal["aac", "opus"] = "aac"
    """``opus``: stereo in Opus beside AAC."""
    loudness_lufs: float = 0.0
    """Loudness that every sound is brought to; 0 leaves it as it is."""
    max_frame_rate: float = 60.0
    """A master with more frames per second has its rate divided by a whole number."""
    tolerate: float = 1.0
    """Most that may be damaged: percent of the frames or seconds in all, and seconds in a row."""
    encrypt: Literal["none", "aes-128", "cbcs", "cenc"] = "none"
    """Encrypt whole segments with AES-128, or samples (``cbcs``, ``cenc``), or leave all clear."""
    container: Literal["fmp4", "ts"] = "fmp4"
    """What segments are: fragments of MP4 (CMAF), or MPEG-2 transport streams for old devices."""
    rotate_every: int = 0
    """Segments per content key; 0 keeps one key for the title."""
    seal_init: bool = False
    """Encrypt initialisation sections too."""
    watermark: bool = False
    """Make two variants of every segment of video, which differ in a faint mark, so that copies
    can be traced to the session that got them."""
    explicit_iv: bool = False
    """Give every segment an initialisation vector of its own, in the playlist (aes-128)."""
    keys_per: KeysPer = "title"
    """``quality``: sound, SD, HD and UHD pictures have keys of their own each."""
    keys_dir: str = ""
    """Folder of the key store; empty: ``$ABR_KEYS``, else below the user's data folder."""
    subtitles: tuple[str, ...] = ()
    """Files as ``FILE[:LANGUAGE][:forced][:sdh]``; ``none`` leaves the master's own out."""
    thumbnails: bool = False
    """Make images of thumbnails, for scrubbing."""
    verify: Literal["full", "quick"] = "quick"
    """Decode all of every rung as a check, chunk by chunk and once more in the end; or the key
    frames of every chunk."""
    executor: str = "local"
    """Where chunks are encoded: ``local``, or a Dask scheduler as ``dask://HOST:PORT``."""
    workers: int = 0
    """Chunks that are encoded at a time on this machine; 0 suits its cores and the ladder."""
    cache_dir: str = ""
    """Folder in which encoded chunks are kept; empty: ``$ABR_CACHE``, else below the user's
    cache folder."""
    no_cache: bool = False
    """Keep nothing, so that a run that is ended begins anew."""
    cache_gb: float = 20.0
    """Size above which the least recently used chunks are removed, in 10^9 bytes."""
    stall_limit_s: float = 60.0
    """Seconds without progress after which ffmpeg is killed."""
    force: bool = False
    """Replace a package that is already there."""

    @property
    def codecs(self) -> tuple[str, ...]:
        """The codecs, in order."""
        return tuple(part.strip() for part in self.codec.lower().split(","))

    def check(self) -> TranscodeConfig:
        """Return self when every value can be used.

        Raises:
            ConfigError: a value is out of range; the message names it.
        """
        for name, least, most in _RANGES:
            value = getattr(self, name)
            if not least <= value <= most:
                raise ConfigError(
                    f"transcode.{name}: {value:g}; expected a value from {least:g} to {most:g}"
                )
        for one, other in _EXCLUSIVE:
            if getattr(self, one) and getattr(self, other):
                raise ConfigError(
                    f"transcode.{one}: set together with {other}; expected one or the other"
                )
        self._check_codecs()
        if not _BACKGROUND.fullmatch(self.background):
            raise ConfigError(
                f"transcode.background: found {self.background!r}; expected black, white, grey or "
                "a colour as #RRGGBB"
            )
        self._check_encryption()
        self._check_container()
        return self

    def _check_encryption(self) -> None:
        for name in ("rotate_every", "seal_init", "explicit_iv"):
            if getattr(self, name) and self.encrypt != "aes-128":
                found = "without encrypt" if self.encrypt == "none" else f"with {self.encrypt}"
                raise ConfigError(
                    f"transcode.{name}: set {found}; expected encrypt = 'aes-128' with it"
                )
        if self.keys_per != "title" and self.encrypt == "none":
            raise ConfigError(
                "transcode.keys_per: set without encrypt; expected encrypt = 'aes-128', 'cbcs' or "
                "'cenc' with it"
            )

    @property
    def scheme(self) -> Scheme | None:
        """How samples are encrypted; None where they are not."""
        return self.encrypt if self.encrypt in ("cbcs", "cenc") else None

    def _check_container(self) -> None:
        if self.container == "fmp4":
            return
        for name, is_wrong, expected in (
            ("codec", self.codecs != ("h264",), "codec = 'h264'"),
            ("audio_codec", self.audio_codec != "aac", "audio_codec = 'aac'"),
            ("encrypt", self.scheme is not None, "encrypt = 'aes-128' or 'none'"),
            ("seal_init", self.seal_init, "none, because it has no initialisation sections"),
            ("thumbnails", self.thumbnails, "none, because thumbnails are cut from fragments"),
            ("watermark", self.watermark, "none, because variants are evened in fragments"),
        ):
            if is_wrong:
                value = getattr(self, name)
                found = name if value is True else f"{name} = {value!r}"
                raise ConfigError(
                    f"transcode.container: ts with {found}; expected {expected}, or "
                    "container = 'fmp4'"
                )

    def _check_codecs(self) -> None:
        for codec in self.codecs:
            if codec not in CODECS:
                raise ConfigError(
                    f"transcode.codec: found {codec!r}; expected {', '.join(CODECS)}, or several "
                    f"of them separated by commas{suggest(codec, CODECS)}"
                )
        if len(set(self.codecs)) < len(self.codecs):
            raise ConfigError(
                f"transcode.codec: {self.codec!r} names a codec twice; expected each once"
            )


_BACKGROUND = re.compile(r"black|white|grey|#[0-9a-fA-F]{6}")
_EXCLUSIVE = (("audio", "all_audio"), ("no_cache", "cache_dir"))
"""Settings of which one at most may be given."""

_RANGES: tuple[tuple[str, float, float], ...] = (
    ("segment_s", 0.5, 30.0),
    ("gop_s", 0.2, 10.0),
    ("chunk_s", 2.0, 600.0),
    ("peak_ratio", 1.05, 2.0),
    ("audio_kbps", 32, 320),
    ("loudness_lufs", -70, 0),
    ("tolerate", 0.0, 100.0),
    ("max_frame_rate", 1.0, 300.0),
    ("rotate_every", 0, 1_000_000),
    ("workers", 0, 256),
    ("cache_gb", 0.0, 1e6),
    ("stall_limit_s", 1.0, 3600.0),
)
