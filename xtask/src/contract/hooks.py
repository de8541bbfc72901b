"""Sets the stage for schemathesis, and makes ids of which half are of something."""

import json
import os
import urllib.request

import schemathesis
from hypothesis import strategies

GROUPS = 8


def call(token, method, path, body=None):
    """Makes a call as somebody, or as nobody; returns the answer."""
    request = urllib.request.Request(f"http://{os.environ['LOQUAT_ADDRESS']}{path}", method=method)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    if body is not None:
        request.add_header("Content-Type", "application/json")
        request.data = json.dumps(body).encode()
    with urllib.request.urlopen(request, timeout=20) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def known_ids():
    """Groups in which the account is an admin, with messages in them; the account; their owner."""
    account = os.environ["LOQUAT_TOKEN"]
    me = call(account, "GET", "/v1/me")["id"]
    owner = call(None, "POST", "/v1/auth/signup", {"username": "owner", "password": "correct horse battery"})
    ids = [me, owner["user"]["id"]]
    for _ in range(GROUPS):
        group = {"kind": "group", "title": "Stage", "members": [me]}
        group = call(owner["access_token"], "POST", "/v1/conversations", group)["id"]
        path = f"/v1/conversations/{group}"
        call(owner["access_token"], "PATCH", f"{path}/members/{me}", {"role": "admin"})
        for number in range(5):
            message = {"nonce": f"stage-{number}", "text": f"Number {number}"}
            call(account, "POST", f"{path}/messages", message)
        ids.append(group)
    return ids


schemathesis.openapi.format(
    "loquat-id",
    strategies.sampled_from(known_ids()) | strategies.integers(1, 2**51 - 1).map(str),
)
