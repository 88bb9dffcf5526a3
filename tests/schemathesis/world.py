"""What requests must name to be accepted, and no schema can say: things that exist on the running platform."""

import base64
import hashlib
import io
import itertools
import re
import secrets
import wave
from urllib.parse import parse_qs, urlsplit

import requests

CALLBACK = "http://127.0.0.1:8976/callback"


class World:
    """A project, two assets, a webhook and an OAuth client that stay as long as the run."""

    def __init__(self, platform, receiver):
        self.url, self.key, self.receiver = platform.url, platform.api_key, receiver.url
        self.turns = itertools.count()
        self.http = requests.Session()
        self.http.trust_env = False
        self.own_key = self._get("/api/auth/api-keys")["data"][0]["id"]
        self.project = self._post("/api/projects", json={"name": "Fuzzed"})["id"]
        self.event = self._get("/api/events?event=project.created")["data"][0]["id"]
        # Without a length, so that any time of a thumbnail is in it; and a second of silence, so that jobs succeed too.
        self.text = self._upload("document", "notes.txt", b"no media at all\n")
        self.sound = self._upload("audio", "silence.wav", silence())
        hook = {"url": f"{self.receiver}/kept", "events": ["report.generated"]}
        self.webhook = self._post("/api/webhooks", json=hook)["id"]
        self.delivery = self._post(f"/api/webhooks/{self.webhook}/test")["id"]
        client = self._call(
            "POST",
            "/_local/oauth/clients",
            json={"name": "Fuzzer", "confidential": True, "redirect_uris": [CALLBACK]},
        )
        self.client = (client["client_id"], client["client_secret"])

    def identities(self):
        """The first key, and one of another organization, as schemathesis reads credentials."""
        stranger = self._post("/_local/organizations", json={"name": "Strangers"})["api_key"]
        keys = {"owner": self.key, "stranger": stranger}
        return {
            "auth": [
                {"name": name, "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {key}"}]}
                for name, key in keys.items()
            ]
        }

    @property
    def kept(self):
        """Ids that the run must not lose."""
        return {self.own_key, self.project, self.text, self.sound, self.webhook}

    def live_keys(self):
        """The user's keys that open something, newest first, without the run's own."""
        keys = self._get("/api/auth/api-keys?limit=100")["data"]
        return [k["id"] for k in keys if k["status"] in ("active", "expiring_soon") and k["id"] != self.own_key]

    def is_revoked(self, key):
        return self._get(f"/api/auth/api-keys/{key}")["status"] == "revoked"

    def revoke(self, key):
        self._call("DELETE", f"/api/auth/api-keys/{key}")

    def webhooks(self):
        """Newest first, without the run's own."""
        found = [webhook["id"] for webhook in self._get("/api/webhooks?limit=100")["data"]]
        return [webhook for webhook in found if webhook != self.webhook]

    def delete_webhook(self, webhook):
        self._call("DELETE", f"/api/webhooks/{webhook}")

    def upload(self, length):
        """A resumable upload of so many bytes, of which none has come."""
        headers = {"Authorization": f"Bearer {self.key}", "Tus-Resumable": "1.0.0", "Upload-Length": str(length)}
        answer = self.http.post(f"{self.url}/api/assets/uploads", headers=headers, timeout=30)
        answer.raise_for_status()
        return answer.headers["location"].rsplit("/", 1)[1]

    def token(self, scope="read"):
        """An access token of the client's own."""
        form = {"grant_type": "client_credentials", "scope": scope}
        return self._call("POST", "/auth/oauth/token", data=form, auth=self.client)["access_token"]

    def consent(self, verifier, decision="allow", scope="read write"):
        """What a user's browser sends after the page was shown: the decision's form and cookie."""
        digest = hashlib.sha256(verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self.client[0],
            "redirect_uri": CALLBACK,
            "scope": scope,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        page = self.http.get(f"{self.url}/auth/oauth/authorize", params=asked)
        csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)[1]
        return {**asked, "csrf": csrf, "decision": decision}, csrf

    def code(self, verifier):
        """A fresh authorization code for the verifier."""
        form, csrf = self.consent(verifier)
        back = self.http.post(
            f"{self.url}/auth/oauth/authorize",
            data=form,
            headers={"Cookie": f"storycore_consent={csrf}"},
            allow_redirects=False,
        )
        return parse_qs(urlsplit(back.headers["location"]).query)["code"][0]

    def refresh_token(self):
        verifier = secrets.token_urlsafe(48)
        form = {
            "grant_type": "authorization_code",
            "code": self.code(verifier),
            "redirect_uri": CALLBACK,
            "code_verifier": verifier,
        }
        return self._call("POST", "/auth/oauth/token", data=form, auth=self.client)["refresh_token"]

    def _upload(self, kind, name, content):
        return self._post("/api/assets/upload", files={"file": (name, content)}, data={"type": kind})["id"]

    def _get(self, path):
        return self._call("GET", path)

    def _post(self, path, **body):
        return self._call("POST", path, **body)

    def _call(self, method, path, **options):
        headers = {} if "auth" in options else {"Authorization": f"Bearer {self.key}"}
        self.http.cookies.clear()
        answer = self.http.request(method, self.url + path, headers=headers, timeout=30, **options)
        if not answer.ok:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()


def silence():
    """A second of sound without any."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    return file.getvalue()
