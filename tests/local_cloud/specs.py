"""The vendors' OpenAPI documents, and the check of one call against them.

The documents are not part of this project. JITSI_FLEET_SPECS names their folder; without it, ../shared/specs beside the
checkout is tried. The Cloudflare document is of August 2024: fields that came later are not in it.
"""

import functools
import json
import os
import re
from pathlib import Path
from typing import Any

import jsonschema
from referencing import Registry
from referencing.jsonschema import DRAFT202012

FOLDER = Path(os.environ.get("JITSI_FLEET_SPECS") or Path(__file__).resolve().parents[3] / "shared" / "specs")
FILES = {"hetzner": "hcloud-openapi.json", "cloudflare": "cloudflare-dns-openapi.json"}
METHODS_WITH_BODY = ("post", "put", "patch")


def missing() -> list[str]:
    return [name for name in FILES.values() if not (FOLDER / name).exists()]


class Spec:
    def __init__(self, api: str) -> None:
        document = _modern(json.loads((FOLDER / FILES[api]).read_text(encoding="utf-8")))
        resource = DRAFT202012.create_resource(document)
        self._registry: Registry[Any] = Registry().with_resource("spec:", resource)
        self._paths = document["paths"]
        self.checked = 0

    def check(self, method: str, path: str, status: int, sent: Any, answered: Any) -> None:
        """Raise AssertionError where a call or its answer is not what the document says."""
        template = self._template(path)
        operation = self._paths.get(template, {}).get(method.lower())
        if operation is None:
            assert status in (404, 405, 410), (
                f"{method} {path} is not in the vendor's description, yet answers {status}"
            )
            return
        self.checked += 1
        if method.lower() in METHODS_WITH_BODY and status < 400:
            self._valid(f"{method} {path} request", (template, method, "requestBody"), sent)
        for code in (str(status), f"{status // 100}xx", f"{status // 100}XX"):
            if code in operation["responses"]:
                self._valid(f"{method} {path} answer {status}", (template, method, "responses", code), answered)
                return
        raise AssertionError(f"{method} {path} may not answer {status}")

    def _template(self, path: str) -> str:
        """The described path that fits best: fixed words go before parameters."""
        fitting = [t for t in self._paths if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", t), path)]
        return min(fitting, key=lambda t: t.count("{"), default="")

    def _valid(self, what: str, where: tuple[str, ...], value: Any) -> None:
        template, method, *rest = where
        node = self._paths[template][method.lower()]
        for step in rest:
            node = node.get(step, {})
        if "application/json" not in node.get("content", {}):
            return
        errors_only = [
            part["$ref"]
            for part in node["content"]["application/json"]["schema"].get("allOf", [])
            if part.get("$ref", "").endswith("common-failure")
        ]
        parts = ["paths", template, method.lower(), *rest, "content", "application/json", "schema"]
        # Cloudflare describes an error as a success and a failure at once, which nothing can be: the failure counts.
        target = errors_only[0] if errors_only else "spec:#/" + "/".join(map(_escaped, parts))
        validator = jsonschema.Draft202012Validator({"$ref": target}, registry=self._registry)
        errors = [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(value)]
        assert not errors, f"{what} is not as the vendor describes it: {errors[:5]}"


def _escaped(part: str) -> str:
    """One step of a JSON pointer inside a URI."""
    return part.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")


def _modern(node: Any) -> Any:
    """OpenAPI 3.0's `nullable` in the words of JSON Schema; references made absolute."""
    if isinstance(node, list):
        return [_modern(item) for item in node]
    if not isinstance(node, dict):
        return node
    changed = {key: _modern(value) for key, value in node.items()}
    if isinstance(changed.get("$ref"), str):
        changed["$ref"] = "spec:" + changed["$ref"]
    if changed.pop("nullable", None) is True:
        return {"anyOf": [changed, {"type": "null"}]}
    return changed


@functools.cache
def spec(api: str) -> Spec | None:
    return None if missing() else Spec(api)
