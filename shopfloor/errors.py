"""The tree of everything this package raises on purpose.

Each error carries what a person needs: one sentence that says what is wrong and what to do.
Only the command line and the HTTP layer turn an error into a message, an exit code or a status.
"""

from collections.abc import Sequence


class ShopfloorError(Exception):
    """Base of every error raised on purpose.

    Attributes:
        code: a stable machine-readable name, e.g. ``unknown_sku``.
        status: the HTTP status a front door answers with.
        detail: one sentence for a person.
        matches: the nearest valid values, best first, where there are any.
    """

    code = "internal"
    status = 500

    def __init__(self, detail: str, *, code: str | None = None, matches: Sequence[str] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.matches = tuple(matches)
        if code is not None:
            self.code = code


class ConfigError(ShopfloorError):
    """A setting is wrong or something a setting names is missing; found at start."""

    code = "bad_config"


class InputError(ShopfloorError):
    """What the caller sent can't be used."""

    code = "bad_input"
    status = 422


class NotFoundError(InputError):
    """The caller named a product, store, place, thread or answer that is not there."""

    code = "not_found"
    status = 404


class AccessError(InputError):
    """No valid key, or somebody else's thread."""

    code = "forbidden"
    status = 403


class TooManyRequestsError(InputError):
    """Over the rate limit."""

    code = "rate_limited"
    status = 429


class TooLargeError(InputError):
    """A body or a text over its limit."""

    code = "too_large"
    status = 413


class ImportRejectedError(InputError):
    """A shop's files can't be imported at all; nothing was changed."""

    code = "import_rejected"


class ArtefactRejectedError(InputError):
    """A learned artefact is broken, made for another model, or may not take the place; nothing was changed."""

    code = "artefact_rejected"


class StoreError(ShopfloorError):
    """The database can't be opened, is of a newer version, or is damaged."""

    code = "store"


class ModelError(ShopfloorError):
    """The local model can't answer now."""

    code = "model"
    status = 503


class ModelMissingError(ModelError):
    """The model file is absent, truncated or of another architecture."""

    code = "model_missing"


class ContextOverflowError(ModelError):
    """The prompt is longer than the model's context; it is never cut silently."""

    code = "context_overflow"
    status = 422


class ModelTimeoutError(ModelError):
    """The model did not finish within its deadline; its slot is free again."""

    code = "model_timeout"
    status = 504


class SupervisorError(ShopfloorError):
    """The remote supervisor can't decide; the local router takes over."""

    code = "supervisor"
    status = 503
