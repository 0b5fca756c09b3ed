"""Servers as they are: redirects, cookies, old HTTP, wrong statuses, slow and silent ones."""

from __future__ import annotations

from tests.odd.media import Media
from tests.odd.server import Answer, Asked, Reply, Script
from tests.odd.stream import (
    Files,
    Seen,
    asked_for,
    at_most,
    both,
    exactly,
    fmp4,
    master,
    never_asked,
    odd,
    plays,
    refused,
    variant,
)

AGENT = "odd/1.0"


def site(m: Media, **more: Script) -> Files:
    """A playlist of fMP4; ``more`` takes the place of files, slashes written as two underscores."""
    named = {name.replace("__", "/").replace("_", "."): each for name, each in more.items()}
    return {**m.of("v0"), "main.m3u8": fmp4(), **named}


def moved(to: str, status: int = 302) -> Answer:
    """A redirect."""
    return Answer(status=status, headers={"Location": to})


# --- redirects ----------------------------------------------------------------------


def redirecting(m: Media, status: int, to: str) -> Files:
    """Playlist, section and segments all elsewhere."""
    files: dict[str, Script] = {"main.m3u8": moved(to + "real.m3u8", status), "real.m3u8": fmp4()}
    for name, data in m.of("v0").items():
        files[name] = moved(f"{to}at/{name}" if "{" in to else f"{to}../at/{name}", status)
        files[f"at/{name}"] = data
    return files


@odd(plays())
def redirect_301(m: Media) -> Files:
    """Moved for good, to a relative place."""
    return redirecting(m, 301, "./")


@odd(plays())
def redirect_307_to_another_host(m: Media) -> Files:
    """Load balancers send each viewer to a server of his own."""
    return redirecting(m, 307, "{other}/")


@odd(plays())
def redirect_308_absolute(m: Media) -> Files:
    """RFC 9110, 15.4.9."""
    return redirecting(m, 308, "{main}/")


@odd(plays(check=asked_for("deep/v0/0.m4s")))
def redirect_of_the_playlist_changes_its_base(m: Media) -> Files:
    """RFC 3986, 5.1.3: references are relative to where it came from in the end."""
    below = {f"deep/{name}": data for name, data in m.of("v0").items()}
    return {"main.m3u8": moved("deep/real.m3u8"), "deep/real.m3u8": fmp4(), **below}


@odd(plays(check=asked_for("deep/v0/0.m4s")))
def redirect_of_a_variant_changes_its_base(m: Media) -> Files:
    """The same one level below."""
    below = {f"deep/{name}": data for name, data in m.of("v0").items()}
    return {
        "main.m3u8": master(variant("v.m3u8")),
        "v.m3u8": moved("{other}/deep/v.m3u8"),
        "deep/v.m3u8": fmp4(),
        **below,
    }


@odd(plays(check=at_most(20, "main.m3u8")))
def redirects_in_a_chain(m: Media) -> Files:
    """Six of them; browsers follow 20, ffmpeg 8."""
    chain: dict[str, Script] = {f"r{n}": moved(f"r{n + 1}") for n in range(5)}
    return {**site(m), "main.m3u8": moved("r0"), **chain, "r5": fmp4()}


@odd(refused("redirects", check=at_most(60, "main.m3u8"), within_s=30))
def redirects_in_a_circle(m: Media) -> Files:
    """ERR_TOO_MANY_REDIRECTS."""
    return site(m, main_m3u8=moved("main.m3u8"))


@odd(refused("302|redirect"))
def redirect_to_nowhere(m: Media) -> Files:
    """302 without Location."""
    return site(m, main_m3u8=Answer(status=302))


@odd(refused("redirect"))
def redirect_to_a_file(m: Media) -> Files:
    """No server may point at files of this machine."""
    return site(m, main_m3u8=moved("file:///etc/hostname"))


@odd(refused("304"))
def not_modified(m: Media) -> Files:
    """304 to a request without conditions has nothing to be the same as."""
    return site(m, main_m3u8=Answer(status=304))


