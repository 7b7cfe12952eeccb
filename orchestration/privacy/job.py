"""The job `forget` of the operator's console: `health forget --apply` by one form."""

# No `from __future__ import annotations`: Dagster reads the types of steps as they stand.
import io

from dagster import Config, JobDefinition, OpExecutionContext, in_process_executor, job, op
from pydantic import Field
from rich.console import Console

from orchestration.errors import HealthError
from orchestration.operate.failures import told_in_a_sentence
from orchestration.privacy.forget import forget
from orchestration.settings import settings
from orchestration.transform.assets import POOL
from orchestration.warehouse import connect

DESCRIPTION = (
    "Take one person out of everything we keep, for good, and prove that they are gone. "
    "It cannot be undone. Then run the push, which clears what destinations hold of them."
)


class Whom(Config):
    """Whom to forget. Dagster keeps what is written here with the run: no address belongs here."""

    customer: str = Field(
        default="", description="A Shopify customer id, or a customer_key; never an address."
    )
    shop: str = Field(default="", description="The shop whose customer id it is.")
    confirm: str = Field(default="", description="The customer once more, to confirm it.")


def asked_for(whom: Whom) -> str:
    """The key of a confirmed request; raises `HealthError` for any other."""
    customer, shop = whom.customer.strip(), whom.shop.strip()
    if "@" in customer or "+" in customer:
        raise HealthError(
            "Nothing was removed. The console keeps the configuration of its runs: give the "
            "customer_key or the Shopify id, not an address."
        )
    if not customer or whom.confirm.strip() != customer:
        raise HealthError(
            "Nothing was removed: it cannot be undone, so `confirm` must say the customer once "
            "more, exactly as `customer` does."
        )
    return customer if not shop or customer.startswith(f"{shop}:") else f"{shop}:{customer}"


def forget_job(name: str = "forget") -> JobDefinition:
    """The job: one step that waits for the warehouse and logs the proof."""

    @op(name=f"{name}_step", description=DESCRIPTION, pool=POOL)
    def step(context: OpExecutionContext, config: Whom) -> None:
        shown = io.StringIO()
        try:
            with told_in_a_sentence():
                now = settings()
                with connect(now.warehouse_path, read_only=True):
                    # A file that is no warehouse is said before anything else.
                    customer = asked_for(config)
                forget(now, customer, apply=True, console=Console(file=shown, width=100))
        finally:
            context.log.info(shown.getvalue())

    @job(name=name, description=DESCRIPTION, executor_def=in_process_executor)
    def chore() -> None:
        step()

    return chore
