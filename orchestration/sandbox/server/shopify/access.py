"""Which scopes a document needs, and how Shopify says that one is missing."""

from __future__ import annotations

from typing import Any

from graphql import DocumentNode, TypeInfo, TypeInfoVisitor, Visitor, get_named_type, visit

from orchestration.sandbox.server.shopify.schema import SCHEMA
from orchestration.sandbox.server.state import Sandbox

# Type that a field gives -> the scope that reading it takes.
READ = {
    "Customer": "read_customers",
    "CustomerConnection": "read_customers",
    "Order": "read_orders",
    "OrderConnection": "read_orders",
    "Refund": "read_orders",
    "Return": "read_returns",
    "ReturnConnection": "read_returns",
    "Product": "read_products",
    "ProductConnection": "read_products",
    "InventoryItem": "read_inventory",
}
WRITE = {
    "metafieldsSet": "write_customers",
    "metafieldsDelete": "write_customers",
    "metafieldDefinitionCreate": "write_customers",
    "tagsAdd": "write_customers",
    "tagsRemove": "write_customers",
}
ALL = frozenset({*READ.values(), *WRITE.values(), "read_all_orders"})
DOCUMENTATION = "https://shopify.dev/api/usage/access-scopes"


class _Needs(Visitor):
    """Collects (field, scope) in the order of the document."""

    def __init__(self, info: TypeInfo) -> None:
        super().__init__()
        self.info = info
        self.found: list[tuple[str, str]] = []

    def enter_field(self, node: Any, *_: Any) -> None:
        parent, kind = self.info.get_parent_type(), self.info.get_type()
        if parent is None or kind is None:
            return
        name = node.name.value
        scope = WRITE.get(name) if parent.name == "Mutation" else None
        scope = scope or READ.get(get_named_type(kind).name)
        if scope:
            self.found.append((name, scope))

    def enter_inline_fragment(self, node: Any, *_: Any) -> None:
        if node.type_condition is not None and node.type_condition.name.value in READ:
            name = node.type_condition.name.value
            self.found.append((name, READ[name]))


def denied_in(sandbox: Sandbox, document: DocumentNode) -> dict[str, Any] | None:
    """The error for the first scope that a document lacks, None when it lacks none."""
    held = sandbox.scopes.get("shopify")
    if held is None and sandbox.approved:
        return None
    info = TypeInfo(SCHEMA)
    needs = _Needs(info)
    visit(document, TypeInfoVisitor(info, needs))
    for name, scope in needs.found:
        if held is not None and scope not in held and scope.replace("read_", "write_") not in held:
            access = f"`{scope}` access scope."
            return {
                "message": f"Access denied for {name} field. Required access: {access}",
                "path": [name],
                "extensions": {
                    "code": "ACCESS_DENIED",
                    "documentation": DOCUMENTATION,
                    "requiredAccess": access,
                },
            }
        if not sandbox.approved and scope in ("read_customers", "read_orders"):
            kind = "Customer" if scope == "read_customers" else "Order"
            return {
                "message": f"This app is not approved to access the {kind} object. See "
                "https://shopify.dev/docs/apps/launch/protected-customer-data for more details.",
                "path": [name],
                "extensions": {"code": "ACCESS_DENIED", "documentation": DOCUMENTATION},
            }
    return None
