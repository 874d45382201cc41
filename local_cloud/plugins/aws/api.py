"""Calls to EC2 through boto3, with the trying again, the waiting and the error texts of the plugin."""

import functools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local_cloud.plugins.resource import ProviderError
from local_cloud.plugins.values import Values

VERSION = "7.51.1"
MINUTE = 60.0
# Tried again: throttling and what the SDK takes for a passing trouble of the service. Sold out is not (source).
THROTTLED = ("RequestLimitExceeded", "Throttling", "ThrottlingException", "EC2ThrottledException", "RequestThrottled")
PASSING = (500, 502, 503, 504)
FINAL = ("InsufficientInstanceCapacity",)
LONGEST_PAUSE = 20.0

_SESSION_LOCK = threading.Lock()


@functools.cache
def _session() -> boto3.session.Session:
    """Keeps the description of EC2, whose reading takes a third of a second."""
    return boto3.session.Session()


class Refused(ProviderError):  # noqa: N818
    """EC2 refused a call; `code` is its own, `text` the error without the bridge's frame."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"1 error occurred:\n\t* {text}\n\n")
        self.code, self.text = code, text


class Api:
    """EC2 of one region, with one set of keys."""

    def __init__(
        self, *, region: str, endpoint: str, access_key: str, secret_key: str, token: str | None, max_retries: int
    ) -> None:
        self.region, self._tries = region, max_retries + 1
        # One client for all threads: boto3's clients may be shared, its sessions may not.
        with _SESSION_LOCK:
            self._client = _session().client(
                "ec2",
                aws_access_key_id=access_key,
                aws_secret_access_key=secret_key,
                aws_session_token=token,
                region_name=region,
                endpoint_url=endpoint,
                config=Config(
                    retries={"total_max_attempts": 1}, max_pool_connections=128, connect_timeout=10, read_timeout=60
                ),
            )

    def call(self, action: str, **parameters: Any) -> Values:
        """Make one call by boto3's name of it, e.g. `run_instances`; parameters that are None are left out."""
        sent = {key: value for key, value in parameters.items() if value is not None}
        for attempt in range(self._tries):
            try:
                return dict(getattr(self._client, action)(**sent))
            except ClientError as error:
                if attempt == self._tries - 1 or not _passes(error):
                    raise _refused(error) from error
            except BotoCoreError as error:
                if attempt == self._tries - 1:
                    operation = self._client.meta.method_to_api_mapping[action]
                    text = f"operation error EC2: {operation}, exceeded maximum number of attempts, {self._tries}"
                    raise Refused("", f"{text}, request send failed, {error}") from error
            time.sleep(min(0.2 * 2.0**attempt, LONGEST_PAUSE))
        raise AssertionError("unreachable")

    def arn(self, what: str, owner: str = "") -> str:
        """Return an ARN; without an owner, as the plugin writes them where it was not to ask for the account."""
        return f"arn:aws:ec2:{self.region}:{owner}:{what}"

    def retag(self, id: str, old: Values, new: Values) -> None:
        """Bring the tags of a thing from `old` to `new`."""
        gone = [{"Key": key} for key in old if key not in new]
        fresh = [{"Key": key, "Value": value} for key, value in new.items() if old.get(key) != value]
        with doing(f"updating tags for EC2 resource ({id})"):
            if gone:
                self.call("delete_tags", Resources=[id], Tags=gone)
            if fresh:
                self.call("create_tags", Resources=[id], Tags=fresh)


def _passes(error: ClientError) -> bool:
    code, status = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    return code in THROTTLED or (status in PASSING and code not in FINAL)


def _refused(error: ClientError) -> Refused:
    answer, meta = error.response["Error"], error.response["ResponseMetadata"]
    text = (
        f"operation error EC2: {error.operation_name}, https response error StatusCode: {meta['HTTPStatusCode']}, "
        f"RequestID: {meta.get('RequestId', '')}, api error {answer['Code']}: {answer['Message']}"
    )
    return Refused(str(answer["Code"]), text)


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Begin the text of a refusal inside with what was tried."""
    try:
        yield
    except Refused as refusal:
        raise Refused(refusal.code, f"{what}: {refusal.text}") from refusal


def if_there(call: Callable[[], Any], *codes: str) -> Any:
    """Make a call on a thing that may be gone, for which these codes stand; None when it is."""
    try:
        return call()
    except Refused as refusal:
        if refusal.code not in codes:
            raise
    return None


def again(cancelled: threading.Event, seconds: float, codes: tuple[str, ...], call: Callable[[], Any]) -> Any:
    """Repeat a call while it is refused with one of these codes, for so long at most."""
    deadline, pause = time.monotonic() + seconds, 0.1
    while True:
        try:
            return call()
        except Refused as refusal:
            if refusal.code not in codes or time.monotonic() + pause > deadline or cancelled.wait(pause):
                raise
        pause = min(pause * 2, 10.0)


def until(
    cancelled: threading.Event,
    seconds: float,
    wanted: str,
    pending: tuple[str, ...],
    look: Callable[[], tuple[str, str]],
) -> None:
    """Look until the state is `wanted`; `look` gives the state and a reason. Any state but the pending ones ends it."""
    deadline, pause = time.monotonic() + seconds, 0.05
    while True:
        state, reason = look()
        if state == wanted:
            return
        if state not in pending:
            text = f"unexpected state '{state}', wanted target '{wanted}'. last error: {reason}"
            raise Refused("", text.removesuffix(". last error: "))
        if time.monotonic() + pause > deadline:
            text = (
                f"timeout while waiting for state to become '{wanted}' (last state: '{state}', timeout: {seconds:g}s)"
            )
            raise Refused("", text)
        if cancelled.wait(pause):
            raise Refused("", "context canceled")
        pause = min(pause * 1.5, 3.0)
