"""Every setting and secret, validated, in one place.

Values come from the environment alone. Secrets are `SecretStr`, so that no log shows them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from orchestration.errors import HealthError

PROJECT_DIR = Path(__file__).resolve().parent.parent

# What the secret and the address of a vendor are called in the environment, and the address when
# none is said. Each variable may end in `__<SHOP>` (the shop id in capitals, anything but letters
# and digits as `_`) to speak of one shop alone; an address may contain `{shop}`.
DESTINATIONS = {
    "klaviyo": ("KLAVIYO_API_KEY", "HEALTH_KLAVIYO_URL", "https://a.klaviyo.com"),
    "shopify": (
        "SHOPIFY_ACCESS_TOKEN",
        "HEALTH_SHOPIFY_URL",
        "https://{shop}.myshopify.com/admin/api/2026-07/graphql.json",
    ),
    "zigpoll": ("ZIGPOLL_API_KEY", "HEALTH_ZIGPOLL_URL", "https://v1.zigpoll.com"),
    "postscript": ("POSTSCRIPT_API_KEY", "HEALTH_POSTSCRIPT_URL", "https://api.postscript.io"),
    "slack": ("SLACK_BOT_TOKEN", "HEALTH_SLACK_URL", "https://slack.com/api"),
}

# Where alerts are posted, and where when nothing is said.
CHANNEL = "HEALTH_SLACK_CHANNEL"
DEFAULT_CHANNEL = "customer-health"

# A Shopify app has, instead of a token that stays, an id and a secret that tokens are asked with.
CLIENT_ID = "SHOPIFY_CLIENT_ID"
CLIENT_SECRET = "SHOPIFY_CLIENT_SECRET"  # noqa: S105

# Shopify signs the webhooks of an app with its client secret, those of a shop with a key of theirs.
WEBHOOK_SECRETS = ("SHOPIFY_WEBHOOK_SECRET", CLIENT_SECRET, "ZIGPOLL_WEBHOOK_SECRET")


def variables(destination: str) -> tuple[str, ...]:
    """The names of all variables that speak of a vendor, without a shop's suffix."""
    secret, url, _ = DESTINATIONS[destination]
    more = {"shopify": (CLIENT_ID, CLIENT_SECRET), "slack": (CHANNEL,)}
    return (secret, url, *more.get(destination, ()))


@dataclass(frozen=True)
class Connection:
    """How to reach one shop at one vendor; `variable` is where its secret was looked for.

    With a `client_id`, `secret` is that of the Shopify app and no token: tokens are asked with the
    two, see `orchestration.vendors.tokens`. `channel` is where Slack's messages go.
    """

    shop_id: str
    destination: str
    url: str
    secret: SecretStr
    variable: str
    client_id: str | None = None
    channel: str | None = None


def is_loopback(url: str) -> bool:
    """Whether an address stays on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def shop_suffix(shop_id: str) -> str:
    """How the name of a variable ends that speaks of one shop alone: `__AURELIA`."""
    return "__" + re.sub(r"[^A-Z0-9]", "_", shop_id.upper())


def _from_environment(names: Collection[str]) -> dict[str, SecretStr]:
    """The variables of these names that are set, alone or with a shop's suffix."""
    return {
        name: SecretStr(value)
        for name, value in os.environ.items()
        if value and name.partition("__")[0] in names
    }


def _connection_variables() -> dict[str, SecretStr]:
    return _from_environment(
        {name for destination in DESTINATIONS for name in variables(destination)}
    )


def _webhook_secrets() -> dict[str, SecretStr]:
    return _from_environment(WEBHOOK_SECRETS)