# --- who asks ------------------------------------------------------------------------


def cookies_came_back(seen: Seen) -> str:
    """Whether every request but the first brought the cookie."""
    without = [
        each.path for each in seen.asked[1:] if "seen=1" not in each.headers.get("cookie", "")
    ]
    return f"no cookie with {', '.join(without)}" if without else ""


@odd(plays(check=cookies_came_back))
def cookie_of_the_playlist(m: Media) -> Files:
    """CDNs give a session cookie with the playlist and want it with every segment."""
    needy: dict[str, Script] = {}

    def wants(data: bytes) -> Script:
        def answer(asked: Asked, _count: int) -> Reply:
            has = "seen=1" in asked.headers.get("cookie", "")
            return Answer(body=data) if has else Answer(status=403)

        return answer

    for name, data in m.of("v0").items():
        needy[name] = wants(data)
    text = Answer(body=fmp4(), headers={"Set-Cookie": "seen=1; Path=/; HttpOnly"})
    return {"main.m3u8": text, **needy}


@odd(plays(check=cookies_came_back))
def cookie_of_a_redirect(m: Media) -> Files:
    """Set by the redirect, wanted by what it leads to."""
    first = Answer(status=302, headers={"Location": "real.m3u8", "Set-Cookie": "seen=1; Path=/"})
    return {**site(m), "main.m3u8": first, "real.m3u8": fmp4()}


def given_stays_here(seen: Seen) -> str:
    """The field goes to the first server, and to no other."""
    for each in seen.asked:
        has = each.headers.get("x-key") == "secret"
        if has != (each.host == "main"):
            return f"x-key {'told to' if has else 'missing at'} {each.host}/{each.path}"
    return "" if any(each.host == "other" for each in seen.asked) else "never at the other host"


@odd(plays(check=given_stays_here), headers={"X-Key": "secret"}, other_players=False)
def header_for_one_host(m: Media) -> Files:
    """What was given for one server is not told to others."""
    return {**m.of("v0"), "main.m3u8": master(variant("v.m3u8")), "v.m3u8": fmp4(up="{other}/")}


def agent_everywhere(seen: Seen) -> str:
    """The same User-Agent in every request."""
    found = {each.headers.get("user-agent") for each in seen.asked}
    return "" if found == {AGENT} else f"User-Agent: {found}"


@odd(plays(check=agent_everywhere), headers={"User-Agent": AGENT})
def user_agent(m: Media) -> Files:
    """Some servers know players by their names."""
    return site(m)


@odd(plays(), other_players=False)
def name_and_password_in_the_url(m: Media) -> Files:
    """RFC 7617: what stands before the @ is sent as Authorization, as browsers and ffmpeg do."""

    def answer(asked: Asked, _count: int) -> Reply:
        has = asked.headers.get("authorization") == "Basic dTpw"
        return (
            fmp4(up=f"http://u:p@{asked.headers['host']}/s/{asked.stream}/")
            if has
            else Answer(status=401)
        )

    def start(asked: Asked, _count: int) -> Reply:
        return master(variant(f"http://u:p@{asked.headers['host']}/s/{asked.stream}/v.m3u8"))

    return {**m.of("v0"), "main.m3u8": start, "v.m3u8": answer}


@odd(refused("401"))
def password_wanted(m: Media) -> Files:
    """Nobody is asked for one."""
    head = {"WWW-Authenticate": 'Basic realm="x"'}
    return site(m, main_m3u8=Answer(status=401, headers=head))


@odd(plays(check=asked_for("v0/0.m4s")))
def token_in_every_uri(m: Media) -> Files:
    """Signed URLs of several hundred characters with all that queries may hold."""
    sign = "?Policy=" + "eyJ_~-" * 80 + "&Signature=a%2Fb%2Bc%3D%3D&Key-Pair-Id=K'1(2)!*"
    return site(m, main_m3u8=fmp4().replace(".m4s", f".m4s{sign}"))


