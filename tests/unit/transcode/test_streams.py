"""Which streams are the film: a table of masters that other tools got wrong.

Descriptions are shaped as ffprobe's; the kinds are those of public reports (covers taken for
the film, commentary first and marked default, narration, mono tracks of broadcast files).
"""

from __future__ import annotations

from typing import Any

import pytest

from abr.errors import ConfigError, MediaError
from transcode.masters.sound import AudioFacts, SoundWish, names_of, to_listen_to
from transcode.masters.stream import Measured, streams_of
from transcode.masters.streams import Choice, StreamWish, choose_streams


def video(index: int = 0, **changes: Any) -> dict[str, Any]:
    marks = changes.pop("marks", ())
    tags = {key: changes.pop(key) for key in ("title", "mimetype") if key in changes}
    return {
        "index": index, "codec_type": "video", "codec_name": "h264", "width": 1280, "height": 720,
        "nb_read_packets": "250", "duration": "10.0", "tags": tags,
        "disposition": dict.fromkeys(marks, 1), **changes,
    }  # fmt: skip


def audio(index: int, **changes: Any) -> dict[str, Any]:
    marks = changes.pop("marks", ())
    tags = {key: changes.pop(key) for key in ("title", "language") if key in changes}
    channels = changes.get("channels", 2)
    layout = {1: "mono", 2: "stereo", 6: "5.1"}.get(channels)
    return {
        "index": index, "codec_type": "audio", "codec_name": "aac", "channels": channels,
        "sample_rate": "48000", "nb_read_packets": "470", "duration": "10.0", "tags": tags,
        "disposition": dict.fromkeys(marks, 1),
        **({"channel_layout": layout} if layout else {}), **changes,
    }  # fmt: skip


def mono(index: int, **changes: Any) -> dict[str, Any]:
    return audio(index, **{"channels": 1, "codec_name": "pcm_s24le", **changes})


def choose(*streams: dict[str, Any], **other: Any) -> Choice:
    probed = {
        "streams": list(streams),
        "programs": other.pop("programs", []),
        "format": {"format_name": "mov,mp4", **other.pop("shown", {})},
    }
    return choose_streams(probed, where="in/film.mp4", **other)


def left(choice: Choice, index: int) -> str:
    return next(use.use for use in choice.uses if use.index == index)


COVER: dict[str, Any] = {
    "codec_name": "mjpeg",
    "width": 3000,
    "height": 3000,
    "nb_read_packets": "1",
}


@pytest.mark.parametrize(
    ("streams", "picture", "why"),
    [
        ([video(0, **COVER, marks=["attached_pic"]), video(1)], 1, {0: "a cover picture"}),
        ([video(0, **COVER, marks=["default"]), video(1)], 1, {0: "a still picture"}),
        ([video(0), video(1, **{**COVER, "codec_name": "png"})], 0, {1: "a still picture"}),
        (  # Matroska: an attachment that was muxed as a track of several copies
            [video(0, **{**COVER, "nb_read_packets": "9"}, mimetype="image/jpeg"), video(1)],
            1, {0: "a still picture"},
        ),
        (  # the still in front of an image sequence
            [video(0, nb_read_packets="1", width=4000), video(1)], 1, {0: "one picture only"},
        ),
        (  # a track of thumbnails as long as the film, one every ten seconds
            [video(0, codec_name="mjpeg", nb_read_packets="10", width=2000), video(1)],
            1, {0: "holds 10 pictures, another 250"},
        ),
        ([video(0, marks=["timed_thumbnails"]), video(1)], 1, {0: "thumbnails"}),
        (  # a trailer of higher resolution
            [video(0, width=3840, height=2160, duration="3.0"), video(1)],
            1, {0: "lasts 3 s, another 10 s"},
        ),
        ([video(0, width=320, height=180), video(1)], 1, {0: "a smaller picture"}),
        (  # a preview that was upscaled
            [video(0, width=1920, height=1080, title="Preview"), video(1)],
            1, {0: "an extra by its title"},
        ),
        ([video(0, marks=["comment"]), video(1)], 1, {0: "marked comment"}),
        ([video(0, title="Sign language"), video(1)], 1, {0: "an extra by its title"}),
        ([video(0), video(1)], 0, {1: "another picture of that size"}),
        ([video(0), video(1, marks=["default"])], 1, {0: "another picture of that size"}),
        ([video(0, nb_read_packets="0"), video(1, width=320)], 1, {0: "a stream without pictures"}),
        ([video(0, codec_name="unknown"), video(1)], 1, {0: "a codec that ffmpeg does not know"}),
        ([video(0, nb_read_packets="1"), audio(1)], 0, {}),  # one picture with sound is a film
    ],
)  # fmt: skip
def test_the_picture_is_the_longest_and_largest_that_moves(
    streams: list[dict[str, Any]], picture: int, why: dict[int, str]
) -> None:
    choice = choose(*streams)
    assert choice.video["index"] == picture
    for index, reason in why.items():
        assert left(choice, index) == f"left out: {reason}"