class Settings(BaseSettings):
    """What the environment says. Paths that are not absolute start at the project's root."""

    model_config = SettingsConfigDict(env_prefix="HEALTH_", extra="ignore", populate_by_name=True)

    warehouse: Path = Field(default=Path("data/warehouse.duckdb"), validation_alias="DUCKDB_PATH")
    landing: Path = Path("landing")
    serving: Path | None = Field(
        default=None,
        validation_alias="HEALTH_SERVING_PATH",
        description="The copy that readers open; `serving/` beside the warehouse if not said.",
    )
    report: Path | None = Field(
        default=None,
        validation_alias="HEALTH_REPORT_PATH",
        description="Where the report is written; `report.html` beside the warehouse if not said.",
    )
    dagster_home: Path = Field(default=Path("data/dagster"), validation_alias="DAGSTER_HOME")
    first_day: date = Field(
        default=date(2024, 1, 1), description="The first shop day that Dagster can score."
    )
    shop_zones: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("America/New_York", "Asia/Tokyo"),
        min_length=1,
        description="The shops' time zones; each has a daily schedule. Comma-separated.",
    )
    shop_ids: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        validation_alias="HEALTH_SHOPS",
        description="The shops to extract: myshopify domains without suffix, comma-separated.",
    )
    catch_up_days: int = Field(
        default=14, ge=1, description="How many days a schedule scores at most after an outage."
    )
    push_enabled: bool = Field(
        default=False, description="Whether Dagster's push assets send; they plan when it is off."
    )
    push_most_changed: float = Field(
        default=0.20,
        ge=0,
        le=1,
        description="The share of confirmed objects whose bucket a push may change unasked.",
    )
    push_stale_days: int = Field(
        default=3, ge=0, description="How many days old scores may be that are pushed unasked."
    )
    alerts_enabled: bool = Field(
        default=False, description="Whether the console's sensor tells Slack of runs that failed."
    )
    alerts_channel: str | None = Field(
        default=None, description="Where failures are told, if not in the shops' own channels."
    )
    console_url: str | None = Field(
        default=None, description="Where the console is found, for the links in alerts."
    )
    block_customer_days: int = Field(
        default=40_000_000,
        ge=1,
        description="Customers times days that one run may score at once; more is split by days.",
    )
    postgres_url: SecretStr | None = Field(
        default=None,
        description="Where the marts are published to as well: postgresql://user:password@host/db.",
    )
    postgres_reader: str = Field(
        default="health_reader", min_length=1, description="The role that may read them there."
    )
    postgres_days: int = Field(
        default=35, ge=1, description="How many scored days of each shop the marts have there."
    )
    ducklake_url: SecretStr | None = Field(
        default=None,
        description="Postgres with the catalogue of a DuckLake that is published to as well.",
    )
    ducklake_path: Path | None = Field(
        default=None,
        description="The folder of its files, which readers see too; `lake/` beside the warehouse.",
    )
    ducklake_days: int = Field(
        default=30, ge=1, description="How many days its earlier snapshots stay."
    )
    connections: dict[str, SecretStr] = Field(
        default_factory=_connection_variables,
        description="The variables of DESTINATIONS that are set, by name.",
    )

    webhook_secrets: dict[str, SecretStr] = Field(
        default_factory=_webhook_secrets,
        description="What webhooks are signed with: the variables of WEBHOOK_SECRETS, by name.",
    )

    @field_validator("shop_zones", mode="before")
    @classmethod
    def _split_zones(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        zones = tuple(dict.fromkeys(z.strip() for z in value.split(",") if z.strip()))
        unknown = [z for z in zones if z not in available_timezones()]
        if unknown or not zones:
            raise HealthError(
                "HEALTH_SHOP_ZONES wants IANA time zones with commas between them, such as "
                f"America/New_York,Asia/Tokyo; '{', '.join(unknown)}' is none."
            )
        return zones

    @field_validator("shop_ids", mode="before")
    @classmethod
    def _split_shops(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        found = (part.strip().lower() for part in value.split(","))
        shops = tuple(dict.fromkeys(part.removesuffix(".myshopify.com") for part in found if part))
        wrong = [shop for shop in shops if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", shop)]
        if wrong:
            raise HealthError(
                "HEALTH_SHOPS wants myshopify domains without their suffix, with commas between "
                f"them, such as aurelia,hoshi; '{', '.join(wrong)}' is none."
            )
        return shops

    @field_validator("console_url")
    @classmethod
    def _link(cls, value: str | None) -> str | None:
        if value and not re.fullmatch(r"https?://[^\s<>|@]+", value):
            raise HealthError(
                "HEALTH_CONSOLE_URL wants the address of the console, such as "
                f"http://console.example:3000, not '{value}'."
            )
        return value.rstrip("/") if value else None

    @field_validator(
        "postgres_url", "ducklake_url", "ducklake_path", "alerts_channel", mode="before"
    )
    @classmethod
    def _none_when_empty(cls, value: Any) -> Any:
        return value or None

    @field_validator(
        "first_day",
        "catch_up_days",
        "push_enabled",
        "alerts_enabled",
        "push_most_changed",
        "push_stale_days",
        "postgres_days",
        "ducklake_days",
        mode="wrap",
    )
    @classmethod
    def _say_what_is_wanted(
        cls, value: Any, parse: Callable[[Any], Any], info: ValidationInfo
    ) -> Any:
        wanted = {
            "first_day": "a date like 2024-01-01",
            "catch_up_days": "a whole number of days, 1 or more",
            "push_enabled": "1 or 0",
            "alerts_enabled": "1 or 0",
            "push_most_changed": "a share between 0 and 1, such as 0.2",
            "push_stale_days": "a whole number of days, 0 or more",
            "postgres_days": "a whole number of days, 1 or more",
            "ducklake_days": "a whole number of days, 1 or more",
        }
        try:
            return parse(value)
        except ValueError as error:
            name = str(info.field_name)
            raise HealthError(
                f"HEALTH_{name.upper()} wants {wanted[name]}, not '{value}'."
            ) from error

    def connection(self, shop_id: str, destination: str) -> Connection | None:
        """How to reach a shop at one of DESTINATIONS; None when it has no credentials.

        The shop's own variable (`KLAVIYO_API_KEY__AURELIA`) goes before the general one
        (`KLAVIYO_API_KEY`), and a token before a client id. Raises `HealthError` for an address
        that would send the secret in clear over a network, and for half of a client's credentials.
        """
        secret_name, url_name, vendor = DESTINATIONS[destination]
        suffix = shop_suffix(shop_id)
        credentials = self._credentials(destination, suffix) or self._credentials(destination, "")
        if credentials is None:
            return None
        secret, client_id = credentials
        variable, template = self._said(url_name, suffix, vendor)
        url = template.replace("{shop}", shop_id).rstrip("/")
        if not url.startswith("https://") and not (url.startswith("http://") and is_loopback(url)):
            raise HealthError(
                f"{variable} must start with https:// (http:// is taken on this machine alone), "
                "or the secret would travel in clear."
            )
        return Connection(
            shop_id=shop_id,
            destination=destination,
            url=url,
            secret=secret,
            variable=(CLIENT_SECRET if client_id else secret_name) + suffix,
            client_id=client_id,
            channel=self._said(CHANNEL, suffix, DEFAULT_CHANNEL)[1]
            if destination == "slack"
            else None,
        )

    def _said(self, name: str, suffix: str, default: str) -> tuple[str, str]:
        """The variable that speaks of a shop, and its value; without one, '' and `default`."""
        for variable in (name + suffix, name):
            if variable in self.connections:
                return variable, self.connections[variable].get_secret_value()
        return "", default

    def _credentials(self, destination: str, suffix: str) -> tuple[SecretStr, str | None] | None:
        """A vendor's secret and, with a Shopify app's secret, its client id."""
        secret = self.connections.get(DESTINATIONS[destination][0] + suffix)
        if secret is not None:
            return secret, None
        if destination != "shopify":
            return None
        client_id = self.connections.get(CLIENT_ID + suffix)
        client_secret = self.connections.get(CLIENT_SECRET + suffix)
        if client_id is None and client_secret is None:
            return None
        if client_id is None or client_secret is None:
            missing = CLIENT_ID if client_id is None else CLIENT_SECRET
            raise HealthError(
                f"{missing}{suffix} is missing: a Shopify app's client id and secret go together."
            )
        return client_secret, client_id.get_secret_value()

    def secrets(self) -> list[str]:
        """All secrets that the environment holds, to be kept out of what is told."""
        held = {n: s for n, s in self.connections.items() if not n.startswith("HEALTH_")}
        found = [*held.values(), *self.webhook_secrets.values()]
        found += [url for url in (self.postgres_url, self.ducklake_url) if url is not None]
        return [secret.get_secret_value() for secret in found]

    def named_shops(self) -> list[str]:
        """The shops of HEALTH_SHOPS; without it, those that a variable's suffix names. In order.

        A suffix has no hyphens, so `__MY_SHOP` is read as the shop `my-shop`.
        """
        from_suffixes = (
            suffix.lower().replace("_", "-")
            for suffix in (name.partition("__")[2] for name in self.connections)
            if suffix
        )
        return sorted(set(self.shop_ids or from_suffixes))

    def shops(self, destination: str) -> list[str]:
        """The named shops that have credentials at one of DESTINATIONS."""
        return [s for s in self.named_shops() if self.connection(s, destination) is not None]

    @property
    def warehouse_path(self) -> Path:
        """The warehouse file, absolute."""
        return PROJECT_DIR / self.warehouse

    @property
    def serving_path(self) -> Path:
        """The copy of the marts that readers open, absolute."""
        beside = self.warehouse_path.parent / "serving" / "customer_health.duckdb"
        return PROJECT_DIR / (self.serving or beside)

    @property
    def ducklake_folder(self) -> Path:
        """The folder of the lake's files, absolute. Raises `HealthError` for an object store."""
        if self.ducklake_path and ":/" in str(self.ducklake_path):
            raise HealthError(
                "HEALTH_DUCKLAKE_PATH wants a folder that every reader has mounted too, not "
                f"'{self.ducklake_path}': object stores have not been tried yet."
            )
        return PROJECT_DIR / (self.ducklake_path or self.warehouse_path.parent / "lake")

    @property
    def report_path(self) -> Path:
        """The page of the report, absolute."""
        return PROJECT_DIR / (self.report or self.warehouse_path.parent / "report.html")

    @property
    def landing_path(self) -> Path:
        """The folder that file drops arrive in, absolute."""
        return PROJECT_DIR / self.landing

    @property
    def dagster_home_path(self) -> Path:
        """The folder where Dagster keeps its runs, absolute."""
        return PROJECT_DIR / self.dagster_home


@cache
def settings() -> Settings:
    """The settings of this process."""
    return Settings()


@cache
def health_scorecard() -> str:
    """The scorecard behind `health_score`: the var `health_scorecard` of dbt_project.yml."""
    import yaml

    project = yaml.safe_load((PROJECT_DIR / "dbt_project.yml").read_text())
    return str(project["vars"]["health_scorecard"])