@odd(plays())
def very_long_uris(m: Media) -> Files:
    """RFC 9110, 4.1: at least 8,000 octets ought to work."""
    return site(m, main_m3u8=fmp4().replace(".m4s", ".m4s?" + "a" * 7000))


# --- HTTP as it is spoken -----------------------------------------------------------------


def raw(head: str, body: bytes) -> Answer:
    """A response written by hand."""
    return Answer(raw=head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)


@odd(plays())
def status_without_words(m: Media) -> Files:
    """RFC 9112, 4: the reason may be missing, and the space before it too."""
    data = m["v0/1.m4s"]
    return {**site(m), "v0/1.m4s": raw(f"HTTP/1.1 200\nContent-Length: {len(data)}", data)}


@odd(plays())
def header_names_in_any_case(m: Media) -> Files:
    """RFC 9110, 5.1."""
    data = m["v0/1.m4s"]
    return {**site(m), "v0/1.m4s": raw(f"HTTP/1.1 200 OK\ncontent-LENGTH:{len(data)}", data)}


@odd(plays())
def header_lines_many(m: Media) -> Files:
    """CDNs in debugging mode: sixty fields and one of 6,000 characters."""
    head = {f"X-Cache-{n}": "HIT from edge" for n in range(60)} | {"X-Trace": "t" * 6000}
    return {**site(m), "v0/1.m4s": Answer(body=m["v0/1.m4s"], headers=head)}


@odd(plays())
def lines_end_in_lf(m: Media) -> Files:
    """RFC 9112, 2.2: a recipient MAY take a lone LF as a line end."""
    data = m["v0/1.m4s"]
    head = f"HTTP/1.1 200 OK\nContent-Length: {len(data)}\nConnection: close\n\n".encode()
    return {**site(m), "v0/1.m4s": Answer(raw=head + data)}


@odd(plays())
def continue_before_the_answer(m: Media) -> Files:
    """RFC 9110, 15.2: a client takes 1xx responses before the final one, asked for or not."""
    data = m["v0/1.m4s"]
    head = "HTTP/1.1 100 Continue\n\nHTTP/1.1 103 Early Hints\nLink: </x>\n\n"
    return {**site(m), "v0/1.m4s": raw(f"{head}HTTP/1.1 200 OK\nContent-Length: {len(data)}", data)}


@odd(plays())
def connection_closed_after_each(m: Media) -> Files:
    """Connection: close, with a length."""
    files: dict[str, Script] = {}
    for name, data in m.of("v0").items():
        files[name] = raw(f"HTTP/1.1 200 OK\nContent-Length: {len(data)}\nConnection: close", data)
    return {"main.m3u8": fmp4(), **files}


@odd(plays())
def kept_alive_and_then_closed(m: Media) -> Files:
    """Says nothing and closes: the next request on that connection is made again on another."""
    files: dict[str, Script] = {}
    for name, data in m.of("v0").items():
        files[name] = raw(f"HTTP/1.1 200 OK\nContent-Length: {len(data)}", data)
    return {"main.m3u8": fmp4(), **files}


@odd(plays(check=exactly(2, "v0/1.m4s")))
def answer_that_is_not_http(m: Media) -> Files:
    """Rubbish once, then the segment."""
    return {**site(m), "v0/1.m4s": [Answer(raw=b"SSH-2.0-x\r\n\r\n"), m["v0/1.m4s"]]}


@odd(refused("connection|HTTP", within_s=40), config={"patience_s": 2.0})
def answer_that_is_never_http(m: Media) -> Files:
    """Another service on the port."""
    return {**site(m), "main.m3u8": Answer(raw=b"SSH-2.0-x\r\n\r\n")}


@odd(plays(check=exactly(2, "v0/1.m4s")))
def lengths_that_contradict(m: Media) -> Files:
    """Two Content-Length fields that differ (RFC 9112, 6.3: an unrecoverable error), once."""
    bad = raw("HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 7", b"1234567")
    return {**site(m), "v0/1.m4s": [bad, m["v0/1.m4s"]]}


