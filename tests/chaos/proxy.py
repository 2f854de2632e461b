#!/usr/bin/env python3
"""An HTTP proxy that misbehaves on request:  proxy.py --to HOST:PORT [--forbid REGEX]      (it prints `listen PORT control PORT`)

It stands between a client and a store and decides, request by request, what becomes of it. Commands come as lines over the
control port; each is answered by one line, `ok …` or `error …`:

  MODE [REGEX]          from now on, for all requests (whose `METHOD /path?query`, decoded, holds a match)
  next N MODE [REGEX]   for the next N such requests; counted rules go before the standing one, the oldest first
  pass                  heal everything: no mode, no rule; what hangs is let go
  left | hits           how many requests the counted rules still wait for; how many requests were not simply passed on

With `--forbid REGEX` a request whose `METHOD new /path` (if it says `If-None-Match: *`) or `METHOD any /path` holds a match gets a 403,
whatever the mode, and so does a batch with one in it: a role that lacks a right. `forbidden` tells how many did.

  pass                  forward the request, hand the answer back
  refuse                without REGEX: connections are refused and open ones reset; with it: the connection is reset instead
  hang                  take the request, never answer
  drop-answer           forward it, let it be applied, swallow the answer and close
  500-after             forward it, then answer 500
  503                   answer 503, forward nothing
  slow MS               wait so long, then forward

One thread a connection, the standard library alone. Bodies pass through in pieces, whatever their size.
"""

import argparse
import re
import socket
import sys
import threading

sys.dont_write_bytecode = True  # started from anywhere, it leaves no folders in the tree

from proxy_http import Connection, close, listen, reset  # noqa: E402
from proxy_rules import Plan  # noqa: E402


class Proxy:
    """Listens, and follows the commands."""

    def __init__(self, target, forbid):
        self.target, self.plan = target, Plan(forbid)
        self.connections = set()
        self.listener = listen(0)
        self.port = self.listener.getsockname()[1]
        self.control = listen(0)
        self.change = threading.Lock()

    def serve(self):
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()
        while True:
            sock, _ = self.control.accept()
            threading.Thread(target=self.obey, args=(sock,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.plan.is_dark():
                reset(sock)
                continue
            connection = Connection(sock, self.target, self.plan)
            self.connections.add(connection)
            threading.Thread(target=self.attend, args=(connection,), daemon=True).start()

    def attend(self, connection):
        try:
            connection.run()
        finally:
            self.connections.discard(connection)

    def obey(self, sock):
        with sock, sock.makefile("rw", encoding="utf-8", newline="\n") as lines:
            for line in lines:
                try:
                    answer = self.command(line.strip())
                except (ValueError, re.error) as error:
                    answer = f"error {error}"
                lines.write(answer + "\n")
                lines.flush()

    def command(self, line):
        with self.change:
            was_dark = self.plan.is_dark()
            answer = self.plan.command(line)
            dark = self.plan.is_dark()
            if dark and not was_dark:
                self.go_dark()
            elif was_dark and not dark:
                self.listener = listen(self.port)
                threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()
            return answer

    def go_dark(self):
        # `shutdown` wakes the thread in `accept`, which `close` alone would not.
        close(self.listener)
        for connection in list(self.connections):
            for stream in (connection.client, connection.server):
                if stream:
                    reset(stream.sock)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", required=True, metavar="HOST:PORT", help="the store")
    parser.add_argument("--forbid", metavar="REGEX", help="requests that get a 403")
    chosen = parser.parse_args()
    host, _, port = chosen.to.rpartition(":")
    proxy = Proxy((host, int(port)), chosen.forbid)
    print(f"listen {proxy.port} control {proxy.control.getsockname()[1]}", flush=True)
    proxy.serve()


if __name__ == "__main__":
    sys.exit(main())