def test_measured_lengths_count_and_not_declared_ones() -> None:
    """A track header may be thirty times too short."""
    measured = {0: Measured(packets=250, seconds=10.0), 1: Measured(packets=30, seconds=1.2)}
    streams = [video(0, duration="0.33"), video(1, width=1920, height=1080, duration="11.0")]
    assert choose(*streams, measured=measured).video["index"] == 0


@pytest.mark.parametrize(
    ("streams", "shown", "message"),
    [
        ([video(**COVER)], {"format_name": "mjpeg_pipe"}, "a still picture or text"),
        ([video(codec_name="webp")], {"format_name": "webp_pipe"}, "WebP has to become another"),
        ([video(**COVER | {"nb_read_packets": "9"})], {"format_name": "jpeg_pipe"},
         "states no rate"),
        ([video(codec_name="av1", nb_read_packets="1")], {"tags": {"major_brand": "avif"}},
         "found a still picture"),
        ([video(codec_name="hevc", marks=["dependent"])], {"tags": {"major_brand": "heic"}},
         "a part of another picture"),
        ([video(**COVER), audio(1)], {}, "found audio only, with a still picture.*--video N"),
        ([video(**COVER, marks=["attached_pic"]), audio(1)], {}, "audio only, with a cover"),
        ([video(codec_name="none"), audio(1)], {}, "a codec that ffmpeg does not know"),
        ([video(nb_read_packets="0"), audio(1)], {},
         "found audio only, with a stream without pictures; expected a video file$"),
        ([video(nb_read_packets="0")], {}, "found a stream without pictures; expected"),
    ],
)  # fmt: skip
def test_what_is_no_film_is_named(
    streams: list[dict[str, Any]], shown: dict[str, Any], message: str
) -> None:
    with pytest.raises(MediaError, match=rf"^in/film\.mp4: .*{message}"):
        choose(*streams, shown=shown)


def test_a_cover_is_the_film_for_those_who_ask_for_it() -> None:
    choice = choose(video(0), video(1, **COVER), wish=StreamWish(video=1))
    assert choice.video["index"] == 1
    assert left(choice, 0) == "left out: not asked for"


@pytest.mark.parametrize("index", [1, 7])
def test_asking_for_a_picture_that_is_not_there_lists_those_that_are(index: int) -> None:
    with pytest.raises(ConfigError, match=rf"--video {index}: .*0 \(h264 1280x720\)"):
        choose(video(0), audio(1), wish=StreamWish(video=index))


TWO = [{"streams": [{"index": 0}, {"index": 1}]}, {"streams": [{"index": 2}, {"index": 3}]}]


def test_sound_is_of_the_programme_of_the_picture() -> None:
    """In a multiplex the first sound may come with another programme's picture."""
    streams = [video(0, width=704), audio(1, marks=["default"]), video(2), audio(3)]
    choice = choose(*streams, programs=TWO)
    assert choice.video["index"] == 2
    assert [sound.index for sound in choice.audio] == [3]
    assert left(choice, 1) == "left out: belongs to another programme"


