"""A TCP proxy that breaks a connection, or changes a byte, at an exact position of what the client sends."""

import socket
import threading


class Wire:
    """Listens on loopback and passes everything to `port`, except that at the byte `at` it does `what`: cut or flip."""

    def __init__(self, port, what=None, at=0):
        self.target, self.what, self.at = port, what, at
        self.sent, self.struck, self.lock = 0, False, threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            threading.Thread(target=self.pump, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, False), daemon=True).start()

    def pump(self, source, sink, is_client):
        try:
            while data := source.recv(65536):
                sink.sendall(self.strike(data) if is_client else data)
        except (OSError, Cut):
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def strike(self, data):
        with self.lock:
            before, self.sent = self.sent, self.sent + len(data)
            if self.struck or self.what is None or self.sent <= self.at:
                return data
            self.struck = True
        here = self.at - before
        if self.what == "cut":
            raise Cut
        return data[:here] + bytes([data[here] ^ 0xFF]) + data[here + 1 :]


class Cut(Exception):
    """The connection is to break here."""
