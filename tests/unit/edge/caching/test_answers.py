"""Header fields of an edge's answers."""

from edge.caching.answers import answer_fields, representation
from edge.caching.cachestatus import CacheStatus
from origin.httprules import ResponsePlan, join_fields, plan_response

NOW_S = 1796083200.0  # 1 December 2026
STORED = (
    ("Content-Type", "video/mp4"),
    ("ETag", '"x"'),
    ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
    ("Cache-Status", '"regional"; hit'),
    ("X-Own", "kept"),
)
HIT = CacheStatus(cache="e", hit=True)


def answered(**request: str) -> tuple[ResponsePlan, dict[str, str]]:
    asked = [(name.replace("_", "-"), value) for name, value in request.items()]
    plan = plan_response(
        "GET", asked, representation(join_fields(STORED), 100, now_s=NOW_S), now_s=NOW_S
    )
    return plan, dict(answer_fields(STORED, plan, age_s=3.9, status=HIT))


def test_a_whole_answer_has_its_length_age_and_every_tier() -> None:
    plan, fields = answered()
    assert plan.status == 200
    assert fields["Content-Length"] == "100"
    assert fields["Age"] == "3"
    assert fields["Cache-Status"] == '"regional"; hit, "e"; hit'
    assert fields["X-Own"] == "kept"


def test_a_part_says_which() -> None:
    plan, fields = answered(Range="bytes=10-19")
    assert plan.status == 206
    assert (fields["Content-Range"], fields["Content-Length"]) == ("bytes 10-19/100", "10")
    assert fields["Content-Type"] == "video/mp4"


def test_several_parts_have_a_type_of_their_own() -> None:
    _, fields = answered(Range="bytes=0-0,5-5")
    assert fields["Content-Type"].startswith("multipart/byteranges; boundary=")


def test_an_answer_without_a_body_has_no_type() -> None:
    for request in ({"If_None_Match": '"x"'}, {"Range": "bytes=100-"}, {"If_Match": '"y"'}):
        plan, fields = answered(**request)
        assert plan.status in (304, 416, 412)
        assert "Content-Type" not in fields


def test_an_object_of_unknown_date_is_never_unmodified_since() -> None:
    asked = [("If-Modified-Since", "Sun, 06 Nov 2094 08:49:37 GMT")]
    assert (
        plan_response("GET", asked, representation({}, 1, now_s=NOW_S), now_s=NOW_S).status == 200
    )
