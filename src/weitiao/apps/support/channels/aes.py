"""What WeCom and Feishu encrypt: AES-256-CBC, padded as PKCS#7 says."""

from __future__ import annotations

import base64
import binascii

from weitiao.apps.support.channels.channel import ForgedError
from weitiao.errors import require


def decrypted(key: bytes, start: bytes, encrypted: str, *, block_bytes: int = 16) -> bytes:
    """The content of base64 ``encrypted``, padded to blocks of ``block_bytes``; ``start`` is the initial vector, empty
    where it stands before the content. Raises `ForgedError` where it can't be decrypted, without saying why.
    """
    require("cryptography", "support")
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.padding import PKCS7

    try:
        content = base64.b64decode(encrypted, validate=True)
        vector, content = (start, content) if start else (content[:16], content[16:])
        opening = Cipher(algorithms.AES256(key), modes.CBC(vector)).decryptor()
        padding = PKCS7(8 * block_bytes).unpadder()
        return padding.update(opening.update(content) + opening.finalize()) + padding.finalize()
    except (binascii.Error, ValueError):
        raise ForgedError from None
