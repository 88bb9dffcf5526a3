"""A check of our own: the platform sends no field that the specification does not have. The schemas of answers are open, so
that readers take fields they do not know; the platform must not have such fields all the same.
"""

import schemathesis
import yaml
from schemathesis.core.failures import Failure


def undocumented(file):
    """Adds the check."""
    spec = yaml.safe_load(file.read_text())

    @schemathesis.check
    def documented_fields(_context, response, case):
        kind = (response.headers.get("content-type") or [""])[0]
        operation = spec["paths"][case.path].get(case.method.lower(), {})
        answer = followed(spec, operation.get("responses", {}).get(str(response.status_code), {}))
        schema = answer.get("content", {}).get("application/json", {}).get("schema")
        if kind.startswith("application/json") and schema and response.content:
            unknown = list(unknown_fields(spec, [schema], response.json()))
            if unknown:
                label = case.operation.label
                raise Failure(operation=label, title="Undocumented field", message=", ".join(unknown))


def unknown_fields(spec, schemas, value, at=""):
    """Fields that none of the schemas has; where one takes any, none is unknown."""
    known, is_open, items = {}, False, []
    for schema in parts(spec, schemas):
        is_open = is_open or schema.get("additionalProperties") not in (None, False)
        items += [schema["items"]] if "items" in schema else []
        for name, field in schema.get("properties", {}).items():
            known.setdefault(name, []).append(field)
    if isinstance(value, dict) and not is_open:
        for name, field in value.items():
            if name in known:
                yield from unknown_fields(spec, known[name], field, f"{at}/{name}")
            else:
                yield f"{at}/{name}"
    if isinstance(value, list) and items:
        for index, item in enumerate(value):
            yield from unknown_fields(spec, items, item, f"{at}/{index}")


def parts(spec, schemas):
    """The schemas and those that they consist of."""
    for schema in schemas:
        schema = followed(spec, schema)
        yield schema
        for word in ("allOf", "anyOf", "oneOf"):
            yield from parts(spec, schema.get(word, []))
        for word in ("then", "else"):
            if word in schema:
                yield from parts(spec, [schema[word]])


def followed(spec, node):
    while "$ref" in node:
        target = spec
        for key in node["$ref"].removeprefix("#/").split("/"):
            target = target[key.replace("~1", "/").replace("~0", "~")]
        node = target
    return node
