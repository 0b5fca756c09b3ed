#!/bin/sh
# One would guess: what an application answers with `Cache-Control: private, no-store` is kept by no
# shared cache in front of it, whatever other fields the answer has.
#
# What happens: nginx with `proxy_cache` and no other settings keeps it for as long as a field
# `X-Accel-Expires` says, if that stands before `Cache-Control`, and gives it to the next client;
# behind it, it does nothing. nginx takes the field off, so nobody in front sees why.
#
# Why it matters: a server that passes on fields of a parent, or of a token (`catif` of CTA-5007 names
# fields of an answer), must take these off to keep what is protected out of caches; adding `no-store`
# is not enough.
#
# Seen with nginx 1.22.1, Debian 12, Linux x86-64, 2026-11-29.
set -eu
nginx=$(PATH="$PATH:/usr/sbin" command -v nginx) || { echo "nginx is not installed" >&2; exit 2; }
work=$(mktemp -d)
trap 'kill "${server:-}" "${front:-}" 2>/dev/null || :; rm -rf "$work"' EXIT
cd "$work"

cat > parent.py <<'PY'
import http.server


class Parent(http.server.BaseHTTPRequestHandler):
    count = 0

    def do_GET(self):
        Parent.count += 1
        body = str(Parent.count).encode()
        self.send_response(200)
        if self.path == "/accel":
            self.send_header("X-Accel-Expires", "60")
        self.send_header("Cache-Control", "private, no-store")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Parent)
print(server.server_address[1], flush=True)
server.serve_forever()
PY
python3 parent.py > port & server=$!
while [ ! -s port ]; do sleep 0.1; done
front_port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat > nginx.conf <<CONF
daemon off; master_process off; pid $work/pid; error_log $work/errors;
events { }
http {
    access_log off; proxy_cache_path $work/cache keys_zone=z:1m;
    client_body_temp_path $work/b; proxy_temp_path $work/p; fastcgi_temp_path $work/f;
    uwsgi_temp_path $work/u; scgi_temp_path $work/s;
    server {
        listen 127.0.0.1:$front_port;
        location / { proxy_pass http://127.0.0.1:$(cat port); proxy_cache z; }
    }
}
CONF
"$nginx" -p "$work" -c "$work/nginx.conf" 2>/dev/null & front=$!
python3 - "$front_port" <<'PY'
import sys
import time
import urllib.request

base = f"http://127.0.0.1:{sys.argv[1]}"
for _ in range(50):
    try:
        urllib.request.urlopen(base + "/plain").read()
        break
    except OSError:
        time.sleep(0.1)
plain = [urllib.request.urlopen(base + "/plain").read() for _ in range(2)]
accel = [urllib.request.urlopen(base + "/accel") for _ in range(2)]
bodies = [each.read() for each in accel]
print("no-store:", plain, "behind X-Accel-Expires:", bodies, accel[1].headers["Cache-Control"])
if plain[0] == plain[1]:
    sys.exit("no-store alone was kept; expected not")
if bodies[0] != bodies[1]:
    sys.exit("nginx no longer believes X-Accel-Expires more than no-store")
if accel[1].headers["X-Accel-Expires"] is not None:
    sys.exit("nginx passes X-Accel-Expires on")
PY
echo "as described: an answer with no-store was kept, because X-Accel-Expires said so"
