#!/usr/bin/env python3
"""Extracts what the Matrix specification says of responses of the client-server API, and of the contents of events.

    extract.py path/to/matrix-spec/data > client_server_api.json

One line for each file of the specification, without prose, examples and requests. Needs PyYAML.
"""

import json
import os
import posixpath
import sys

import yaml

ROOT = sys.argv[1]
API = "api/client-server"
EVENTS = "event-schemas/schema"
# Files that no response refers to: the form of every error, and the events, of which only the contents are kept.
BESIDES = [f"{API}/definitions/errors/error.yaml"] + [
    f"{EVENTS}/{file}" for file in sorted(os.listdir(os.path.join(ROOT, EVENTS))) if file.endswith(".yaml")
]
# What validates. All else of a schema is prose.
PLAIN = {
    "type", "required", "enum", "const", "pattern", "format", "minimum", "maximum", "minItems", "maxItems",
    "minLength", "maxLength", "minProperties", "maxProperties",
}
NAMED = {"properties", "patternProperties"}
ONE = {"items", "additionalProperties", "not", "propertyNames"}
SEVERAL = {"allOf", "anyOf", "oneOf", "prefixItems"}

EVENTS_BESIDES = set(BESIDES[1:])

found, wanted = {}, list(BESIDES)


def load(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return yaml.safe_load(file)


def schema(value, name):
    """The part of a schema that validates; the files that it refers to are wanted."""
    if not isinstance(value, dict):
        return value
    kept = {}
    for key, part in value.items():
        if key in PLAIN:
            kept[key] = part
        elif key in NAMED:
            kept[key] = {member: schema(one, name) for member, one in part.items()}
        elif key in ONE:
            kept[key] = schema(part, name)
        elif key in SEVERAL:
            kept[key] = [schema(one, name) for one in part]
        elif key == "$ref":
            kept[key] = part
            file = part.partition("#")[0]
            if file:
                wanted.append(posixpath.normpath(posixpath.join(posixpath.dirname(name), file)))
    return kept


def content_of(value, name):
    """Of an event that no response refers to, what is said of its content."""
    if name not in EVENTS_BESIDES or "content" not in value.get("properties", {}):
        return value
    return {"properties": {"content": value["properties"]["content"]}}


def response(value, name):
    if "$ref" in value:
        return {"$ref": value["$ref"]}
    content = (value.get("content") or {}).get("application/json") or {}
    if "schema" not in content:
        return {}
    return {"content": {"application/json": {"schema": schema(content["schema"], name)}}}


def operations(name):
    document = load(name)
    base = document["servers"][0]["variables"]["basePath"]["default"]
    kept = {"servers": [{"variables": {"basePath": {"default": base}}}], "paths": {}}
    for path, item in document["paths"].items():
        kept["paths"][path] = {
            method: {"responses": {str(status): response(one, name) for status, one in operation["responses"].items()}}
            for method, operation in item.items()
            if isinstance(operation, dict) and "responses" in operation
        }
    components = document.get("components", {})
    kept["components"] = {
        "schemas": {key: schema(one, name) for key, one in components.get("schemas", {}).items()},
        "responses": {key: response(one, name) for key, one in components.get("responses", {}).items()},
    }
    return kept


for file in sorted(os.listdir(os.path.join(ROOT, API))):
    if file.endswith(".yaml"):
        found[f"{API}/{file}"] = operations(f"{API}/{file}")
while wanted:
    name = wanted.pop()
    if name not in found:
        found[name] = schema(content_of(load(name), name), name)

lines = (
    json.dumps(name) + ":" + json.dumps(found[name], sort_keys=True, separators=(",", ":"), default=str)
    for name in sorted(found)
)
print("{\n" + ",\n".join(lines) + "\n}")
