"""Which keys a permission opens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from origin.licences.entitlement import KeyUse, TitleKeys, keys_of, open_keys
from tests.fakes.packages import write_package
from transcode.packaging.index import Encryption


def kid(number: int) -> str:
    """A key id."""
    return f"{number:032x}"


# Two periods of three groups: sound, up to 576 lines, up to 1080.
GROUPS = TitleKeys(
    KeyUse(kid=kid(10 * period + place), period=period, group=group, height=height)
    for period in (0, 1)
    for place, (group, height) in enumerate({"audio": 0, "sd": 576, "hd": 1080}.items())
)
AUDIO, SD, HD = kid(0), kid(1), kid(2)


def test_a_permission_without_a_limit_opens_every_key_of_the_title() -> None:
    opened = open_keys((HD, AUDIO, SD), GROUPS, max_height=None, ahead=0)
    assert opened.kids == (HD, AUDIO, SD)
    assert opened.withheld == opened.unlisted == opened.ahead == ()


def test_a_limited_permission_opens_sound_and_pictures_up_to_its_height() -> None:
    opened = open_keys((HD, AUDIO, SD), GROUPS, max_height=576, ahead=0)
    assert opened.kids == (AUDIO, SD)
    assert opened.withheld == (HD,)
    assert opened.least_height == 1080


def test_a_height_one_line_short_opens_nothing_of_the_group() -> None:
    assert open_keys((HD,), GROUPS, max_height=1079, ahead=0).withheld == (HD,)
    assert open_keys((HD,), GROUPS, max_height=1080, ahead=0).kids == (HD,)


def test_a_limit_of_no_lines_leaves_the_sound() -> None:
    assert open_keys((AUDIO, SD), GROUPS, max_height=0, ahead=0).kids == (AUDIO,)


def test_keys_that_the_title_does_not_name_are_told_apart() -> None:
    opened = open_keys((kid(99), SD, kid(99)), GROUPS, max_height=None, ahead=0)
    assert opened.unlisted == (kid(99),)
    assert opened.kids == (SD,)


def test_the_key_of_the_next_period_is_given_ahead_and_of_the_same_group() -> None:
    assert open_keys((SD,), GROUPS, max_height=None, ahead=1).ahead == (kid(11),)
    assert open_keys((SD,), GROUPS, max_height=None, ahead=0).ahead == ()
    assert open_keys((kid(11),), GROUPS, max_height=None, ahead=1).ahead == ()


def test_what_was_asked_for_is_not_given_ahead_once_more() -> None:
    opened = open_keys((SD, kid(11)), GROUPS, max_height=None, ahead=1)
    assert opened.kids == (SD, kid(11))
    assert opened.ahead == ()


def test_keys_ahead_reach_over_as_many_periods_as_wanted() -> None:
    keys = TitleKeys(KeyUse(kid=kid(n), period=n, height=720) for n in range(5))
    assert open_keys((kid(1),), keys, max_height=None, ahead=2).ahead == (kid(2), kid(3))
    assert open_keys((kid(4),), keys, max_height=None, ahead=2).ahead == ()


def test_a_taller_next_period_is_not_opened_ahead() -> None:
    keys = TitleKeys(
        (
            KeyUse(kid=kid(0), period=0, group="x", height=576),
            KeyUse(kid=kid(1), period=1, group="x", height=1080),
        )
    )
    assert open_keys((kid(0),), keys, max_height=576, ahead=1).ahead == ()


def test_a_key_of_two_groups_is_as_tall_as_the_taller_and_leads_on_in_both() -> None:
    keys = TitleKeys(
        (
            KeyUse(kid=kid(0), period=0, group="sd", height=576),
            KeyUse(kid=kid(0), period=0, group="hd", height=1080),
            KeyUse(kid=kid(1), period=1, group="sd", height=576),
            KeyUse(kid=kid(2), period=1, group="hd", height=1080),
        )
    )
    assert open_keys((kid(0),), keys, max_height=576, ahead=1).withheld == (kid(0),)
    assert open_keys((kid(0),), keys, max_height=None, ahead=1).ahead == (kid(1), kid(2))


def test_one_key_for_a_ladder_is_as_tall_as_its_tallest_rung(tmp_path: Path) -> None:
    """The made-up package has rungs of 90 and 180 lines."""
    index = write_package(tmp_path / "film", segment_sizes=(10, 10), encrypted=True)
    rotating = Encryption(method="AES-128", kids=(kid(1), kid(2)), rotate_every=1)
    keys = keys_of(replace(index, encryption=rotating))
    assert open_keys((kid(1),), keys, max_height=179, ahead=0).withheld == (kid(1),)
    assert open_keys((kid(1),), keys, max_height=180, ahead=1).ahead == (kid(2),)
    assert kid(3) not in keys


def test_a_clear_title_names_no_keys(tmp_path: Path) -> None:
    index = write_package(tmp_path / "film")
    assert open_keys((kid(1),), keys_of(index), max_height=None, ahead=1).unlisted == (kid(1),)
