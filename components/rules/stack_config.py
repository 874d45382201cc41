"""Checks the configuration of a stack against a model of settings, and reports all mistakes in one message.

It knows no setting in particular. A message never holds the value of a key that is stored as a secret, of an unknown
key, or of what looks like a secret.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from ipaddress import ip_address
from typing import TypeVar
from urllib.parse import urlsplit

import pulumi
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from components.rules.secret_shapes import looks_like_secret, shown
from components.rules.setting_types import decoded

Model = TypeVar("Model", bound=BaseModel)

_REFUSED = object()  # stands for a value that is refused before the model sees it: no type accepts it


@dataclass(frozen=True)
class Mistake:
    """One wrong key of a stack file: what is wrong, by which rule, and the way out."""

    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.key}: {self.text}"


class SettingsError(pulumi.RunError):
    """All mistakes of a stack's settings. The language host prints a RunError without a traceback."""

    def __init__(self, mistakes: Collection[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        count = "1 mistake" if len(self.mistakes) == 1 else f"{len(self.mistakes)} mistakes"
        lines = "".join(f"\n  - {mistake}" for mistake in self.mistakes)
        super().__init__(f"{count} in the settings; no cloud was called.{lines}")


def check(
    model: type[Model],
    raw: Mapping[str, str],
    secret_keys: Collection[str],
    tokens: Collection[str],
    others: Collection[Mistake] = (),
) -> Model:
    """The settings in `raw` (key without namespace to text); SettingsError with its mistakes and the `others`.

    `tokens` are the keys that hold secrets, for the way out.
    """
    known = [str(field.alias) for field in model.model_fields.values()]
    refused = [*_unknown(raw, known, tokens), *_secret(raw, known, secret_keys, tokens)]
    refused_keys = {mistake.key for mistake in refused}
    values = {key: _REFUSED if key in refused_keys else value for key, value in raw.items() if key in known}
    settings, found = _validated(model, values)
    mistakes = [*refused, *(mistake for mistake in found if mistake.key.split("[")[0] not in refused_keys), *others]
    if settings is None or mistakes:
        place = {key: number for number, key in enumerate(known)}
        raise SettingsError(sorted(mistakes, key=lambda mistake: place.get(mistake.key.split("[")[0], len(place))))
    return settings


def of_project(project: str, config: Mapping[str, str]) -> dict[str, str]:
    """The project's own keys of a stack's whole configuration, without the namespace."""
    prefix = f"{project}:"
    return {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}


def mistakes_of_others(
    project: str, config: Mapping[str, str], secret_keys: Collection[str], tokens: Mapping[str, str]
) -> list[Mistake]:
    """Keys outside the project's namespace that are misspelt, and tokens of providers that stand in clear.

    `tokens` has for each token's key the one that leads the provider away from the vendor's API.
    """
    mistakes = []
    for key in config:
        namespace, _, name = key.partition(":")
        if namespace != project and get_close_matches(namespace, [project], cutoff=0.7):
            mistakes.append(Mistake(shown(key), f"has a namespace that nothing reads; write {project}:{shown(name)}"))
    for key, endpoint in tokens.items():
        if key in config and key not in secret_keys and not _on_this_machine(config.get(endpoint, "")):
            mistakes.append(
                Mistake(
                    key,
                    "stands in clear in the stack file, and whoever reads it owns the account; revoke this token, "
                    f"make a new one, and set it with `pulumi config set --secret {key}`",
                )
            )
    return mistakes


def _unknown(raw: Mapping[str, str], known: Collection[str], tokens: Collection[str]) -> list[Mistake]:
    spellings = {_spelling(key): key for key in known}
    mistakes = []
    for key in raw:
        if key in known:
            continue
        near = get_close_matches(_spelling(key), spellings, n=1)
        if "token" in key.lower():
            way_out = f"tokens are no settings: {', '.join(tokens)} hold them, set by `pulumi config set --secret KEY`"
        elif near:
            way_out = f"did you mean {spellings[near[0]]}?"
        else:
            way_out = "none has a similar name. Remove it; Pulumi.example.yaml lists all"
        if looks_like_secret(raw[key]):
            way_out += ". Its value looks like a secret: if it was ever saved in clear, revoke it and make a new one"
        mistakes.append(Mistake(shown(key), f"is not a setting; {way_out}"))
    return mistakes


def _secret(
    raw: Mapping[str, str], known: Collection[str], secret_keys: Collection[str], tokens: Collection[str]
) -> list[Mistake]:
    mistakes = []
    for key in (key for key in raw if key in known):
        if looks_like_secret(raw[key]):
            where = "although settings" if key in secret_keys else "in clear in the stack file; settings"
            mistakes.append(
                Mistake(
                    key,
                    f"holds what looks like a private key or a token, {where} hold no secrets. Remove it, and "
                    "if it was ever saved in clear, revoke it and make a new one. A public key's file ends in .pub; "
                    f"tokens are set with `pulumi config set --secret KEY`: {', '.join(tokens)}",
                )
            )
        elif key in secret_keys:
            mistakes.append(
                Mistake(
                    key,
                    "is stored as a secret but holds none, and the outputs would show it; "
                    f"remove it with `pulumi config rm {key}`, and set it again without --secret",
                )
            )
    return mistakes


def _validated(model: type[Model], values: Mapping[str, object]) -> tuple[Model | None, list[Mistake]]:
    try:
        return model.model_validate(values), []
    except ValidationError as error:
        return None, [_mistake(model, detail) for detail in error.errors(include_url=False, include_input=False)]


def _mistake(model: type[BaseModel], detail: ErrorDetails) -> Mistake:
    # A place is field, index or key, and "[key]" where a map's key is meant; the field goes by its alias, or by its
    # name where its default was checked.
    first, *inside = detail["loc"]
    field = next(field for name, field in model.model_fields.items() if first in (name, field.alias))
    key = f"{field.alias}{''.join(f'[{shown(part)}]' for part in inside if part != '[key]')}"
    if detail["type"] == "missing":
        return Mistake(key, f"is missing; {field.description}")
    cause = detail.get("ctx", {}).get("error")
    return Mistake(key, str(cause or detail["msg"]))


def _spelling(key: str) -> str:
    return key.lower().replace("_", "").replace("-", "")


def _on_this_machine(endpoint: str) -> bool:
    """Whether `endpoint` (an address, or JSON of addresses) leads to this machine alone."""
    found = decoded(endpoint)
    entries = found if isinstance(found, list) else [found]
    addresses = [each for entry in entries for each in (entry.values() if isinstance(entry, dict) else [entry])]
    return bool(addresses) and all(_loopback(urlsplit(str(address)).hostname or "") for address in addresses)


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
