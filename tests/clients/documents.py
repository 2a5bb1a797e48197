"""Holds OpenAPI documents against the specification of their version, and every example in them against its schema, with
the libraries of that version's own rules (3.0's `nullable` is none of JSON Schema's).

    python documents.py netloom-v1.json netloom-v1-3.0.json
"""

import json
import sys

from openapi_schema_validator import OAS30Validator, OAS31Validator
from openapi_spec_validator import validate
from openapi_spec_validator.readers import read_from_filename


def examples(node, place=""):
    """Every schema with an example, and the place of it."""
    if isinstance(node, dict):
        if "schema" in node and "example" in node:
            yield place, node["schema"], node["example"]
        for key, member in node.items():
            if key not in ("example", "examples"):
                yield from examples(member, f"{place}/{key}")
    elif isinstance(node, list):
        for index, item in enumerate(node):
            yield from examples(item, f"{place}/{index}")


def check(path):
    document, _ = read_from_filename(path)
    validate(document)
    kind = OAS31Validator if document["openapi"].startswith("3.1") else OAS30Validator
    count, wrong = 0, []
    for place, schema, example in examples(document["paths"]):
        count += 1
        # With the components beside it, so that references lead somewhere.
        validator = kind({**schema, "components": document["components"]}, format_checker=kind.FORMAT_CHECKER)
        wrong += [f"{place}: {error.message}" for error in validator.iter_errors(example)]
    if wrong or count < 50:
        sys.exit("\n".join([f"{path}: of {count} examples these are wrong:", *wrong]))
    print(f"{path}: {document['openapi']}, {count} examples")


for argument in sys.argv[1:]:
    check(argument)
