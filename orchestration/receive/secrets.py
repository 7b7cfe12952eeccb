"""Which secrets a sender may have signed with, and whether it did."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

from pydantic import SecretStr

from orchestration.settings import settings, shop_suffix

# Shopify signs with the secret of the app. A webhook made by hand in the admin has one of its own.
VARIABLES = {
    "shopify": ("SHOPIFY_WEBHOOK_SECRET", "SHOPIFY_CLIENT_SECRET"),
    "zigpoll": ("ZIGPOLL_WEBHOOK_SECRET",),
}


def secrets_of(source: str, shop_id: str) -> list[SecretStr]:
    """All secrets that a sender may use for a shop; none when it has none, and for a shop that is
    not in HEALTH_SHOPS where that is set.

    A variable may hold several with commas between them: the new one and the old one, while they
    are exchanged. The shop's own variable (`SHOPIFY_WEBHOOK_SECRET__AURELIA`) goes before the
    general one.
    """
    known = settings()
    if known.shop_ids and shop_id not in known.shop_ids:
        return []
    found = []
    for name in VARIABLES[source]:
        secret = known.webhook_secrets.get(name + shop_suffix(shop_id))
        secret = secret or known.webhook_secrets.get(name)
        parts = secret.get_secret_value().split(",") if secret else []
        found += [SecretStr(part.strip()) for part in parts if part.strip()]
    return found


def is_signed(body: bytes, signature: str, secrets: Sequence[SecretStr]) -> bool:
    """Whether one of the secrets signed these very bytes, by Shopify's rule.

    That is the base64 text of HMAC-SHA256. All secrets are tried, each in constant time.
    """
    given = signature.strip().encode()
    digests = (
        hmac.new(secret.get_secret_value().encode(), body, hashlib.sha256).digest()
        for secret in secrets
    )
    return sum(hmac.compare_digest(base64.b64encode(digest), given) for digest in digests) > 0


def is_known(word: str, secrets: Sequence[SecretStr]) -> bool:
    """Whether a word is one of the secrets, compared in constant time."""
    given = word.strip().encode()
    known = (secret.get_secret_value().encode() for secret in secrets)
    return sum(hmac.compare_digest(secret, given) for secret in known) > 0


def connected(source: str) -> bool:
    """Whether any secret of a source is set, for all shops or for one."""
    names = VARIABLES[source]
    return any(
        name in names or name.startswith(tuple(f"{n}__" for n in names))
        for name in settings().webhook_secrets
    )