@odd(plays(check=exactly(2, "v0/1.m4s")))
def length_that_is_too_small(m: Media) -> Files:
    """Half the bytes are promised and sent: the boxes tell, and it is asked for again."""
    data = m["v0/1.m4s"]
    half = raw(f"HTTP/1.1 200 OK\nContent-Length: {len(data) // 2}", data)
    return {**site(m), "v0/1.m4s": [half, data]}


@odd(plays())
def dropped_once(m: Media) -> Files:
    """The connection closes without an answer."""
    return {**site(m), "v0/1.m4s": [Answer(drops=True), m["v0/1.m4s"]]}


@odd(plays())
def dropped_everywhere_once(m: Media) -> Files:
    """Each thing at the first try, the playlist too."""
    files: dict[str, Script] = {n: [Answer(drops=True), d] for n, d in m.of("v0").items()}
    return {"main.m3u8": [Answer(drops=True), fmp4()], **files}


# --- other places -------------------------------------------------------------------------


@odd(plays(), host="ipv6")
def ipv6(m: Media) -> Files:
    """[::1] in the URL."""
    return site(m)


@odd(plays())
def segments_on_ipv6(m: Media) -> Files:
    """Only what is listed is there."""
    return site(m, main_m3u8=fmp4(up="{ipv6}/"))


@odd(plays(), trace_kbps=2000)
def segments_on_ipv6_behind_a_trace(m: Media) -> Files:
    """Every byte of the session goes through the link."""
    return site(m, main_m3u8=fmp4(up="{ipv6}/"))


@odd(plays(), insecure=True, host="tls")
def tls_taken_as_it_is(m: Media) -> Files:
    """--insecure: a certificate that nobody signed."""
    return site(m)


@odd(refused("--insecure"), host="tls", other_players=False)
def tls_that_nobody_signed(m: Media) -> Files:
    """Refused, and the remedy named."""
    return site(m)


@odd(plays(), insecure=True, host="tls", trace_kbps=2000)
def tls_behind_a_trace(m: Media) -> Files:
    """Tunnelled through the link."""
    return site(m)


@odd(plays(), insecure=True)
def tls_from_plain(m: Media) -> Files:
    """A redirect from http to https."""
    return site(m, main_m3u8=moved("{tls}/real.m3u8"), real_m3u8=fmp4())


@odd(plays(), trace_kbps=2000)
def redirects_behind_a_trace(m: Media) -> Files:
    """Cross-host redirects with the right Host header, through the link."""
    return redirecting(m, 302, "{other}/")


@odd(refused("(?i)cannot connect|name", within_s=40), start="http://no-such-host.invalid/main.m3u8")
def host_that_is_not_there(m: Media) -> Files:
    """RFC 6761: .invalid never resolves."""
    return {}


@odd(refused("cannot connect", within_s=40), start="http://127.0.0.1:9/main.m3u8")
def port_that_is_closed(m: Media) -> Files:
    """Nobody listens."""
    return {}


# --- time -----------------------------------------------------------------------------------


@odd(plays())
def slow_to_answer(m: Media) -> Files:
    """Half a second before everything."""
    files = {n: Answer(body=d, wait_s=0.5) for n, d in m.of("v0").items()}
    return {"main.m3u8": Answer(body=fmp4(), wait_s=0.5), **files}


@odd(plays(within_s=25))
def slower_than_playback(m: Media) -> Files:
    """Each second of media takes 1.5 s: it stalls, and plays to its end."""
    files = {n: Answer(body=d, body_s=1.5 if "m4s" in n else 0) for n, d in m.of("v0").items()}
    return {"main.m3u8": fmp4(), **files}


@odd(plays(within_s=60, check=exactly(2, "v0/1.m4s")))
def silent_in_the_middle_once(m: Media) -> Files:
    """A body that stalls: an idle limit in seconds, then another try."""
    data = m["v0/1.m4s"]
    return {**site(m), "v0/1.m4s": [Answer(body=data, stalls_after=400), data]}


