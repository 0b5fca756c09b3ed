#!/bin/sh
# One would guess: with `connect_timeout`, `statement_timeout`, `lock_timeout` and libpq's
# `tcp_user_timeout` set, no command on a PostgreSQL connection waits for longer than they say.
#
# What happens: the first counts only while connecting, the next two are kept by the server, and
# the last is about packets that nobody acknowledges. When the server's processes stand still (a
# frozen disk or machine, SIGSTOP) its kernel acknowledges on, nobody counts, and the command waits
# for as long as that lasts. Shutting down the socket from another thread ends the wait at once.
#
# Why it matters: a service that must refuse in words within a second while its database is frozen
# needs a clock of its own beside the thread that waits, and a way to cut the connection. A limit on
# the coroutine is not enough with threads: the thread stays, and so does its place in the pool.
#
# Seen with psycopg 3.3.9, PostgreSQL 15, CPython 3.11, Linux x86-64, 2026-11-29.
set -eu
work=$(mktemp -d)
end() {
  if [ -s "$work/pid" ]; then
    for pid in $(cat "$work/pids" "$work/pid"); do kill -CONT "$pid" || true; done
    kill -QUIT "$(cat "$work/pid")" || true
    sleep 1
  fi
}
trap 'end; rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet psycopg==3.3.9 psycopg-binary==3.3.9

bin=$(ls -d /usr/lib/postgresql/*/bin 2> /dev/null | tail -n 1)
: "${bin:=$(dirname "$(command -v initdb)")}"
as=""
if [ "$(id -u)" = 0 ]; then # PostgreSQL refuses root
  as="runuser -u postgres --"
  chown postgres "$work"
fi
port=$(venv/bin/python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
$as "$bin/initdb" -D data -U postgres -A trust --no-sync > initdb.log
$as "$bin/postgres" -D data -p "$port" -h 127.0.0.1 -c unix_socket_directories= > server.log 2>&1 &
for _ in $(seq 100); do
  grep -q '^ready' data/postmaster.pid 2> /dev/null && break
  sleep 0.1
done
head -n 1 data/postmaster.pid > pid

if PORT=$port venv/bin/python - <<'PY'
import os
import signal
import socket
import sys
import threading
import time

import psycopg

connection = psycopg.connect(
    f"host=127.0.0.1 port={os.environ['PORT']} user=postgres dbname=postgres connect_timeout=2 "
    "tcp_user_timeout=2000 options='-c statement_timeout=1000 -c lock_timeout=1000'",
    autocommit=True,
)
server = int(open("pid").read())
children = open(f"/proc/{server}/task/{server}/children").read().split()
open("pids", "w").write(" ".join(children) + "\n")
began_s, ended = time.monotonic(), []


def ask():
    try:
        connection.execute("SELECT 1")
    except psycopg.Error as exc:
        ended.append(f"{time.monotonic() - began_s:.1f} s: {type(exc).__name__}")


for pid in (server, *map(int, children)):
    os.kill(pid, signal.SIGSTOP)
thread = threading.Thread(target=ask, daemon=True)
thread.start()
thread.join(8.0)
waits = thread.is_alive()
print(f"after 8 s with limits of 1 and 2 s: {'still waiting' if waits else ended}")
with socket.socket(fileno=os.dup(connection.fileno())) as copy:
    copy.shutdown(socket.SHUT_RDWR)
thread.join(2.0)
print(f"its socket shut down from another thread: {ended or 'still waiting'}")
sys.exit(not (waits and ended))
PY
then
  echo "PASS: no limit ends the wait for a server that stands still; shutting the socket down does"
else
  echo "CHANGED: the wait ends by itself, or cannot be ended"
  exit 1
fi
