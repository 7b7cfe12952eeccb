"""The destinations that are pushed to, each a module with the functions of `sending.Vendor`."""

from __future__ import annotations

from orchestration.activate import klaviyo, postscript, shopify, slack
from orchestration.activate.sending import Vendor

VENDORS: dict[str, Vendor] = {
    "klaviyo": klaviyo,
    "shopify": shopify,
    "postscript": postscript,
    "slack": slack,
}
