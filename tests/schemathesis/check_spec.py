"""Whether the specifications are OpenAPI, and each example and default in them fits its own schema.

    python check_spec.py FILE…
"""

import sys
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

SPEC = "urn:spec"


def samples(node, pointer=""):
    """Pointers to schemas, each with a value that must fit."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from samples(item, f"{pointer}/{index}")
    if not isinstance(node, dict):
        return
    if "schema" in node:
        schema = f"{pointer}/schema"
        if "example" in node:
            yield schema, node["example"]
        if isinstance(node.get("examples"), dict):
            for example in node["examples"].values():
                yield schema, example["value"]
    elif isinstance(node.get("examples"), list):
        for example in node["examples"]:
            yield pointer, example
    if "default" in node and ("type" in node or "enum" in node):
        yield pointer, node["default"]
    for key, item in node.items():
        if key not in ("example", "examples"):
            yield from samples(item, f"{pointer}/{escaped(key)}")


def escaped(key):
    """A key as a part of a JSON pointer, in a URI."""
    key = str(key).replace("~", "~0").replace("/", "~1")
    return key.replace("%", "%25").replace("{", "%7B").replace("}", "%7D")


def faults(spec):
    found = [f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in OpenAPIV31SpecValidator(spec).iter_errors()]
    registry = Registry().with_resource(SPEC, DRAFT202012.create_resource(spec))
    checked = 0
    for pointer, value in samples(spec):
        checked += 1
        validator = Draft202012Validator(
            {"$ref": f"{SPEC}#{pointer}"}, registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER
        )
        found += [f"{pointer}: {error.message}" for error in validator.iter_errors(value)]
    return checked, found


def main():
    passed = failed = 0
    for file in sys.argv[1:] or sys.exit(__doc__):
        checked, found = faults(yaml.safe_load(Path(file).read_text()))
        for fault in found:
            print(f"failed: {file}: {fault}")
        print(f"{file}: {checked} examples and defaults")
        failed += len(found)
        passed += not found
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
