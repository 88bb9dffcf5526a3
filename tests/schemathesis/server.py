"""The platform under test, as a child process, and a receiver for its webhooks. Both are on loopback and both end here."""

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Platform:
    """`storycore dev --strict`, empty, on a free port."""

    def __init__(self, binary):
        self._child = subprocess.Popen(
            [binary, "dev", "--strict", "--in-memory", "--json", "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._child.pid
        # It says one line when it is ready, and closes its end when it cannot start.
        line = self._child.stdout.readline()
        if not line:
            raise SystemExit(f"the platform did not start: exit status {self._child.wait()}")
        ready = json.loads(line)
        self.url, self.api_key = ready["url"], ready["api_key"]

    def is_running(self):
        return self._child.poll() is None

    def stop(self):
        """Asks it to end, then ends it; waits until it is gone."""
        if self.is_running():
            self._child.terminate()
            try:
                self._child.wait(15)
            except subprocess.TimeoutExpired:
                self._child.kill()
        self._child.stdout.close()
        return self._child.wait()


class _Receive(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.received += 1
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    received = 0

    def handle_error(self, *_):
        """A sender that hangs up is its own business."""


class Receiver:
    """Takes every delivery."""

    def __init__(self):
        self._server = _Server(("127.0.0.1", 0), _Receive)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def received(self):
        return self._server.received

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
