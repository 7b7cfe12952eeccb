"""The vendors' side of the push, pretended: Klaviyo and Shopify on loopback, with a memory.

`Sandbox` holds what each customer was given and a log of every request; `running` serves it from
a thread, `serve` until it is interrupted.
"""

from orchestration.sandbox.server.faults import Fault, FaultPlan
from orchestration.sandbox.server.run import Urls, running, serve
from orchestration.sandbox.server.state import Moment, Request, Sandbox, Seen

__all__ = [
    "Fault",
    "FaultPlan",
    "Moment",
    "Request",
    "Sandbox",
    "Seen",
    "Urls",
    "running",
    "serve",
]
