"""Shopify's Admin API, pretended: GraphQL over the shop of a file drop, bulk operations and all.

Every type and field here exists in the published schema with the same type; what is refused, is
refused in recorded words.
"""

from starlette.routing import Route

from orchestration.sandbox.server.shopify.endpoint import Shopify
from orchestration.sandbox.server.state import Sandbox

__all__ = ["routes"]


def routes(sandbox: Sandbox) -> list[Route]:
    """What `/shopify/<shop>/...` answers."""
    store, base = Shopify(sandbox), "/shopify/{shop}"
    return [
        Route(f"{base}/admin/api/{{version}}/graphql.json", store.graphql, methods=["POST"]),
        Route(f"{base}/admin/oauth/access_token", store.token, methods=["POST"]),
        Route(f"{base}/upload", store.upload, methods=["POST"]),
        Route(base + "/bulk/{number:int}.jsonl", store.result, methods=["GET"]),
    ]
