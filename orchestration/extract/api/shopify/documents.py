"""What Shopify is asked, as GraphQL of API version 2026-07.

A bulk query may hold five connections, two levels deep, and none inside a list. So the lines of
refunds (a list of the order) and of returns (a level too deep) are asked for in a second pass.
The contract's columns and Shopify's fields meet in `mapping`, which reads the names used here.
"""

from __future__ import annotations

# Where a shop keeps what Shopify has no field for, as namespace and key. Change them here.
METAFIELDS = {
    "birth_date": ("facts", "birth_date"),
    "resend_of_order_id": ("customer_health", "resend_of_order_id"),
    "family": ("custom", "family"),
    "metal": ("custom", "metal"),
    "finish": ("custom", "finish"),
    "style": ("custom", "style"),
}

# What the app must be allowed, and which fields want it.
SCOPES = {
    "read_customers": "customers",
    "read_orders": "orders, refunds, fulfillments and transactions",
    "read_products": "products",
    "read_inventory": "what a product costs",
    "read_returns": "returns",
}
ALL_ORDERS = "read_all_orders"

SHOP = """query HealthShop {
  shop { name ianaTimezone currencyCode }
  currentAppInstallation { accessScopes { handle } }
}"""

RUN = """mutation HealthBulk($query: String!) {
  bulkOperationRunQuery(query: $query, groupObjects: false) {
    bulkOperation { id status createdAt }
    userErrors { field message code }
  }
}"""


def _metafield(name: str) -> str:
    namespace, key = METAFIELDS[name]
    return f'{name}: metafield(namespace: "{namespace}", key: "{key}") {{ value }}'


_CUSTOMER = f"""
        id firstName lastName createdAt updatedAt tags
        defaultEmailAddress {{ emailAddress marketingState }}
        defaultPhoneNumber {{ phoneNumber marketingState }}
        defaultAddress {{ countryCodeV2 zip }}
        statistics {{ rfmGroup predictedSpendTier }}
        {_metafield("birth_date")}"""

_PRODUCT = f"""
        id title vendor productType updatedAt
        {_metafield("family")}
        {_metafield("metal")}
        {_metafield("finish")}
        {_metafield("style")}
        collections {{ edges {{ node {{ id title }} }} }}
        variants {{ edges {{ node {{ id price inventoryItem {{ unitCost {{ amount }} }} }} }} }}"""

_ORDER = f"""
        id email createdAt processedAt updatedAt cancelledAt test tags sourceName
        customer {{ id }}
        displayFinancialStatus displayFulfillmentStatus currencyCode presentmentCurrencyCode
        subtotalPriceSet {{ shopMoney {{ amount }} }}
        totalDiscountsSet {{ shopMoney {{ amount }} }}
        totalTaxSet {{ shopMoney {{ amount }} }}
        totalShippingPriceSet {{ shopMoney {{ amount }} }}
        totalPriceSet {{ shopMoney {{ amount }} }}
        shippingAddress {{ countryCodeV2 zip }}
        paymentGatewayNames discountCodes
        customerJourneySummary {{ firstVisit {{ source }} }}
        {_metafield("resend_of_order_id")}
        refunds {{ id createdAt }}
        fulfillments {{ id createdAt deliveredAt status }}
        transactions {{ id kind status gateway createdAt amountSet {{ shopMoney {{ amount }} }} }}
        lineItems {{ edges {{ node {{
          id sku title vendor quantity isGiftCard
          product {{ id }}
          variant {{ id }}
          originalUnitPriceSet {{ shopMoney {{ amount }} }}
          discountAllocations {{ allocatedAmountSet {{ shopMoney {{ amount }} }} }}
          customAttributes {{ key value }}
        }} }} }}
        returns {{ edges {{ node {{ id createdAt status }} }} }}"""

_FIELDS = {"customers": _CUSTOMER, "products": _PRODUCT, "orders": _ORDER}


def bulk(stream: str, since: str | None) -> str:
    """The bulk query of a stream (`customers`, `products`, `orders`).

    `since` (ISO 8601, UTC) keeps what was updated then or later; None asks for everything.
    """
    filtered = f"(query: \"updated_at:>='{since}'\")" if since else ""
    return f"""{{
  {stream}{filtered} {{
    edges {{
      node {{{_FIELDS[stream]}
      }}
    }}
  }}
}}"""


_REFUND_LINES = """refundLineItems(first: $first, after: $after) {
      nodes {
        id quantity lineItem { id }
        subtotalSet { shopMoney { amount } }
        totalTaxSet { shopMoney { amount } }
      }
      pageInfo { hasNextPage endCursor }
    }"""

_RETURN_LINES = """returnLineItems(first: $first, after: $after) {
      nodes {
        ... on ReturnLineItem {
          id quantity returnReason returnReasonNote fulfillmentLineItem { lineItem { id } }
        }
      }
      pageInfo { hasNextPage endCursor }
    }"""


def lines(kind: str) -> str:
    """The query for the lines of several objects of a kind, `Refund` or `Return`, by their ids.

    Variables: `ids`, `first` (lines an object), `after` (null for the first page).
    """
    fields = {"Refund": _REFUND_LINES, "Return": _RETURN_LINES}[kind]
    return f"""query Health{kind}Lines($ids: [ID!]!, $first: Int!, $after: String) {{
  nodes(ids: $ids) {{
    id
    ... on {kind} {{
      {fields}
    }}
  }}
}}"""
