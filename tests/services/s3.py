"""An S3 server for the tests: moto's, with one bucket, `atalaia`. Any credentials will do; everything is in memory.

  s3.py PORT

moto looks whether an object exists and then puts it; two requests between those steps would both create it, which S3
itself never does. So requests are answered one at a time, and a conditional put is one step.
"""

import sys
import threading

from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import run_simple


def main():
    s3_backends[DEFAULT_ACCOUNT_ID]["aws"].create_bucket("atalaia", "us-east-1")
    run_simple("127.0.0.1", int(sys.argv[1]), OneAtATime(create_backend_app("s3")), threaded=True)


class OneAtATime:
    def __init__(self, app):
        self.app, self.turn = app, threading.Lock()

    def __call__(self, environ, start_response):
        with self.turn:
            # A list: otherwise the answer would be made when it is sent, outside.
            return list(self.app(environ, start_response))


if __name__ == "__main__":
    main()
