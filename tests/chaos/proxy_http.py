"""One client's connection through the proxy: its requests, one after another, each treated as the plan says."""

import socket
import struct
import time
from urllib.parse import unquote

PIECE_BYTES = 1 << 18
HEAD_BYTES_MAX = 1 << 20


class Connection:
    """One client, its requests one after another, and a connection of its own to the store."""

    def __init__(self, client, target, plan):
        self.client, self.target, self.plan = Stream(client), target, plan
        self.server = None

    def run(self):
        try:
            while self.request():
                pass
        except (Closed, OSError, ValueError):
            pass
        finally:
            self.close()

    def close(self):
        for stream in (self.client, self.server):
            if stream:
                close(stream.sock)

    def request(self):
        """Handles one request; gives whether another may follow."""
        head = Head(self.client.until(b"\r\n\r\n"))
        method, _, rest = head.first.partition(b" ")
        method_name, path = method.decode("latin-1"), unquote(rest.rpartition(b" ")[0].decode("latin-1"))
        forbidden = self.plan.forbids(method_name, path, head.fields.get(b"if-none-match") == b"*")
        mode, argument, healed = ("403", 0, None) if forbidden else self.plan.choose(f"{method_name} {path}")
        if mode == "refuse":
            return reset(self.client.sock)
        if head.drop(b"expect"):
            self.client.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = self.client.chunks() if head.is_chunked() else self.client.pieces(head.length())
        if method == b"POST" and "comp=batch" in path:
            body = [b"".join(body)]
            deletes = [unquote(line.split(b" ")[1].decode("latin-1")) for line in body[0].split(b"\r\n") if line.startswith(b"DELETE ")]
            if any([self.plan.forbids("DELETE", each, False) for each in deletes]):
                mode = "403"
        if mode == "hang":
            exhaust(body)
            healed.wait()
            return False
        if mode == "403":
            exhaust(body)
            return self.own_answer(b"403 Forbidden")
        if mode == "503":
            exhaust(body)
            return self.own_answer(b"503 Service Unavailable")
        if mode == "slow":
            time.sleep(argument / 1000)
        self.forward(head, body)
        if mode in ("drop-answer", "500-after"):
            self.answer(method, lambda _: None)
            return mode == "500-after" and self.own_answer(b"500 Internal Server Error")
        return self.answer(method, self.client.sock.sendall)

    def own_answer(self, status):
        self.client.sock.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
        return True

    def forward(self, head, body):
        # A connection that the store has closed while it was idle shows only now: nothing was sent yet, so take another.
        if self.server and is_gone(self.server.sock):
            close(self.server.sock)
            self.server = None
        if not self.server:
            self.server = Stream(connect(self.target))
        self.server.sock.sendall(head.data())
        for piece in body:
            self.server.sock.sendall(piece)

    def answer(self, method, send):
        """Takes the store's answer and hands it on; gives whether the connections live on."""
        while True:
            head = Head(self.server.until(b"\r\n\r\n"))
            status = int(head.first.split(b" ")[1])
            if status >= 200:
                break
        send(head.data())
        keep = head.fields.get(b"connection", b"").lower() != b"close"
        if method == b"HEAD" or status in (204, 304):
            body = ()
        elif head.is_chunked():
            body = self.server.chunks()
        elif b"content-length" in head.fields:
            body = self.server.pieces(head.length())
        else:
            body, keep = self.server.rest(), False
        for piece in body:
            send(piece)
        return keep


# === HTTP, as much as is needed to forward it ===


class Closed(Exception):
    """One side went away."""


class Stream:
    """A socket with a buffer for reading lines and pieces."""

    def __init__(self, sock):
        self.sock, self.buffer = sock, b""

    def fill(self):
        piece = self.sock.recv(PIECE_BYTES)
        if not piece:
            raise Closed
        self.buffer += piece

    def until(self, mark):
        while (at := self.buffer.find(mark)) < 0:
            if len(self.buffer) > HEAD_BYTES_MAX:
                raise Closed
            self.fill()
        found, self.buffer = self.buffer[: at + len(mark)], self.buffer[at + len(mark) :]
        return found

    def pieces(self, length):
        while length > 0:
            if not self.buffer:
                self.fill()
            piece, self.buffer = self.buffer[:length], self.buffer[length:]
            length -= len(piece)
            yield piece

    def rest(self):
        try:
            while True:
                if self.buffer:
                    piece, self.buffer = self.buffer, b""
                    yield piece
                self.fill()
        except Closed:
            return

    def chunks(self):
        """The chunks of a chunked body, framing and all, up to and including the trailer."""
        while True:
            line = self.until(b"\r\n")
            yield line
            length = int(line.split(b";")[0], 16)
            if length == 0:
                while (line := self.until(b"\r\n")) != b"\r\n":
                    yield line
                yield line
                return
            yield from self.pieces(length)
            yield self.until(b"\r\n")


class Head:
    """First line and headers of a request or an answer."""

    def __init__(self, data):
        self.first, *lines = data[:-4].split(b"\r\n")
        self.lines = lines
        self.fields = {}
        for line in lines:
            name, _, value = line.partition(b":")
            self.fields[name.strip().lower()] = value.strip()

    def drop(self, name):
        self.lines = [line for line in self.lines if line.partition(b":")[0].strip().lower() != name]
        return self.fields.pop(name, None)

    def data(self):
        return b"\r\n".join([self.first, *self.lines]) + b"\r\n\r\n"

    def is_chunked(self):
        return b"chunked" in self.fields.get(b"transfer-encoding", b"").lower()

    def length(self):
        return int(self.fields.get(b"content-length", b"0"))


# === Sockets ===


def listen(port):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(128)
    return sock


def connect(target):
    sock = socket.create_connection(target, timeout=10)
    sock.settimeout(None)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def close(sock):
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    sock.close()


def reset(sock):
    """Ends the connection with RST; gives False, as `there is no next request`."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # A thread may be blocked in `recv` on it, and closing alone would leave the connection open until that returns.
        sock.shutdown(socket.SHUT_RD)
    except OSError:
        pass
    sock.close()
    return False


def is_gone(sock):
    """Whether the peer has closed: readable, and nothing there."""
    sock.setblocking(False)
    try:
        return sock.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        sock.setblocking(True)


def exhaust(body):
    for _ in body:
        pass
