"""pycurl with msgspec: C on both sides of the call. A handle of libcurl is for one thread, so each has its own."""

from __future__ import annotations

import threading
from io import BytesIO

import msgspec
import pycurl

from sides.msgspec_models import Page, Project

NAME = f"pycurl {pycurl.version.split()[0].split('/')[1]} with msgspec {msgspec.__version__}"


class Sync:
    def __init__(self, url: str, key: str) -> None:
        self.url, self.headers = url, [f"Authorization: Bearer {key}"]
        self.own = threading.local()
        self.project = msgspec.json.Decoder(Project).decode
        self.list = msgspec.json.Decoder(Page).decode

    def get(self, id: str) -> Project:
        return self.project(self.fetch(f"/api/projects/{id}"))

    def page(self) -> list[Project]:
        return self.list(self.fetch("/api/projects?limit=100")).data

    def fetch(self, path: str) -> bytes:
        try:
            curl = self.own.curl
        except AttributeError:
            curl = self.own.curl = pycurl.Curl()
            curl.setopt(pycurl.HTTPHEADER, self.headers)
            curl.setopt(pycurl.NOSIGNAL, 1)
            curl.setopt(pycurl.PROXY, "")
        body = BytesIO()
        curl.setopt(pycurl.URL, self.url + path)
        curl.setopt(pycurl.WRITEDATA, body)
        curl.perform()
        status = curl.getinfo(pycurl.RESPONSE_CODE)
        if status >= 400:
            raise RuntimeError(f"{status}: {body.getvalue().decode()}")
        return body.getvalue()
