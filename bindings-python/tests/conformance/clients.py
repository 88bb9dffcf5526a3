"""Clients as scenarios set them up."""

from __future__ import annotations

import sys
from typing import Any

import storycore
from storycore import AsyncStoryCoreClient, StoryCoreClient

IS_ASYNC = sys.argv[1:] == ["async"]
CLASS: Any = AsyncStoryCoreClient if IS_ASYNC else StoryCoreClient
# Tokens that a scenario signed in for, by the code that it exchanged.
TOKENS: dict[str, Any] = {}


def make(options: dict[str, Any]) -> Any:
    """A client as a scenario sets it up."""
    if options.get("from_env"):
        return CLASS.from_env()
    given: dict[str, Any] = {}
    for name, value in options.items():
        if name.endswith("_ms"):
            given[name[:-3]] = value / 1000
        elif name == "breaker":
            given["circuit_breaker"] = storycore.CircuitBreaker(**seconds(value))
        elif name == "app_info":
            given[name] = (value["name"], value["version"])
        elif name == "roots":
            given["ca_certificates"] = value
        elif name == "certificate":
            given["client_certificate"] = (value["chain"], value["key"])
        elif name == "jwt":
            jwt = dict(value)
            if "lifetime_s" in jwt:
                jwt["lifetime"] = jwt.pop("lifetime_s")
            given[name] = storycore.JwtCredential(**jwt)
        elif name == "oauth":
            given[name] = storycore.OAuthCredential.client_credentials(**value)
        elif name == "signed_in":
            given["oauth"] = storycore.OAuthCredential.tokens(value["client_id"], TOKENS[value["code"]])
        else:
            given[name] = value
    return CLASS(**given)


def seconds(options: dict[str, Any]) -> dict[str, Any]:
    return {n.removesuffix("_ms"): v / 1000 if n.endswith("_ms") else v for n, v in options.items()}


def configured(client: Any, operation: dict[str, Any]) -> Any:
    return client.with_options(**seconds(operation.get("options") or {}))
