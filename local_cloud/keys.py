"""A key service in the manner of AWS KMS: Encrypt and Decrypt, for Pulumi's secrets provider `awskms://`.

It exists so that `pulumi up` on the embedded cloud needs no passphrase. **It protects nothing**: the key of an id is
derived from the id by a fixed rule in this file, so that an `encryptedkey` committed in a stack file can be decrypted
on every machine, also after a reset. Whoever has the stack file has its secrets. Never use it outside the embedded
cloud; real stacks take a passphrase or a real key service.
"""

import base64
import binascii
import hashlib
import json
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .call import Answer
from .store import Doc

NONCE = 12  # bytes
REGION = "eu-central-1"


def _key(key_id: str) -> AESGCM:
    return AESGCM(hashlib.sha256(b"jitsi-fleet embedded cloud, protects nothing: " + key_id.encode()).digest())


def arn(key_id: str) -> str:
    name = key_id.removeprefix("alias/").rpartition("/")[2]
    return f"arn:aws:kms:{REGION}:000000000000:key/{name}"


def encrypt(body: Doc) -> Doc:
    identity = arn(str(body["KeyId"]))
    nonce = secrets.token_bytes(NONCE)
    sealed = nonce + _key(identity).encrypt(nonce, base64.b64decode(body["Plaintext"]), identity.encode())
    blob = len(identity).to_bytes(2, "big") + identity.encode() + sealed
    return {
        "CiphertextBlob": base64.b64encode(blob).decode(),
        "KeyId": identity,
        "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
    }


def decrypt(body: Doc) -> Doc:
    """The blob names its key, as with the real service; `KeyId` is not needed."""
    blob = base64.b64decode(body["CiphertextBlob"])
    if len(blob) < 2 + NONCE:
        raise InvalidTag
    length = int.from_bytes(blob[:2], "big")
    identity, sealed = blob[2 : 2 + length], blob[2 + length :]
    if len(sealed) < NONCE:
        raise InvalidTag
    plain = _key(identity.decode()).decrypt(sealed[:NONCE], sealed[NONCE:], identity)
    return {
        "Plaintext": base64.b64encode(plain).decode(),
        "KeyId": identity.decode(),
        "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
    }


def answer(target: str, raw: bytes) -> Answer:
    """One call of AWS's JSON 1.1 protocol; `target` is its X-Amz-Target header."""
    operation = {"TrentService.Encrypt": encrypt, "TrentService.Decrypt": decrypt}.get(target)
    if operation is None:
        return _error("UnknownOperationException", f"{target or 'a call without X-Amz-Target'} is not emulated")
    try:
        return Answer(200, operation(json.loads(raw)), {"content-type": "application/x-amz-json-1.1"})
    except (InvalidTag, UnicodeDecodeError, binascii.Error):
        return _error("InvalidCiphertextException", "not sealed by a key of this service")
    except (ValueError, KeyError, TypeError) as error:
        return _error("ValidationException", f"invalid request: {type(error).__name__}")


def _error(kind: str, message: str) -> Answer:
    return Answer(400, {"__type": kind, "message": message}, {"content-type": "application/x-amz-json-1.1"})
