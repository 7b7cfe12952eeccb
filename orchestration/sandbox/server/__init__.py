"""The vendors' side, pretended: Shopify, Klaviyo, Zigpoll, Postscript and Slack on loopback.

`Sandbox` answers from a file drop, holds what each customer was given and logs every request;
`running` serves it from a thread, `serve` until it is interrupted.
"""

from orchestration.sandbox.server.faults import Fault, FaultPlan
from orchestration.sandbox.server.run import Urls, running, serve
from orchestration.sandbox.server.state import Sandbox
from orchestration.sandbox.server.store import Moment, Request, Seen, Sent
from orchestration.sandbox.server.webhooks import Delivery, deliveries

__all__ = [
    "Delivery",
    "Fault",
    "FaultPlan",
    "Moment",
    "Request",
    "Sandbox",
    "Seen",
    "Sent",
    "Urls",
    "deliveries",
    "running",
    "serve",
]
