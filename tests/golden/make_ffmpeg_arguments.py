"""Write the argument lists of ffmpeg for a few masters, one argument a line.

Run it when a list is meant to change, read the difference, and say in the commit why:
``.venv/bin/python -m tests.golden.make_ffmpeg_arguments``
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from transcode.config import TranscodeConfig
from transcode.ffmpeg import decode_arguments, encode_arguments, generate_arguments
from transcode.masters.colour import Colour, ColourFacts
from transcode.masters.master import Master
from transcode.masters.scan import Scan
from transcode.masters.streams import AudioFacts
from transcode.planning.jobs import jobs_of
from transcode.planning.plan import plan_encode
from transcode.scenes import SceneSpec

FOLDER = Path(__file__).parent / "ffmpeg_arguments"
STEREO = AudioFacts(index=1, channels=2)
PQ = ColourFacts(
    colour=Colour(matrix="bt2020nc", primaries="bt2020", transfer="smpte2084"),
    pixels="yuv420p10le",
    unstated=("matrix", "primaries"),
)
SURROUND = AudioFacts(index=3, channels=6, language="nl")
PAIR = AudioFacts(index=1, channels=2, joined=(2,), layout="stereo")


def master(width: int, height: int, rate: Fraction, **changes: object) -> Master:
    """Ten seconds of H.264 of high quality."""
    facts: dict[str, object] = {
        "name": "film.mp4",
        "where": "film.mp4",
        "index": 0,
        "codec": "h264",
        "width": width,
        "height": height,
        "frame_rate": rate,
        "duration_s": 10.0,
        "frames": round(10 * rate),
        "bit_rate_bps": 20e6,
    }
    return Master(**{**facts, **changes})  # type: ignore[arg-type]  # a table of facts


def encode(master: Master, **settings: object) -> list[str]:
    """The arguments of every job for ``master``, with numbered pipes."""
    config = TranscodeConfig(**settings)  # type: ignore[arg-type]  # as above
    arguments = []
    for job in jobs_of(plan_encode(master, config)):
        outputs = [f"pipe:{9 + at}" for at in range(len(job.products))]
        arguments += encode_arguments(job, "/films/film.mp4", outputs)
    return arguments


def cases() -> dict[str, Sequence[str]]:
    """Every golden list by name."""
    ntsc = Fraction(30000, 1001)
    return {
        "small-stereo": encode(master(640, 360, Fraction(24), sounds=(STEREO,))),
        "silent-ntsc-own-ladder": encode(
            master(720, 540, ntsc), ladder="180:150,540:900", preset="fast", segment_s=6.0
        ),
        "interlaced-surround": encode(
            master(
                416, 234, Fraction(25), sounds=(SURROUND,), scan=Scan("interlaced", False), index=2
            )
        ),
        "mono-pair-opus": encode(
            master(416, 234, Fraction(25), sounds=(PAIR,)), audio_codec="opus"
        ),
        "with-surround": encode(master(416, 234, Fraction(25), sounds=(SURROUND,)), surround=True),
        "hdr-three-codecs": encode(
            master(640, 360, Fraction(50), colour=PQ),
            codec="h264,hevc,av1",
            ladder="360:800",
            preset="fast",
        ),
        "hdr-120": encode(master(426, 240, Fraction(120), colour=PQ)),
        "decode": decode_arguments(),
        "generate": generate_arguments(SceneSpec(), "/tmp/sound.wav", "pipe:9"),
        "generate-silent": generate_arguments(SceneSpec(with_sound=False), None, "pipe:9"),
    }


def main() -> None:
    """Write them all."""
    FOLDER.mkdir(exist_ok=True)
    for name, arguments in cases().items():
        (FOLDER / f"{name}.txt").write_text("\n".join(arguments) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