def test_a_programme_without_sound_does_not_borrow_any() -> None:
    programs = [{"streams": [{"index": 0}]}, {"streams": [{"index": 1}]}]
    assert choose(video(0), audio(1), programs=programs).audio == ()


@pytest.mark.parametrize(("length_s", "index"), [(5.0, 2), (8.0, 1)])
def test_a_sound_of_half_the_length_is_not_the_main_one(length_s: float, index: int) -> None:
    """However it is marked."""
    lasting = {0: 10.0, 1: length_s, 2: 10.0}
    measured = {each: Measured(packets=99, seconds=long) for each, long in lasting.items()}
    choice = choose(video(0), audio(1, marks=["default"]), audio(2), measured=measured)
    assert [sound.index for sound in choice.audio] == [index]


def test_sound_of_no_programme_belongs_to_all() -> None:
    choice = choose(video(0), audio(1), programs=[{"streams": [{"index": 0}]}, {"streams": []}])
    assert [sound.index for sound in choice.audio] == [1]


@pytest.mark.parametrize(
    ("first", "second", "index", "why"),
    [
        ({"title": "Commentary by the director", "marks": ["default"]}, {}, 2, "commentary"),
        ({"marks": ["comment", "default"]}, {}, 2, "commentary"),
        ({"title": "Kommentar"}, {}, 2, "commentary"),
        ({"title": "English (AD)"}, {}, 2, "audio description"),
        ({"title": "Audiodescription"}, {}, 2, "audio description"),
        ({"title": "Audio-Deskription"}, {}, 2, "audio description"),
        ({"marks": ["visual_impaired", "default"]}, {}, 2, "audio description"),
        ({"marks": ["dependent"]}, {}, 2, "audio description"),
        ({"language": "qad"}, {"language": "fra"}, 2, "audio description"),
        ({"marks": ["hearing_impaired"]}, {}, 2, "clear speech"),
        ({"title": "Isolated score"}, {}, 2, "music and effects"),
        ({"title": "M&E"}, {}, 2, "music and effects"),
        ({"marks": ["dub"]}, {"marks": ["original"]}, 2, "dub"),
        ({"language": "eng"}, {"language": "jpn", "marks": ["original"]}, 2, "another language"),
        ({"language": "fre"}, {"language": "eng", "marks": ["default"]}, 2, "another language"),
        ({"duration": "2.0"}, {}, 2, "another sound"),
        ({"title": "Adagio for strings"}, {}, 1, ""),
        ({}, {}, 1, ""),
    ],
)  # fmt: skip
def test_the_main_sound_is_no_extra(
    first: dict[str, Any], second: dict[str, Any], index: int, why: str
) -> None:
    choice = choose(video(0), audio(1, **first), audio(2, **second))
    assert [sound.index for sound in choice.audio] == [index]
    assert left(choice, index) == "main sound"
    if why:
        assert left(choice, 3 - index) == f"left out: {why}; --all-audio keeps it"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"nb_read_packets": "0"}, "holds no sound"),
        ({"codec_name": "unknown"}, "a codec that ffmpeg does not know"),
        ({"channels": 0}, "no channels or no sample rate"),
    ],
)
def test_a_track_without_sound_is_none(changes: dict[str, Any], why: str) -> None:
    choice = choose(video(0), audio(1, **changes, marks=["default"]), audio(2))
    assert [sound.index for sound in choice.audio] == [2]
    assert left(choice, 1) == f"left out: {why}"
    assert choose(video(0), audio(1, **changes)).audio == ()


def joined(*streams: dict[str, Any], **other: Any) -> list[tuple[int, ...]]:
    """Streams of every sound that could be used, the one that is used first."""
    wish = StreamWish(sound=SoundWish(all=True))
    return [sound.indices for sound in choose(video(0), *streams, wish=wish, **other).audio]


