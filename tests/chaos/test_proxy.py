"""What the proxy promises, against a small store of its own:  python3 -m unittest discover -s tests/chaos"""

import hashlib
import http.client
import socket
import subprocess
import sys
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PROXY = Path(__file__).with_name("proxy.py")
APPLIED = {}


class Store(BaseHTTPRequestHandler):
    """PUT keeps a digest of the body, GET gives 64 MiB (chunked, with `?chunked`) or what was put."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_PUT(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = bytearray()
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        APPLIED[self.path] = hashlib.sha256(body).hexdigest()
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_PUT

    def do_GET(self):
        body = b"x" * (64 << 20) if "big" in self.path else APPLIED.get(self.path, "").encode()
        self.send_response(200)
        if "chunked" in self.path:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for at in range(0, len(body), 1 << 20):
                piece = body[at : at + (1 << 20)]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def do_HEAD(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Connections are reset here on purpose."""


class ProxyTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.store = QuietServer(("127.0.0.1", 0), Store)
        threading.Thread(target=cls.store.serve_forever, daemon=True).start()
        command = [sys.executable, PROXY, "--to", f"127.0.0.1:{cls.store.server_port}", "--forbid", r"^(DELETE any|PUT any) /role/"]
        cls.proxy = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        _, port, _, control = cls.proxy.stdout.readline().split()
        cls.port = int(port)
        with socket.create_connection(("127.0.0.1", int(control))) as sock:
            cls.control = sock.makefile("rw")

    @classmethod
    def tearDownClass(cls):
        cls.control.close()
        cls.proxy.kill()
        cls.proxy.wait()
        cls.proxy.stdout.close()
        cls.store.shutdown()
        cls.store.server_close()

    def setUp(self):
        APPLIED.clear()
        self.assertEqual(self.say("pass"), "ok")
        self.client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        self.addCleanup(self.client.close)

    def say(self, line):
        self.control.write(line + "\n")
        self.control.flush()
        return self.control.readline().strip()

    def ask(self, method, path, body=None, **more):
        self.client.request(method, path, body, **more)
        answer = self.client.getresponse()
        return answer.status, answer.read()

    def test_requests_follow_one_another_on_one_connection(self):
        self.assertEqual(self.ask("PUT", "/a", b"1")[0], 201)
        sock = self.client.sock
        self.assertEqual(self.ask("HEAD", "/a"), (200, b""))
        self.assertEqual(self.ask("GET", "/a")[1].decode(), hashlib.sha256(b"1").hexdigest())
        self.assertIs(self.client.sock, sock)

    def test_large_and_chunked_bodies(self):
        body = bytes(range(256)) * (64 << 12)
        self.assertEqual(self.ask("PUT", "/a", body)[0], 201)
        pieces = (body[at : at + 100_000] for at in range(0, len(body), 100_000))
        self.assertEqual(self.ask("PUT", "/b", pieces, headers={"Transfer-Encoding": "chunked"}, encode_chunked=True)[0], 201)
        self.assertEqual(APPLIED, dict.fromkeys(["/a", "/b"], hashlib.sha256(body).hexdigest()))
        for path in ("/big", "/big?chunked"):
            self.assertEqual(len(self.ask("GET", path)[1]), 64 << 20)

    def test_a_role_that_may_only_create(self):
        before = int(self.say("forbidden").split()[1])
        only_new = {"If-None-Match": "*"}
        self.assertEqual(self.ask("PUT", "/role/a", b"1", headers=only_new)[0], 201)
        self.assertEqual(self.ask("PUT", "/role/a", b"2")[0], 403)
        self.assertEqual(self.ask("DELETE", "/role/a")[0], 403)
        self.assertEqual(self.ask("PUT", "/other/a", b"1")[0], 201)
        self.assertEqual(APPLIED, dict.fromkeys(["/role/a", "/other/a"], hashlib.sha256(b"1").hexdigest()))
        batch = "--batch\r\nContent-Type: application/http\r\n\r\nDELETE {} HTTP/1.1\r\n\r\n--batch--\r\n"
        self.assertEqual(self.ask("POST", "/all?comp=batch", batch.format("/role/a?snapshot=x").encode())[0], 403)
        self.assertEqual(self.ask("POST", "/all?comp=batch", batch.format("/other/a").encode())[0], 201)
        self.assertEqual(self.say("forbidden"), f"ok {before + 3}")

    def test_a_client_that_waits_for_leave_to_send(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as sock:
            sock.sendall(b"PUT /e HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
            self.assertTrue(sock.recv(1000).startswith(b"HTTP/1.1 100 "))
            sock.sendall(b"abc")
            self.assertTrue(sock.recv(1000).startswith(b"HTTP/1.1 201 "))

    def test_a_dropped_answer_is_applied_and_only_counted_requests_are_hit(self):
        self.assertEqual(self.say("next 1 drop-answer PUT .*/log/"), "ok")
        self.assertEqual(self.ask("PUT", "/data/1", b"1")[0], 201)
        self.assertEqual(self.ask("GET", "/log/1")[0], 200)
        self.assertEqual(self.say("left"), "ok 1")
        with self.assertRaises((http.client.RemoteDisconnected, ConnectionError)):
            self.ask("PUT", "/state/%6Cog/1", b"1")
        self.client.close()
        self.assertIn("/state/%6Cog/1", APPLIED)
        self.assertEqual(self.say("left"), "ok 0")
        self.assertEqual(self.ask("PUT", "/log/2", b"1")[0], 201)

    def test_answers_of_its_own(self):
        self.say("next 1 500-after")
        self.say("next 1 503")
        self.assertEqual(self.ask("PUT", "/after", b"1")[0], 500)
        self.assertEqual(self.ask("PUT", "/before", b"1")[0], 503)
        self.assertEqual(list(APPLIED), ["/after"])
        self.assertEqual(self.ask("PUT", "/before", b"1")[0], 201)

    def test_darkness_and_light(self):
        self.ask("PUT", "/a", b"1")
        self.assertEqual(self.say("refuse"), "ok")
        with self.assertRaises((http.client.RemoteDisconnected, ConnectionError)):
            self.ask("PUT", "/a", b"1")
        self.client.close()
        with self.assertRaises(ConnectionRefusedError):
            self.client.connect()
        self.assertEqual(self.say("pass"), "ok")
        self.assertEqual(self.ask("PUT", "/a", b"1")[0], 201)

    def test_a_hanging_request_is_let_go_when_all_is_healed(self):
        self.say("hang PUT")
        self.assertEqual(self.ask("GET", "/a")[0], 200)
        self.client.request("PUT", "/a", b"1")
        time.sleep(0.3)
        self.client.sock.setblocking(False)
        with self.assertRaises(BlockingIOError):
            self.client.sock.recv(1, socket.MSG_PEEK)
        self.client.sock.setblocking(True)
        self.say("pass")
        with self.assertRaises((http.client.RemoteDisconnected, ConnectionError)):
            self.client.getresponse()
        self.assertEqual(APPLIED, {})

    def test_one_request_reset(self):
        self.say("next 1 refuse PUT /a")
        with self.assertRaises((http.client.RemoteDisconnected, ConnectionError)):
            self.ask("PUT", "/a", b"1")
        self.client.close()
        self.assertEqual(self.ask("PUT", "/a", b"1")[0], 201)

    def test_slow(self):
        self.say("slow 300 GET")
        begun = time.monotonic()
        self.assertEqual(self.ask("GET", "/a")[0], 200)
        self.assertGreaterEqual(time.monotonic() - begun, 0.3)

    def test_what_it_does_not_understand(self):
        for line in ("explode", "next x 503", "slow soon", "503 (", "next 0 503"):
            self.assertTrue(self.say(line).startswith("error "), line)


if __name__ == "__main__":
    unittest.main()
