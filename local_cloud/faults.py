"""Faults on demand: which call fails, and how (table: docs/local-cloud.md). Kept in memory until the server ends."""

import random
import re
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Match(Strict):
    """Every field that is given must fit; `path` is a regular expression searched in the path below the API's base.

    The path of an EC2 call is its action: `/RunInstances`.
    """

    api: Literal["hetzner", "cloudflare", "ec2"] | None = None
    method: str | None = None
    path: re.Pattern[str] = re.compile("")
    project: str | None = None


class ActionError(Strict):
    code: str = "action_failed"
    message: str = "Action failed"


class Fault(Strict):
    """What happens; delay_seconds goes together with any of the others."""

    status: int | None = Field(default=None, ge=400, le=599)
    code: str | int | None = None
    message: str = "fault on demand"
    headers: dict[str, str] = {}
    delay_seconds: float = Field(default=0, ge=0, le=600)
    cut: Literal[False, True, "before", "after"] = False  # True is "before": before the call had its effect
    action_error: ActionError | None = None

    @model_validator(mode="after")
    def _does_something(self) -> "Fault":
        kinds = [self.status is not None or self.code is not None, bool(self.cut), self.action_error is not None]
        if sum(kinds) > 1:
            raise ValueError("a fault has one of: status/code, cut, action_error")
        if not any(kinds) and not self.delay_seconds:
            raise ValueError("a fault needs one of: status/code, cut, action_error, delay_seconds")
        return self


class Order(Strict):
    """The nth matching call (and the following, `times` in all), or a share of them; else the next `times`."""

    match: Match = Match()
    fault: Fault
    nth: int | None = Field(default=None, ge=1)
    share: float | None = Field(default=None, gt=0, le=1)
    times: int | None = Field(default=None, ge=1)  # default: 1 for nth, no end for share
    seed: int = 0

    @model_validator(mode="after")
    def _one_way_to_count(self) -> "Order":
        if self.nth is not None and self.share is not None:
            raise ValueError("give nth or share, not both")
        return self


@dataclass
class Standing:
    """An order with what it has seen so far."""

    number: int
    order: Order
    seen: int = 0
    fired: int = 0
    dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.order.seed)  # noqa: S311 - repeatable on purpose

    def hits(self, api: str, method: str, path: str, project: str) -> bool:
        """Count this call if it matches; True if the fault happens to it."""
        match = self.order.match
        wanted = [(match.api, api), (match.method and match.method.upper(), method), (match.project, project)]
        if any(want is not None and want != given for want, given in wanted) or not match.path.search(path):
            return False
        self.seen += 1
        most = self.order.times or (None if self.order.share else 1)
        if most is not None and self.fired >= most:
            return False
        due = self.dice.random() < self.order.share if self.order.share else self.seen >= (self.order.nth or 1)
        self.fired += due
        return due

    def report(self) -> dict[str, object]:
        order = self.order.model_dump(mode="json", exclude_defaults=True)
        return {"id": self.number, "seen": self.seen, "fired": self.fired, **order}


class Faults:
    def __init__(self) -> None:
        self._standing: list[Standing] = []
        self._number = 0

    def add(self, order: Order) -> Standing:
        self._number += 1
        self._standing.append(Standing(self._number, order))
        return self._standing[-1]

    def strike(self, api: str, method: str, path: str, project: str) -> Fault | None:
        """The fault of this call: of the first order that hits. Every order counts the call."""
        hits = [standing for standing in self._standing if standing.hits(api, method, path, project)]
        return hits[0].order.fault if hits else None

    def report(self) -> list[dict[str, object]]:
        return [standing.report() for standing in self._standing]

    def clear(self) -> None:
        self._standing.clear()