@pytest.mark.parametrize(
    ("streams", "expected"),
    [
        ([mono(1), mono(2)], [(1, 2)]),
        ([mono(1, title="Right"), mono(2, title="Left")], [(2, 1)]),
        (
            [mono(1, channel_layout="1 channels (FR)"), mono(2, channel_layout="1 channels (FL)")],
            [(2, 1)],
        ),
        ([mono(1, title="Left"), mono(2, title="Left")], [(1,), (2,)]),
        ([mono(n) for n in (1, 2, 3)], [(1, 2), (3,)]),
        ([mono(n, title=f"Channel {n}") for n in (1, 2, 3, 4)], [(1, 2), (3, 4)]),
        ([mono(n) for n in range(1, 9)], [(1, 2), (3, 4), (5, 6), (7, 8)]),
        ([mono(1, language="ger"), mono(2, language="eng")], [(1,), (2,)]),
        ([mono(1), mono(2, title="Commentary")], [(1,), (2,)]),
        ([mono(1, title="Mic"), mono(2, title="Game")], [(1,), (2,)]),
        ([mono(1), mono(2, sample_rate="44100")], [(1,), (2,)]),
        ([mono(1), audio(2), mono(3)], [(1,), (2,), (3,)]),
        (
            [mono(n + 1, title=t) for n, t in enumerate(["L", "R", "C", "LFE", "Ls", "Rs"])],
            [(1, 2, 3, 4, 5, 6)],
        ),
    ],
)
def test_mono_tracks_in_a_row_are_channels_of_one_sound(
    streams: list[dict[str, Any]], expected: list[tuple[int, ...]]
) -> None:
    assert joined(*streams) == expected


def test_six_mono_tracks_are_surround_if_the_fourth_is_bass() -> None:
    """Else they are pairs: taking pairs for 5.1 would put a second language into the centre."""
    eight = [mono(n) for n in range(1, 9)]
    assert joined(*eight, bass=frozenset({4})) == [(1, 2, 3, 4, 5, 6), (7, 8)]
    assert joined(*eight[:6], bass=frozenset({3})) == [(1, 2), (3, 4), (5, 6)]
    probed = {"streams": [video(0), *eight]}
    assert to_listen_to(streams_of(probed)) == (4,)
    assert to_listen_to(streams_of({"streams": eight[:4]})) == ()


def test_groups_of_mono_tracks_by_language_are_sounds_of_their_own() -> None:
    """Six of each language, as some editing programs write them."""
    languages = ["ger"] * 6 + ["eng"] * 6 + ["qad"] * 2
    streams = [mono(n + 1, language=each) for n, each in enumerate(languages)]
    assert to_listen_to(streams_of({"streams": streams})) == (4, 10)
    assert joined(*streams, bass=frozenset({4, 10})) == [
        (1, 2, 3, 4, 5, 6), (7, 8, 9, 10, 11, 12), (13, 14),
    ]  # fmt: skip
    choice = choose(video(0), *streams, bass=frozenset({4, 10}))
    assert choice.audio == (
        AudioFacts(index=1, channels=6, language="de", joined=(2, 3, 4, 5, 6), layout="5.1"),
    )
    assert left(choice, 3) == "main sound, joined from 1+2+3+4+5+6"
    assert left(choice, 8) == "left out: another language; --all-audio keeps it"


FILM = [
    video(0),
    audio(1, language="fre", channels=6, marks=["default"]),
    audio(2, language="fre"),
    audio(3, language="eng"),
    audio(4, language="eng", title="Audio Description"),
    audio(5, language="eng", title="Commentary: the director"),
    audio(6, language="eng", title="Commentary: the cast"),
]


def asked(*tracks: str) -> Choice:
    return choose(*FILM, wish=StreamWish(sound=SoundWish(tracks=tracks)))