@odd(plays(within_s=60))
def silent_from_the_start_once(m: Media) -> Files:
    """No answer at all."""
    data = m["v0/1.m4s"]
    return {**site(m), "v0/1.m4s": [Answer(body=data, wait_s=80), data]}


@odd(plays(within_s=60))
def silent_playlist_once(m: Media) -> Files:
    """The playlist's body stalls."""
    return {**site(m), "main.m3u8": [Answer(body=fmp4(), stalls_after=20), fmp4()]}


# --- statuses ---------------------------------------------------------------------------------


@odd(plays(check=exactly(2, "v0/1.m4s")))
def status_503_with_retry_after(m: Media) -> Files:
    """One second, as it asks."""
    wait = Answer(status=503, headers={"Retry-After": "1"})
    return {**site(m), "v0/1.m4s": [wait, m["v0/1.m4s"]]}


@odd(plays(check=exactly(2, "v0/1.m4s")))
def status_429_with_retry_after(m: Media) -> Files:
    """Too many requests (RFC 6585, 4)."""
    wait = Answer(status=429, headers={"Retry-After": "1"})
    return {**site(m), "v0/1.m4s": [wait, m["v0/1.m4s"]]}


@odd(plays(check=exactly(2, "v0/1.m4s")))
def status_503_with_a_date(m: Media) -> Files:
    """Retry-After as a date (RFC 9110, 10.2.3), by the server's own clock."""
    head = {
        "Date": "Sun, 06 Nov 1994 08:49:37 GMT",
        "Retry-After": "Sun, 06 Nov 1994 08:49:38 GMT",
    }
    return {**site(m), "v0/1.m4s": [Answer(status=503, headers=head), m["v0/1.m4s"]]}


@odd(refused("503", within_s=45, played_s=1.0), config={"patience_s": 4.0})
def status_503_with_an_hour(m: Media) -> Files:
    """Nobody waits that long; what is buffered is played, then it ends."""
    wait = Answer(status=503, headers={"Retry-After": "3600"})
    return {**site(m), "v0/1.m4s": wait}


@odd(plays())
def status_500_on_everything_once(m: Media) -> Files:
    """A server that is being restarted."""
    files: dict[str, Script] = {n: [Answer(status=500), d] for n, d in m.of("v0").items()}
    return {"main.m3u8": [Answer(status=502), fmp4()], **files}


@odd(plays())
def status_408_and_425(m: Media) -> Files:
    """RFC 9110, 15.5.9 and RFC 8470, 5.2: try again."""
    data = m["v0/1.m4s"]
    return {**site(m), "v0/1.m4s": [Answer(status=408), Answer(status=425), data]}


@odd(refused("404", check=never_asked("v0")))
def playlist_not_found(m: Media) -> Files:
    """One line, at once."""
    return {}


@odd(refused("410"))
def playlist_gone(m: Media) -> Files:
    """RFC 9110, 15.5.11."""
    return site(m, main_m3u8=Answer(status=410))


@odd(refused("451"))
def playlist_unavailable_for_legal_reasons(m: Media) -> Files:
    """RFC 7725: what is blocked in a country."""
    return site(m, main_m3u8=Answer(status=451))


@odd(refused("status 999"))
def status_that_nobody_knows(m: Media) -> Files:
    """Servers invent statuses against robots."""
    return site(m, main_m3u8=Answer(status=999))


@odd(plays(check=both(exactly(2, "v0/1.m4s"))))
def forbidden_once(m: Media) -> Files:
    """A 403 that heals: a token server behind its time."""
    return {**site(m), "v0/1.m4s": [Answer(status=403), m["v0/1.m4s"]]}


@odd(plays())
def not_found_once(m: Media) -> Files:
    """A segment that is on its way to this cache."""
    return {**site(m), "v0/1.m4s": [Answer(status=404), m["v0/1.m4s"]]}
