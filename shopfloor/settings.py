"""The one frozen place for settings, and the only reader of environment variables.

Every field is ``SHOPFLOOR_<NAME>`` in the environment or in ``.env``; Gemini's key is read as ``GOOGLE_API_KEY``,
as Google's own libraries do. A wrong value is a :class:`~shopfloor.errors.ConfigError` at start.
"""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shopfloor.errors import ConfigError

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


class Settings(BaseSettings):
    """Everything that can be set. Immutable: ``settings.model_copy(update={...})`` makes a changed one."""

    model_config = SettingsConfigDict(env_prefix="SHOPFLOOR_", env_file=".env", frozen=True, extra="ignore")

    # The process
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    data: Path = Field(default=Path("data"), description="folder of the databases, models and exports")
    models: Path | None = Field(default=None, description="folder of derived model files; empty: DATA/models")
    shop: Path | None = Field(default=None, description="shop folder or catalogue database; empty: the demo shop")

    # Opened-up service
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    owner_key: SecretStr | None = Field(
        default=None,
        description="opens the dashboard and what it can do, and is good for everything else; empty: API keys do",
    )
    max_body_bytes: int = Field(default=256_000, ge=1_000)
    max_text_chars: int = Field(default=4_000, ge=100)
    rate_limit_per_minute: int = Field(default=240, ge=0, description="requests a minute a client; 0: no limit")

    # Gemini supervisor
    google_api_key: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("google_api_key", "GOOGLE_API_KEY", "GEMINI_API_KEY")
    )
    gemini_model: str = "gemini-2.5-flash"
    gemini_base_url: str | None = None
    gemini_timeout_s: float = Field(default=6.0, gt=0)
    gemini_retries: int = Field(default=1, ge=0, le=5)
    gemini_daily_tokens: int = Field(default=2_000_000, ge=0, description="budget; 0: Gemini is never called")
    gemini_below: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="with Gemini: turns that the local router is at least this sure of go to the agents without asking it",
    )
    breaker_failures: int = Field(default=3, ge=1)
    breaker_reset_s: float = Field(default=30.0, gt=0)

    # The turn
    hop_limit: int = Field(default=6, ge=2)
    node_timeout_s: float = Field(default=20.0, gt=0)
    turn_timeout_s: float = Field(default=45.0, gt=0)
    history_messages: int = Field(default=40, ge=2, description="messages kept in a thread's state")
    checkpoints_kept: int = Field(default=20, ge=1, description="newest checkpoints kept of a thread")

    # Local model
    runtime: Literal["auto", "embedded", "llama-cpp", "ollama", "hf", "mlx", "openai"] = Field(
        default="auto", description="what runs the model: auto takes the server of model_url if set, else the profile's"
    )
    model_url: str | None = Field(default=None, description="address of the model server, e.g. http://127.0.0.1:8080")
    model_name: str | None = Field(default=None, description="the model's name on that server; empty: its first")
    model_api_key: SecretStr | None = Field(default=None, description="the model server's key, where it wants one")
    accepted_licences: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="restrictive model licences that are accepted, e.g. gemma,stability"
    )
    profile: Literal["auto", "cpu", "m1-8gb", "rtx3060-6gb"] = "auto"
    model: Path | None = Field(default=None, description="a GGUF file instead of the profile's")
    inventory_model: Path | None = Field(
        default=None,
        description="a GGUF file for the inventory agent alone; empty: the profile's, or the other agent's",
    )
    inventory_model_name: str | None = Field(
        default=None, description="the inventory agent's model on the server, or its repository; empty: as above"
    )
    model_form: Literal["auto", "prepared", "shipped"] = Field(
        default="auto",
        description="the file's form: auto makes a faster one and uses it when checked, prepared only uses one, shipped never",
    )
    model_ctx: int = Field(default=2048, ge=256, description="tokens of context for each slot")
    model_slots: int = Field(default=4, ge=1, le=32, description="requests decoded at once")
    model_threads: int = Field(default=0, ge=0, description="0: the physical cores this process may use")
    model_memory_mb: int = Field(
        default=0,
        ge=0,
        description="the most memory the embedded model may take, MB; 0: what the machine has available",
    )
    model_timeout_s: float = Field(default=15.0, gt=0)
    explain_timeout_s: float = Field(
        default=5.0, gt=0, description="after it the rest of an explanation comes from its template"
    )
    model_ranking: Literal["auto", "on", "off"] = Field(
        default="auto", description="the model's score in the ranking: auto counts it where it was measured to help"
    )
    explanations: Literal["auto", "template", "model"] = Field(
        default="auto",
        description="who chooses among the grounded sentences about a list: auto lets the model where it was measured"
        " to choose better than the templates, which the embedded 135M model was not",
    )
    model_reading: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="the model reads stock questions whose product the rules are unsure of: auto only where it was"
        " measured to help, which the embedded 135M model was not",
    )
    model_reading_timeout_s: float = Field(
        default=2.0, gt=0, description="after it the answer of the rules stands: it asks, or says what is unknown"
    )
    out_of_stock: Literal["demote", "hide", "show"] = "demote"
    low_stock_units: int = Field(default=3, ge=0)

    # Learning
    forget_policy: Literal["retire", "retrain"] = Field(
        default="retire", description="what `shopfloor forget` does with what was learned from the user"
    )
    trainer: Literal["auto", "plain", "trl", "mlx", "unsloth"] = Field(
        default="auto", description="what trains adapters; auto is our own, which knows the loss among a few labels"
    )
    train_automatically: bool = Field(
        default=True, description="the service starts a training by itself when there is enough new feedback"
    )
    train_every: int = Field(default=50, ge=50, le=100, description="usable new reactions that start a training")
    train_quiet_hours: str = Field(
        default="",
        pattern=r"^$|^([01]?\d|2[0-3])-([01]?\d|2[0-3])$",
        description="hours of the day, local time, in which none starts by itself, e.g. 9-18; empty: any hour is fine",
    )
    train_learn: Literal["auto", "head", "lora"] = Field(
        default="auto", description="what a training makes: auto the head, then an adapter where that gained nothing"
    )
    train_memory_mb: int = Field(
        default=0,
        ge=0,
        description="the most memory the training of a LoRA may take, MB; 0: what the machine has available",
    )

    # What won goes live
    rollout: Literal["shares", "direct"] = Field(
        default="shares", description="what a training of the service promotes: shares of the users first, or everybody"
    )
    rollout_stages: Annotated[tuple[int, ...], NoDecode] = Field(
        default=(10, 50), description="shares in percent before everybody, growing, e.g. 10,50"
    )
    rollout_min_outcomes: int = Field(
        default=30, ge=1, description="users who reacted, on each side, before a share grows"
    )
    rollout_min_users: int = Field(default=20, ge=1, description="users on each side before a share grows")
    rollout_min_hours: float = Field(default=1.0, ge=0, description="the least time at a share")
    rollout_patience_hours: float = Field(
        default=24.0,
        ge=0,
        description="after it a share grows without enough reactions where nothing shows harm; 0: it waits for them",
    )
    rollout_margin: float = Field(
        default=0.1, gt=0, le=1, description="loss of quality (0 to 1; a star is .25) that must be ruled out"
    )
    rollout_error_margin: float = Field(
        default=0.05, gt=0, le=1, description="rise in the share of failed, and of slow, turns that must be ruled out"
    )
    rollout_alpha: float = Field(
        default=0.05, gt=0, le=0.5, description="the chance that a trial without harm is ever taken back"
    )
    rollout_cooldown_hours: float = Field(
        default=24.0, ge=0, description="after something was taken back: no automatic training, not the same data again"
    )
    rollout_look_s: float = Field(default=5.0, gt=0, description="seconds between two looks at what is being tried")
    latency_budget_ms: float = Field(
        default=4_000.0,
        gt=0,
        description="a turn that takes longer is slow; while 5 of 100 are, a training of the service pauses",
    )

    # Logs
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_text: bool = Field(default=False, description="message texts in logs; off for privacy")

    @field_validator("api_keys", "accepted_licences", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("owner_key", mode="before")
    @classmethod
    def _no_empty_key(cls, value: object) -> object:
        return None if isinstance(value, str) and not value.strip() else value

    @field_validator("rollout_stages", mode="before")
    @classmethod
    def _split_stages(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("rollout_stages")
    @classmethod
    def _growing(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or any(not 0 < one < 100 for one in value) or list(value) != sorted(set(value)):
            raise ValueError("give shares between 1 and 99 that grow, e.g. 10,50")
        return value

    @model_validator(mode="after")
    def _opened_up_needs_keys(self) -> "Settings":
        if self.host not in LOOPBACK_HOSTS and not self.api_keys:
            raise ValueError(
                f"host {self.host} is reachable from other machines: set SHOPFLOOR_API_KEYS (comma-separated), "
                "or bind to 127.0.0.1"
            )
        return self

    @model_validator(mode="after")
    def _owner_alone(self) -> "Settings":
        if self.owner_key is not None and self.owner_key in self.api_keys:
            raise ValueError("SHOPFLOOR_OWNER_KEY is one of SHOPFLOOR_API_KEYS: give the owner a key of their own")
        return self

    @property
    def catalogue_path(self) -> Path:
        """The catalogue database in use."""
        if self.shop is not None and self.shop.suffix in {".db", ".sqlite", ".sqlite3"}:
            return self.shop
        return self.data / "shop.db"

    @property
    def state_path(self) -> Path:
        """Traces, feedback, artefact registry and audit."""
        return self.data / "state.db"

    @property
    def checkpoint_path(self) -> Path:
        """Conversations (LangGraph checkpoints)."""
        return self.data / "checkpoints.db"

    @property
    def artefacts_path(self) -> Path:
        """Learned artefacts (adapters, heads, fusion weights), a folder each."""
        return self.data / "artefacts"

    @property
    def models_path(self) -> Path:
        """Model files and what is derived from them."""
        return self.models if self.models is not None else self.data / "models"


def load_settings(**overrides: object) -> Settings:
    """Read settings from the environment; ``overrides`` (by field name) win, ``None`` means not given.

    Raises:
        ConfigError: naming the first wrong setting and what is wrong with it.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        name = f"SHOPFLOOR_{where.upper()}" if where else "settings"
        raise ConfigError(f"{name}: {first['msg'].removeprefix('Value error, ')}") from error


def otel_variables() -> set[str]:
    """Names of the standard OpenTelemetry variables that are set; the OpenTelemetry SDK reads their values itself."""
    return {name for name, value in os.environ.items() if name.startswith("OTEL_") and value}
