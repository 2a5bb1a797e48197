"""What schemathesis is told of this service: which objects are there, which numbers it may not send, and how exact the document is.

Loaded by schemathesis itself (SCHEMATHESIS_HOOKS); BASE_URL and TOKEN say where the service is. The network `base` and the sandbox `base` on it are put back now and then,
so that requests reach what lies behind "no such object".
"""

import itertools
import os
import re

import requests
import schemathesis
from schemathesis.specs.openapi.checks import negative_data_rejection

# Behind every process there is a namespace, and on a test's machine most are none of the test's: no process has this number.
NO_PROCESS = 4194304

BASE = [
    (
        "networks",
        {
            "driver": "macvlan",
            "pools": {"v4": {"subnet": "10.210.0.0/24"}},
            "macvlan": {"parent": "parent0", "mode": "bridge", "probe": False},
            "deletion_protection": True,
        },
    ),
    ("sandboxes", {"networks": {"base": {}}}),
]

calls = itertools.count()


def harmless(value):
    """A document without processes, and without paths to what processes have."""
    if isinstance(value, dict):
        return {key: harmless(member) for key, member in value.items() if not is_path_of_process(key, member)} | (
            {"pid": NO_PROCESS} if is_number(value.get("pid")) else {}
        )
    if isinstance(value, list):
        return [harmless(item) for item in value]
    return value


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_path_of_process(key, value):
    return key == "netns" and isinstance(value, str) and "proc" in value


@schemathesis.hook
def before_call(context, case, kwargs):
    case.body = harmless(case.body)
    # A wait that is right and long tells no more than a short one.
    if re.fullmatch(r"0*[1-9]\d*(s|m)", str((case.query or {}).get("wait"))):
        case.query["wait"] = "1s"
    if next(calls) % 100 == 0:
        headers = {"Authorization": f"Bearer {os.environ['TOKEN']}"}
        for collection, spec in BASE:
            url = f"{os.environ['BASE_URL']}/api/v1/{collection}/base"
            answer = requests.put(url, json=spec, headers=headers, timeout=30)
            # It may be on its way out, or have been made anew by somebody in another way.
            assert answer.status_code < 500, answer.text


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    # Every other name is one that is there.
    if path_parameters and len(str(path_parameters.get("id", ""))) % 2:
        return {**path_parameters, "id": "base"}
    return path_parameters


@schemathesis.hook
def map_body(context, body):
    if not isinstance(body, dict):
        return body
    networks = body.get("networks")
    if isinstance(networks, dict) and len(networks) % 2:
        body = {**body, "networks": {"base": next(iter(networks.values()))}}
    if "from" in body and "to" in body:
        body = {**body, "from": "base", "to": "10.210.0.2"}
    return body


def has_null(value):
    if isinstance(value, dict):
        return any(map(has_null, value.values()))
    return isinstance(value, list) and any(map(has_null, value)) or value is None


@schemathesis.check
def refuses_what_breaks_the_schema(context, response, case):
    """As schemathesis has it, but that a null in a whole document means an absent member, which the document doesn't offer, and
    that a precondition which is not met is a refusal, too."""
    if response.status_code == 412 or case.method in ("POST", "PUT") and has_null(case.body):
        return None
    return negative_data_rejection(context, response, case)