def test_every_language_and_kind_is_kept_once_on_request() -> None:
    choice = choose(*FILM, wish=StreamWish(sound=SoundWish(all=True)))
    kept = [(sound.index, sound.language, sound.role) for sound in choice.audio]
    assert kept == [
        (1, "fr", "main"), (3, "en", "main"),
        (5, "en", "commentary"), (6, "en", "commentary"), (4, "en", "description"),
    ]  # fmt: skip
    assert left(choice, 2) == "left out: the same language again; --audio 2 takes it"
    assert left(choice, 1) == "main sound, default"
    assert names_of(choice.audio) == (
        "Français", "English",
        "Commentary: the director", "Commentary: the cast", "Audio Description",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("tracks", "indices"),
    [
        (("3",), [(3,)]),
        (("en", "fr"), [(3,), (1,)]),
        (("eng",), [(3,)]),
        (("2", "de-DE", "2"), None),
        (("9",), None),
        (("0",), None),
        (("1+2",), None),
        (("klingonish",), None),
        (("none",), []),
        (("none", "1"), None),
    ],
)
def test_sounds_are_taken_as_asked_for(
    tracks: tuple[str, ...], indices: list[tuple[int, ...]] | None
) -> None:
    if indices is None:
        with pytest.raises(ConfigError, match=r"--audio \S+: .* 3 \(aac stereo en\)"):
            asked(*tracks)
    else:
        assert [sound.indices for sound in asked(*tracks).audio] == indices


def test_mono_tracks_are_parted_and_joined_as_asked_for() -> None:
    streams = [video(0), mono(1), mono(2), mono(3)]
    for text, indices in (("2", (2,)), ("3+1", (3, 1))):
        choice = choose(*streams, wish=StreamWish(sound=SoundWish(tracks=(text,))))
        assert [sound.indices for sound in choice.audio] == [indices]


def test_stereo_knows_its_surround_of_the_same_language() -> None:
    choice = asked("2", "3")
    assert [sound.in_surround and sound.in_surround.index for sound in choice.audio] == [1, None]


@pytest.mark.parametrize(
    ("tags", "title"),
    [
        ({"handler_name": "SoundHandler"}, ""),
        ({"handler_name": "Core Media Audio"}, ""),
        ({"handler_name": "#Mainconcept MP4 Sound Media Handler"}, ""),
        ({"handler_name": "Stereo"}, ""),
        ({"handler_name": "Kommentar der Regie"}, "Kommentar der Regie"),
        ({"handler_name": "SoundHandler", "title": "Original  mix"}, "Original mix"),
        ({"name": "Narration", "HANDLER_NAME": "SoundHandler"}, "Narration"),
    ],
)
def test_names_that_programs_make_up_are_no_titles(tags: dict[str, str], title: str) -> None:
    (stream,) = streams_of({"streams": [{**audio(1), "tags": tags}]})
    assert stream.title == title


def test_names_differ_and_can_be_quoted() -> None:
    sounds = [
        AudioFacts(index=1, channels=2),
        AudioFacts(index=2, channels=2),
        AudioFacts(index=3, channels=2),
        AudioFacts(index=4, channels=2, title='The "cut"\n\x00', language="en"),
        AudioFacts(index=5, channels=2, language="en", role="commentary"),
    ]
    assert names_of(sounds) == ("Main", "Main 2", "Main 3", "The 'cut'", "English (commentary)")


def test_a_silent_sound_is_not_preferred_to_one_of_its_kind() -> None:
    """A recorder's empty first track; yet commentary is no replacement for a silent film."""
    streams = (video(0), audio(1, marks=("default",)), audio(2))
    choice = choose(*streams, silent=frozenset({1}))
    assert [each.index for each in choice.audio] == [2]
    assert left(choice, 1) == "left out: silent; --audio 1 takes it"
    assert choose(*streams, silent=frozenset({1, 2})).audio[0].index == 1
    spoken = choose(video(0), audio(1), audio(2, marks=("comment",)), silent=frozenset({1}))
    assert spoken.audio[0].index == 1
