"""What players are told: the playlist of their family and plan, and nothing that cannot play."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from origin.gateway.answers import is_within, plan_view, playback_answer, title_entry
from origin.gateway.routes import parse_route, parse_wish
from origin.gateway.sessions import LeaseRules, Session
from origin.tokens.pathtoken import TokenIssuer
from tests.fakes.packages import write_package
from transcode.packaging.index import Encryption, PresentationIndex, Track
from transcode.packaging.keygroups import KeyGroup


@pytest.fixture
def index(tmp_path: Path) -> PresentationIndex:
    """360, 720 and 1080 lines, clear."""
    made = write_package(tmp_path / "film")
    sizes = ((640, 360), (1280, 720), (1920, 1080))
    rungs = tuple(
        replace(made.video[0], folder=f"v{rung}", width=width, height=height)
        for rung, (width, height) in enumerate(sizes)
    )
    return replace(made, video=rungs)


def encrypted(index: PresentationIndex, *, per_quality: bool) -> PresentationIndex:
    groups = (
        KeyGroup(name="sd", height=360, folders=("v0",), kids=("0" * 32,)),
        KeyGroup(name="hd", height=1080, folders=("v1", "v2"), kids=("1" * 32,)),
    )
    sealed = Encryption(method="SAMPLE-AES", kids=("0" * 32,), groups=groups if per_quality else ())
    return replace(index, encryption=sealed)


def portrait(track: Track) -> Track:
    return replace(track, width=track.height, height=track.width)


@pytest.mark.parametrize(
    ("height", "view"),
    [(None, ""), (2160, ""), (1080, ""), (1079, "sd"), (720, "sd"), (576, "sd"), (240, "sd")],
)
def test_a_plan_gets_the_view_that_lists_nothing_above_it(
    index: PresentationIndex, height: int | None, view: str
) -> None:
    assert plan_view(index, height) == view


def test_a_plan_for_hd_gets_its_view_of_a_taller_title(index: PresentationIndex) -> None:
    top = replace(index.video[-1], width=3840, height=2160)
    assert plan_view(replace(index, video=(*index.video, top)), 1080) == "hd"


def test_portrait_pictures_are_counted_as_if_they_lay(index: PresentationIndex) -> None:
    turned = replace(index, video=tuple(map(portrait, index.video)))
    assert plan_view(turned, 1080) == ""
    assert title_entry(turned, max_height=720)["heights"] == [360, 720]


def test_a_title_of_which_a_plan_opens_nothing_is_not_within_it(index: PresentationIndex) -> None:
    assert is_within(index, None)
    assert is_within(index, 360)
    assert not is_within(index, 359)
    # One key opens the whole ladder, so who may not see the tallest gets no key.
    assert not is_within(encrypted(index, per_quality=False), 720)
    assert is_within(encrypted(index, per_quality=False), 1080)
    assert is_within(encrypted(index, per_quality=True), 576)


def test_an_answer_holds_all_that_a_player_needs(index: PresentationIndex) -> None:
    issuer = TokenIssuer(Ed25519PrivateKey.from_private_bytes(bytes(32)))
    token = issuer.issue("film", now_s=1000.0, session_id="s", ttl_s=60.0)
    session = Session(
        id="s",
        account="a",
        device="tv",
        title="film",
        began_s=1000.0,
        ends_s=5000.0,
        lease_until_s=1030.0,
    )

    def answer(of: PresentationIndex, player: str, *, steered: bool = False) -> dict[str, object]:
        return playback_answer(
            session,
            of,
            token,
            max_height=576,
            base="https://edge.example/",
            player=player,
            is_steered=steered,
            rules=LeaseRules(lease_s=30.0),
            now_s=1000.0,
        )

    start = f"https://edge.example/t/{token}/film"
    clear = answer(index, "")
    assert clear["manifest_url"] == f"{start}/multivariant.sd.m3u8"
    assert clear["licence_url"] is None
    assert clear["steering_url"] is None
    assert (clear["expires_s"], clear["ttl_s"], clear["heartbeat_s"]) == (1060, 60.0, 10.0)
    sealed = answer(encrypted(index, per_quality=True), "shaka", steered=True)
    assert sealed["manifest_url"] == f"{start}/multivariant.sd.identity.m3u8"
    assert sealed["licence_url"] == f"{start}/licence"
    assert sealed["steering_url"] == f"{start}/steering"
    assert sealed["renew_url"] == f"{start}/renew"
    assert sealed["heartbeat_url"] == "/v1/sessions/s/heartbeat"


def test_paths_have_one_spelling() -> None:
    for path in (
        "/v1/playback/",
        "/v1//playback",
        "/v1/sessions/",
        "/v1/sessions/a b",
        "/V1/titles",
    ):
        assert parse_route(path) is None
    route = parse_route("/v1/sessions/aB-_9/heartbeat?x=1")
    assert route is not None
    assert (route.name, route.session, route.shown) == (
        "heartbeat",
        "aB-_9",
        "/v1/sessions/-/heartbeat",
    )


def test_a_wish_may_name_device_and_player() -> None:
    wish = parse_wish(b'{"title": "film", "device": "tv.1:2_3-4", "player": "shaka", "more": 1}')
    assert (wish.title, wish.device, wish.player) == ("film", "tv.1:2_3-4", "shaka")
